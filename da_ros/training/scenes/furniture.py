"""Furniture, each piece a few solids in its own frame (bottom centre at 0)."""

from __future__ import annotations

import math

from da_ros.training.scenes.builder import BOX, CYLINDER, ELLIPSOID, Builder, rotation_x


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
                b.solid(
                    (x, -(height - thick) / 2, z),
                    (foot / 2, (height - thick) / 2, foot / 2),
                    leg,
                    CYLINDER if style < 0.2 else BOX,
                )
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
        b.round(
            r.uniform(-w / 2, w / 2) * 0.7,
            -h,
            r.uniform(-0.1, 0.2),
            0.45,
            0.35,
            0.25,
            b.material(),
        )


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
        b.solid(
            (x - w / 2, -h / 2, r.uniform(-0.1, 0.1) * depth),
            (w / 2, h / 2, depth * r.uniform(0.25, 0.5)),
            r.choice(palette),
            shape,
        )


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
