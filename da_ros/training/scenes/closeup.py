"""Families of scenes seen from near: table tops, shelves, and solids without a floor."""

from __future__ import annotations

import math

from da_ros.training.scenes import furniture, things
from da_ros.training.scenes.builder import Builder
from da_ros.training.scenes.interior import furnish, laid_table, lamps, on_walls, piece, shell
from da_ros.training.scenes.viewpoint import aim, look_at


def tabletop(b: Builder) -> None:
    """Close above a table with things on it; a room, another table or nothing much behind."""
    r = b.rng
    width, depth, height = r.uniform(4.0, 8.0), r.uniform(4.0, 9.0), r.uniform(2.4, 3.2)
    shell(b, width, height, depth)
    lamps(b, 2.0, height, 2.0)
    top, w, d = r.uniform(0.4, 1.1), r.uniform(0.7, 2.2), r.uniform(0.6, 1.4)
    furniture.table(b, w, d, top)
    reach, size = r.uniform(0.5, 1.0), r.uniform(0.05, 0.3)
    packed = r.random()
    for _ in range(r.randint(2, 18)):
        x, z = r.gauss(0, 0.22) * w * reach, r.gauss(0, 0.22) * d * reach
        if abs(x) < w / 2 and abs(z) < d / 2:
            thing = things.product if r.random() < packed else things.clutter
            thing(b.at(x, -top, z), size * math.exp(r.uniform(-0.8, 0.6)))
    furnish(b, width, depth, r.randrange(5), (0.0, 0.0))
    look_at(
        b,
        r.uniform(-0.15, 0.15),
        -top,
        r.uniform(-0.15, 0.15),
        r.uniform(0.45, 1.6),
        r.uniform(0.3, 1.57),
    )


def facing_shelf(b: Builder) -> None:
    """Straight or aslant at a filled shelf, a wall, a desk or a cupboard, from near."""
    r = b.rng
    width, depth, height = r.uniform(4.0, 8.0), r.uniform(3.0, 6.0), r.uniform(2.4, 3.4)
    shell(b, width, height, depth)
    on_walls(b, width, height, depth)
    lamps(b, width, height, depth)
    wall, x = depth / 2, -width / 2
    while x < width / 2:
        w = r.uniform(0.6, 1.8)
        x += w
        here = b.at(x - w / 2, 0, wall - 0.35, 0.0)
        kind = r.random()
        if kind < 0.55:
            furniture.shelf(here, w * 0.95, r.uniform(0.8, 2.3), r.uniform(0.25, 0.5), 0.9)
        elif kind < 0.75:
            furniture.cabinet(here)
        elif kind < 0.95:
            laid_table(here, w, 0.6, r.uniform(0.6, 1.0), r.randrange(6))
    for _ in range(r.randrange(4)):
        piece(
            b.at(r.uniform(-0.4, 0.4) * width, 0, r.uniform(0.0, 0.2) * depth, r.uniform(0, 6.28))
        )
    away = r.uniform(0.9, depth * 0.85)
    aim(
        b,
        r.uniform(-0.2, 0.2) * width,
        r.uniform(0.3, 1.8),
        wall - away,
        r.gauss(0, 0.45),
        r.gauss(-0.12, 0.25),
    )


def soup(b: Builder) -> None:
    """Solids anywhere: no floor to lean on, so that the row of a pixel is no clue."""
    r = b.rng
    width, depth, height = r.uniform(3.0, 10.0), r.uniform(3.0, 12.0), r.uniform(2.5, 6.0)
    shell(b, width, height, depth)
    lamps(b, width, height, depth)
    for _ in range(r.randint(10, 40)):
        x, y, z = (
            r.uniform(-0.5, 0.5) * width,
            -r.uniform(0, 1) * height,
            r.uniform(-0.35, 0.5) * depth,
        )
        if math.hypot(x, z + depth * 0.45) > 0.9:
            things.clutter(b.at(x, y, z, r.uniform(0, 6.28)), math.exp(r.uniform(-2.2, 0.5)))
    aim(
        b,
        0.0,
        height * r.uniform(0.2, 0.8),
        -depth * 0.45,
        r.gauss(0, 0.4),
        r.gauss(0, 0.4),
        roll=0.25,
    )
