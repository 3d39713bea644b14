from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from da_ros.errors import InputError
from da_ros.training.data import HIGHEST_INVERSE, Shards, ShardSpec, write_shard
from da_ros.training.scenes import textures
from da_ros.training.scenes.generate import CLOSEST, write_scene
from da_ros.training.scenes.render import render
from da_ros.training.scenes.tensors import stack
from da_ros.training.scenes.textures import Atlas

SPEC = ShardSpec(32, 40, first_seed=50, count=6)

SLOW_WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from da_ros.training import data
from da_ros.training.scenes import textures

whole = np.savez

def halting(file, **arrays):
    if Path(file.name).name.startswith("shard_00001"):
        file.write(b"PK half of a shard")
        file.flush()
        time.sleep(600)
    whole(file, **arrays)

np.savez = halting
textures.PROCEDURAL = 8
atlas = textures.make_atlas(photos=False)
for number in range(3):
    data.write_shard(Path(sys.argv[1]), number, data.ShardSpec(32, 40, 50, 6), atlas)
"""

POOL_ALONE = """
import resource, sys
from pathlib import Path
from da_ros.memory import keep_freed_memory
from da_ros.training.data import Shards

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

keep_freed_memory(all_of_it=True)
before = peak()
print(len(Shards(Path(sys.argv[1]))), peak() - before)
"""


def content(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as shard:
        return shard["rgb"], shard["inverse"]


class TestWriteShard:
    def test_holds_pictures_and_inverse_depth(self, atlas: Atlas, tmp_path: Path) -> None:
        path = write_shard(tmp_path / "new", 0, SPEC, atlas)
        assert path == tmp_path / "new" / "shard_00000.npz"
        rgb, inverse = content(path)
        assert rgb.dtype == np.uint8
        assert inverse.dtype == np.float16
        assert 3 <= len(rgb) <= 6
        assert rgb.shape == (len(rgb), 32, 40, 3)
        assert inverse.shape == (len(rgb), 32, 40)
        assert (inverse >= 0).all()
        assert inverse.max() <= min(HIGHEST_INVERSE, 1 / CLOSEST) * 1.01
        assert not list(path.parent.glob("*.part"))

    def test_is_the_same_however_many_are_rendered_together(
        self, atlas: Atlas, tmp_path: Path
    ) -> None:
        one, four = (write_shard(tmp_path / str(n), 2, SPEC, atlas, n) for n in (1, 4))
        for alone, together in zip(content(one), content(four), strict=True):
            assert alone.shape == together.shape
        np.testing.assert_allclose(content(one)[1], content(four)[1], rtol=2e-3)

    def test_another_shard_holds_the_next_scenes(self, atlas: Atlas, tmp_path: Path) -> None:
        first, second = (write_shard(tmp_path, n, SPEC, atlas) for n in (0, 1))
        whole = write_shard(tmp_path / "whole", 0, ShardSpec(32, 40, 50, 12), atlas)
        assert len(content(first)[1]) + len(content(second)[1]) == len(content(whole)[1])

    def test_one_that_is_there_is_left_alone(self, atlas: Atlas, tmp_path: Path) -> None:
        path = tmp_path / "shard_00004.npz"
        path.write_bytes(b"kept")
        assert write_shard(tmp_path, 4, SPEC, atlas) == path
        assert path.read_bytes() == b"kept"

    def test_a_killed_writer_leaves_whole_shards_and_goes_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(textures, "PROCEDURAL", 8)
        atlas = textures.make_atlas(photos=False)
        writer = subprocess.Popen([sys.executable, "-c", SLOW_WRITER, str(tmp_path)])
        try:
            while not list(tmp_path.glob("shard_00001.*.part")):
                assert writer.poll() is None
                time.sleep(0.05)
            os.kill(writer.pid, signal.SIGKILL)
        finally:
            writer.kill()
            writer.wait()
        assert [path.name for path in tmp_path.glob("*.npz")] == ["shard_00000.npz"]
        before = (tmp_path / "shard_00000.npz").stat().st_mtime_ns
        assert len(Shards(tmp_path)) == len(content(tmp_path / "shard_00000.npz")[0])
        for number in range(3):
            write_shard(tmp_path, number, SPEC, atlas)
            undisturbed = content(write_shard(tmp_path / "undisturbed", number, SPEC, atlas))
            resumed = content(tmp_path / f"shard_{number:05d}.npz")
            for one, other in zip(resumed, undisturbed, strict=True):
                assert np.array_equal(one, other)
        assert (tmp_path / "shard_00000.npz").stat().st_mtime_ns == before


class TestShards:
    def test_is_all_pictures_of_all_shards(self, shards: Shards, scenes_folder: Path) -> None:
        counts = [len(content(path)[0]) for path in sorted(scenes_folder.glob("*.npz"))]
        assert len(counts) == 2
        assert len(shards) == sum(counts)

    def test_draws_pictures_with_their_own_depth(
        self, shards: Shards, scenes_folder: Path
    ) -> None:
        known = {}
        for path in scenes_folder.glob("*.npz"):
            for rgb, inverse in zip(*content(path), strict=True):
                known[rgb.tobytes()] = inverse
        pictures, depths = shards.batch(200, np.random.default_rng(1))
        assert pictures.shape == (200, 64, 80, 3)
        assert pictures.dtype == torch.uint8
        assert depths.dtype == torch.float16
        drawn = set()
        for rgb, inverse in zip(pictures.numpy(), depths.numpy(), strict=True):
            assert np.array_equal(known[rgb.tobytes()], inverse)
            drawn.add(rgb.tobytes())
        assert len(drawn) == len(known), "each is drawn at last"

    def test_the_same_chance_draws_the_same(self, shards: Shards) -> None:
        one, again, other = (shards.batch(5, np.random.default_rng(s))[0] for s in (1, 1, 2))
        assert torch.equal(one, again)
        assert not torch.equal(one, other)

    def test_takes_in_what_has_been_finished_since(self, atlas: Atlas, tmp_path: Path) -> None:
        write_shard(tmp_path, 0, SPEC, atlas)
        shards = Shards(tmp_path)
        before = len(shards)
        (tmp_path / "shard_00001.77.part").write_bytes(b"PK half")
        shards.refresh()
        assert len(shards) == before
        write_shard(tmp_path, 1, SPEC, atlas)
        shards.refresh()
        assert len(shards) > before

    @pytest.mark.parametrize("room", [True, False])
    def test_lies_on_the_device_if_there_is_room(
        self, atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, room: bool
    ) -> None:
        """torch's meta device stands in for a GPU."""
        write_shard(tmp_path, 0, SPEC, atlas)
        monkeypatch.setattr("da_ros.training.data._has_room", lambda device, size: room)
        rgb, inverse = Shards(tmp_path, "meta").batch(2, np.random.default_rng(0))
        assert rgb.device.type == inverse.device.type == ("meta" if room else "cpu")

    @pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
    def test_is_in_memory_once_though_the_process_keeps_freed_memory(self, tmp_path: Path) -> None:
        for number in range(10):
            rgb = np.full((30, 208, 272, 3), number, np.uint8)
            np.savez(
                tmp_path / f"shard_{number}.npz",
                rgb=rgb,
                inverse=rgb[..., :2].view(np.float16)[..., 0],
            )
        said = subprocess.run(
            [sys.executable, "-c", POOL_ALONE, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
        )
        count, grown = map(float, said.stdout.split())
        assert count == 300
        assert grown < 1.2 * 300 * 208 * 272 * 5

    def test_an_empty_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"expected shard_\*\.npz of training scenes, found"):
            Shards(tmp_path)


class TestShardSpec:
    def test_writes_the_scenes_from_its_first_seed_on(self, atlas: Atlas, tmp_path: Path) -> None:
        """A scene of one seed lies in the shard whose range it falls into."""
        path = write_shard(tmp_path, 3, ShardSpec(32, 40, 10, 1), atlas)
        found = float(content(path)[1].astype(np.float32).max())
        scene = write_scene(13, None, len(atlas))
        depth = render(stack([scene], "cpu"), atlas, 32, 40).depth
        assert found == pytest.approx(float(1 / depth.min()), rel=1e-3)
