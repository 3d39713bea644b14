"""What light makes of a hit: lamps and sun, shadow, gloss, air, sky."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from da_ros.training.scenes import soft, tensors
from da_ros.training.scenes.builder import GLOSS, GLOW
from da_ros.training.scenes.cast import BEFORE_LIGHT, FAR, OFF_SURFACE, axes_of, cast
from da_ros.training.scenes.surface import Hits, albedo, surface
from da_ros.training.scenes.tensors import SceneTensors
from da_ros.training.scenes.textures import Atlas
from da_ros.training.scenes.tiles import shadowed_tiled

SUN_DISTANCE = 1e3  # [m] shadows of the sun are cast from no farther
BLURRED = 0.1  # footprint [textures] at which a room's walls are mirrored
POINT = 0.02  # a lamp [m] or sun [rad] no larger than this has sharp shadows
LIFT = 2e-3  # [m] off the surface, where rays to the light start


def shade(
    scenes: SceneTensors,
    atlas: Atlas,
    hits: Hits,
    size: tuple[int, int],
    compiled: bool,
    tiled: bool = False,
) -> Tensor:
    """Light the hits.

    Args:
        scenes: B scenes.
        atlas: Their textures.
        hits: N of each, the pixels of a picture.
        size: Height and width of the picture [px].
        compiled: As in ``cast``.
        tiled: Whether shadows may be cast in tiles.

    Returns:
        Linear radiance, (B, N, 3) float32 >= 0.
    """
    s = surface(scenes, hits)
    light = scenes.lights[:, None, :]  # (B, 1, fields)
    skin = albedo(atlas, s, hits.footprint)
    point = hits.point + s.normal * LIFT
    shadows = _Shadows(scenes, hits, point, s.normal, size, compiled, tiled)
    to_main = _to_main(light, point)
    lit = shadows.lit(to_main)
    strength = _strength(light, to_main.norm(dim=-1, keepdim=True)) * lit
    main = F.normalize(to_main, dim=-1)
    diffuse = _dot(main, s.normal).clamp_min(0) * strength * light[..., tensors.TINT]
    open_to = shadows.openness()
    fill = _fill(light, point, s.normal) * open_to
    ambient = light[..., tensors.AMBIENT] * (0.75 - 0.25 * s.normal[..., 1:2]) * open_to
    gloss, glow = s.material[..., GLOSS, None], s.material[..., GLOW, None]
    halfway = F.normalize(main - hits.direction, dim=-1)
    shine = _dot(halfway, s.normal).clamp_min(0) ** 40 * gloss * strength
    colour = skin * (diffuse + fill + ambient + glow) + shine
    mirrored = hits.direction - 2 * _dot(hits.direction, s.normal) * s.normal
    facing = (1 + _dot(hits.direction, s.normal)).clamp(0, 1)
    reflect = gloss * (0.08 + 0.5 * facing**4)
    around = _surroundings(scenes, atlas, mirrored, main) * (ambient + 0.3)
    colour = colour * (1 - reflect) + around * reflect
    return _air(scenes, atlas, hits, colour)


def _surroundings(scenes: SceneTensors, atlas: Atlas, mirrored: Tensor, main: Tensor) -> Tensor:
    """What shiny surfaces mirror: the sky, or in a room bright and dark walls and the lamp."""
    light = scenes.lights[:, None, :]
    indoors = light[..., tensors.IS_LAMP] > 0
    noise = torch.zeros_like(mirrored[..., 0], dtype=torch.int64)
    u, v = torch.atan2(mirrored[..., 0], mirrored[..., 2]) / torch.pi, mirrored[..., 1]
    walls = atlas.sample(noise, u, v, torch.full_like(u, BLURRED)).mean(-1, keepdim=True)
    lamp = _dot(mirrored, main).clamp_min(0) ** 24
    room = (0.2 + 0.6 * walls + 1.5 * lamp * light[..., tensors.SUN]) * light[..., tensors.TINT]
    if bool(indoors.all()):
        return room
    return torch.where(indoors, room, sky(scenes, atlas, mirrored))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Scalar products, (..., 1)."""
    return (a * b).sum(-1, keepdim=True)


def _to_main(light: Tensor, point: Tensor) -> Tensor:
    """From the points to the lamp, or a long way towards the sun, (B, N, 3) [m]."""
    main = light[..., tensors.MAIN]
    return torch.where(light[..., tensors.IS_LAMP] > 0, main - point, main * SUN_DISTANCE)


def _strength(light: Tensor, way: Tensor) -> Tensor:
    """How bright the main light is from this far away; the sun is as bright everywhere."""
    lamp = 1 / (1 + 0.12 * way * way)
    falloff = torch.where(light[..., tensors.IS_LAMP] > 0, lamp, torch.ones_like(way))
    return light[..., tensors.SUN] * falloff * 1.4


def _fill(light: Tensor, point: Tensor, normal: Tensor) -> Tensor:
    """Light of the second lamp, which casts no shadows, (B, N, 1)."""
    way = light[..., tensors.FILL_PLACE] - point
    fill = _dot(F.normalize(way, dim=-1), normal).clamp_min(0)
    return fill * light[..., tensors.FILL] / (1 + 0.1 * _dot(way, way))


@dataclass(frozen=True, eq=False)
class _Shadows:
    """Casts rays from the hits and shares what they meet among neighbours."""

    scenes: SceneTensors
    hits: Hits
    point: Tensor
    normal: Tensor
    size: tuple[int, int]
    compiled: bool
    tiled: bool

    def lit(self, to_main: Tensor) -> Tensor:
        """How much of the main light each point sees, (B, N, 1)."""
        light = self.scenes.lights[:, None, :]
        far = torch.where(light[..., tensors.IS_LAMP] > 0, 1.0, SUN_DISTANCE)
        lamp = light[..., tensors.SIZE]
        free = self._free(to_main + soft.ball(*self.size).to(to_main) * far * lamp)
        return torch.where(lamp > POINT, self._shared(free), free)

    def openness(self) -> Tensor:
        """How much of the light from everywhere reaches each point, (B, N, 1)."""
        light = self.scenes.lights[:, None, :]
        rays, length = (t.to(self.normal) for t in soft.hemisphere(*self.size))
        ways = soft.about(self.normal, rays) * length[:, None] * light[..., tensors.REACH]
        return 1 - light[..., tensors.SHADE] * (1 - self._shared(self._free(ways)))

    def _shared(self, free: Tensor) -> Tensor:
        """The mean among neighbours, (B, N, 1) both."""
        shared = soft.share(free[..., 0], self.hits.index, self.normal, *self.size)
        return shared[..., None]

    def _free(self, ways: Tensor) -> Tensor:
        """1 where nothing is in the way, else 0; (B, N, 3) to (B, N, 1)."""
        if self.tiled:
            seen = self.hits.t < FAR
            met = shadowed_tiled(self.scenes, self.point, ways, seen, *self.size, self.compiled)
        else:
            length = ways.norm(dim=-1, keepdim=True)
            rays = axes_of(self.point), axes_of(ways / length)
            t, _ = cast(self.scenes, *rays, OFF_SURFACE, self.compiled)
            met = t < BEFORE_LIGHT * length[..., 0]
        return (~met)[..., None].float()


def _air(scenes: SceneTensors, atlas: Atlas, hits: Hits, colour: Tensor) -> Tensor:
    """Fog with distance; the sky where nothing was hit."""
    light = scenes.lights[:, None, :]
    distance = (hits.point - scenes.position[:, None, :]).norm(dim=-1, keepdim=True)
    clear = torch.exp(-light[..., tensors.FOG] * distance)
    colour = colour * clear + light[..., tensors.HORIZON] * 0.9 * (1 - clear)
    beyond = hits.t >= FAR
    if not bool(beyond.any()):
        return colour
    return torch.where(beyond[..., None], sky(scenes, atlas, hits.direction), colour)


def sky(scenes: SceneTensors, atlas: Atlas, direction: Tensor) -> Tensor:
    """Colour of the sky in a direction, with clouds from the atlas' noise.

    Args:
        scenes: B scenes.
        atlas: Textures, the first of which is noise.
        direction: (B, N, 3) unit, world.

    Returns:
        (B, N, 3) linear.
    """
    light = scenes.lights[:, None, :]
    horizon, zenith = light[..., tensors.HORIZON], light[..., tensors.ZENITH]
    up = (-direction[..., 1:2]).clamp(0, 1)
    clear = horizon + (zenith - horizon) * up.sqrt()
    spread = 1 / (up[..., 0] + 0.15)
    noise = torch.zeros_like(direction[..., 0], dtype=torch.int64)
    u, v = direction[..., 0] * spread * 0.3, direction[..., 2] * spread * 0.3
    cloud = atlas.sample(noise, u, v, spread * 1e-3).mean(-1, keepdim=True)
    amount = light[..., tensors.CLOUDS] * cloud.clamp(0, 1)
    return clear * (1 - amount) + 0.95 * amount
