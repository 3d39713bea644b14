from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from da_ros.errors import DaRosError
from da_ros.training import writing
from da_ros.training.data import ShardSpec
from da_ros.training.writing import Task, write_shards

pytest.importorskip("skimage")
pytest.importorskip("sklearn")

CPU = torch.device("cpu")
SPEC = ShardSpec(32, 40, first_seed=50, count=4)


def tasks(folder: Path, count: int = 2) -> list[Task]:
    return [Task(folder, number, SPEC) for number in range(count)]


class TestWriteShards:
    def test_several_processes_write_what_one_does(self, tmp_path: Path) -> None:
        for workers in (1, 2):
            assert write_shards(tasks(tmp_path / str(workers)), CPU, workers)
        for number in range(2):
            name = f"shard_{number:05d}.npz"
            with np.load(tmp_path / "1" / name) as one, np.load(tmp_path / "2" / name) as two:
                assert np.array_equal(one["rgb"], two["rgb"])
                assert np.array_equal(one["inverse"], two["inverse"])

    def test_with_workers_enough_a_gpu_is_left_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a machine without one, which could not have rendered there."""
        monkeypatch.setattr(writing, "CORES_LIKE_A_GPU", 2)
        assert write_shards(tasks(tmp_path / "gpu"), torch.device("cuda"), 2)
        assert write_shards(tasks(tmp_path / "cpu"), CPU, 2)
        for path in (tmp_path / "gpu").iterdir():
            with np.load(path) as one, np.load(tmp_path / "cpu" / path.name) as two:
                assert np.array_equal(one["rgb"], two["rgb"])

    @pytest.mark.parametrize("workers", [1, 2])
    def test_begins_nothing_when_time_has_run_out(self, tmp_path: Path, workers: int) -> None:
        assert not write_shards(tasks(tmp_path), CPU, workers, time.monotonic())
        assert not list(tmp_path.iterdir())

    def test_what_is_there_is_left_alone(self, tmp_path: Path) -> None:
        for task in tasks(tmp_path):
            (tmp_path / f"shard_{task.number:05d}.npz").write_bytes(b"kept")
        assert write_shards(tasks(tmp_path), CPU, 2)
        assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"kept"}

    def test_a_process_that_dies_is_said(self, tmp_path: Path) -> None:
        blocked = tmp_path / "file"
        blocked.write_bytes(b"no folder")
        with pytest.raises(DaRosError, match=r"ended with exit code 1 .*call again"):
            write_shards(tasks(blocked), CPU, 2)
