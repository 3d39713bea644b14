"""Textures, small scenes on disk, and the path to what several modules build input with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from da_ros.training.data import Shards, ShardSpec, write_shard
from da_ros.training.scenes.textures import Atlas, make_atlas
from da_ros.training.validation import Validation

sys.path.insert(0, str(Path(__file__).resolve().parent / "support"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Sums in the same order whatever the machine; a test process has one core anyway."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def atlas() -> Atlas:
    """The procedural textures."""
    return make_atlas(photos=False)


@pytest.fixture(scope="session")
def scenes_folder(atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards of small training scenes."""
    folder = tmp_path_factory.mktemp("scenes")
    for number in range(2):
        write_shard(folder, number, ShardSpec(64, 80, first_seed=1000, count=8), atlas)
    return folder


@pytest.fixture
def shards(scenes_folder: Path) -> Shards:
    return Shards(scenes_folder)


@pytest.fixture(scope="session")
def validation(scenes_folder: Path) -> Validation:
    return Validation.load(scenes_folder / "shard_00001.npz", 4)
