"""Random scenes by seed: the same seed gives the same scene on every machine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from da_ros.errors import ParameterError
from da_ros.training.scenes.builder import Builder, Scene
from da_ros.training.scenes.families import FAMILIES
from da_ros.training.scenes.render import Rendered, pixel_rays, render, trace
from da_ros.training.scenes.sensor import photograph
from da_ros.training.scenes.tensors import SceneTensors, stack
from da_ros.training.scenes.textures import PROCEDURAL, Atlas

CLOSEST = 0.2  # [m] nothing stands nearer to the camera
NEXT_SEED = 1_000_000_007  # added to a seed whose scene is no good
ATTEMPTS = 30
LOOK = (24, 32)  # [px] size of the glance that decides whether a scene is worth rendering


@dataclass(frozen=True, eq=False)
class SceneBatch:
    """Pictures with their truth.

    Attributes:
        rgb: (B, H, W, 3) uint8.
        depth: (B, H, W) float32 [m], +Inf is sky.
        scenes: What was rendered.
    """

    rgb: Tensor
    depth: Tensor
    scenes: list[Scene]


def write_scene(seed: int, family: str | None = None, textures: int = PROCEDURAL) -> Scene:
    """Write one scene.

    Args:
        seed: Every number of the scene follows from it.
        family: One of FAMILIES, or None to draw one by weight.
        textures: How many textures the atlas has.

    Returns:
        The scene.

    Raises:
        ParameterError: If there is no such family.
    """
    if family is not None and family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise ParameterError(f"no family of scenes is called {family!r}; there are {known}")
    rng = random.Random(seed)
    drawn = rng.choices(list(FAMILIES), [f.share for f in FAMILIES.values()])[0]
    name = family or drawn
    builder = Builder(rng, textures, FAMILIES[name].outdoor)
    FAMILIES[name].write(builder)
    builder.soften()
    return builder.scene(name)


def worth_seeing(scenes: SceneTensors, compiled: bool = False) -> Tensor:
    """Which scenes show several things, none of them in the camera's face, (B,) bool."""
    height, width = LOOK
    depth, index = trace(scenes, pixel_rays(scenes, height, width), compiled)
    kinds = torch.sort(index, dim=1).values
    same = (kinds[:, 1:] == kinds[:, :-1]).float().mean(1)  # 1 - (different things / pixels)
    largest = torch.stack(
        [(index == index.gather(1, pick)).float().mean(1) for pick in _picks(index)]
    ).amax(0)
    enough = (1 - same) * index.shape[1] >= 5
    return enough & (depth.amin(1) > CLOSEST) & (largest < 0.85)


def _picks(index: Tensor) -> list[Tensor]:
    """A few places to ask which thing covers most of the picture."""
    count = index.shape[1]
    places = [int(count * f) for f in (0.13, 0.29, 0.42, 0.5, 0.61, 0.77, 0.9)]
    return [torch.full((len(index), 1), p, dtype=torch.int64, device=index.device) for p in places]


def generate(
    seeds: Sequence[int],
    atlas: Atlas,
    height: int,
    width: int,
    supersample: int = 2,
    family: str | None = None,
) -> SceneBatch:
    """Write, look at and render scenes; a scene that shows nothing is written anew.

    Args:
        seeds: One a picture; a scene written anew uses seed + NEXT_SEED k.
        atlas: Textures, on the device that renders.
        height: [px].
        width: [px].
        supersample: As in ``render``.
        family: One of FAMILIES for all, or None.

    Returns:
        The batch, on the atlas' device.
    """
    device = atlas.texels.device
    scenes = [_good_scene(seed, atlas, family) for seed in seeds]
    rendered: Rendered = render(stack(scenes, device), atlas, height, width, supersample)
    pictures = [
        photograph(rendered.radiance[i : i + 1], torch.Generator(device).manual_seed(seed))
        for i, seed in enumerate(seeds)
    ]
    return SceneBatch(torch.cat(pictures), rendered.depth, scenes)


def _good_scene(seed: int, atlas: Atlas, family: str | None) -> Scene:
    for attempt in range(ATTEMPTS):
        scene = write_scene(seed + NEXT_SEED * attempt, family, len(atlas))
        if bool(worth_seeing(stack([scene], atlas.texels.device))[0]):
            break
    return scene
