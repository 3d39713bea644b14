"""Several bags as one."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import bag_maker
import pytest

from da_ros.errors import BagError
from da_ros.offline.bag_inputs import BagInputs
from da_ros.offline.bag_output import PUBLISHED_QOS, BagOutput


class TestBagInputs:
    def test_merged_by_time(self, tmp_path: Path) -> None:
        one = bag_maker.write_bag(tmp_path / "one", bag_maker.frames("/cam", 3))
        two = bag_maker.write_bag(
            tmp_path / "two", bag_maker.frames("/cam", 3, 1_010_000_000), storage="sqlite3"
        )
        with BagInputs([one, two]) as source:
            found = [(m.connection.topic, m.timestamp) for m in source.messages()]
            assert [connection.id for connection in source.connections] == [0, 1]
            assert source.counts() == {"/cam/image_raw": 6, "/cam/camera_info": 6}
            assert source.times == (1_005_000_000, 1_010_000_000 + 66_000_000 + 6_000_000)
        assert [at for _, at in found] == sorted(at for _, at in found)
        assert len(found) == 12

    def test_topics_that_differ_stay_apart(self, tmp_path: Path) -> None:
        one = bag_maker.write_bag(tmp_path / "one", [bag_maker.info("/x", 1, 1)])
        two = bag_maker.write_bag(tmp_path / "two", [bag_maker.image("/x", 2, 2)])
        with BagInputs([one, two]) as source:
            assert [c.msgtype for c in source.connections] == [bag_maker.INFO, bag_maker.IMAGE]
            types = [message.connection.msgtype for message in source.messages()]
        assert types == [bag_maker.INFO, bag_maker.IMAGE]

    def test_files_of_a_killed_recorder_in_the_order_of_their_numbers(
        self, tmp_path: Path
    ) -> None:
        folder = tmp_path / "in"
        folder.mkdir()
        for number in (10, 9):
            bag = bag_maker.write_bag(tmp_path / f"p_{number}", [bag_maker.odd(number)])
            (bag / f"p_{number}.mcap").rename(folder / f"p_{number}.mcap")
        with BagInputs([folder]) as source:
            assert [file.name for file in source.files] == ["p_9.mcap", "p_10.mcap"]
            assert [message.timestamp for message in source.messages()] == [9, 10]

    def test_latched(self, tmp_path: Path) -> None:
        entries = [
            bag_maker.odd(1),
            bag_maker.info("/x", 2, 2),
            bag_maker.odd(3),
            bag_maker.odd(9),
        ]
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        with BagInputs([bag]) as source:
            assert [message.timestamp for message in source.latched(9)] == [1, 3]


def split_bag(folder: Path, storage: str) -> Path:
    """Three files of two messages each, as ``ros2 bag record`` splits one."""
    with BagOutput(folder, storage) as out:
        for number in range(3):
            topic = out.add_topic("/x", bag_maker.INFO) if not number else 0
            for at in (2 * number, 2 * number + 1):
                message = bag_maker.info("/x", at, at).message
                out.write(topic, at, bag_maker.STORE.serialize_cdr(message, bag_maker.INFO))
            if number < 2:
                out.cut()
    return folder


class TestUnreadableFiles:
    """One file that cannot be opened costs itself, whatever it is and however it is named."""

    CONTENTS: ClassVar[dict[str, bytes | None]] = {
        "missing": None, "empty": b"", "magic only": b"\x89MCAP0\r\n", "garbage": b"x" * 999,
        "a page": b"<html>not found</html>",
    }  # fmt: skip

    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    @pytest.mark.parametrize("content", CONTENTS)
    @pytest.mark.parametrize("metadata", [True, False])
    def test_the_others_are_read(
        self, tmp_path: Path, storage: str, content: str, *, metadata: bool
    ) -> None:
        bag = split_bag(tmp_path / "r", storage)
        spoilt = next(bag.glob("r_1.*"))
        spoilt.unlink()
        if self.CONTENTS[content] is not None:
            spoilt.write_bytes(self.CONTENTS[content] or b"")
        if not metadata:
            (bag / "metadata.yaml").unlink()
        with BagInputs([bag]) as source:
            assert [message.timestamp for message in source.messages()] == [0, 1, 4, 5]
            if metadata or content != "missing":  # else nobody knows of it
                assert spoilt.name in source.stopped
            (connection,) = source.connections
            assert connection.msgdef.data
            assert connection.ext.offered_qos_profiles == [PUBLISHED_QOS]  # type: ignore[union-attr]

    def test_where_none_can_be_opened_the_first_is_named(self, tmp_path: Path) -> None:
        bag = split_bag(tmp_path / "r", "mcap")
        for file in bag.glob("*.mcap"):
            file.write_bytes(b"")
        with pytest.raises(BagError, match=r"bag .*/r cannot be read"), BagInputs([bag]):
            pass
        (bag / "metadata.yaml").unlink()
        with pytest.raises(BagError, match=r"bag .*/r_0\.mcap cannot be read"), BagInputs([bag]):
            pass
