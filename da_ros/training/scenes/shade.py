"""What colour a hit has: material, light, shadow, gloss, air, sky."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from da_ros.training.scenes.cast import FAR, Axes, cast, ground_height
from da_ros.training.scenes.tensors import SceneTensors
from da_ros.training.scenes.textures import Atlas
from da_ros.training.scenes.tiles import shadowed_tiled


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
    """The surface at each hit: all (B, N, ...)."""

    normal: Tensor
    u: Tensor
    v: Tensor
    material: Tensor


def surface(scenes: SceneTensors, hits: Hits) -> Surface:
    """Normals, texture coordinates [m] and materials of the hits."""
    solids = torch.cat((scenes.boxes, scenes.rounds), 1)
    chosen = hits.index.clamp_min(0).long()
    rows = solids.gather(1, chosen[..., None].expand(-1, -1, solids.shape[2]))  # (B, N, fields)
    rotation, half = rows[..., 3:12].unflatten(-1, (3, 3)), rows[..., 12:15]
    local = ((hits.point - rows[..., :3])[..., None, :] @ rotation)[..., 0, :]
    facing = _local_normal(rows, local / half, half)
    normal = (rotation @ facing[..., None])[..., 0]
    on_ground = hits.index == -2
    normal = torch.where(on_ground[..., None], _ground_normal(scenes, hits.point), normal)
    local = torch.where(on_ground[..., None], hits.point, local)
    facing = torch.where(on_ground[..., None], torch.tensor([0.0, -1.0, 0.0], device=local.device), facing)
    axis = facing.abs().argmax(-1)
    u = torch.where(axis == 0, local[..., 2], local[..., 0])
    v = torch.where(axis == 1, local[..., 2], local[..., 1])
    material = torch.where(on_ground, scenes.ground[:, :1].expand_as(hits.t), rows[..., 22]).long().clamp_min(0)
    fields = scenes.materials.shape[2]
    return Surface(normal, u, v, scenes.materials.gather(1, material[..., None].expand(-1, -1, fields)))


def _local_normal(rows: Tensor, q: Tensor, half: Tensor) -> Tensor:
    """Outward normal in the solid's frame; q is the point in half sizes."""
    box = F.one_hot(q.abs().argmax(-1), 3).to(q.dtype) * q.sign()
    a, b = rows[..., 19], rows[..., 20]
    side = torch.stack((2 * q[..., 0], 2 * a * q[..., 1] + b, 2 * q[..., 2]), -1) / half
    side = F.normalize(side, dim=-1)
    cap = torch.zeros_like(q)
    cap[..., 1] = q[..., 1].sign()
    flat_end = (q[..., 1].abs() > 0.9995) & (a < 0.5)
    curved = torch.where(flat_end[..., None], cap, side)
    is_box = (rows[..., 19:22] == 0).all(-1, keepdim=True)
    normal = torch.where(is_box, box, curved)
    plane = rows[..., 15:18]
    reach = (plane * q * half).sum(-1) - rows[..., 18]
    on_cut = (reach.abs() < 1e-3) & (plane.abs().sum(-1) > 0)
    return torch.where(on_cut[..., None], plane, normal)


def _ground_normal(scenes: SceneTensors, point: Tensor) -> Tensor:
    x, z, e = point[..., 0], point[..., 2], 0.02
    up = torch.zeros_like(point)
    up[..., 1] = -1.0
    if not scenes.hilly:
        return up
    here = ground_height(scenes, x, z)
    slope_x, slope_z = (ground_height(scenes, x + e, z) - here) / e, (ground_height(scenes, x, z + e) - here) / e
    return F.normalize(torch.stack((slope_x, -torch.ones_like(x), slope_z), -1), dim=-1)


def albedo(atlas: Atlas, s: Surface, footprint: Tensor) -> Tensor:
    """Base colour under two textures, (B, N, 3)."""
    m = s.material
    scale, turn = m[..., 5], m[..., 6]
    c, n = turn.cos(), turn.sin()
    u, v = (s.u * c + s.v * n) * scale + m[..., 7], (s.v * c - s.u * n) * scale + m[..., 8]
    base, mix = m[..., 0:3], m[..., 4:5]
    colour = atlas.sample(m[..., 3].long(), u, v, footprint * scale)
    tinted = torch.where(base.mean(-1, keepdim=True) > 0.5, colour, colour * (0.4 + base))
    skin = base * (1 - mix) + tinted * mix
    fine = m[..., 13]
    dirt = atlas.sample(m[..., 11].long(), s.u * fine, s.v * fine, footprint * fine).mean(-1, keepdim=True)
    return skin * (1 - m[..., 12:13] * (1 - 1.6 * dirt)).clamp_min(0.05)


def shade(
    scenes: SceneTensors, atlas: Atlas, hits: Hits, compiled: bool, tiles: tuple[int, int] | None = None
) -> Tensor:
    """Light the hits.

    Args:
        scenes: B scenes.
        atlas: Their textures.
        hits: N of each.
        compiled: As in ``cast``.
        tiles: Height and width of the picture where shadows may be cast in tiles.

    Returns:
        Linear radiance, (B, N, 3) float32 >= 0.
    """
    s = surface(scenes, hits)
    light = scenes.lights[:, None, :]  # (B, 1, fields)
    skin = albedo(atlas, s, hits.footprint)
    point = hits.point + s.normal * 2e-3
    to_main = torch.where(light[..., :1] > 0, light[..., 1:4] - point, light[..., 1:4] * 1e3)
    way, main = to_main.norm(dim=-1, keepdim=True), F.normalize(to_main, dim=-1)
    lit = ~_shadowed(scenes, hits, point, to_main, compiled, tiles)
    falloff = torch.where(light[..., :1] > 0, 1 / (1 + 0.12 * way * way), torch.ones_like(way))
    strength = light[..., 4:5] * falloff * 1.4 * lit[..., None]
    diffuse = (main * s.normal).sum(-1, keepdim=True).clamp_min(0) * strength * light[..., 10:13]
    to_fill = light[..., 5:8] - point
    fill = (F.normalize(to_fill, dim=-1) * s.normal).sum(-1, keepdim=True).clamp_min(0)
    fill = fill * light[..., 8:9] / (1 + 0.1 * (to_fill * to_fill).sum(-1, keepdim=True))
    ambient = light[..., 9:10] * (0.75 - 0.25 * s.normal[..., 1:2])
    gloss, glow = s.material[..., 9:10], s.material[..., 10:11]
    halfway = F.normalize(main - hits.direction, dim=-1)
    shine = (halfway * s.normal).sum(-1, keepdim=True).clamp_min(0) ** 40 * gloss * strength
    colour = skin * (diffuse + fill + ambient + glow) + shine
    mirrored = hits.direction - 2 * (hits.direction * s.normal).sum(-1, keepdim=True) * s.normal
    facing = (1 + (hits.direction * s.normal).sum(-1, keepdim=True)).clamp(0, 1)
    reflect = gloss * (0.08 + 0.5 * facing**4)
    colour = colour * (1 - reflect) + sky(scenes, atlas, mirrored) * reflect * (ambient + 0.3)
    return _air(scenes, atlas, hits, colour)


def _shadowed(
    scenes: SceneTensors, hits: Hits, point: Tensor, to_light: Tensor, compiled: bool, tiles: tuple[int, int] | None
) -> Tensor:
    if tiles is not None:
        return shadowed_tiled(scenes, point, to_light, hits.t < FAR, *tiles, compiled)
    origin: Axes = tuple(point.unbind(-1))  # type: ignore[assignment]
    direction: Axes = tuple(to_light.unbind(-1))  # type: ignore[assignment]
    t, _ = cast(scenes, origin, direction, 1e-4, compiled)
    return t < 0.98


def _air(scenes: SceneTensors, atlas: Atlas, hits: Hits, colour: Tensor) -> Tensor:
    """Fog with distance; the sky where nothing was hit."""
    light = scenes.lights[:, None, :]
    distance = (hits.point - scenes.position[:, None, :]).norm(dim=-1, keepdim=True)
    clear = torch.exp(-light[..., 13:14] * distance)
    colour = colour * clear + light[..., 17:20] * 0.9 * (1 - clear)
    beyond = hits.t >= FAR
    if not bool(beyond.any()):
        return colour
    return torch.where(beyond[..., None], sky(scenes, atlas, hits.direction), colour)


def sky(scenes: SceneTensors, atlas: Atlas, direction: Tensor) -> Tensor:
    """Colour of the sky in a direction, with clouds from the atlas' noise."""
    light = scenes.lights[:, None, :]
    up = (-direction[..., 1:2]).clamp(0, 1)
    clear = light[..., 17:20] + (light[..., 14:17] - light[..., 17:20]) * up.sqrt()
    spread = 1 / (up[..., 0] + 0.15)
    noise = torch.zeros_like(direction[..., 0], dtype=torch.int64)  # texture 0 is noise
    cloud = atlas.sample(noise, direction[..., 0] * spread * 0.3, direction[..., 2] * spread * 0.3, spread * 1e-3)
    amount = light[..., 20:21] * cloud.mean(-1, keepdim=True).clamp(0, 1)
    return clear * (1 - amount) + 0.95 * amount
