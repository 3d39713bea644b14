"""People, plants and clutter, each a few solids in its own frame (bottom centre at 0)."""

from __future__ import annotations

import math
import random

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


def person(b: Builder) -> None:
    """Legs, trunk, arms and head, standing or walking."""
    r = b.rng
    size = r.uniform(0.85, 1.1)
    skin = b.material(
        colour=r.choice(((0.85, 0.65, 0.5), (0.55, 0.38, 0.28), (0.35, 0.22, 0.15))), mix=0.1
    )
    trousers, shirt = b.material(gloss=0.0), b.material(gloss=0.0)
    hair = b.material(colour=(0.15, 0.1, 0.07), mix=0.2)
    stride = r.uniform(-0.35, 0.35)
    for sx in (-1, 1):
        leg = rotation_x(sx * stride)
        b.solid(
            (sx * 0.1 * size, -0.43 * size, sx * stride * 0.4),
            (0.085 * size, 0.45 * size, 0.095 * size),
            trousers,
            CYLINDER,
            leg,
        )
        arm = multiply(rotation_x(-sx * stride), rotation_z(sx * r.uniform(0.02, 0.5)))
        b.solid(
            (sx * 0.27 * size, -1.12 * size, 0),
            (0.055 * size, 0.33 * size, 0.06 * size),
            shirt,
            ELLIPSOID,
            arm,
        )
    b.solid((0, -1.12 * size, 0), (0.22 * size, 0.36 * size, 0.14 * size), shirt, ELLIPSOID)
    b.solid((0, -1.2 * size, 0), (0.19 * size, 0.22 * size, 0.12 * size), shirt)
    b.solid((0, -1.6 * size, 0), (0.09 * size, 0.125 * size, 0.11 * size), skin, ELLIPSOID)
    b.solid((0, -1.65 * size, 0.015), (0.095 * size, 0.1 * size, 0.115 * size), hair, ELLIPSOID)


def plant(b: Builder) -> None:
    """A pot with leaves."""
    r = b.rng
    pot, leaf = b.material(), b.material(colour=(0.1, r.uniform(0.25, 0.5), 0.1), gloss=0.1)
    size = r.uniform(0.2, 0.8)
    b.round(0, 0, 0, size * 0.5, size * 0.5, size * 0.5, pot, CYLINDER)
    for _ in range(r.randint(4, 9)):
        tilt = multiply(rotation_y(r.uniform(0, 6.28)), rotation_z(r.uniform(0.1, 0.9)))
        b.solid(
            (r.uniform(-0.15, 0.15) * size, -size * 0.9, r.uniform(-0.15, 0.15) * size),
            (size * 0.07, size * r.uniform(0.3, 0.6), size * 0.02),
            leaf,
            ELLIPSOID,
            tilt,
        )


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
        here.solid(
            (0, -w / 2, 0),
            (w / 2, h / 2 + d / 2, w / 2),
            b.material(),
            CYLINDER,
            rotation_x(math.pi / 2),
        )
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


def product(b: Builder, size: float) -> None:
    """One packaged thing about ``size`` metres large, printed all over, lying any way up."""
    r = b.rng
    kind, skin = r.random(), printed(b, size)
    w, h, d = (size * math.exp(r.uniform(-0.7, 0.2)) for _ in range(3))
    if kind < 0.3:
        shape, half = BOX, (w / 2, h / 2, d / 2)
    elif kind < 0.5:  # a book, a card, a bag
        shape, half = BOX, (w / 2, size * r.uniform(0.02, 0.12), d / 2)
    elif kind < 0.62:
        shape, half = ELLIPSOID, (w / 2, h * r.uniform(0.15, 0.5), d / 2)
    elif kind < 0.82:  # a can, a tube, a roll
        shape, half = CYLINDER, (w * r.uniform(0.15, 0.4), h / 2, w * r.uniform(0.15, 0.4))
    elif kind < 0.88:
        shape, half = CONE, (w / 3, h / 2, w / 3)
    else:
        bottle(b.at(0, 0, 0, r.uniform(0, 6.28)), size)
        return
    turn = multiply(rotation_y(r.uniform(0, 6.28)), rotation_x(_lying(r)))
    turn = multiply(turn, rotation_z(_lying(r)))
    b.solid((0, -min(half), 0), half, skin, shape, turn)


def printed(b: Builder, size: float) -> int:
    """A surface with a picture or a pattern as large as the thing, matt, foil or plastic."""
    r = b.rng
    scale = math.exp(r.uniform(-0.9, 1.1)) / size
    gloss = r.uniform(0.3, 1.0) if r.random() < 0.5 else 0.0
    return b.material(mix=1.0 if r.random() < 0.6 else None, scale=scale, gloss=gloss)


def _lying(r: random.Random) -> float:
    """An angle [rad]: flat, on its side, or aslant on others."""
    return r.choice((0.0, 0.0, math.pi / 2)) + (r.gauss(0, 0.3) if r.random() < 0.5 else 0.0)
