"""A cut sqlite3 file gives every row up to the first that is gone."""

from __future__ import annotations

from pathlib import Path

import bag_maker
import pytest
from rosbags.rosbag2 import Reader

from da_ros.offline.bag_input import BagInput


def rows(path: Path) -> list[tuple[str, int, bytes]]:
    with Reader(path) as reader:
        return [(c.topic, timestamp, bytes(raw)) for c, timestamp, raw in reader.messages()]


class TestPatientSqliteReader:
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
    def test_cut(self, tmp_path: Path, share: float) -> None:
        bag = bag_maker.write_bag(
            tmp_path / "in", bag_maker.frames("/cam", 100), storage="sqlite3"
        )
        whole = rows(bag)
        data = (bag / "in.db3").read_bytes()
        cut = tmp_path / "cut.db3"
        cut.write_bytes(data[: int(share * len(data))])
        with BagInput(cut) as source:
            found = [(m.connection.topic, m.timestamp, bytes(m.raw)) for m in source.messages()]
            assert "cut.db3 is cut or damaged after message" in source.stopped
            (image, info) = source.connections
            assert (image.msgtype, info.topic) == (bag_maker.IMAGE, "/cam/camera_info")
            assert image.msgdef.data
            assert image.digest.startswith("RIHS01_")
        assert found == whole[: len(found)]
        assert len(found) > 0.6 * share * len(whole)

    def test_a_span_of_a_cut_file(self, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/cam", 50), storage="sqlite3")
        whole = rows(bag)
        data = (bag / "in.db3").read_bytes()
        (tmp_path / "cut.db3").write_bytes(data[: len(data) // 2])
        start, stop = whole[3][1], whole[9][1]
        with BagInput(tmp_path / "cut.db3") as source:
            found = [m.timestamp for m in source.messages(start, stop)]
        assert found == [at for _, at, _ in whole[3:9]]
