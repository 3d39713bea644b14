"""Opening bags, and what is no bag."""

from __future__ import annotations

from pathlib import Path

import bag_maker
import pytest
from rosbags.rosbag2 import CompressionMode

from da_ros.errors import BagError
from da_ros.offline.bag_input import BagInput
from da_ros.offline.bag_salvage import zstd


class TestBagInput:
    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    def test_storage(self, tmp_path: Path, storage: str) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/a", 1), storage=storage)
        with BagInput(bag) as opened:
            assert opened.storage == storage
            assert opened.counts() == {"/a/image_raw": 1, "/a/camera_info": 1}

    def test_storage_of_a_compressed_file(self, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(
            tmp_path / "in",
            bag_maker.frames("/a", 1),
            storage="sqlite3",
            compression=CompressionMode.FILE,
        )
        with BagInput(bag) as opened:
            assert opened.storage == "sqlite3"

    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    def test_one_compressed_file(self, tmp_path: Path, storage: str) -> None:
        bag = bag_maker.write_bag(
            tmp_path / "in",
            bag_maker.frames("/a", 2),
            storage=storage,
            compression=CompressionMode.FILE,
        )
        (file,) = bag.glob("*.zstd")
        with BagInput(file) as opened:
            assert (opened.storage, opened.stopped) == (storage, "")
            assert sum(1 for _ in opened.messages()) == 4

    def test_what_else_lies_in_the_folder(self, tmp_path: Path) -> None:
        """A folder for outputs that grows, and a link to nothing, as editors make them."""
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/a", 1))
        (bag / "out").mkdir()
        (bag / ".#metadata.yaml").symlink_to("nobody@nowhere")
        assert [file.name for file in BagInput(bag).files] == ["in.mcap", "metadata.yaml"]

    def test_damage_among_what_was_latched(self, tmp_path: Path) -> None:
        """It lies before the span that is read, and may have cost the transforms."""
        entries = [bag_maker.odd(1), bag_maker.odd(2), bag_maker.odd(9)]
        spoilt = zstd.compress(bytes(99))[:-9]
        bag = bag_maker.write_bag(tmp_path / "in", entries, raw={1: spoilt})
        (bag / "metadata.yaml").unlink()
        with BagInput(bag / "in.mcap") as opened:
            assert [message.timestamp for message in opened.latched(5)] == [1]
            assert [message.timestamp for message in opened.messages(5)] == [9]
            assert list(opened.lost.values()) == [1]
            assert opened.stopped == ""

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(BagError, match="does not exist"), BagInput(tmp_path / "none"):
            pass

    def test_a_topic_in_the_place_of_a_bag(self) -> None:
        """What becomes of ``--scale-depth-image /camera/depth``, a switch that takes no value."""
        path = Path("/camera/depth/image_raw")
        with pytest.raises(BagError, match="is it a topic"), BagInput(path):
            pass

    def test_another_file(self, tmp_path: Path) -> None:
        file = tmp_path / "x.txt"
        file.touch()
        with pytest.raises(BagError, match="expected a folder with metadata"), BagInput(file):
            pass

    def test_another_folder(self, tmp_path: Path) -> None:
        with pytest.raises(BagError, match=r"has no metadata\.yaml; this is no bag"):
            BagInput(tmp_path).check()

    def test_a_recording_that_was_killed(self, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/a", 1))
        (bag / "metadata.yaml").unlink()
        with pytest.raises(BagError, match=r"give the files themselves: .*in\.mcap"):
            BagInput(bag).check()

    @pytest.mark.parametrize("name", ["x.mcap", "x.db3"])
    @pytest.mark.parametrize("content", [b"", b"garbage" * 50, b"\x89MCAP0\r\n\x01"])
    def test_garbage(self, tmp_path: Path, name: str, content: bytes) -> None:
        file = tmp_path / name
        file.write_bytes(content)
        with pytest.raises(BagError, match="cannot be read"), BagInput(file):
            pass

    def test_not_opened(self, tmp_path: Path) -> None:
        with pytest.raises(BagError, match="is not open"):
            BagInput(tmp_path).counts()

    def test_first_messages_of_a_topic(self, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/a", 3))
        with BagInput(bag) as opened:
            assert opened.first("/b", 5) == []
            found = opened.first("/a/image_raw", 2)
            assert [item.connection.topic for item in found] == ["/a/image_raw"] * 2
            assert found[0].timestamp < found[1].timestamp
            assert len(opened.first("/a/image_raw", 9)) == 3
