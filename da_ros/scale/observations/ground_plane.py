"""The ground, seen from a known height: a metre rule that every robot stands on.

The plane n . P = h, n pointing down, is y = 1/z = n . r / h along the ray r = ((u - cx) / fx,
(v - cy) / fy, 1): linear in the pixels. So every pixel below the horizon says how many metres
away the ground would be; where the prediction follows that with one scale and one shift, it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from da_ros.errors import ParameterError
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.distortion import undistort
from da_ros.scale.observations.points import PixelDepths
from da_ros.scale.options import FitOptions

SOURCE = "ground_plane"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GroundOptions:
    """What is known of the camera over the ground.

    Attributes:
        height: Of the optical centre over the ground [m].
        height_std: How well it is known [m].
        pitch_std: How well the camera's pitch is known, standing or driving [rad].
        roll_std: As pitch_std, about the optical axis [rad].
        near: Nearer ground is not used [m].
        far: Farther ground is not used [m]: there half a degree is everything.
        columns: Of the grid of pixels that are tried.
        rows: Of it.
        lowest_share: Of these that must follow the ground's plane.
    """

    height: float
    height_std: float = 0.01
    pitch_std: float = 0.009
    roll_std: float = 0.009
    near: float = 0.3
    far: float = 15.0
    columns: int = 32
    rows: int = 24
    lowest_share: float = 0.3

    def __post_init__(self) -> None:
        if not 0.0 < self.height < float("inf"):
            raise ParameterError(
                f"ground: expected a camera height > 0 m, got {self.height}; the ground cannot "
                "give a scale without it"
            )


def downward_from_pitch(pitch: float, roll: float = 0.0) -> Floats:
    """Direction of gravity in the optical frame (x right, y down, z forward).

    Args:
        pitch: Of the optical axis below the horizon, down > 0 [rad].
        roll: Of the camera about its optical axis, clockwise as it looks > 0 [rad].

    Returns:
        Unit vector, (3,).
    """
    level = np.cos(pitch)
    return np.array([level * np.sin(roll), level * np.cos(roll), np.sin(pitch)])


def downward_from_base(rotation: Floats) -> Floats:
    """Direction down in the optical frame, from T(optical frame <- base), whose z points up.

    Args:
        rotation: (3, 3), or a (4, 4) pose.

    Returns:
        Unit vector, (3,).
    """
    return -np.asarray(rotation[:3, 2], np.float64)


def ground_points(camera: PinholeCamera, downward: Floats, options: GroundOptions) -> PixelDepths:
    """Say how far the ground is at pixels below the horizon, if it is there.

    Args:
        camera: Of the image; its lens bends the rays.
        downward: Unit vector down in the optical frame, (3,).
        options: See there.

    Returns:
        Points of which many may show other things; ``ground_fit`` says what a fit has to find.
    """
    y_near, y_far = 1.0 / options.near, 1.0 / options.far
    pixels, rays = _grid(camera, options.columns, 4 * options.rows)
    inverse = rays @ downward / options.height
    below = (inverse > y_far) & (inverse < y_near)
    if below.sum() < 10:
        return PixelDepths.none(SOURCE, "no pixel looks down far enough to see the ground")
    pixels, rays, inverse = pixels[below], rays[below], inverse[below]
    keep = _thin(len(inverse), options.rows * options.columns)
    common = _shared_errors(rays, downward, inverse, options)
    return PixelDepths(
        SOURCE,
        pixels[keep],
        1.0 / inverse[keep],
        np.zeros(len(keep)),
        common[keep],
        offered=len(keep),
    )


def ground_fit(options: FitOptions, ground: GroundOptions) -> FitOptions:
    """Options for the fit of ``ground_points``: things stand on the ground, and hide it."""
    return replace(options, lowest_inlier_ratio=ground.lowest_share, fewest_points=20)


@lru_cache(maxsize=16)
def _grid(camera: PinholeCamera, columns: int, rows: int) -> tuple[Floats, Floats]:
    """Pixels all over the image, (N, 2), and their rays, (N, 3); NaN where the lens has none."""
    u = (np.arange(columns) + 0.5) * camera.width / columns - 0.5
    v = np.linspace(0, camera.height - 1, rows)
    u, v = (grid.ravel() for grid in np.meshgrid(u, v))
    seer = camera if camera.is_distorted else camera.rectified()
    x, y = (u - seer.cx) / seer.fx, (v - seer.cy) / seer.fy
    if camera.is_distorted:
        x, y = undistort(x, y, camera.distortion_model, camera.distortion)
    return np.stack((u, v), axis=1), np.stack((x, y, np.ones_like(x)), axis=1)


def _thin(count: int, most: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.intp))


def _shared_errors(
    rays: Floats, downward: Floats, inverse: Floats, options: GroundOptions
) -> Floats:
    """What one standard deviation of height, pitch and roll does to 1/z, (N, 3)."""
    side = np.array([1.0, 0.0, 0.0])  # Pitch turns about x, roll about z.
    ahead = np.array([0.0, 0.0, 1.0])
    of_height = inverse * options.height_std / options.height
    of_pitch = rays @ np.cross(side, downward) * options.pitch_std / options.height
    of_roll = rays @ np.cross(ahead, downward) * options.roll_std / options.height
    return np.stack((of_height, of_pitch, of_roll), axis=1)
