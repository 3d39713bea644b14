"""What every room is made of: shell, light, what hangs on walls, furniture around."""

from __future__ import annotations

import math

from da_ros.training.scenes import furniture, things
from da_ros.training.scenes.builder import CONE, CYLINDER, Builder


def lamps(b: Builder, width: float, height: float, depth: float) -> None:
    """Ceiling lamp or window light with a second lamp."""
    r, light = b.rng, b.lighting
    light.position = (
        r.uniform(-0.4, 0.4) * width,
        -height * r.uniform(0.8, 0.97),
        r.uniform(-0.4, 0.4) * depth,
    )
    light.fill_position = (
        r.uniform(-0.5, 0.5) * width,
        -height * r.uniform(0.3, 0.9),
        r.uniform(-0.5, 0.5) * depth,
    )
    light.sun, light.fill, light.ambient = (
        r.uniform(0.2, 1.3),
        r.uniform(0.0, 0.8),
        r.uniform(0.15, 0.7),
    )
    warm = r.uniform(-0.15, 0.3)
    light.tint = (1.0, 1.0 - 0.4 * warm, 1.0 - warm)
    light.horizon = (0.6, 0.6, 0.6)
    if r.random() < 0.05:
        light.fog = r.uniform(0.01, 0.08)


def shell(b: Builder, width: float, height: float, depth: float) -> None:
    """Floor, ceiling and four walls, each with its own surface, as six slabs around the room."""
    r = b.rng
    wall = b.material(gloss=0.0 if r.random() < 0.8 else None, mix=r.random() ** 2)
    other = wall if r.random() < 0.7 else b.material(mix=r.random() ** 2)
    floor, ceiling = b.material(), b.material(mix=r.random() ** 3, gloss=0.0)
    t = 0.2
    b.box(0, t, 0, width + 1, t, depth + 1, floor)
    b.box(0, -height, 0, width + 1, t, depth + 1, ceiling)
    for sx in (-1, 1):
        b.box(sx * (width + t) / 2, 0, 0, t, height, depth + 1, wall if sx < 0 else other)
    for sz in (-1, 1):
        b.box(0, 0, sz * (depth + t) / 2, width + 1, height, t, wall if sz < 0 else other)
    if r.random() < 0.6:
        skirting(b, width, height, depth)


def skirting(b: Builder, width: float, height: float, depth: float) -> None:
    """Skirting boards, and now and then beams below the ceiling."""
    r = b.rng
    wood = b.material(mix=0.2)
    for sx in (-1, 1):
        b.box(sx * (width / 2 - 0.01), 0, 0, 0.02, 0.09, depth, wood)
    for sz in (-1, 1):
        b.box(0, 0, sz * (depth / 2 - 0.01), width, 0.09, 0.02, wood)
    if r.random() < 0.25:
        for k in range(3):
            b.box(0, -height + 0.15, depth * (k - 1) / 3, width, 0.15, 0.12, wood)


def on_walls(b: Builder, width: float, height: float, depth: float) -> None:
    """Pictures, windows, doors, radiators, boards and pipes on the walls."""
    r = b.rng
    for _ in range(r.randint(2, 9)):
        side = r.randrange(4)
        span, dist = (width, depth) if side % 2 == 0 else (depth, width)
        wall = b.at(0, 0, 0, side * math.pi / 2)
        x, z, kind = r.uniform(-0.42, 0.42) * span, dist / 2, r.random()
        if kind < 0.4:
            wall.box(
                x,
                -r.uniform(0.8, 1.6),
                z - 0.02,
                r.uniform(0.2, 1.4),
                r.uniform(0.2, 0.9),
                0.04,
                b.material(),
            )
        elif kind < 0.6:
            glow = r.uniform(0.4, 1.2)
            wall.box(
                x,
                -r.uniform(0.7, 1.0),
                z - 0.01,
                r.uniform(0.6, 2.0),
                r.uniform(0.8, 1.4),
                0.03,
                b.material(glow=glow, gloss=0.5),
            )
        elif kind < 0.85:
            wall.box(x, 0, z - 0.02, r.uniform(0.7, 1.1), r.uniform(1.9, 2.2), 0.06, b.material())
            wall.box(x + 0.35, -1.0, z - 0.07, 0.1, 0.03, 0.05, b.material())
        else:
            wall.box(x, -0.15, z - 0.06, r.uniform(0.5, 1.5), 0.6, 0.1, b.material())


def furnish(b: Builder, width: float, depth: float, count: int, free: tuple[float, float]) -> None:
    """Stand furniture around the room, some along the walls; none on the camera's place."""
    r = b.rng
    for _ in range(count):
        if r.random() < 0.55:
            side = r.randrange(4)
            span, dist = (width, depth) if side % 2 == 0 else (depth, width)
            turn = side * math.pi / 2
            lx, lz = r.uniform(-0.42, 0.42) * span, dist / 2 - r.uniform(0.2, 0.5)
            x, z = (
                lx * math.cos(turn) + lz * math.sin(turn),
                -lx * math.sin(turn) + lz * math.cos(turn),
            )
            yaw = turn
        else:
            x, z = r.uniform(-0.42, 0.42) * width, r.uniform(-0.42, 0.42) * depth
            yaw = r.uniform(0, 6.28)
        if math.hypot(x - free[0], z - free[1]) > 1.3:
            piece(b.at(x, 0, z, yaw))


def piece(b: Builder) -> None:
    """One piece, of a random sort."""
    r = b.rng
    kind = r.random()
    if kind < 0.26:
        laid_table(
            b, r.uniform(0.6, 2.0), r.uniform(0.5, 1.0), r.uniform(0.4, 1.0), r.randrange(8)
        )
    elif kind < 0.42:
        furniture.chair(b)
    elif kind < 0.52:
        furniture.shelf(b, r.uniform(0.5, 1.6), r.uniform(0.7, 2.3), r.uniform(0.25, 0.5))
    elif kind < 0.64:
        furniture.cabinet(b)
    elif kind < 0.71:
        furniture.sofa(b)
    elif kind < 0.75:
        furniture.bed(b)
    elif kind < 0.8:
        things.plant(b)
    elif kind < 0.88:
        things.person(b)
    elif kind < 0.92:
        b.round(0, 0, 0, 0.05, 1.6, 0.05, b.material(), CYLINDER)
        b.round(0, -1.5, 0, 0.4, 0.3, 0.4, b.material(glow=0.6), CONE)
    else:
        things.clutter(b, r.uniform(0.2, 1.2))


def laid_table(b: Builder, width: float, depth: float, height: float, count: int) -> None:
    """A table with things on it, sometimes a desk with a screen."""
    r = b.rng
    furniture.table(b, width, depth, height)
    if r.random() < 0.35:
        furniture.monitor(
            b.at(r.uniform(-0.3, 0.3) * width, -height - 0.001, depth * 0.2, r.gauss(0, 0.3))
        )
    for _ in range(count):
        x, z = r.uniform(-0.42, 0.42) * width, r.uniform(-0.42, 0.42) * depth
        things.clutter(b.at(x, -height, z), r.uniform(0.05, 0.3))
