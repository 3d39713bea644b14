"""Families of scenes in rooms, corridors and on stairs."""

from __future__ import annotations

import math

from da_ros.training.scenes import furniture, things
from da_ros.training.scenes.builder import CYLINDER, Builder, rotation_x
from da_ros.training.scenes.interior import furnish, lamps, on_walls, shell
from da_ros.training.scenes.viewpoint import aim


def room(b: Builder) -> None:
    """A furnished room, sometimes divided by a wall with a doorway."""
    r = b.rng
    width, depth, height = r.uniform(2.5, 9.0), r.uniform(2.8, 11.0), r.uniform(2.2, 3.8)
    shell(b, width, height, depth)
    on_walls(b, width, height, depth)
    lamps(b, width, height, depth)
    x, z = r.uniform(-0.38, 0.38) * width, -r.uniform(-0.1, 0.45) * depth
    furnish(b, width, depth, r.randint(2, 12), (x, z))
    for _ in range(r.randrange(8)):
        things.clutter(
            b.at(r.uniform(-0.45, 0.45) * width, 0, r.uniform(-0.3, 0.45) * depth),
            r.uniform(0.1, 0.6),
        )
    if depth > 5 and r.random() < 0.3:
        doorway(b, width, height, depth * r.uniform(0.1, 0.3))
    yaw = math.atan2(-x, -z + depth * 0.2) + r.gauss(0, 0.7)
    aim(b, x, r.uniform(0.25, 1.9), z, yaw, r.gauss(-0.15, 0.28))


def doorway(b: Builder, width: float, height: float, z: float) -> None:
    """A wall across the room with an opening; what is behind shows through it."""
    r = b.rng
    wall, gap, tall = b.material(mix=r.random() ** 2), r.uniform(0.8, 2.0), r.uniform(2.0, height)
    x = r.uniform(-0.3, 0.3) * width
    left, right = x - gap / 2 + width / 2, width / 2 - x - gap / 2
    b.box(-width / 2 + left / 2, 0, z, left, height, 0.12, wall)
    b.box(width / 2 - right / 2, 0, z, right, height, 0.12, wall)
    b.box(x, -tall, z, gap, height - tall, 0.12, wall)


def corridor(b: Builder) -> None:
    """Long and narrow: a hallway, an aisle between shelves, a tunnel with columns or pipes."""
    r = b.rng
    width, depth, height = r.uniform(1.3, 5.0), r.uniform(8.0, 45.0), r.uniform(2.1, 5.0)
    shell(b, width, height, depth)
    lamps(b, width, height, depth * 0.5)
    b.lighting.position = (0.0, -height * 0.93, -depth / 2 + r.uniform(1.0, 8.0))
    style, pitch = r.random(), r.uniform(1.5, 4.0)
    steps = min(10, int(depth / pitch))
    for k in range(steps):
        z = -depth / 2 + pitch * (k + 0.7)
        for sx in (-1, 1):
            if r.random() < 0.75:
                beside(b, sx, sx * width / 2, z, height, style)
    for _ in range(r.randrange(7)):
        z = -depth / 2 + 1.5 + r.random() ** 1.5 * (depth - 3)
        alive = r.random() < 0.4
        here = b.at(r.uniform(-0.4, 0.4) * width, 0, z, r.uniform(0, 6.28))
        if alive:
            things.person(here)
        else:
            things.clutter(here, r.uniform(0.2, 0.9))
    aim(
        b,
        r.uniform(-0.3, 0.3) * width,
        r.uniform(0.25, min(2.0, height - 0.3)),
        -depth / 2 + r.uniform(0.2, 1.0),
        r.gauss(0, 0.2),
        r.gauss(-0.05, 0.15),
    )


def beside(b: Builder, side: int, x: float, z: float, height: float, style: float) -> None:
    """What stands along a corridor's wall: doors, columns, shelves, cabinets."""
    if style < 0.35:
        b.box(x - side * 0.02, 0, z, 0.08, 2.05, 0.95, b.material())
    elif style < 0.6:
        furniture.shelf(b.at(x - side * 0.3, 0, z, side * math.pi / 2), 1.4, min(height, 2.2), 0.5)
    elif style < 0.8:
        b.round(x - side * 0.25, 0, z, 0.35, height, 0.35, b.material(), CYLINDER)
    else:
        furniture.cabinet(b.at(x - side * 0.3, 0, z, side * math.pi / 2))


def stairs(b: Builder) -> None:
    """A flight going up ahead, within walls, with rails."""
    r = b.rng
    width, height, depth = r.uniform(2.0, 6.0), r.uniform(3.5, 7.0), r.uniform(6.0, 14.0)
    shell(b, width, height, depth)
    lamps(b, width, height, depth)
    rise, run, count = r.uniform(0.13, 0.2), r.uniform(0.24, 0.36), r.randint(5, 14)
    step, flight = b.material(), r.uniform(0.5, 1.0) * width
    start = -depth / 2 + r.uniform(1.2, 3.0)
    for k in range(count):
        b.box(0, 0, start + run * (k + 0.5), flight, rise * (k + 1), run, step)
    landing = depth / 2 - (start + run * count)
    if landing > 0.3:
        b.box(0, 0, depth / 2 - landing / 2, flight, rise * count, landing, step)
    rails(b, flight * 0.47, start, rise, run, count)
    aim(
        b,
        r.uniform(-0.3, 0.3) * flight,
        r.uniform(0.3, 1.9),
        -depth / 2 + r.uniform(0.2, 0.8),
        r.gauss(0, 0.15),
        r.gauss(0.05, 0.2),
    )


def rails(b: Builder, aside: float, start: float, rise: float, run: float, count: int) -> None:
    """Handrails on posts along both sides of a flight of stairs.

    Args:
        b: The scene.
        aside: Distance of a rail from the middle [m].
        start: z where the flight begins [m].
        rise: Height of a step [m].
        run: Depth of a step [m].
        count: Steps.
    """
    rail = b.material()
    lean = rotation_x(math.atan2(rise, run))
    middle = start + run * count / 2
    for sx in (-1, 1):
        b.solid(
            (sx * aside, -rise * count / 2 - 0.95, middle),
            (0.025, 0.025, math.hypot(rise, run) * count / 2),
            rail,
            rotation=lean,
        )
        for k in range(0, count, 2):
            z = start + run * (k + 0.5)
            b.box(sx * aside, -rise * (k + 1), z, 0.03, 0.95, 0.03, rail)
