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
from da_ros.memory import give_back
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
        supersample: As in ``render``.
    """

    height: int
    width: int
    first_seed: int
    count: int = SHARD
    supersample: int = 1


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard lies once it is complete."""
    return folder / f"shard_{number:05d}.npz"


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
    path = shard_path(folder, number)
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
        shot = render(stack(chosen, device), atlas, spec.height, spec.width, spec.supersample)
        inverse = (1 / shot.depth).clamp_max(HIGHEST_INVERSE).half()
        yield photograph(shot.radiance, generator).cpu().numpy(), inverse.cpu().numpy()


class Shards:
    """All shards of a folder as one pool in memory, which can be looked at again for new ones.

    Args:
        folder: Where ``write_shard`` put them.
        device: Where the pool is kept and drawn from, if at most half of its free memory is
            needed; else the CPU. 280 kB a picture of 208x272 px.

    Raises:
        InputError: If there is none.
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        self._folder = folder
        self._device = torch.device(device)
        self._known: set[Path] = set()
        self._rgb: list[Tensor] = []
        self._inverse: list[Tensor] = []
        self.refresh()
        if not self._known:
            raise InputError(
                f"{folder}: expected shard_*.npz of training scenes, found none; write some first"
            )

    def __len__(self) -> int:
        return sum(map(len, self._rgb))

    def refresh(self) -> None:
        """Take in shards that have been finished since."""
        found = [p for p in sorted(self._folder.glob("shard_*.npz")) if p not in self._known]
        if not found:
            return
        self._rgb = [pool.cpu() for pool in self._rgb]  # a GPU has no room for parts and whole
        self._inverse = [pool.cpu() for pool in self._inverse]
        for path in found:
            self._known.add(path)
            with np.load(path) as shard:
                self._rgb.append(torch.from_numpy(shard["rgb"]))
                self._inverse.append(torch.from_numpy(shard["inverse"]))
        if len(self._rgb) > 1:  # in one piece, so that a batch is drawn by one operation
            self._rgb, self._inverse = [_joined(self._rgb)], [_joined(self._inverse)]
        if _has_room(self._device, self._rgb[0].nbytes + self._inverse[0].nbytes):
            self._rgb = [self._rgb[0].to(self._device)]
            self._inverse = [self._inverse[0].to(self._device)]

    def batch(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw pictures, any of them more than once.

        Args:
            count: How many.
            rng: All chance.

        Returns:
            Pictures (count, H, W, 3) uint8 and inverse depth (count, H, W) float16 [1/m], on the
            pool's device.
        """
        index = torch.from_numpy(rng.integers(0, len(self), count)).to(self._rgb[0].device)
        return self._rgb[0][index], self._inverse[0][index]


def _has_room(device: torch.device, size: int) -> bool:
    """Whether so many bytes are at most half of a device's free memory: training needs it too."""
    if device.type != "cuda":
        return True
    torch.cuda.empty_cache()  # with what the pool before had
    return 2 * size <= torch.cuda.mem_get_info(device)[0]


def _joined(parts: list[Tensor]) -> Tensor:
    """Concatenate, letting go of each part once it is copied: the pool is most of the memory."""
    whole = parts[0].new_empty(sum(map(len, parts)), *parts[0].shape[1:])
    filled = 0
    for k in range(len(parts)):
        part, parts[k] = parts[k], whole[:0]
        whole[filled : filled + len(part)] = part
        filled += len(part)
        del part
        give_back()  # what a process that keeps freed memory would hold beside the whole
    return whole
