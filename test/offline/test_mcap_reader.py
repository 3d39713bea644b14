"""Damaged and cut mcap files, against the library's reader on whole ones."""

from __future__ import annotations

from pathlib import Path

import bag_maker
import pytest
from rosbags.rosbag2 import CompressionMode, Reader

from da_ros.errors import BagError
from da_ros.offline.bag_input import BagInput

ZSTD = b"\x28\xb5\x2f\xfd"  # begins every compressed chunk


def by_library(path: Path) -> list[tuple[str, int, bytes]]:
    with Reader(path) as reader:
        return [(c.topic, timestamp, bytes(raw)) for c, timestamp, raw in reader.messages()]


def by_us(bag: BagInput) -> list[tuple[str, int, bytes]]:
    return [(m.connection.topic, m.timestamp, bytes(m.raw)) for m in bag.messages()]


@pytest.fixture(params=[CompressionMode.NONE, CompressionMode.STORAGE])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Some three chunks of a megabyte."""
    bag = bag_maker.write_bag(
        tmp_path / "in", bag_maker.frames("/cam", 300), compression=request.param
    )
    return bag / "in.mcap"


class TestWhole:
    def test_as_the_library(self, file: Path) -> None:
        with BagInput(file) as bag:
            assert by_us(bag) == by_library(file)
            assert (bag.stopped, dict(bag.lost)) == ("", {})
            first, last = bag.times
        times = [timestamp for _, timestamp, _ in by_library(file)]
        assert (first, last) == (times[0], times[-1])

    def test_a_span(self, file: Path) -> None:
        whole = by_library(file)
        start, stop = whole[100][1], whole[400][1]
        with BagInput(file) as bag:
            found = [m.timestamp for m in bag.messages(start, stop)]
        assert found == [at for _, at, _ in whole if start <= at < stop]

    def test_messages_out_of_order_are_sorted(self, tmp_path: Path) -> None:
        entries = bag_maker.frames("/cam", 200)
        entries = entries[200:] + entries[:200]
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        with BagInput(bag) as source:
            found = by_us(source)
        assert found == by_library(bag)
        assert [m[1] for m in found] == sorted(m[1] for m in found)


class TestCut:
    @pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
    def test_whole_messages_before_the_cut(self, file: Path, share: float) -> None:
        whole = by_library(file)
        data = file.read_bytes()
        compressed = ZSTD in data
        file.write_bytes(data[: int(share * len(data))])
        with BagInput(file) as bag:
            found = by_us(bag)
            assert bag.stopped.startswith("in.mcap has no end; whole records end at byte")
            images = sum(topic == "/cam/image_raw" for topic, _, _ in found)
            assert bag.counts().get("/cam/image_raw", 0) == images
        assert found == whole[: len(found)]
        if not compressed:  # even the cut chunk is read up to its last whole message
            assert len(found) >= int(share * len(whole)) - 3
        elif share > 0.8:
            assert len(found) > 0.5 * len(whole)

    def test_every_length_is_read_or_refused(self, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", [bag_maker.odd(1), bag_maker.odd(2)])
        data = (bag / "in.mcap").read_bytes()
        whole = by_library(bag)
        for length in range(len(data)):
            (tmp_path / "cut.mcap").write_bytes(data[:length])
            try:
                with BagInput(tmp_path / "cut.mcap") as source:
                    found = by_us(source)
            except BagError:
                continue
            assert found == whole[: len(found)]

    def test_a_folder_whose_recorder_was_killed(self, file: Path) -> None:
        file.write_bytes(file.read_bytes()[:-40])
        with BagInput(file.parent) as bag:
            assert len(by_us(bag)) == 600


class TestDamage:
    def test_a_bad_chunk_is_skipped(self, file: Path) -> None:
        whole = by_library(file)
        data = bytearray(file.read_bytes())
        if ZSTD in data:
            second = data.index(ZSTD, data.index(ZSTD) + 1)
            data[second : second + 4] = bytes(4)
        else:
            length = 22 + len(whole[0][2])
            at = data.index(b"\x05" + length.to_bytes(8, "little"), len(data) // 2)
            data[at + 1 : at + 9] = b"\xff" * 8
        file.write_bytes(data)
        with BagInput(file) as bag:
            found = by_us(bag)
            assert not bag.stopped
            lost = sum(bag.lost.values())
            assert all("in.mcap: damaged chunk at byte" in reason for _, reason in bag.lost)
        assert len(found) == len(whole) - lost
        assert 0 < lost < 300
        assert set(found) <= set(whole)
