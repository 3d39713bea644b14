"""A scene as plain numbers, and the builder that families of scenes write it with.

World axes: x right, y **down**, z forward, so that a level camera's optical axes (REP 103) are the
world's. The ground is near y = 0, things above it have y < 0. Lengths in metres.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Rotation = tuple[Vector, Vector, Vector]  # rows; local to world
IDENTITY: Rotation = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

# x^2 + z^2 + a y^2 + b y + c <= 0 within |y| <= 1, in coordinates divided by the half sizes.
ELLIPSOID = (1.0, 0.0, -1.0)
CYLINDER = (0.0, 0.0, -1.0)
CONE = (-0.25, -0.5, -0.25)
BOX = (0.0, 0.0, 0.0)
NO_CUT = (0.0, 0.0, 0.0, 1.0)

# Columns of a solid's row. The rotation's rows follow one another, local to world.
CENTRE, ROTATION, HALF = slice(0, 3), slice(3, 12), slice(12, 15)
CUT_NORMAL, CUT_REACH, QUADRIC, MATERIAL = slice(15, 18), 18, slice(19, 22), 22
SOLID_FIELDS = 23

# Columns of a material's row.
COLOUR, TEXTURE, MIX, SCALE, TURN, SHIFT_U, SHIFT_V = slice(0, 3), 3, 4, 5, 6, 7, 8
GLOSS, GLOW, DIRT_TEXTURE, DIRT, DIRT_SCALE = 9, 10, 11, 12, 13
MATERIAL_FIELDS = 14


def multiply(a: Rotation, b: Rotation) -> Rotation:
    """Matrix product a b."""
    columns = tuple(zip(*b, strict=True))
    rows = [
        tuple(sum(x * y for x, y in zip(row, column, strict=True)) for column in columns)
        for row in a
    ]
    return (rows[0], rows[1], rows[2])  # type: ignore[return-value]


def plus(a: Vector, b: Vector) -> Vector:
    """Sum of two vectors."""
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])


def times(a: Vector, b: Vector) -> Vector:
    """Product of two vectors, component by component, such as of colours."""
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


def rotate(r: Rotation, v: Vector) -> Vector:
    """Turn a vector."""
    return (
        r[0][0] * v[0] + r[0][1] * v[1] + r[0][2] * v[2],
        r[1][0] * v[0] + r[1][1] * v[1] + r[1][2] * v[2],
        r[2][0] * v[0] + r[2][1] * v[1] + r[2][2] * v[2],
    )


def rotation_y(angle: float) -> Rotation:
    """About the vertical [rad]; positive turns z towards x."""
    c, s = math.cos(angle), math.sin(angle)
    return ((c, 0.0, s), (0.0, 1.0, 0.0), (-s, 0.0, c))


def rotation_x(angle: float) -> Rotation:
    """About the right axis [rad]; positive looks up (z towards -y)."""
    c, s = math.cos(angle), math.sin(angle)
    return ((1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c))


def rotation_z(angle: float) -> Rotation:
    """About the optical axis [rad]."""
    c, s = math.cos(angle), math.sin(angle)
    return ((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0))


@dataclass
class Lighting:
    """Light, air and sky of a scene.

    Attributes:
        direction: Towards the sun, or ignored where ``position`` is given.
        position: Of a lamp [m].
        sun: Strength of the main light, which casts shadows.
        fill_position: Of a second lamp, without shadows.
        fill: Its strength.
        ambient: From everywhere.
        tint: Colour of the main light.
        fog: Extinction [1/m].
        sky: Colour at the zenith.
        horizon: Colour at the horizon and of the fog.
        clouds: 0 for a clear sky.
        size: Radius of the lamp [m], or of the sun as it is seen [rad]: how soft shadows are.
        reach: Of what keeps light from everywhere off a surface: at this distance, 1/e of it [m].
        shade: How dark it is where nothing but near things is seen, 0 to 1.
    """

    direction: Vector = (0.3, -1.0, -0.3)
    position: Vector | None = None
    sun: float = 0.8
    fill_position: Vector = (0.0, -2.0, 0.0)
    fill: float = 0.0
    ambient: float = 0.35
    tint: Vector = (1.0, 1.0, 1.0)
    fog: float = 0.0
    sky: Vector = (0.45, 0.6, 0.9)
    horizon: Vector = (0.8, 0.85, 0.9)
    clouds: float = 0.0
    size: float = 0.0
    reach: float = 1.0
    shade: float = 0.0


@dataclass
class Ground:
    """Endless ground, flat or hilly: y = -sum of waves.

    Attributes:
        material: Index, or -1 where a scene has no ground.
        waves: Rows of (amplitude [m], kx, kz [rad/m], phase [rad]).
    """

    material: int = -1
    waves: list[tuple[float, float, float, float]] = field(default_factory=list)


@dataclass
class Camera:
    """Where the picture is taken from.

    Attributes:
        focal: Focal length over image width.
        position: [m].
        rotation: Camera to world.
        offset: Principal point off the centre, over image width.
    """

    focal: float = 0.8
    position: Vector = (0.0, -1.0, 0.0)
    rotation: Rotation = IDENTITY
    offset: tuple[float, float] = (0.0, 0.0)


@dataclass
class Scene:
    """Everything the renderer needs of one scene.

    Attributes:
        solids: (K, SOLID_FIELDS) float32; boxes first, then quadrics.
        boxes: How many of them are boxes.
        materials: (M, MATERIAL_FIELDS) float32.
        family: Name of the program that wrote it.
    """

    solids: NDArray[np.float32]
    boxes: int
    materials: NDArray[np.float32]
    lighting: Lighting
    ground: Ground
    camera: Camera
    family: str


class Builder:
    """Collects solids and materials; every method takes places in the current local frame.

    Args:
        rng: All chance of a scene comes from it.
        textures: How many textures the atlas has.
        outdoor: Chooses the scale of textures.
    """

    def __init__(self, rng: random.Random, textures: int, outdoor: bool = False) -> None:
        self.rng = rng
        self.textures = textures
        self.outdoor = outdoor
        self.rows: list[tuple[float, ...]] = []
        self.materials: list[tuple[float, ...]] = []
        self.lighting = Lighting()
        self.ground = Ground()
        self.camera = Camera()
        self._origin: Vector = (0.0, 0.0, 0.0)
        self._turn: Rotation = IDENTITY

    def at(self, x: float, y: float, z: float, yaw: float = 0.0) -> Builder:
        """A builder of the same scene whose frame stands at a place of this one."""
        child = object.__new__(Builder)
        child.__dict__ = dict(self.__dict__)
        child._origin = plus(self._origin, rotate(self._turn, (x, y, z)))
        child._turn = multiply(self._turn, rotation_y(yaw))
        return child

    def solid(
        self,
        centre: Vector,
        half: Vector,
        material: int,
        quadric: Vector = BOX,
        rotation: Rotation = IDENTITY,
        cut: tuple[float, float, float, float] = NO_CUT,
    ) -> None:
        """Add one convex solid.

        Args:
            centre: In the local frame [m].
            half: Half sizes [m].
            material: Index.
            quadric: BOX, or coefficients of a round solid.
            rotation: Its own turn within the local frame.
            cut: Local plane (n, c): only n . p <= c stays.
        """
        place = plus(self._origin, rotate(self._turn, centre))
        turn = multiply(self._turn, rotation)
        row = (*place, *turn[0], *turn[1], *turn[2], *(max(h, 1e-3) for h in half), *cut)
        self.rows.append((*row, *quadric, float(material)))

    def material(
        self,
        colour: Vector | None = None,
        texture: int | None = None,
        mix: float | None = None,
        scale: float | None = None,
        gloss: float | None = None,
        glow: float = 0.0,
    ) -> int:
        """Add a surface; what is not given is left to chance.

        Args:
            colour: Base RGB in [0, 1].
            texture: Index in the atlas.
            mix: How much of the texture shows, 0 to 1.
            scale: Textures per metre.
            gloss: 0 matt to 1 shiny.
            glow: Light of its own.
        """
        r = self.rng
        if colour is None:
            colour = self.colour()
        if mix is None:
            mix = 0.0 if r.random() < 0.25 else r.random() ** 0.7
        if scale is None:
            scale = math.exp(r.uniform(-1.6, 1.6)) * (0.25 if self.outdoor else 1.0)
        if gloss is None:
            gloss = r.random() ** 3 if r.random() < 0.5 else 0.0
        turn = r.uniform(0, 2 * math.pi) if r.random() < 0.3 else r.choice((0.0, math.pi / 2))
        first = float(r.randrange(self.textures) if texture is None else texture)
        dirt = r.random() ** 2 * 0.8 if r.random() < 0.6 else 0.0
        row = (*colour, first, mix, scale, turn, r.random(), r.random(), gloss, glow)
        self.materials.append(
            (*row, float(r.randrange(self.textures)), dirt, scale * r.uniform(0.2, 3))
        )
        return len(self.materials) - 1

    def colour(self) -> Vector:
        """A random base colour, as often grey or brown as bright."""
        r = self.rng
        value, spread = r.uniform(0.06, 0.95), r.random() ** 2 * 0.5
        rgb = [min(1.0, max(0.02, value + r.uniform(-spread, spread))) for _ in range(3)]
        return (rgb[0], rgb[1], rgb[2])

    def box(
        self,
        x: float,
        y: float,
        z: float,
        w: float,
        h: float,
        d: float,
        material: int,
        yaw: float = 0.0,
    ) -> None:
        """A box of width w, height h and depth d whose **bottom** centre stands at (x, y, z)."""
        turn = rotation_y(yaw) if yaw else IDENTITY
        self.solid((x, y - h / 2, z), (w / 2, h / 2, d / 2), material, rotation=turn)

    def round(
        self,
        x: float,
        y: float,
        z: float,
        w: float,
        h: float,
        d: float,
        material: int,
        quadric: Vector = ELLIPSOID,
        yaw: float = 0.0,
    ) -> None:
        """As ``box``, with an ellipsoid, cylinder or cone (point up) of these outer sizes."""
        turn = rotation_y(yaw) if yaw else IDENTITY
        self.solid((x, y - h / 2, z), (w / 2, h / 2, d / 2), material, quadric, turn)

    def soften(self) -> None:
        """Leave to chance how soft the light is; the last that is drawn."""
        r, light = self.rng, self.lighting
        if light.position is None:
            light.size = 0.005 if r.random() < 0.5 else r.uniform(0.01, 0.3)  # clear or hazy
        else:
            light.size = r.random() ** 2 * 0.6
        light.reach = math.exp(r.uniform(-1.5, 0.0)) * (4.0 if self.outdoor else 1.0)
        light.shade = r.uniform(0.4, 1.0)
        if r.random() < 0.4:  # many panels, or an overcast sky
            light.sun *= r.uniform(0.1, 0.6)
            light.ambient += r.uniform(0.2, 0.8)

    def scene(self, family: str) -> Scene:
        """Everything collected, boxes first."""
        boxes = [row for row in self.rows if row[QUADRIC] == BOX]
        rounds = [row for row in self.rows if row[QUADRIC] != BOX]
        solids = np.array(boxes + rounds, np.float32).reshape(-1, SOLID_FIELDS)
        materials = np.array(self.materials, np.float32).reshape(-1, MATERIAL_FIELDS)
        return Scene(
            solids, len(boxes), materials, self.lighting, self.ground, self.camera, family
        )
