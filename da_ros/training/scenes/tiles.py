"""Leave out what rays cannot meet: a picture in tiles, each with its own short list of solids.

Every test here is conservative: a solid is dropped only where no ray of the tile can reach it, so
that the result is the same to the bit.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from da_ros.training.scenes.builder import CENTRE, HALF, ROTATION
from da_ros.training.scenes.cast import BEFORE_LIGHT, NEAR, OFF_SURFACE, Axes, axes_of, cast
from da_ros.training.scenes.tensors import CHUNK, SceneTensors, nowhere

TILES = (8, 8)  # rows, columns
_CORNERS = torch.tensor([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])


def tile_order(height: int, width: int) -> Tensor:
    """Pixel indices grouped by tile, (T, n); height and width must be multiples of TILES."""
    rows, columns = TILES
    index = torch.arange(height * width).view(rows, height // rows, columns, width // columns)
    return index.permute(0, 2, 1, 3).reshape(rows * columns, -1)


def fits(scenes: SceneTensors, height: int, width: int) -> bool:
    """Whether tiling applies: one scene on the CPU, sides that divide."""
    cpu = scenes.focal.device.type == "cpu"
    return cpu and len(scenes) == 1 and height % TILES[0] == 0 and width % TILES[1] == 0


def _pick(solids: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """Short lists of one scene's solids.

    Args:
        solids: (K, SOLID_FIELDS).
        visible: Which are in which list, (T, K) bool.

    Returns:
        The lists in the order of the solids, (T, Kmax, SOLID_FIELDS), and which they are,
        (T, Kmax); filled up with solids ``nowhere``, which are number K.
    """
    most = max(1, int(visible.sum(1).max()))
    most = -(-most // CHUNK) * CHUNK
    order = torch.argsort(visible.to(torch.int8), dim=1, descending=True, stable=True)
    if order.shape[1] < most:
        order = torch.nn.functional.pad(order, (0, most - order.shape[1]), value=0)
    order = order[:, :most]
    there = torch.arange(most)[None] < visible.sum(1, keepdim=True)
    order = torch.where(there, order, torch.full_like(order, len(solids)))
    return torch.cat((solids, torch.from_numpy(nowhere())[None]))[order], order


def _tiled_cast(
    scenes: SceneTensors,
    visible: Tensor,
    origin: Axes,
    direction: Axes,
    near: float,
    compiled: bool,
) -> tuple[Tensor, Tensor]:
    """``cast`` of T tiles of one scene, with the indices of the whole scene."""
    count = scenes.boxes.shape[1]
    boxes, which_box = _pick(scenes.boxes[0], visible[:, :count])
    rounds, which_round = _pick(scenes.rounds[0], visible[:, count:])
    ground = scenes.ground.expand(len(visible), -1)
    tiles = replace(scenes, boxes=boxes, rounds=rounds, ground=ground)
    t, local = cast(tiles, origin, direction, near, compiled)
    which = torch.cat((which_box, which_round + count), 1)
    found = which.gather(1, local.clamp_min(0).long()).to(local.dtype)
    return t, torch.where(local >= 0, found, local)


def _solids(scenes: SceneTensors) -> Tensor:
    return torch.cat((scenes.boxes[0], scenes.rounds[0]))


def trace_tiled(
    scenes: SceneTensors, rays: Tensor, height: int, width: int, compiled: bool
) -> tuple[Tensor, Tensor]:
    """Depth and solid of one scene's camera rays, as ``render.trace`` gives them.

    Args:
        scenes: One scene.
        rays: (1, H W, 3) with unit component along the optical axis.
        height: [px].
        width: [px].
        compiled: As in ``cast``.

    Returns:
        (1, H W) each.
    """
    order = tile_order(height, width)
    tiled = rays[0][order]  # (T, n, 3)
    visible = _in_view(scenes, tiled)
    origin = axes_of(scenes.position[:, None].expand(len(order), 1, 3))
    t, index = _tiled_cast(scenes, visible, origin, axes_of(tiled), NEAR, compiled)
    return _untile(t, order), _untile(index, order)


def _untile(values: Tensor, order: Tensor) -> Tensor:
    out = torch.empty(values.numel(), dtype=values.dtype)
    out[order.flatten()] = values.flatten()
    return out[None]


def _in_view(scenes: SceneTensors, tiled: Tensor) -> Tensor:
    """Which solids may appear in which tile, (T, K) bool."""
    solids, turn = _solids(scenes), scenes.rotation[0]
    rotation, half = solids[:, ROTATION].view(-1, 3, 3), solids[:, HALF]
    corners = solids[:, None, CENTRE] + (_CORNERS[None] * half[:, None]) @ rotation.transpose(1, 2)
    seen = (corners - scenes.position[0]) @ turn  # (K, 8, 3) in the camera
    z = seen[..., 2]
    ahead, behind = (z > NEAR / 2).all(1), (z < NEAR / 2).all(1)
    flat = seen[..., :2] / z.clamp_min(NEAR / 2)[..., None]
    camera = tiled @ turn
    low, high = camera[..., :2].amin(1), camera[..., :2].amax(1)  # (T, 2) on the plane z = 1
    slack = 1e-4
    left_of, right_of = flat.amin(1)[None] <= high[:, None] + slack, flat.amax(1)[None]
    overlap = left_of & (right_of >= low[:, None] - slack)
    return torch.where(ahead[None], overlap.all(-1), ~behind[None])


def shadowed_tiled(
    scenes: SceneTensors,
    point: Tensor,
    to_light: Tensor,
    lit: Tensor,
    height: int,
    width: int,
    compiled: bool,
) -> Tensor:
    """Which points of one scene something hides from the main light, (1, H W) bool.

    Args:
        scenes: One scene.
        point: (1, H W, 3) [m].
        to_light: (1, H W, 3), from the points to the light.
        lit: (1, H W) whether it matters (sky does not).
        height: [px].
        width: [px].
        compiled: As in ``cast``.
    """
    order = tile_order(height, width)
    p, way, matters = point[0][order], to_light[0][order], lit[0][order]
    anchor = torch.where(matters.any(1, keepdim=True), matters.float().argmax(1, keepdim=True), 0)
    p = torch.where(matters[..., None], p, p.gather(1, anchor[..., None].expand(-1, -1, 3)))
    visible = _between(scenes, p, way)
    length = way.norm(dim=-1, keepdim=True)
    rays = axes_of(p), axes_of(way / length)
    t, _ = _tiled_cast(scenes, visible, *rays, OFF_SURFACE, compiled)
    return _untile(t < BEFORE_LIGHT * length[..., 0], order)


def _between(scenes: SceneTensors, p: Tensor, way: Tensor) -> Tensor:
    """Which solids may stand between a tile's points and the light, (T, K) bool."""
    low, high = torch.minimum(p, p + way).amin(1), torch.maximum(p, p + way).amax(1)
    solids = _solids(scenes)
    centre, half = solids[:, CENTRE], solids[:, HALF]
    reach = (solids[:, ROTATION].view(-1, 3, 3).abs() @ half[..., None])[..., 0]
    overlap = ((centre - reach)[None] <= high[:, None]) & ((centre + reach)[None] >= low[:, None])
    return overlap.all(-1) & _near_beam(p, way, centre, half.norm(dim=1))


def _near_beam(p: Tensor, way: Tensor, centre: Tensor, radius: Tensor) -> Tensor:
    """Which spheres come near the bundle of segments from a tile's points to the light, (T, K)."""
    start, reach = p.mean(1), way.mean(1)
    wide = torch.maximum(
        (p - start[:, None]).norm(dim=-1).amax(1),
        (p + way - (start + reach)[:, None]).norm(dim=-1).amax(1),
    )
    offset = centre[None] - start[:, None]  # (T, K, 3)
    squared = (reach * reach).sum(-1, keepdim=True).clamp_min(1e-9)
    along = (offset * reach[:, None]).sum(-1) / squared
    gap: Tensor = (offset - along.clamp(0, 1)[..., None] * reach[:, None]).norm(dim=-1)
    return gap <= radius[None] + wide[:, None] + 1e-4
