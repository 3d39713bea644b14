"""What stands outdoors, each a few solids in its own frame (bottom centre at 0)."""

from __future__ import annotations

import math

from da_ros.training.scenes.builder import (
    CONE,
    CYLINDER,
    Builder,
    multiply,
    rotation_y,
    rotation_z,
)


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
            b.round(
                r.uniform(-spread, spread),
                -height * r.uniform(0.3, 0.75),
                r.uniform(-spread, spread),
                w,
                w * r.uniform(0.5, 1.0),
                w,
                leaf,
            )
    for _ in range(r.randrange(5)):
        tilt = multiply(rotation_y(r.uniform(0, 6.28)), rotation_z(r.uniform(0.4, 1.1)))
        b.solid(
            (0, -height * r.uniform(0.3, 0.6), 0),
            (thick / 5, height * 0.25, thick / 5),
            bark,
            CYLINDER,
            tilt,
        )


def bush(b: Builder) -> None:
    """A few green ellipsoids on the ground."""
    r = b.rng
    leaf = b.material(colour=(r.uniform(0.05, 0.4), r.uniform(0.2, 0.5), 0.08), gloss=0.0)
    for _ in range(r.randint(1, 5)):
        w = r.uniform(0.2, 1.2)
        b.round(
            r.uniform(-0.5, 0.5),
            0.1 * w,
            r.uniform(-0.5, 0.5),
            w,
            w * r.uniform(0.5, 1.0),
            w,
            leaf,
        )


def car(b: Builder) -> None:
    """Body, cabin, glass and wheels; now and then a van or a lorry."""
    r = b.rng
    paint, glass = (
        b.material(gloss=0.7, mix=0.05),
        b.material(colour=(0.06, 0.08, 0.1), gloss=0.9, mix=0.1),
    )
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
        b.solid(
            (0, -0.22 - low - tall / 2, long * 0.08),
            (wide * 0.45, tall / 2, long * 0.3),
            glass,
            cut=slope,
        )
        b.box(0, -0.22 - low - tall, long * 0.12, wide * 0.82, 0.04, long * 0.36, paint)
    for sx in (-1, 1):
        for sz in (-0.32, 0.32):
            b.solid(
                (sx * wide * 0.47, -0.31, sz * long),
                (0.31, 0.11, 0.31),
                black,
                CYLINDER,
                rotation_z(math.pi / 2),
            )


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
        b.box(
            0,
            -r.uniform(1.5, height),
            0.03,
            r.uniform(0.3, 0.9),
            r.uniform(0.3, 0.9),
            0.03,
            b.material(),
        )


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
            b.solid(
                (sx * width / 4, -height - rise / 2, 0),
                (width / 4, rise / 2, depth / 2 + 0.3),
                roof,
                cut=cut,
            )
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
