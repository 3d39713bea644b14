"""Several bags as one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import bag_maker
import pytest
from rosbags.rosbag2 import CompressionMode

from da_ros.errors import BagError
from da_ros.offline.bag_inputs import BagInputs
from da_ros.offline.bag_output import PUBLISHED_QOS, BagOutput
from da_ros.offline.bag_salvage import zstd


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


def compressed(file: Path) -> Path:
    """Compress a file as the recorder does when it begins the next one."""
    target = file.with_name(f"{file.name}.zstd")
    target.write_bytes(zstd.compress(file.read_bytes()))
    file.unlink()
    return target


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
class TestKilledRecorderThatCompressed:
    """All files but the last are compressed, and no metadata.yaml says so."""

    def test_all_files_are_read(self, tmp_path: Path, storage: str) -> None:
        bag = split_bag(tmp_path / "r", storage)
        (bag / "metadata.yaml").unlink()
        for file in bag.glob("r_[01].*"):
            compressed(file)
        with BagInputs([bag]) as source:
            assert [message.timestamp for message in source.messages()] == [0, 1, 2, 3, 4, 5]
            assert (source.stopped, source.storage) == ("", storage)

    def test_in_the_middle_of_a_compression(self, tmp_path: Path, storage: str) -> None:
        bag = split_bag(tmp_path / "r", storage)
        (bag / "metadata.yaml").unlink()
        whole = next(bag.glob("r_1.*"))
        whole.with_name(f"{whole.name}.zstd").write_bytes(zstd.compress(whole.read_bytes())[:99])
        with BagInputs([bag]) as source:
            assert [message.timestamp for message in source.messages()] == [0, 1, 2, 3, 4, 5]
            assert source.stopped == ""

    @pytest.mark.parametrize("metadata", [True, False])
    def test_a_spoilt_one_costs_itself(
        self, tmp_path: Path, storage: str, *, metadata: bool
    ) -> None:
        bag = split_bag(tmp_path / "r", storage)
        for file in list(bag.glob("r_*")):
            compressed(file)
        listing = (bag / "metadata.yaml").read_text()
        for ending in ("mcap", "db3"):
            listing = listing.replace(f".{ending}\n", f".{ending}.zstd\n")
        listing = re.sub("compression_mode: .*", "compression_mode: FILE", listing)
        listing = re.sub("compression_format: .*", "compression_format: zstd", listing)
        (bag / "metadata.yaml").write_text(listing)
        if not metadata:
            (bag / "metadata.yaml").unlink()
        next(bag.glob("r_1.*")).write_bytes(b"x" * 99)
        with BagInputs([bag]) as source:
            assert [message.timestamp for message in source.messages()] == [0, 1, 4, 5]
            assert "r_1." in source.stopped

    def test_messages_compressed_one_by_one(self, tmp_path: Path, storage: str) -> None:
        whole = split_bag(tmp_path / "whole", storage)
        bag = bag_maker.write_bag(
            tmp_path / "r",
            [bag_maker.info("/x", at, at) for at in range(6)],
            storage=storage,
            compression=CompressionMode.MESSAGE,
        )
        (bag / "metadata.yaml").unlink()
        with BagInputs([whole]) as expected, BagInputs([bag]) as source:
            found = [bytes(message.raw) for message in source.messages()]
            assert found == [bytes(message.raw) for message in expected.messages()]
            assert [bytes(message.raw) for message in source.first("/x", 2)] == found[:2]


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
