"""Soft light at one ray a pixel: neighbours look different ways, and share what they see.

Each pixel of an 8x8 block casts one of 64 rays of a fixed pattern, of which every 4x4 pixels are a
coarse copy; windows of pixels that lie on the same solid and face the same way then average them
(interleaved sampling, Keller and Heidrich 2001).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 4  # [px] of a quarter of a block
SAME_WAY = 0.9  # cosine between normals of pixels that share


@lru_cache(maxsize=8)
def hemisphere(height: int, width: int) -> tuple[Tensor, Tensor]:
    """A direction and a share of a reach for every pixel.

    Returns:
        (H W, 3) unit vectors about (0, 0, 1), as dense as their cosine with it; and (H W), of
        which exp(-share) is uniform: rays so long meet what is at distance t with exp(-t).
    """
    u, v, w = _strata(height, width).unbind(-1)
    around, flat = 2 * math.pi * v, u.sqrt()
    return torch.stack((flat * around.cos(), flat * around.sin(), (1 - u).sqrt()), -1), -w.log()


@lru_cache(maxsize=8)
def ball(height: int, width: int) -> Tensor:
    """A point in the unit ball for every pixel, (H W, 3): where on a lamp its ray goes."""
    u, v, w = _strata(height, width).unbind(-1)
    around, up = 2 * math.pi * v, 1 - 2 * u
    flat = (1 - up * up).sqrt()
    return torch.stack((flat * around.cos(), flat * around.sin(), up), -1) * w[:, None] ** (1 / 3)


def _strata(height: int, width: int) -> Tensor:
    """Three numbers for every pixel, evenly over (0, 1) within each block and each quarter of it.

    Returns:
        (H W, 3); the first two fill the square in 4x4 cells, the last is a shuffle of 64 levels.
    """
    row = torch.arange(height)[:, None].expand(height, width)
    column = torch.arange(width)[None].expand(height, width)
    i, j = row % SIDE, column % SIDE
    down, right = row // SIDE % 2, column // SIDE % 2  # which quarter of the block
    u, v = (i + (down + 0.5) / 2) / SIDE, (j + (right + 0.5) / 2) / SIDE
    level = (7 * (i * SIDE + j) + 3) % SIDE**2
    w = (level + (2 * right + (right ^ down) + 0.5) / 4) / SIDE**2
    return torch.stack((u, v, w), -1).flatten(0, 1)


def about(normal: Tensor, rays: Tensor) -> Tensor:
    """Turn rays about (0, 0, 1) to rays about normals; (..., 3) each, unit.

    The frame is that of Duff et al. 2017, which has no seam but where a normal's z changes sign.
    """
    x, y, z = normal.unbind(-1)
    sign = torch.where(z < 0, -1.0, 1.0)
    a = -1 / (sign + z)
    b = x * y * a
    first = torch.stack((1 + sign * x * x * a, sign * b, -sign * x), -1)
    second = torch.stack((b, sign + y * y * a, -y), -1)
    return rays[..., :1] * first + rays[..., 1:2] * second + rays[..., 2:] * normal


def share(values: Tensor, index: Tensor, normal: Tensor, height: int, width: int) -> Tensor:
    """Average over windows of 8x8 pixels that show the same surface.

    Args:
        values: (B, H W).
        index: Which solid, (B, H W).
        normal: (B, H W, 3) unit.
        height: [px].
        width: [px].

    Returns:
        (B, H W).
    """
    surface = torch.stack((index.to(values.dtype), *normal.unbind(-1)), 1)
    surface = surface.view(len(values), 4, height, width)
    shared = values.view(len(values), 1, height, width)
    for places in ((-1, 0, 1, 2), (-2, 2)):  # within a quarter of a block, then among quarters
        shared = _mean_of(shared, surface, places)
    return shared.flatten(1)


def _mean_of(values: Tensor, surface: Tensor, places: tuple[int, ...]) -> Tensor:
    """Mean over the pixels at these offsets, down and across, of those with the same surface."""
    height, width = values.shape[-2:]
    around = F.pad(torch.cat((values, surface), 1), (SIDE,) * 4, "replicate")
    total, weight = torch.zeros_like(values), torch.zeros_like(values)
    for y in places:
        for x in places:
            there = around[..., SIDE + y : SIDE + y + height, SIDE + x : SIDE + x + width]
            facing = (there[:, 2:] * surface[:, 1:]).sum(1, keepdim=True)
            same = (there[:, 1:2] == surface[:, :1]) & (facing > SAME_WAY)
            total += there[:, :1] * same
            weight += same
    return torch.where(weight > 0, total / weight.clamp_min(1), values)
