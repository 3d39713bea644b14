"""Where rays meet a scene: boxes, round solids, the ground. Exact, in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from da_ros.training.scenes.builder import (
    CENTRE,
    CUT_NORMAL,
    CUT_REACH,
    HALF,
    QUADRIC,
    ROTATION,
)
from da_ros.training.scenes.tensors import CHUNK, NOWHERE_DOWN, WAVES, SceneTensors

# Three (B, N) tensors, or (B, 1) where all rays of a scene share it.
Axes = tuple[Tensor, Tensor, Tensor]
ChunkFunction = Callable[[Tensor, Axes, Axes, Tensor, Tensor], tuple[Tensor, Tensor]]
NEAR = 0.02  # [m] of depth: what is nearer to a camera is passed through
FAR = 1e4
TINY = 1e-9

# Where something hides a light: not the surface itself [m], nor the lamp (share of the way).
OFF_SURFACE, BEFORE_LIGHT = 1e-3, 0.98


def axes_of(v: Tensor) -> Axes:
    """Coordinates of vectors (..., 3)."""
    x, y, z = v.unbind(-1)
    return x, y, z


def _columns(row: Tensor, where: slice) -> list[Tensor]:
    """Columns of one solid per scene, (B, SOLID_FIELDS), as (B, 1) each."""
    return [row[:, k : k + 1] for k in range(where.start, where.stop)]


def _to_local(turn: list[Tensor], v: Axes) -> Axes:
    """Turn world vectors by nine columns of rows that follow one another, local to world."""
    return (
        turn[0] * v[0] + turn[3] * v[1] + turn[6] * v[2],
        turn[1] * v[0] + turn[4] * v[1] + turn[7] * v[2],
        turn[2] * v[0] + turn[5] * v[1] + turn[8] * v[2],
    )


def _local_ray(row: Tensor, origin: Axes, direction: Axes) -> tuple[Axes, Axes]:
    """The ray in the solid's frame, divided by its half sizes."""
    x, y, z = _columns(row, CENTRE)
    half = _columns(row, HALF)
    turn = [column / half[k % 3] for k, column in enumerate(_columns(row, ROTATION))]
    moved = (origin[0] - x, origin[1] - y, origin[2] - z)
    return _to_local(turn, moved), _to_local(turn, direction)


def _nonzero(d: Tensor) -> Tensor:
    return d.masked_fill(d.abs() < TINY, TINY)


def _slab(o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Where a ray is within -1..1 of one axis."""
    inverse = 1 / _nonzero(d)
    a, b = (-1 - o) * inverse, (1 - o) * inverse
    return torch.minimum(a, b), torch.maximum(a, b)


def _cut(row: Tensor, o: Axes, d: Axes, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
    """Clip an interval by the solid's cutting plane n . p <= c."""
    if row.device.type == "cpu" and not bool(row[:, CUT_NORMAL].any()):
        return near, far  # most solids are whole
    normal, half = _columns(row, CUT_NORMAL), _columns(row, HALF)
    n = [normal[i] * half[i] for i in range(3)]
    rate = n[0] * d[0] + n[1] * d[1] + n[2] * d[2]
    room = row[:, CUT_REACH, None] - (n[0] * o[0] + n[1] * o[1] + n[2] * o[2])
    t = room / _nonzero(rate)
    near = torch.where(rate < -TINY, torch.maximum(near, t), near)
    far = torch.where(rate > TINY, torch.minimum(far, t), far)
    return near, torch.where((rate.abs() <= TINY) & (room < 0), near - 1, far)


def _box_interval(row: Tensor, o: Axes, d: Axes) -> tuple[Tensor, Tensor]:
    (a0, b0), (a1, b1), (a2, b2) = (_slab(o[i], d[i]) for i in range(3))
    near, far = torch.maximum(torch.maximum(a0, a1), a2), torch.minimum(torch.minimum(b0, b1), b2)
    return _cut(row, o, d, near, far)


def _round_interval(row: Tensor, o: Axes, d: Axes) -> tuple[Tensor, Tensor]:
    """x^2 + z^2 + qa y^2 + qb y + qc <= 0 within |y| <= 1."""
    qa, qb, qc = _columns(row, QUADRIC)
    # Not zero, so that a ray along the axis of a cylinder has its two ends far off.
    a = _nonzero(d[0] * d[0] + d[2] * d[2] + qa * d[1] * d[1])
    b = d[0] * o[0] + d[2] * o[2] + qa * d[1] * o[1] + 0.5 * qb * d[1]
    c = o[0] * o[0] + o[2] * o[2] + qa * o[1] * o[1] + qb * o[1] + qc
    disc = b * b - a * c
    root = disc.clamp_min(0).sqrt()
    u, v = (-b - root) / a, (-b + root) / a
    t1, t2 = torch.minimum(u, v), torch.maximum(u, v)
    near, far = _slab(o[1], d[1])
    inner_near, inner_far = torch.maximum(near, t1), torch.minimum(far, t2)
    # A cone seen steeply (a < 0): inside lies before the first or behind the second root. Along
    # the axis both are the tip, where it is entered.
    first = near < t1
    outer_near = torch.where(first, near, torch.maximum(near, t2))
    outer_far = torch.where(first, torch.minimum(far, t1), far)
    near, far = (
        torch.where(a > 0, inner_near, outer_near),
        torch.where(a > 0, inner_far, outer_far),
    )
    far = torch.where((disc < 0) & (a > 0), near - 1, far)
    return _cut(row, o, d, near, far)


def _nearest(
    interval: Callable[[Tensor, Axes, Axes], tuple[Tensor, Tensor]],
    solids: Tensor,
    origin: Axes,
    direction: Axes,
    near: Tensor,
    best: Tensor,
) -> tuple[Tensor, Tensor]:
    """The nearest of CHUNK solids and which it is (-1: none is nearer than ``best``)."""
    index = torch.full_like(best, -1, dtype=torch.int32)
    for k in range(CHUNK):
        row = solids[:, k]
        enter, leave = interval(row, *_local_ray(row, origin, direction))
        hit = (enter < torch.minimum(leave, best)) & (enter > near)
        best = torch.where(hit, enter, best)
        index = index.masked_fill(hit, k)
    return best, index


def _box_chunk(
    solids: Tensor, o: Axes, d: Axes, near: Tensor, best: Tensor
) -> tuple[Tensor, Tensor]:
    return _nearest(_box_interval, solids, o, d, near, best)


def _round_chunk(
    solids: Tensor, o: Axes, d: Axes, near: Tensor, best: Tensor
) -> tuple[Tensor, Tensor]:
    return _nearest(_round_interval, solids, o, d, near, best)


@lru_cache(maxsize=4)
def _chunk_functions(compiled: bool) -> tuple[ChunkFunction, ChunkFunction]:
    """One fused kernel for each sort of solid, or plain torch."""
    if not compiled:
        return _box_chunk, _round_chunk
    return torch.compile(_box_chunk, dynamic=False), torch.compile(_round_chunk, dynamic=False)


def cast(
    scenes: SceneTensors, origin: Axes, direction: Axes, near: float, compiled: bool = False
) -> tuple[Tensor, Tensor]:
    """First hit of every ray.

    Args:
        scenes: B scenes.
        origin: Of the rays [m].
        direction: Of any length; distances count in its lengths.
        near: Hits at or before this are passed through.
        compiled: Fuse the work with torch.compile: worth it where one size is cast often, since
            each new B or N is compiled anew.

    Returns:
        Distance (B, N) in lengths of the direction, FAR where nothing is hit; and what is hit
        (B, N) int32: box k, Kb + round k, -2 the ground, -1 nothing.
    """
    origin, direction = (_plain(axes) for axes in (origin, direction))
    best = torch.full_like(direction[0], FAR)
    index = torch.full_like(best, -1, dtype=torch.int32)
    hit = ground_hit(scenes, origin, direction, near)
    index = torch.where(hit < best, torch.full_like(index, -2), index)
    best = torch.where(hit < best, hit, best)
    allowed = best.new_tensor(near)
    rays = (origin, direction, allowed)
    boxes, rounds = _chunk_functions(compiled)
    for function, solids, base in (
        (boxes, scenes.boxes, 0),
        (rounds, scenes.rounds, scenes.boxes.shape[1]),
    ):
        for start in range(0, solids.shape[1], CHUNK):
            chunk = solids[:, start : start + CHUNK].contiguous()
            rows = None if compiled else _filled(chunk)
            if rows is not None:
                _cast_rows(function, chunk, rows, base + start, rays, (best, index))
                continue
            best, local = function(chunk, origin, direction, allowed, best)
            index = torch.where(local >= 0, local + (base + start), index)
    return best, index


def _filled(chunk: Tensor) -> Tensor | None:
    """Which scenes have solids in a chunk (B, CHUNK, fields); None: all, or too dear to ask."""
    if chunk.device.type != "cpu":
        return None
    filled = (chunk[:, :, CENTRE.start + 1] < NOWHERE_DOWN / 2).any(1)
    return None if bool(filled.all()) else filled.nonzero()[:, 0]


def _cast_rows(
    function: ChunkFunction,
    chunk: Tensor,
    rows: Tensor,
    base: int,
    rays: tuple[Axes, Axes, Tensor],
    found: tuple[Tensor, Tensor],
) -> None:
    """Cast a chunk in some of the scenes only; what was found is changed in place."""
    if not len(rows):
        return
    origin, direction = (_plain((a[rows], b[rows], c[rows])) for a, b, c in rays[:2])
    best, index = found
    nearest, local = function(chunk[rows], origin, direction, rays[2], best[rows])
    index[rows] = torch.where(local >= 0, local + base, index[rows])
    best[rows] = nearest


def _plain(axes: Axes) -> Axes:
    return axes[0].contiguous(), axes[1].contiguous(), axes[2].contiguous()


def ground_height(scenes: SceneTensors, x: Tensor, z: Tensor) -> Tensor:
    """World y of the ground at (x, z), (B, N) [m]; 0 at the origin, below the camera."""
    y = torch.zeros_like(x)
    for k in range(WAVES):
        amplitude, kx, kz, phase = (scenes.ground[:, 1 + 4 * k + i, None] for i in range(4))
        y = y - amplitude * (torch.sin(kx * x + kz * z + phase) - torch.sin(phase))
    return y


def ground_hit(scenes: SceneTensors, origin: Axes, direction: Axes, near: float) -> Tensor:
    """Distance to the ground, FAR where a ray misses it or the scene has none."""
    down = direction[1] > 1e-6
    t = torch.where(down, -origin[1] / _nonzero(direction[1]), torch.full_like(direction[1], FAR))
    t = torch.where(t > near, t, torch.full_like(t, FAR))
    if scenes.hilly:
        hills = (scenes.ground[:, 1::4].abs().sum(1, keepdim=True) > 0).expand_as(t)
        t = torch.where(hills, _march(scenes, origin, direction, near), t)
    there = scenes.ground[:, :1] >= 0
    return torch.where(there & (t < FAR), t, torch.full_like(t, FAR))


def _march(
    scenes: SceneTensors, origin: Axes, direction: Axes, near: float, steps: int = 70
) -> Tensor:
    """Walk along the ray with growing steps until it is below the hills, then bisect.

    The steps end at FAR for a direction of unit length.
    """

    def below(t: Tensor) -> Tensor:
        x, y, z = (origin[i] + t * direction[i] for i in range(3))
        return y - ground_height(scenes, x, z)  # > 0: under the ground

    low = torch.full_like(direction[0], max(near, 0.05))
    high, found = torch.full_like(low, FAR), torch.zeros_like(low, dtype=torch.bool)
    t = low
    for _ in range(steps):
        further = t * 1.17 + 0.02
        inside = (below(further) > 0) & ~found
        low, high = torch.where(inside, t, low), torch.where(inside, further, high)
        found, t = found | inside, further
    for _ in range(18):
        middle = 0.5 * (low + high)
        under = below(middle) > 0
        low, high = torch.where(under, low, middle), torch.where(under, middle, high)
    return torch.where(found, 0.5 * (low + high), torch.full_like(low, FAR))
