"""Scenes on disk: written once in shards that survive an interruption, then drawn from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from da_ros.errors import InputError
from da_ros.training.scenes.generate import worth_seeing, write_scene
from da_ros.training.scenes.render import render
from da_ros.training.scenes.sensor import photograph
from da_ros.training.scenes.tensors import stack
from da_ros.training.scenes.textures import Atlas

SHARD = 128
HIGHEST_INVERSE = 1 / 0.15  # [1/m]
HELD_OUT_SEED = 900_000_000  # scenes from here on are never trained on


@dataclass(frozen=True)
class ShardSpec:
    """What every shard of a folder holds.

    Attributes:
        height: [px].
        width: [px].
        first_seed: Shard k holds scenes from first_seed + k count on.
        count: Scenes written in one go; those that show nothing are left out.
    """

    height: int
    width: int
    first_seed: int
    count: int = SHARD


def write_shard(
    folder: Path, number: int, spec: ShardSpec, atlas: Atlas, together: int = 1
) -> Path:
    """Render one shard, unless it is there already.

    Args:
        folder: Where shards lie.
        number: Which one.
        spec: Sizes and seeds.
        atlas: Textures, on the device that renders.
        together: Scenes rendered at once (more on a GPU).

    Returns:
        Its path. It is complete whenever it exists under this name: ``rgb`` (n, H, W, 3) uint8 and
        ``inverse`` (n, H, W) float16 [1/m], 0 for sky.
    """
    path = folder / f"shard_{number:05d}.npz"
    if path.exists():
        return path
    first = spec.first_seed + number * spec.count
    parts = list(_pictures(range(first, first + spec.count), spec, atlas, together))
    rgb = np.concatenate([picture for picture, _ in parts])
    inverse = np.concatenate([truth for _, truth in parts])
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    with unfinished.open("wb") as file:
        np.savez(file, rgb=rgb, inverse=inverse)
    unfinished.replace(path)
    return path


def _pictures(
    seeds: range, spec: ShardSpec, atlas: Atlas, together: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float16]]]:
    """Render the scenes of these seeds that show something, in the order of their size."""
    device = atlas.texels.device
    written = sorted(
        (write_scene(s, None, len(atlas)) for s in seeds), key=lambda s: len(s.solids)
    )
    generator = torch.Generator(device).manual_seed(seeds[0])
    for k in range(0, len(written), together):
        candidates = written[k : k + together]
        keep = worth_seeing(stack(candidates, device)).tolist()
        chosen = [scene for scene, good in zip(candidates, keep, strict=True) if good]
        if not chosen:
            continue
        shot = render(stack(chosen, device), atlas, spec.height, spec.width)
        inverse = (1 / shot.depth).clamp_max(HIGHEST_INVERSE).half()
        yield photograph(shot.radiance, generator).cpu().numpy(), inverse.cpu().numpy()


class Shards:
    """All shards of a folder as one pool in memory, which can be looked at again for new ones.

    Args:
        folder: Where ``write_shard`` put them.

    Raises:
        InputError: If there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, tuple[Tensor, Tensor]] = {}
        self._starts: list[int] = []
        self.refresh()
        if not self._known:
            raise InputError(
                f"{folder}: expected shard_*.npz of training scenes, found none; write some first"
            )

    def __len__(self) -> int:
        return self._starts[-1] if self._starts else 0

    def refresh(self) -> None:
        """Take in shards that have been finished since."""
        for path in sorted(self._folder.glob("shard_*.npz")):
            if path not in self._known:
                with np.load(path) as shard:
                    rgb, inverse = shard["rgb"], shard["inverse"]
                self._known[path] = torch.from_numpy(rgb), torch.from_numpy(inverse)
        self._starts = np.cumsum([len(rgb) for rgb, _ in self._known.values()]).tolist()

    def batch(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw pictures, any of them more than once.

        Args:
            count: How many.
            rng: All chance.

        Returns:
            Pictures (count, H, W, 3) uint8 and inverse depth (count, H, W) float16 [1/m].
        """
        shards = list(self._known.values())
        rgb, inverse = [], []
        for index in rng.integers(0, len(self), count).tolist():
            number = int(np.searchsorted(self._starts, index, side="right"))
            place = index - (self._starts[number - 1] if number else 0)
            rgb.append(shards[number][0][place])
            inverse.append(shards[number][1][place])
        return torch.stack(rgb), torch.stack(inverse)
