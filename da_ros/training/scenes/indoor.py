"""Families of indoor scenes: rooms, corridors, stairs, table tops, bins and shelves."""

from __future__ import annotations

import math
from collections.abc import Callable

from da_ros.training.scenes import things
from da_ros.training.scenes.builder import Builder, multiply, rotation_x, rotation_y, rotation_z


def aim(b: Builder, x: float, height: float, z: float, yaw: float, pitch: float, roll: float = 0.06,
        wide: tuple[float, float] = (0.45, 1.15)) -> None:
    """Place the camera: ``height`` over y = 0, yaw from +z, pitch up [rad], a random lens.

    Args:
        b: The scene.
        x: [m].
        height: [m].
        z: [m].
        yaw: [rad].
        pitch: [rad], negative looks down.
        roll: Standard deviation [rad].
        wide: Range of focal length over image width.
    """
    r = b.rng
    turn = multiply(rotation_y(yaw), multiply(rotation_x(pitch), rotation_z(r.gauss(0, roll))))
    b.camera.position, b.camera.rotation = (x, -height, z), turn
    b.camera.focal = math.exp(r.uniform(math.log(wide[0]), math.log(wide[1])))
    b.camera.offset = (r.gauss(0, 0.015), r.gauss(0, 0.015))


def lamps(b: Builder, width: float, height: float, depth: float) -> None:
    """Ceiling lamp or window light with a second lamp."""
    r, light = b.rng, b.lighting
    light.position = (r.uniform(-0.4, 0.4) * width, -height * r.uniform(0.8, 0.97), r.uniform(-0.4, 0.4) * depth)
    light.fill_position = (r.uniform(-0.5, 0.5) * width, -height * r.uniform(0.3, 0.9), r.uniform(-0.5, 0.5) * depth)
    light.sun, light.fill, light.ambient = r.uniform(0.2, 1.3), r.uniform(0.0, 0.8), r.uniform(0.15, 0.7)
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
            wall.box(x, -r.uniform(0.8, 1.6), z - 0.02, r.uniform(0.2, 1.4), r.uniform(0.2, 0.9), 0.04, b.material())
        elif kind < 0.6:
            glow = r.uniform(0.4, 1.2)
            wall.box(x, -r.uniform(0.7, 1.0), z - 0.01, r.uniform(0.6, 2.0), r.uniform(0.8, 1.4), 0.03,
                     b.material(glow=glow, gloss=0.5))
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
            x, z = lx * math.cos(turn) + lz * math.sin(turn), -lx * math.sin(turn) + lz * math.cos(turn)
            yaw = turn
        else:
            x, z = r.uniform(-0.42, 0.42) * width, r.uniform(-0.42, 0.42) * depth
            yaw = r.uniform(0, 6.28)
        if math.hypot(x - free[0], z - free[1]) > 1.3:
            furniture(b.at(x, 0, z, yaw))


def furniture(b: Builder) -> None:
    """One piece, of a random sort."""
    r = b.rng
    kind = r.random()
    if kind < 0.26:
        laid_table(b, r.uniform(0.6, 2.0), r.uniform(0.5, 1.0), r.uniform(0.4, 1.0), r.randrange(8))
    elif kind < 0.42:
        things.chair(b)
    elif kind < 0.52:
        things.shelf(b, r.uniform(0.5, 1.6), r.uniform(0.7, 2.3), r.uniform(0.25, 0.5))
    elif kind < 0.64:
        things.cabinet(b)
    elif kind < 0.71:
        things.sofa(b)
    elif kind < 0.75:
        things.bed(b)
    elif kind < 0.8:
        things.plant(b)
    elif kind < 0.88:
        things.person(b)
    elif kind < 0.92:
        b.round(0, 0, 0, 0.05, 1.6, 0.05, b.material(), things.CYLINDER)
        b.round(0, -1.5, 0, 0.4, 0.3, 0.4, b.material(glow=0.6), things.CONE)
    else:
        things.clutter(b, r.uniform(0.2, 1.2))


def laid_table(b: Builder, width: float, depth: float, height: float, count: int) -> None:
    """A table with things on it, sometimes a desk with a screen."""
    r = b.rng
    things.table(b, width, depth, height)
    if r.random() < 0.35:
        things.monitor(b.at(r.uniform(-0.3, 0.3) * width, -height - 0.001, depth * 0.2, r.gauss(0, 0.3)))
    for _ in range(count):
        x, z = r.uniform(-0.42, 0.42) * width, r.uniform(-0.42, 0.42) * depth
        things.clutter(b.at(x, -height, z), r.uniform(0.05, 0.3))


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
        things.clutter(b.at(r.uniform(-0.45, 0.45) * width, 0, r.uniform(-0.3, 0.45) * depth), r.uniform(0.1, 0.6))
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
        sort = things.person if r.random() < 0.4 else lambda c: things.clutter(c, r.uniform(0.2, 0.9))
        sort(b.at(r.uniform(-0.4, 0.4) * width, 0, z, r.uniform(0, 6.28)))
    aim(b, r.uniform(-0.3, 0.3) * width, r.uniform(0.25, min(2.0, height - 0.3)), -depth / 2 + r.uniform(0.2, 1.0),
        r.gauss(0, 0.2), r.gauss(-0.05, 0.15))


def beside(b: Builder, side: int, x: float, z: float, height: float, style: float) -> None:
    """What stands along a corridor's wall: doors, columns, shelves, cabinets."""
    r = b.rng
    if style < 0.35:
        b.box(x - side * 0.02, 0, z, 0.08, 2.05, 0.95, b.material())
    elif style < 0.6:
        things.shelf(b.at(x - side * 0.3, 0, z, side * math.pi / 2), 1.4, min(height, 2.2), 0.5)
    elif style < 0.8:
        b.round(x - side * 0.25, 0, z, 0.35, height, 0.35, b.material(), things.CYLINDER)
    else:
        things.cabinet(b.at(x - side * 0.3, 0, z, side * math.pi / 2))


def stairs(b: Builder) -> None:
    """A flight going up or down ahead, within walls, with rails."""
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
    rail = b.material()
    lean = rotation_x(math.atan2(rise, run))
    middle = start + run * count / 2
    for sx in (-1, 1):
        b.solid((sx * flight * 0.47, -rise * count / 2 - 0.95, middle),
                (0.025, 0.025, math.hypot(rise, run) * count / 2), rail, rotation=lean)
        for k in range(0, count, 2):
            b.box(sx * flight * 0.47, -rise * (k + 1), start + run * (k + 0.5), 0.03, 0.95, 0.03, rail)
    aim(b, r.uniform(-0.3, 0.3) * flight, r.uniform(0.3, 1.9), -depth / 2 + r.uniform(0.2, 0.8), r.gauss(0, 0.15),
        r.gauss(0.05, 0.2))


def tabletop(b: Builder) -> None:
    """Close above a table with things on it; a room, another table or nothing much behind."""
    r = b.rng
    width, depth, height = r.uniform(4.0, 8.0), r.uniform(4.0, 9.0), r.uniform(2.4, 3.2)
    shell(b, width, height, depth)
    lamps(b, 2.0, height, 2.0)
    top, w, d = r.uniform(0.4, 1.1), r.uniform(0.7, 2.2), r.uniform(0.6, 1.4)
    things.table(b, w, d, top)
    reach, size = r.uniform(0.5, 1.0), r.uniform(0.05, 0.3)
    for _ in range(r.randint(2, 16)):
        x, z = r.gauss(0, 0.22) * w * reach, r.gauss(0, 0.22) * d * reach
        if abs(x) < w / 2 and abs(z) < d / 2:
            things.clutter(b.at(x, -top, z), size * math.exp(r.uniform(-0.8, 0.6)))
    furnish(b, width, depth, r.randrange(5), (0.0, 0.0))
    look_at(b, r.uniform(-0.15, 0.15), -top, r.uniform(-0.15, 0.15), r.uniform(0.45, 1.6), r.uniform(0.3, 1.35))


def look_at(b: Builder, x: float, y: float, z: float, distance: float, tilt: float) -> None:
    """Look at a point from ``distance`` [m] away, ``tilt`` [rad] above the horizontal."""
    r = b.rng
    yaw = r.uniform(-math.pi, math.pi)
    back = distance * math.cos(tilt)
    cx, cz = x - math.sin(yaw) * back, z - math.cos(yaw) * back
    aim(b, cx, -y + distance * math.sin(tilt), cz, yaw + r.gauss(0, 0.08), -tilt + r.gauss(0, 0.08),
        wide=(0.6, 1.2))


def bin_of_things(b: Builder) -> None:
    """Into an open box full of things, from above or aslant."""
    r = b.rng
    shell(b, 6.0, 3.0, 6.0)
    lamps(b, 2.0, 3.0, 2.0)
    w, d, h, lift = r.uniform(0.3, 1.0), r.uniform(0.3, 1.0), r.uniform(0.1, 0.5), r.uniform(0.0, 0.8)
    wall, t = b.material(), r.uniform(0.005, 0.03)
    if lift > 0.2:
        b.box(0, 0, 0, w * 1.5, lift, d * 1.5, b.material())
    b.box(0, -lift, 0, w, t, d, wall if r.random() < 0.6 else b.material())
    for s in (-1, 1):
        b.box(s * w / 2, -lift, 0, t, h, d, wall)
        b.box(0, -lift, s * d / 2, w, h, t, wall)
    for k in range(r.randint(3, 22)):
        x, z = r.uniform(-0.42, 0.42) * w, r.uniform(-0.42, 0.42) * d
        things.clutter(b.at(x, -lift - t - r.uniform(0, 0.4) * h * (k > 8), z), r.uniform(0.06, 0.24))
    look_at(b, r.gauss(0, 0.05), -lift - h / 2, r.gauss(0, 0.05), r.uniform(0.5, 1.4), r.uniform(0.6, 1.57))


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
            things.shelf(here, w * 0.95, r.uniform(0.8, 2.3), r.uniform(0.25, 0.5), 0.9)
        elif kind < 0.75:
            things.cabinet(here)
        elif kind < 0.95:
            laid_table(here, w, 0.6, r.uniform(0.6, 1.0), r.randrange(6))
    for _ in range(r.randrange(4)):
        furniture(b.at(r.uniform(-0.4, 0.4) * width, 0, r.uniform(0.0, 0.2) * depth, r.uniform(0, 6.28)))
    away = r.uniform(0.9, depth * 0.85)
    aim(b, r.uniform(-0.2, 0.2) * width, r.uniform(0.3, 1.8), wall - away, r.gauss(0, 0.45), r.gauss(-0.12, 0.25))


def soup(b: Builder) -> None:
    """Solids anywhere: no floor to lean on, so that the row of a pixel is no clue."""
    r = b.rng
    width, depth, height = r.uniform(3.0, 10.0), r.uniform(3.0, 12.0), r.uniform(2.5, 6.0)
    shell(b, width, height, depth)
    lamps(b, width, height, depth)
    for _ in range(r.randint(10, 40)):
        x, y, z = r.uniform(-0.5, 0.5) * width, -r.uniform(0, 1) * height, r.uniform(-0.35, 0.5) * depth
        if math.hypot(x, z + depth * 0.45) > 0.9:
            things.clutter(b.at(x, y, z, r.uniform(0, 6.28)), math.exp(r.uniform(-2.2, 0.5)))
    aim(b, 0.0, height * r.uniform(0.2, 0.8), -depth * 0.45, r.gauss(0, 0.4), r.gauss(0, 0.4), roll=0.25)


FAMILIES: dict[str, tuple[Callable[[Builder], None], float]] = {
    "room": (room, 0.24),
    "corridor": (corridor, 0.09),
    "stairs": (stairs, 0.04),
    "tabletop": (tabletop, 0.13),
    "bin": (bin_of_things, 0.06),
    "shelf": (facing_shelf, 0.12),
    "soup": (soup, 0.06),
}
