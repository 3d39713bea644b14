"""Where a scene is looked at from, and through which lens."""

from __future__ import annotations

import math

from da_ros.training.scenes.builder import Builder, multiply, rotation_x, rotation_y, rotation_z


def aim(
    b: Builder,
    x: float,
    height: float,
    z: float,
    yaw: float,
    pitch: float,
    roll: float = 0.06,
    wide: tuple[float, float] = (0.45, 1.15),
) -> None:
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


def look_at(b: Builder, x: float, y: float, z: float, distance: float, tilt: float) -> None:
    """Look at a point from ``distance`` [m] away, ``tilt`` [rad] above the horizontal."""
    r = b.rng
    yaw = r.uniform(-math.pi, math.pi)
    back = distance * math.cos(tilt)
    cx, cz = x - math.sin(yaw) * back, z - math.cos(yaw) * back
    aim(
        b,
        cx,
        -y + distance * math.sin(tilt),
        cz,
        yaw + r.gauss(0, 0.08),
        -tilt + r.gauss(0, 0.08),
        wide=(0.6, 1.2),
    )
