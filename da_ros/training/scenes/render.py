"""Scenes to pictures with exact depth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from da_ros.training.scenes.cast import FAR, NEAR, axes_of, cast
from da_ros.training.scenes.shade import shade
from da_ros.training.scenes.surface import Hits
from da_ros.training.scenes.tensors import SceneTensors
from da_ros.training.scenes.textures import Atlas
from da_ros.training.scenes.tiles import fits, trace_tiled


@dataclass(frozen=True, eq=False)
class Rendered:
    """A batch of pictures.

    Attributes:
        radiance: (B, H, W, 3) float32 linear, before the camera's own effects.
        depth: (B, H, W) float32 along the optical axis at pixel centres [m]; +Inf is sky.
        index: (B, H, W) int32, which solid; -2 ground, -1 nothing.
    """

    radiance: Tensor
    depth: Tensor
    index: Tensor


def pixel_rays(
    scenes: SceneTensors, height: int, width: int, dx: float = 0.0, dy: float = 0.0
) -> Tensor:
    """Directions through pixel centres (shifted by dx, dy [px]), world, (B, H W, 3).

    Their component along the optical axis is 1, so that distance along them is depth.
    """
    device = scenes.focal.device
    u = torch.arange(width, device=device, dtype=torch.float32) + 0.5 + dx
    v = torch.arange(height, device=device, dtype=torch.float32) + 0.5 + dy
    fx = scenes.focal[:, None, None] * width
    x = (u[None, None, :] - width / 2 - scenes.offset[:, 0, None, None] * width) / fx
    y = (v[None, :, None] - height / 2 - scenes.offset[:, 1, None, None] * width) / fx
    shape = (len(scenes), height, width)
    rays = torch.stack((x.expand(shape), y.expand(shape), x.new_ones(shape)), -1).flatten(1, 2)
    return rays @ scenes.rotation.transpose(1, 2)


def trace(scenes: SceneTensors, rays: Tensor, compiled: bool) -> tuple[Tensor, Tensor]:
    """Depth and solid of camera rays, (B, N) each."""
    origin = axes_of(scenes.position[:, None])
    return cast(scenes, origin, axes_of(rays), NEAR, compiled)


def render(
    scenes: SceneTensors,
    atlas: Atlas,
    height: int,
    width: int,
    supersample: int = 1,
    compiled: bool = False,
) -> Rendered:
    """Ray cast a batch.

    Args:
        scenes: B scenes.
        atlas: Their textures, on the same device.
        height: [px].
        width: [px].
        supersample: Colour rays per pixel and axis; depth is always that of the pixel's centre.
        compiled: Fuse the casting with torch.compile (CUDA).

    Returns:
        Radiance, depth and solids.
    """
    rays = pixel_rays(scenes, height, width)
    tiles = (height, width) if fits(scenes, height, width) else None
    t, index = found = _trace(scenes, rays, tiles, compiled)
    colour = torch.zeros(len(scenes), height * width, 3, device=rays.device)
    places = [(i + 0.5) / supersample - 0.5 for i in range(supersample)]
    for dy in places:
        for dx in places:
            if supersample > 1:
                rays = pixel_rays(scenes, height, width, dx, dy)
                found = _trace(scenes, rays, tiles, compiled)
            hits = _hits(scenes, rays, *found, width)
            colour += shade(scenes, atlas, hits, (height, width), compiled, tiles is not None)
    depth = torch.where(t < FAR, t, torch.full_like(t, torch.inf))
    shape = (len(scenes), height, width)
    radiance = (colour / supersample**2).view(*shape, 3)
    return Rendered(radiance, depth.view(shape), index.view(shape))


def _trace(
    scenes: SceneTensors, rays: Tensor, tiles: tuple[int, int] | None, compiled: bool
) -> tuple[Tensor, Tensor]:
    if tiles is not None:
        return trace_tiled(scenes, rays, *tiles, compiled)
    return trace(scenes, rays, compiled)


def _hits(scenes: SceneTensors, rays: Tensor, t: Tensor, index: Tensor, width: int) -> Hits:
    point = scenes.position[:, None, :] + t[..., None] * rays
    footprint = t / (scenes.focal[:, None] * width)
    return Hits(t, index, point, F.normalize(rays, dim=-1), footprint)
