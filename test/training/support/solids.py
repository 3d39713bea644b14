"""Scenes of a few known solids, and where rays enter them, by the definition of each shape.

Written without the package's quadrics: a convex solid is where a convex function is <= 0, so the
function along a ray is convex too, its least value is found by golden sections, and the entry by
bisection on the side before it. All in Python floats.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from da_ros.training.scenes.builder import (
    BOX,
    CONE,
    CYLINDER,
    ELLIPSOID,
    IDENTITY,
    NO_CUT,
    Builder,
    Rotation,
    Scene,
    Vector,
)

QUADRICS = {"box": BOX, "ellipsoid": ELLIPSOID, "cylinder": CYLINDER, "cone": CONE}
SHAPES = tuple(QUADRICS)


@dataclass(frozen=True)
class Solid:
    """One solid, as ``Builder.solid`` takes it."""

    shape: str
    centre: Vector = (0.0, 0.0, 0.0)
    half: Vector = (0.5, 0.5, 0.5)
    rotation: Rotation = IDENTITY
    cut: tuple[float, float, float, float] = NO_CUT

    @property
    def tip(self) -> list[float]:
        """Of a cone."""
        rows, height = self.rotation, self.half[1]
        return [self.centre[k] - rows[k][1] * height for k in range(3)]

    def excess(self, p: Sequence[float]) -> float:
        """<= 0 inside, in half sizes (of the cut: metres)."""
        moved = [p[i] - self.centre[i] for i in range(3)]
        local = [sum(self.rotation[k][i] * moved[k] for k in range(3)) for i in range(3)]
        x, y, z = (local[i] / self.half[i] for i in range(3))
        beyond_ends = abs(y) - 1
        outside = {
            "box": max(abs(x), abs(y), abs(z)) - 1,
            "ellipsoid": math.sqrt(x * x + y * y + z * z) - 1,
            "cylinder": max(math.hypot(x, z) - 1, beyond_ends),
            "cone": max(math.hypot(x, z) - (y + 1) / 2, beyond_ends),  # y points down: tip on top
        }[self.shape]
        beyond_cut = sum(self.cut[i] * local[i] for i in range(3)) - self.cut[3]
        return max(outside, beyond_cut) if any(self.cut[:3]) else outside


@dataclass(frozen=True)
class Crossing:
    """How a line meets a solid: where it enters, and how deep it goes (> 0: it passes by)."""

    enter: float
    depth: float


def crossing(solid: Solid, origin: Sequence[float], direction: Sequence[float]) -> Crossing:
    """Where the whole line enters, in lengths of the direction."""

    def along(t: float) -> float:
        return solid.excess([o + t * d for o, d in zip(origin, direction, strict=True)])

    low, high = -100.0, 100.0
    deepest = least_of(along, low, high)
    inside = deepest
    for _ in range(70):
        middle = 0.5 * (low + inside)
        low, inside = (low, middle) if along(middle) <= 0 else (middle, inside)
    return Crossing(inside, along(deepest))


def least_of(convex: Callable[[float], float], low: float, high: float) -> float:
    """Where a convex function is least."""
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(90):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if convex(a) < convex(b) else (a, high)
    return 0.5 * (low + high)


def scene_of(*solids: Solid, ground: bool = False) -> Scene:
    """A scene of these solids alone: they are red, the ground is green."""
    builder = Builder(random.Random(0), 8)
    builder.material(colour=(0.9, 0.05, 0.05), mix=0.0, gloss=0.0)
    green = builder.material(colour=(0.05, 0.9, 0.05), mix=0.0, gloss=0.0)
    builder.ground.material = green if ground else -1
    for solid in solids:
        quadric = QUADRICS[solid.shape]
        builder.solid(solid.centre, solid.half, 0, quadric, solid.rotation, solid.cut)
    return builder.scene("test")
