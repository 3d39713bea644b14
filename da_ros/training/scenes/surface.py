"""What a ray met: which way the surface faces there, and its colour before any light."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from da_ros.training.scenes.builder import (
    CENTRE,
    COLOUR,
    CUT_NORMAL,
    CUT_REACH,
    DIRT,
    DIRT_SCALE,
    DIRT_TEXTURE,
    HALF,
    MATERIAL,
    MIX,
    QUADRIC,
    ROTATION,
    SCALE,
    SHIFT_U,
    SHIFT_V,
    TEXTURE,
    TURN,
)
from da_ros.training.scenes.cast import ground_height
from da_ros.training.scenes.tensors import SceneTensors
from da_ros.training.scenes.textures import Atlas

FLAT_END = (
    0.9995  # share of the half height from which a hit is on a cylinder's or cone's flat end
)
ON_CUT = 1e-3  # [m] from the cutting plane
STEP = 0.02  # [m] over which the slope of hills is taken


@dataclass(frozen=True, eq=False)
class Hits:
    """What the rays of a batch met.

    Attributes:
        t: (B, N) distance in lengths of the direction.
        index: (B, N) as ``cast`` gives it.
        point: (B, N, 3) world [m].
        direction: (B, N, 3) unit, of the ray.
        footprint: (B, N) size of a pixel there [m].
    """

    t: Tensor
    index: Tensor
    point: Tensor
    direction: Tensor
    footprint: Tensor


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface at each hit.

    Attributes:
        normal: (B, N, 3) unit, outward, world.
        u: (B, N) place on the surface [m].
        v: (B, N) likewise, across.
        material: (B, N, MATERIAL_FIELDS).
    """

    normal: Tensor
    u: Tensor
    v: Tensor
    material: Tensor


def surface(scenes: SceneTensors, hits: Hits) -> Surface:
    """Normals, texture coordinates [m] and materials of the hits.

    Where nothing was hit they are those of no matter what.
    """
    rows = _rows(torch.cat((scenes.boxes, scenes.rounds), 1), hits.index)
    rotation, half = rows[..., ROTATION].view(*hits.index.shape, 3, 3), rows[..., HALF]
    local = ((hits.point - rows[..., CENTRE])[..., None, :] @ rotation)[..., 0, :]
    facing = _local_normal(rows, local / half, half)
    normal = (rotation @ facing[..., None])[..., 0]
    on_ground = (hits.index == -2)[..., None]
    normal = torch.where(on_ground, _ground_normal(scenes, hits.point), normal)
    local = torch.where(on_ground, hits.point, local)
    facing = torch.where(on_ground, facing.new_tensor([0.0, -1.0, 0.0]), facing)
    axis = facing.abs().argmax(-1)
    u = torch.where(axis == 0, local[..., 2], local[..., 0])
    v = torch.where(axis == 1, local[..., 2], local[..., 1])
    ground = scenes.ground[:, :1].expand_as(hits.t)
    material = torch.where(on_ground[..., 0], ground, rows[..., MATERIAL]).long()
    return Surface(normal, u, v, _rows(scenes.materials, material))


def _rows(table: Tensor, index: Tensor) -> Tensor:
    """Rows (B, N, fields) of a table (B, K, fields); a negative index takes the first."""
    chosen = index.clamp_min(0).long()[..., None]
    return table.gather(1, chosen.expand(-1, -1, table.shape[2]))


def _local_normal(rows: Tensor, q: Tensor, half: Tensor) -> Tensor:
    """Outward normal in the solid's frame; q is the point in half sizes."""
    box = F.one_hot(q.abs().argmax(-1), 3).to(q.dtype) * q.sign()
    a, b, _ = rows[..., QUADRIC].unbind(-1)
    side = torch.stack((2 * q[..., 0], 2 * a * q[..., 1] + b, 2 * q[..., 2]), -1) / half
    side = F.normalize(side, dim=-1)
    cap = torch.zeros_like(q)
    cap[..., 1] = q[..., 1].sign()
    flat_end = (q[..., 1].abs() > FLAT_END) & (a < 0.5)
    curved = torch.where(flat_end[..., None], cap, side)
    is_box = (rows[..., QUADRIC] == 0).all(-1, keepdim=True)
    normal = torch.where(is_box, box, curved)
    plane = rows[..., CUT_NORMAL]
    beyond = (plane * q * half).sum(-1) - rows[..., CUT_REACH]
    on_cut = (beyond.abs() < ON_CUT) & (plane.abs().sum(-1) > 0)
    return torch.where(on_cut[..., None], plane, normal)


def _ground_normal(scenes: SceneTensors, point: Tensor) -> Tensor:
    x, z = point[..., 0], point[..., 2]
    up = torch.zeros_like(point)
    up[..., 1] = -1.0
    if not scenes.hilly:
        return up
    here = ground_height(scenes, x, z)
    slope_x = (ground_height(scenes, x + STEP, z) - here) / STEP
    slope_z = (ground_height(scenes, x, z + STEP) - here) / STEP
    return F.normalize(torch.stack((slope_x, -torch.ones_like(x), slope_z), -1), dim=-1)


def albedo(atlas: Atlas, s: Surface, footprint: Tensor) -> Tensor:
    """Base colour under two textures.

    Args:
        atlas: Textures.
        s: N surfaces of B scenes.
        footprint: Size of a pixel there, (B, N) [m].

    Returns:
        (B, N, 3) float32, >= 0.
    """
    m = s.material
    scale, turn = m[..., SCALE], m[..., TURN]
    c, n = turn.cos(), turn.sin()
    u = (s.u * c + s.v * n) * scale + m[..., SHIFT_U]
    v = (s.v * c - s.u * n) * scale + m[..., SHIFT_V]
    base, mix = m[..., COLOUR], m[..., MIX, None]
    colour = atlas.sample(m[..., TEXTURE].long(), u, v, footprint * scale)
    tinted = torch.where(base.mean(-1, keepdim=True) > 0.5, colour, colour * (0.4 + base))
    skin = base * (1 - mix) + tinted * mix
    fine = m[..., DIRT_SCALE]
    second = atlas.sample(m[..., DIRT_TEXTURE].long(), s.u * fine, s.v * fine, footprint * fine)
    dirt = second.mean(-1, keepdim=True)
    return skin * (1 - m[..., DIRT, None] * (1 - 1.6 * dirt)).clamp_min(0.05)
