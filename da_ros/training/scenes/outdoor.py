"""Families of outdoor scenes: streets, open and hilly ground, yards."""

from __future__ import annotations

import math

from da_ros.training.scenes import landscape, things
from da_ros.training.scenes.builder import Builder, times
from da_ros.training.scenes.viewpoint import aim


def daylight(b: Builder) -> None:
    """Sun or overcast, clear air or fog, a sky; at times dusk."""
    r, light = b.rng, b.lighting
    high, turn = r.uniform(0.15, 1.4), r.uniform(0, 6.28)
    light.direction = (
        math.cos(high) * math.sin(turn),
        -math.sin(high),
        math.cos(high) * math.cos(turn),
    )
    overcast = r.random() < 0.4
    light.sun = r.uniform(0.0, 0.25) if overcast else r.uniform(0.5, 1.3)
    light.ambient = r.uniform(0.5, 0.9) if overcast else r.uniform(0.2, 0.5)
    if high < 0.4 and not overcast:
        light.tint = (1.0, 0.85, 0.65)
    grey = r.uniform(0.5, 0.95)
    light.sky = (
        (grey, grey, grey)
        if overcast
        else (r.uniform(0.2, 0.5), r.uniform(0.4, 0.7), r.uniform(0.7, 1.0))
    )
    pale = r.uniform(0.7, 1.0)
    light.horizon = (pale, pale * r.uniform(0.93, 1.0), pale * r.uniform(0.9, 1.0))
    light.clouds = r.random() if r.random() < 0.6 else 0.0
    if r.random() < 0.25:
        light.fog = math.exp(r.uniform(-5.5, -2.8))
    if r.random() < 0.2:
        dusk(b)


def dusk(b: Builder) -> None:
    """Evening to night: a sky darker than what stands before it, or brighter."""
    r, light = b.rng, b.lighting
    dark = math.exp(r.uniform(-4.0, -0.5))
    glow = dark ** r.uniform(0.2, 1.0)  # the horizon is the last to go dark
    light.sky = times(light.sky, (dark, dark, dark))
    red = r.uniform(0.6, 1.0)
    light.horizon = times(light.horizon, (glow, glow * red, glow * red**2))
    light.sun *= r.random() ** 2
    light.ambient *= r.uniform(dark, 1.0)


def scatter(b: Builder, count: int, near: float, far: float, spread: float) -> None:
    """Trees, bushes, people, cars, poles and rocks ahead of the camera, denser near."""
    r = b.rng
    for _ in range(count):
        z = near + (far - near) * r.random() ** 1.7
        x = r.uniform(-1, 1) * (spread * z + 1.0)
        here, kind = b.at(x, 0.02, z, r.uniform(0, 6.28)), r.random()
        if kind < 0.3:
            landscape.tree(here)
        elif kind < 0.45:
            landscape.bush(here)
        elif kind < 0.6:
            things.person(here)
        elif kind < 0.68:
            landscape.lamp_post(here)
        elif kind < 0.74:
            landscape.car(here)
        elif kind < 0.8:
            landscape.fence(here, r.uniform(2.0, 9.0))
        else:
            things.clutter(here, math.exp(r.uniform(-1.3, 0.9)))


def street(b: Builder) -> None:
    """A road between buildings, pavements, parked cars, people, poles."""
    r = b.rng
    daylight(b)
    b.ground.material = b.material(gloss=r.random() * 0.2)
    road, length = r.uniform(3.0, 14.0), r.uniform(30.0, 110.0)
    walk = r.uniform(0.8, 4.0)
    asphalt = b.material(colour=(0.3, 0.3, 0.31), scale=r.uniform(0.1, 0.5))
    b.box(0, 0.02, length / 2, road, 0.03, length + 20, asphalt)
    if r.random() < 0.6:
        line = b.material(colour=(0.9, 0.9, 0.85), mix=0.1)
        for k in range(7):
            b.box(0, -0.012, 2.0 + 5.0 * k, 0.14, 0.01, 2.2, line)
    for side in (-1, 1):
        roadside(b, side, road, walk, length)
    for _ in range(r.randrange(7)):
        here = b.at(
            r.uniform(-0.45, 0.45) * road, 0, 3 + 40 * r.random() ** 1.5, r.choice((0.0, math.pi))
        )
        (landscape.car if r.random() < 0.6 else things.person)(here)
    aim(
        b,
        r.uniform(-0.4, 0.4) * (road + walk),
        math.exp(r.uniform(-1.2, 0.9)),
        r.uniform(-4.0, 1.0),
        r.gauss(0, 0.25),
        r.gauss(-0.02, 0.12),
        roll=0.03,
    )


def roadside(b: Builder, side: int, road: float, walk: float, length: float) -> None:
    """One side of a street: kerb and pavement, houses or hedges, parked cars, trees."""
    r = b.rng
    kerb = b.material()
    b.box(side * (road + walk) / 2, 0.02, length / 2, walk, 0.14, length + 20, kerb)
    z, open_side = r.uniform(-6.0, 2.0), r.random() < 0.2
    for _ in range(9):
        front, gap = r.uniform(5.0, 18.0), r.choice((0.0, 0.0, r.uniform(1.0, 8.0)))
        deep, tall = r.uniform(5.0, 12.0), math.exp(r.uniform(1.0, 2.9))
        if z > length:
            break
        if not open_side and r.random() < 0.85:
            x = side * (road / 2 + walk + deep / 2)
            landscape.house(b.at(x, 0, z + front / 2, side * math.pi / 2), front, tall, deep)
        z += front + gap
    for _ in range(r.randrange(6)):
        x = side * (road / 2 - 1.0)
        landscape.car(b.at(x, 0, 3.0 + 35 * r.random() ** 1.4, r.choice((0.0, math.pi))))
    for _ in range(r.randrange(9)):
        here = b.at(
            side * (road / 2 + r.uniform(0.2, 0.9) * walk),
            -0.12,
            1.5 + 35 * r.random() ** 1.5,
            r.uniform(0, 6.28),
        )
        r.choice(
            (landscape.tree, things.person, landscape.lamp_post, things.person, landscape.bush)
        )(here)


def open_ground(b: Builder) -> None:
    """Flat or hilly ground with a path, trees, houses far off."""
    r = b.rng
    daylight(b)
    green = (r.uniform(0.1, 0.6), r.uniform(0.25, 0.6), r.uniform(0.05, 0.4))
    b.ground.material = b.material(colour=green if r.random() < 0.5 else None, gloss=0.0)
    if r.random() < 0.6:
        hills(b)
    scatter(b, r.randint(3, 18), 2.0, r.uniform(12.0, 60.0), 0.7)
    for _ in range(r.randrange(5)):
        z = r.uniform(15.0, 90.0)
        landscape.house(
            b.at(r.uniform(-0.8, 0.8) * z, 1.0, z, r.gauss(0, 0.5)),
            r.uniform(6, 20),
            r.uniform(3, 14),
            8.0,
        )
    if r.random() < 0.4:
        b.box(r.uniform(-3, 3), 0.05, 30.0, r.uniform(1.0, 5.0), 0.06, 70.0, b.material())
    aim(b, 0.0, math.exp(r.uniform(-1.4, 1.2)), 0.0, 0.0, r.gauss(-0.1, 0.2))


def hills(b: Builder) -> None:
    """Waves of the ground that vanish at the camera's foot, so that it stands on it."""
    r = b.rng
    size = r.random() ** 2
    for _ in range(5):
        length, turn = math.exp(r.uniform(1.3, 4.2)), r.uniform(0, 6.28)
        amplitude = size * length * r.uniform(0.01, 0.06)
        k = 2 * math.pi / length
        b.ground.waves.append(
            (amplitude, k * math.sin(turn), k * math.cos(turn), r.uniform(0, 6.28))
        )


def yard(b: Builder) -> None:
    """In front of a wall or a house: the background is a few metres away."""
    r = b.rng
    daylight(b)
    b.ground.material = b.material()
    z = r.uniform(3.0, 14.0)
    landscape.house(
        b.at(r.uniform(-3, 3), 0, z + 4.0, r.gauss(0, 0.35)),
        r.uniform(6, 24),
        r.uniform(2.5, 9.0),
        8.0,
    )
    if r.random() < 0.5:
        side = r.choice((-1, 1))
        landscape.house(
            b.at(side * r.uniform(5.0, 9.0), 0, z * 0.7, side * 1.5),
            10.0,
            r.uniform(2.5, 6.0),
            6.0,
        )
    scatter(b, r.randint(2, 12), 1.5, z, 0.6)
    aim(b, 0.0, r.uniform(0.25, 2.2), 0.0, r.gauss(0, 0.2), r.gauss(-0.08, 0.18))
