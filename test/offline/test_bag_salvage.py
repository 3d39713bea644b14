"""Bags whose compressed files are cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bag_maker
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionMode

from da_ros.errors import BagError
from da_ros.offline.bag import convert_bag
from da_ros.offline.bag_input import BagInput
from da_ros.offline.bag_job import BagJob

FRAMES = 60


def compressed_bag(path: Path, storage: str) -> tuple[Path, Path]:
    """A folder of noise, which does not shrink, and its one compressed file."""
    entries = bag_maker.frames("/cam", FRAMES)
    noise = np.random.default_rng(0)
    for entry in entries:
        if entry.topic == "/cam/image_raw":
            entry.message.data = noise.integers(0, 255, len(entry.message.data), np.uint8)
    bag = bag_maker.write_bag(path, entries, storage=storage, compression=CompressionMode.FILE)
    (file,) = (item for item in bag.iterdir() if item.name != "metadata.yaml")
    return bag, file


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
class TestCompressedFolder:
    def test_a_cut_file_is_read_as_far_as_it_goes(
        self, pipeline: Any, tmp_path: Path, storage: str
    ) -> None:
        bag, file = compressed_bag(tmp_path / "in", storage)
        whole = bag_maker.messages_of(bag)["/cam/image_raw"]
        file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
        report = convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        assert not report.complete
        assert report.stopped or report.lost
        assert FRAMES // 4 < report.done < FRAMES
        copied = bag_maker.messages_of(tmp_path / "out")["/cam/image_raw"]
        assert copied == whole[: len(copied)]

    def test_nothing_of_it_left(self, tmp_path: Path, storage: str) -> None:
        bag, file = compressed_bag(tmp_path / "in", storage)
        file.write_bytes(file.read_bytes()[:20])
        with pytest.raises(BagError, match="cannot be read"), BagInput(bag):
            pass

    def test_no_decompressed_files_are_left_behind(
        self, tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bag, file = compressed_bag(tmp_path / "in", storage)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        (tmp_path / "tmp").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
        with BagInput(bag) as opened:
            assert sum(1 for _ in opened.messages()) > 0
            assert list((tmp_path / "tmp").iterdir())
        assert list((tmp_path / "tmp").iterdir()) == []
