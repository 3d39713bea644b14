"""Things that scenes are furnished with, each a few solids in its own frame (bottom centre at 0)."""

from __future__ import annotations

import math

from da_ros.training.scenes.builder import (
    BOX,
    CONE,
    CYLINDER,
    ELLIPSOID,
    Builder,
    multiply,
    rotation_x,
    rotation_y,
    rotation_z,
)


def table(b: Builder, width: float, depth: float, height: float) -> None:
    """A top on four legs, or on a central foot, sometimes with closed sides."""
    r = b.rng
    top, leg = b.material(), b.material()
    thick = r.uniform(0.02, 0.06)
    if r.random() < 0.2:
        b.round(0, -height + thick, 0, width, thick, depth, top, CYLINDER)
    else:
        b.box(0, -height + thick, 0, width, thick, depth, top)
    style, foot = r.random(), r.uniform(0.03, 0.08)
    if style < 0.6:
        for sx in (-1, 1):
            for sz in (-1, 1):
                x, z = sx * (width / 2 - foot), sz * (depth / 2 - foot)
                b.solid((x, -(height - thick) / 2, z), (foot / 2, (height - thick) / 2, foot / 2), leg,
                        CYLINDER if style < 0.2 else BOX)
    elif style < 0.8:
        b.round(0, 0, 0, foot * 2, height - thick, foot * 2, leg, CYLINDER)
        b.round(0, 0, 0, width * 0.5, 0.03, depth * 0.5, leg, CYLINDER)
    else:
        for sx in (-1, 1):
            b.box(sx * (width / 2 - 0.02), 0, 0, 0.03, height - thick, depth * 0.95, leg)


def chair(b: Builder) -> None:
    """Seat, back and legs, or an office chair on a column."""
    r = b.rng
    seat, frame = b.material(), b.material()
    w, h, back = r.uniform(0.38, 0.55), r.uniform(0.4, 0.5), r.uniform(0.3, 0.6)
    b.box(0, -h + 0.03, 0, w, r.uniform(0.03, 0.1), w, seat)
    lean = rotation_x(r.uniform(-0.25, 0.0))
    b.solid((0, -h - back / 2, w / 2), (w / 2, back / 2, 0.025), seat, rotation=lean)
    if r.random() < 0.5:
        for sx in (-1, 1):
            for sz in (-1, 1):
                b.box(sx * (w / 2 - 0.02), 0, sz * (w / 2 - 0.02), 0.035, h, 0.035, frame)
    else:
        b.round(0, -0.08, 0, 0.06, h - 0.1, 0.06, frame, CYLINDER)
        for k in range(5):
            b.at(0, 0, 0, k * 2 * math.pi / 5).box(0, -0.04, 0.14, 0.04, 0.05, 0.28, frame)


def sofa(b: Builder) -> None:
    """Seat, back and arms; a bed where it is low and long."""
    r = b.rng
    cloth = b.material(gloss=0.0)
    w, d, h = r.uniform(0.8, 2.3), r.uniform(0.75, 1.0), r.uniform(0.35, 0.5)
    b.box(0, 0, 0, w, h, d, cloth)
    b.box(0, 0, d / 2 - 0.1, w, h + r.uniform(0.25, 0.5), 0.2, cloth)
    for sx in (-1, 1):
        b.box(sx * (w / 2 - 0.08), 0, 0, 0.18, h + 0.18, d, cloth)
    for _ in range(r.randrange(4)):
        b.round(r.uniform(-w / 2, w / 2) * 0.7, -h, r.uniform(-0.1, 0.2), 0.45, 0.35, 0.25, b.material())


def bed(b: Builder) -> None:
    """Mattress, head board, pillows."""
    r = b.rng
    w, d, h = r.uniform(0.9, 1.8), r.uniform(1.9, 2.1), r.uniform(0.4, 0.6)
    b.box(0, 0, 0, w, h, d, b.material(gloss=0.0))
    b.box(0, 0, d / 2, w, h + r.uniform(0.2, 0.6), 0.06, b.material())
    for x in (-w / 4, w / 4):
        b.round(x, -h + 0.05, d / 2 - 0.3, w * 0.4, 0.18, 0.4, b.material(gloss=0.0))


def shelf(b: Builder, width: float, height: float, depth: float, filled: float = 0.7) -> None:
    """Boards between uprights, with things on them."""
    r = b.rng
    wood, levels = b.material(), r.randint(2, 6)
    for sx in (-1, 1):
        b.box(sx * width / 2, 0, 0, 0.03, height, depth, wood)
    if r.random() < 0.6:
        b.box(0, 0, depth / 2, width, height, 0.02, wood if r.random() < 0.5 else b.material())
    for level in range(levels + 1):
        y = -height * level / levels
        b.box(0, y, 0, width, 0.025, depth, wood)
        if level < levels and r.random() < filled:
            row_of_things(b.at(0, y - 0.025, 0), width * 0.92, depth * 0.8, height / levels * 0.85)


def row_of_things(b: Builder, width: float, depth: float, height: float) -> None:
    """Books, boxes or odd things side by side."""
    r = b.rng
    books = r.random() < 0.5
    x = -width / 2
    palette = [b.material() for _ in range(r.randint(2, 5))]
    for _ in range(12):
        w = r.uniform(0.02, 0.06) * 2 if books else r.uniform(0.08, 0.35)
        x += w + (0 if books else r.uniform(0.0, 0.12))
        if x > width / 2:
            return
        h = height * r.uniform(0.5, 0.95)
        shape = BOX if books or r.random() < 0.6 else r.choice((CYLINDER, ELLIPSOID))
        b.solid((x - w / 2, -h / 2, r.uniform(-0.1, 0.1) * depth), (w / 2, h / 2, depth * r.uniform(0.25, 0.5)),
                r.choice(palette), shape)


def cabinet(b: Builder) -> None:
    """A closed box with front panels and handles."""
    r = b.rng
    w, h, d = r.uniform(0.4, 1.6), r.uniform(0.5, 2.1), r.uniform(0.35, 0.65)
    body, front = b.material(), b.material()
    b.box(0, 0, 0, w, h, d, body)
    columns, rows = r.randint(1, 3), r.randint(1, 4)
    for i in range(columns):
        for j in range(rows):
            pw, ph = w / columns, h / rows
            x, y = -w / 2 + pw * (i + 0.5), -ph * (j + 0.5)
            b.solid((x, y, -d / 2 - 0.005), (pw * 0.46, ph * 0.46, 0.012), front)


def monitor(b: Builder) -> None:
    """A screen on a foot."""
    r = b.rng
    w = r.uniform(0.35, 0.75)
    h, lift = w * r.uniform(0.55, 0.75), r.uniform(0.08, 0.18)
    dark = b.material(colour=(0.05, 0.05, 0.06), mix=0.1)
    b.round(0, 0, 0, w * 0.45, 0.02, 0.2, dark, CYLINDER)
    b.box(0, 0, 0.03, 0.05, lift + 0.1, 0.03, dark)
    b.box(0, -lift, 0, w, h, r.uniform(0.02, 0.3) if r.random() < 0.2 else 0.03, dark)
    screen = b.material(glow=r.choice((0.0, 0.5, 0.9)), gloss=0.6, scale=1 / w)
    b.solid((0, -lift - h / 2, -0.017), (w * 0.47, h * 0.45, 0.003), screen)


def person(b: Builder) -> None:
    """Legs, trunk, arms and head, standing or walking."""
    r = b.rng
    size = r.uniform(0.85, 1.1)
    skin = b.material(colour=r.choice(((0.85, 0.65, 0.5), (0.55, 0.38, 0.28), (0.35, 0.22, 0.15))), mix=0.1)
    trousers, shirt = b.material(gloss=0.0), b.material(gloss=0.0)
    hair = b.material(colour=(0.15, 0.1, 0.07), mix=0.2)
    stride = r.uniform(-0.35, 0.35)
    for sx in (-1, 1):
        leg = rotation_x(sx * stride)
        b.solid((sx * 0.1 * size, -0.43 * size, sx * stride * 0.4), (0.085 * size, 0.45 * size, 0.095 * size),
                trousers, CYLINDER, leg)
        arm = multiply(rotation_x(-sx * stride), rotation_z(sx * r.uniform(0.02, 0.5)))
        b.solid((sx * 0.27 * size, -1.12 * size, 0), (0.055 * size, 0.33 * size, 0.06 * size), shirt, ELLIPSOID, arm)
    b.solid((0, -1.12 * size, 0), (0.22 * size, 0.36 * size, 0.14 * size), shirt, ELLIPSOID)
    b.solid((0, -1.2 * size, 0), (0.19 * size, 0.22 * size, 0.12 * size), shirt)
    b.solid((0, -1.6 * size, 0), (0.09 * size, 0.125 * size, 0.11 * size), skin, ELLIPSOID)
    b.solid((0, -1.65 * size, 0.015), (0.095 * size, 0.1 * size, 0.115 * size), hair, ELLIPSOID)


def tree(b: Builder) -> None:
    """A trunk with a round or a pointed crown, or bare branches."""
    r = b.rng
    height = r.uniform(1.5, 9.0)
    bark = b.material(colour=(r.uniform(0.15, 0.4), r.uniform(0.12, 0.3), 0.12), gloss=0.0)
    green = (r.uniform(0.05, 0.4), r.uniform(0.2, 0.55), r.uniform(0.03, 0.2))
    leaf = b.material(colour=green, gloss=0.0, mix=r.uniform(0.3, 0.9), scale=r.uniform(0.3, 2.0))
    thick = height * r.uniform(0.02, 0.06)
    b.round(0, 0, 0, thick, height * 0.6, thick, bark, CYLINDER)
    if r.random() < 0.35:
        for k in range(r.randint(1, 4)):
            w = height * (0.5 - 0.09 * k)
            b.round(0, -height * (0.2 + 0.18 * k), 0, w, height * 0.4, w, leaf, CONE)
    else:
        for _ in range(r.randint(2, 7)):
            w, spread = height * r.uniform(0.15, 0.5), height * 0.2
            b.round(r.uniform(-spread, spread), -height * r.uniform(0.3, 0.75), r.uniform(-spread, spread),
                    w, w * r.uniform(0.5, 1.0), w, leaf)
    for _ in range(r.randrange(5)):
        tilt = multiply(rotation_y(r.uniform(0, 6.28)), rotation_z(r.uniform(0.4, 1.1)))
        b.solid((0, -height * r.uniform(0.3, 0.6), 0), (thick / 5, height * 0.25, thick / 5), bark, CYLINDER, tilt)


def bush(b: Builder) -> None:
    """A few green ellipsoids on the ground."""
    r = b.rng
    leaf = b.material(colour=(r.uniform(0.05, 0.4), r.uniform(0.2, 0.5), 0.08), gloss=0.0)
    for _ in range(r.randint(1, 5)):
        w = r.uniform(0.2, 1.2)
        b.round(r.uniform(-0.5, 0.5), 0.1 * w, r.uniform(-0.5, 0.5), w, w * r.uniform(0.5, 1.0), w, leaf)


def car(b: Builder) -> None:
    """Body, cabin, glass and wheels; now and then a van or a lorry."""
    r = b.rng
    paint, glass = b.material(gloss=0.7, mix=0.05), b.material(colour=(0.06, 0.08, 0.1), gloss=0.9, mix=0.1)
    black = b.material(colour=(0.03, 0.03, 0.03), mix=0.1)
    long, wide = r.uniform(3.4, 5.0), r.uniform(1.6, 1.95)
    low, tall = r.uniform(0.55, 0.75), r.uniform(0.5, 0.7)
    b.box(0, -0.22, 0, wide, low, long, paint)
    if r.random() < 0.25:
        high = r.uniform(1.2, 2.4)
        b.box(0, -0.22 - low, long * 0.1, wide, high, long * 0.8, paint)
        b.box(0, -0.3 - low, -long * 0.3, wide * 0.9, high * 0.5, 0.05, glass)
    else:
        slope = (0.0, -math.sin(0.9), -math.cos(0.9), tall * 0.75)
        b.solid((0, -0.22 - low - tall / 2, long * 0.08), (wide * 0.45, tall / 2, long * 0.3), glass, cut=slope)
        b.box(0, -0.22 - low - tall, long * 0.12, wide * 0.82, 0.04, long * 0.36, paint)
    for sx in (-1, 1):
        for sz in (-0.32, 0.32):
            b.solid((sx * wide * 0.47, -0.31, sz * long), (0.31, 0.11, 0.31), black, CYLINDER,
                    rotation_z(math.pi / 2))


def lamp_post(b: Builder) -> None:
    """A thin tall pole, sometimes with an arm, a lamp or a sign."""
    r = b.rng
    metal, height = b.material(mix=0.2), r.uniform(2.0, 8.0)
    thick = r.uniform(0.04, 0.2)
    b.round(0, 0, 0, thick, height, thick, metal, CYLINDER)
    kind = r.random()
    if kind < 0.4:
        b.box(0.5, -height + 0.1, 0, 1.2, 0.07, 0.07, metal)
        b.box(1.0, -height + 0.2, 0, 0.5, 0.12, 0.2, b.material(glow=0.4))
    elif kind < 0.8:
        b.box(0, -r.uniform(1.5, height), 0.03, r.uniform(0.3, 0.9), r.uniform(0.3, 0.9), 0.03, b.material())


def fence(b: Builder, length: float) -> None:
    """Posts with rails along x, or a low wall."""
    r = b.rng
    wood, height = b.material(), r.uniform(0.5, 1.8)
    if r.random() < 0.4:
        b.box(0, 0, 0, length, height, 0.2, wood)
        return
    posts = max(2, min(10, int(length / r.uniform(0.5, 2.0))))
    for k in range(posts + 1):
        b.box(-length / 2 + length * k / posts, 0, 0, 0.08, height, 0.08, wood)
    for level in range(r.randint(1, 3)):
        b.box(0, -height * (0.3 + 0.3 * level), 0, length, 0.06, 0.04, wood)


def house(b: Builder, width: float, height: float, depth: float) -> None:
    """Walls with windows and a door, and a flat or a pitched roof."""
    r = b.rng
    wall, roof = b.material(gloss=0.0), b.material(gloss=0.0)
    b.box(0, 0, 0, width, height, depth, wall)
    if height < 9 and r.random() < 0.6:
        rise = r.uniform(0.2, 0.5) * width
        norm = math.hypot(rise, width / 2)
        for sx in (-1, 1):
            cut = (sx * rise / norm, -width / 2 / norm, 0.0, 0.0)
            b.solid((sx * width / 4, -height - rise / 2, 0), (width / 4, rise / 2, depth / 2 + 0.3), roof, cut=cut)
    windows(b, width, height, depth)


def windows(b: Builder, width: float, height: float, depth: float) -> None:
    """Panes in rows on the front (-z) of a wall, a door below."""
    r = b.rng
    glass, door = b.material(colour=(0.1, 0.14, 0.2), gloss=0.9, mix=0.3), b.material()
    floors, columns = max(1, min(5, int(height / 2.8))), max(1, min(5, int(width / 2.2)))
    w, h = width / columns * r.uniform(0.3, 0.7), height / floors * r.uniform(0.35, 0.6)
    proud = r.choice((0.02, -0.06))  # standing proud of the wall, or a frame around a recess
    for j in range(floors):
        for i in range(columns):
            x, y = -width / 2 + width * (i + 0.5) / columns, -height * (j + 0.55) / floors
            b.solid((x, y, -depth / 2 - abs(proud) / 2), (w / 2, h / 2, abs(proud)), glass)
    b.box(r.uniform(-0.4, 0.4) * width, 0, -depth / 2, 1.0, min(2.2, height * 0.8), 0.1, door)


def plant(b: Builder) -> None:
    """A pot with leaves."""
    r = b.rng
    pot, leaf = b.material(), b.material(colour=(0.1, r.uniform(0.25, 0.5), 0.1), gloss=0.1)
    size = r.uniform(0.2, 0.8)
    b.round(0, 0, 0, size * 0.5, size * 0.5, size * 0.5, pot, CYLINDER)
    for _ in range(r.randint(4, 9)):
        tilt = multiply(rotation_y(r.uniform(0, 6.28)), rotation_z(r.uniform(0.1, 0.9)))
        b.solid((r.uniform(-0.15, 0.15) * size, -size * 0.9, r.uniform(-0.15, 0.15) * size),
                (size * 0.07, size * r.uniform(0.3, 0.6), size * 0.02), leaf, ELLIPSOID, tilt)


def clutter(b: Builder, size: float) -> None:
    """One odd thing about ``size`` metres large, of a random simple shape, standing or lying."""
    r = b.rng
    kind = r.random()
    w, h, d = (size * math.exp(r.uniform(-0.9, 0.4)) for _ in range(3))
    yaw = r.uniform(0, 6.28)
    here = b.at(0, 0, 0, yaw)
    if kind < 0.4:
        here.box(0, 0, 0, w, h, d, b.material())
    elif kind < 0.55:
        here.round(0, 0, 0, w, h, w, b.material(), CYLINDER)
    elif kind < 0.65:
        here.solid((0, -w / 2, 0), (w / 2, h / 2 + d / 2, w / 2), b.material(), CYLINDER, rotation_x(math.pi / 2))
    elif kind < 0.78:
        here.round(0, 0, 0, w, h, d, b.material())
    elif kind < 0.84:
        here.round(0, 0, 0, w, h * 1.3, w, b.material(), CONE)
    elif kind < 0.92:
        bottle(here, size)
    else:
        tilt = multiply(rotation_x(r.uniform(-0.7, 0.7)), rotation_z(r.uniform(-0.7, 0.7)))
        here.solid((0, -min(w, h, d) / 2, 0), (w / 2, h / 2, d / 2), b.material(), rotation=tilt)


def bottle(b: Builder, size: float) -> None:
    """A bottle, a mug or a bowl-like stack of round parts."""
    r = b.rng
    skin = b.material(gloss=r.random())
    w, h = size * r.uniform(0.25, 0.6), size * r.uniform(0.5, 1.2)
    b.round(0, 0, 0, w, h * 0.7, w, skin, CYLINDER)
    b.round(0, -h * 0.55, 0, w, h * 0.3, w, skin, ELLIPSOID)
    if r.random() < 0.6:
        b.round(0, -h * 0.7, 0, w * 0.35, h * 0.3, w * 0.35, b.material(), CYLINDER)
    else:
        b.solid((w * 0.6, -h * 0.4, 0), (w * 0.2, h * 0.22, w * 0.06), skin)
