"""The family of bins: totes, cartons, trays and pigeonholes, full of things, seen into."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass, replace

from da_ros.training.scenes import furniture, things
from da_ros.training.scenes.builder import Builder, rotation_x, rotation_z
from da_ros.training.scenes.interior import furnish, lamps, shell
from da_ros.training.scenes.viewpoint import look_at


@dataclass(frozen=True)
class Inside:
    """A bin's inner space [m].

    Attributes:
        width: Along x.
        depth: Along z.
        height: Of its walls.
        wall: Their thickness.
        lift: Of its floor over the ground.
        lean: Of its walls, outwards [rad]: totes that stack are wider at the top.
    """

    width: float
    depth: float
    height: float
    wall: float
    lift: float
    lean: float = 0.0


def bin_of_things(b: Builder) -> None:
    """Into an open box full of things, mostly from above."""
    r = b.rng
    width, depth = r.uniform(3.0, 7.0), r.uniform(3.0, 7.0)
    shell(b, width, 3.0, depth)
    lamps(b, 2.0, 3.0, 2.0)
    inside = Inside(
        r.uniform(0.25, 0.9),
        r.uniform(0.25, 0.9),
        math.exp(r.uniform(-3.2, -0.6)),
        r.uniform(0.004, 0.03),
        r.uniform(0.3, 1.0) if r.random() < 0.5 else 0.0,
        r.uniform(0.02, 0.25) if r.random() < 0.5 else 0.0,
    )
    stand_under(b, inside)
    skin = plastic(b) if r.random() < 0.5 else b.material(mix=r.random() ** 2)
    walls(b, inside, skin)
    fill(b, inside)
    beside(b, inside, skin)
    if r.random() < 0.4:
        furnish(b, width, depth, r.randrange(5), (0.0, 0.0))
    look_into(b, inside)


def look_into(b: Builder, inside: Inside) -> None:
    """The camera, steeply above in most cases, and then now and then close to the rim."""
    r = b.rng
    steep = r.random() < 0.65
    nearest = (0.12, 0.2) if steep and r.random() < 0.5 else (0.3, 0.45)
    largest = max(inside.width, inside.depth)
    look_at(
        b,
        r.gauss(0, 0.12) * inside.width,
        -inside.lift - inside.height * r.uniform(0.0, 0.6),
        r.gauss(0, 0.12) * inside.depth,
        inside.height + max(nearest[0], largest * r.uniform(nearest[1], 1.6)),
        r.uniform(1.1, 1.57) if steep else r.uniform(0.5, 1.2),
    )


def stand_under(b: Builder, inside: Inside) -> None:
    """What the bin stands on: the floor, a block, a table; or it hangs in a frame."""
    r = b.rng
    if not inside.lift:
        return
    w, d = inside.width * r.uniform(1.0, 2.5), inside.depth * r.uniform(1.0, 2.5)
    style = r.random()
    if style < 0.3:
        rails(b, inside)
    elif style < 0.65:
        furniture.table(b, w, d, inside.lift)
    else:
        b.box(0, 0, 0, w, inside.lift, d, b.material())


def plastic(b: Builder) -> int:
    """One bright or grey colour all over, more or less shiny."""
    r = b.rng
    value, full = r.uniform(0.15, 0.9), r.random()
    colour = colorsys.hsv_to_rgb(r.random(), full, value)
    return b.material(colour, mix=0.15 * r.random() ** 2, gloss=r.uniform(0.0, 0.7))


def walls(b: Builder, inside: Inside, skin: int) -> None:
    """Floor and walls, with a rim, flaps, ribs or partitions."""
    r = b.rng
    w, d, h, t, y = inside.width, inside.depth, inside.height, inside.wall, -inside.lift
    b.box(0, y, 0, w, t, d, skin if r.random() < 0.75 else b.material())
    open_side = r.random() < 0.12
    out, half = t / 2 + h / 2 * math.tan(inside.lean), h / 2 / math.cos(inside.lean)
    for s in (-1, 1):
        wide, deep = (s * (w / 2 + out), y - h / 2, 0), (0, y - h / 2, s * (d / 2 + out))
        lean_x, lean_z = rotation_z(s * inside.lean), rotation_x(-s * inside.lean)
        b.solid(wide, (t / 2, half, d / 2 + 2 * out), skin, rotation=lean_x)
        if s > 0 or not open_side:
            b.solid(deep, (w / 2 + 2 * out, half, t / 2), skin, rotation=lean_z)
    if r.random() < 0.4:
        pressed(b, inside, skin)
    style = r.random()
    if style < 0.35:
        rim(b, inside, skin)
    elif style < 0.55:
        flaps(b, inside, skin)
    elif style < 0.7:
        for k in range(1, r.randint(2, 4)):
            b.box(w * r.uniform(-0.4, 0.4), y, 0, t, h * r.uniform(0.5, 1.0), d, skin)
            if k > 1:
                b.box(0, y, d * r.uniform(-0.4, 0.4), w, h * r.uniform(0.5, 1.0), t, skin)


def pressed(b: Builder, inside: Inside, skin: int) -> None:
    """Flat panels and ribs that the floor is pressed with, a few millimetres high."""
    r, y = b.rng, -inside.lift - inside.wall
    for _ in range(r.randint(1, 4)):
        w, d = inside.width * r.uniform(0.05, 0.8), inside.depth * r.uniform(0.05, 0.8)
        x, z = (
            (inside.width - w) * r.uniform(-0.45, 0.45),
            (inside.depth - d) * r.uniform(-0.45, 0.45),
        )
        b.box(x, y, z, w, r.uniform(0.002, 0.01), d, skin)


def rim(b: Builder, inside: Inside, skin: int) -> None:
    """A lip around the top, as totes have."""
    lip, y = b.rng.uniform(0.01, 0.05), -inside.lift - inside.height
    wider = 2 * inside.height * math.tan(inside.lean)
    width, depth = inside.width + wider, inside.depth + wider
    for s in (-1, 1):
        b.box(s * (width + lip) / 2, y, 0, lip, 0.015, depth + 2 * lip, skin)
        b.box(0, y, s * (depth + lip) / 2, width, 0.015, lip, skin)


def flaps(b: Builder, inside: Inside, skin: int) -> None:
    """Open flaps of a carton, leaning outwards."""
    r, y = b.rng, -inside.lift - inside.height
    for s in (-1, 1):
        reach, lean = r.uniform(0.08, 0.25), r.uniform(-0.3, 1.2)
        out, up = reach * math.cos(lean) / 2, reach * math.sin(lean) / 2
        b.solid(
            (s * (inside.width / 2 + out), y - up, 0),
            (reach / 2, 0.003, inside.depth / 2),
            skin,
            rotation=rotation_z(-s * lean),
        )
        b.solid(
            (0, y - up, s * (inside.depth / 2 + out)),
            (inside.width / 2, 0.003, reach / 2),
            skin,
            rotation=rotation_x(s * lean),
        )


def fill(b: Builder, inside: Inside) -> None:
    """A heap: the first things lie on the floor, later ones on them, some stick out."""
    r = b.rng
    size = min(inside.width, inside.depth) * math.exp(r.uniform(-1.7, -0.5))
    count = r.randint(0, 4) if r.random() < 0.3 else r.randint(1, 40)
    full = r.random() ** 1.5
    packed = r.random()  # share of packaged things
    for k in range(count):
        x = r.uniform(-0.42, 0.42) * inside.width
        z = r.uniform(-0.42, 0.42) * inside.depth
        up = inside.wall + inside.height * full * 0.8 * k / count * r.random()
        here = b.at(x, -inside.lift - up, z)
        one = size * math.exp(r.uniform(-0.4, 0.4))
        (things.product if r.random() < packed else things.clutter)(here, one)


def beside(b: Builder, inside: Inside, skin: int) -> None:
    """Things next to the bin, and now and then more bins, rails and a post of a frame."""
    r = b.rng
    for _ in range(r.randrange(5)):
        turn, away = r.uniform(0, 6.28), max(inside.width, inside.depth) * r.uniform(0.8, 1.2)
        x, z = away * math.cos(turn), away * math.sin(turn)
        things.clutter(b.at(x, 0, z), r.uniform(0.05, 0.3))
    step = inside.width + 0.03 + 2 * (inside.wall + inside.height * math.tan(inside.lean))
    for side in (-1, 1):
        if r.random() < 0.3:
            other = replace(inside, height=inside.height * r.uniform(0.7, 1.3))
            next_to = b.at(side * (step + r.random() ** 2 * 0.3), 0, 0)
            walls(next_to, other, skin if r.random() < 0.7 else b.material())
            if r.random() < 0.6:
                fill(next_to, other)
    if r.random() < 0.25:
        rails(b, inside)


def rails(b: Builder, inside: Inside) -> None:
    """Metal profiles along and across, level with the bin, and a post."""
    r = b.rng
    metal = b.material(colour=(0.6, 0.6, 0.62), mix=0.1, gloss=0.7)
    y = -inside.lift - inside.height * r.uniform(0.2, 1.1)
    x, z = (
        side * r.uniform(0.6, 0.9) * r.choice((-1, 1)) for side in (inside.width, inside.depth)
    )
    b.box(x, y, 0, 0.04, 0.04, 4 * inside.depth, metal)
    b.box(0, y, z, 4 * inside.width, 0.04, 0.04, metal)
    b.box(x, 0, z, 0.04, 2.0, 0.04, metal)
