"""Is the scanner where TF says it is? Its edges must be the picture's edges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.unproject import project
from da_ros.scale.observations.points import sample_bilinear
from da_ros.scale.robust import Floats, best_pair


class Mounting(str, Enum):
    """What can be said of a scanner's orientation."""

    GOOD = "good"
    WRONG = "wrong"
    UNOBSERVABLE = "unobservable"
    """Every orientation fits alike: a wall, or too few points."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class MountingCheck:
    """The best orientation beside the given one.

    Attributes:
        verdict: What can be said.
        yaw: Turn about the camera's y axis that fits best [rad].
        pitch: About its x axis [rad].
        gain: How much of the misfit goes with it, 0 to 1.
        contrast: How much larger the misfit is at the widest turns than at the best; 1 is all.
    """

    verdict: Mounting
    yaw: float
    pitch: float
    gain: float
    contrast: float


@dataclass(frozen=True)
class MountingOptions:
    """When an orientation counts as wrong.

    Attributes:
        reach: Turns up to this are tried [rad].
        steps: To each side, in yaw and in pitch.
        tolerance: Relative residual from which a point fits not at all.
        wrong: A better turn must be at least this far away [rad].
        least_gain: And must take away this much of the misfit.
        least_contrast: Less than this between best and widest turns tells nothing.
        fewest_points: Fewer tell nothing.
    """

    reach: float = math.radians(3.0)
    steps: int = 4
    tolerance: float = 0.15
    wrong: float = math.radians(1.2)
    least_gain: float = 0.15
    least_contrast: float = 0.04
    fewest_points: int = 60


def check_mounting(
    points: Floats,
    values: NDArray[np.float32],
    camera: PinholeCamera,
    options: MountingOptions,
) -> MountingCheck:
    """Turn the points about the camera, and see where they fit the prediction best.

    Args:
        points: In the camera's optical frame, visible ones, those at edges too, (N, 3) [m].
        values: Relative inverse depth, (h, w).
        camera: Of the image.
        options: See there.

    Returns:
        The verdict with its figures.
    """
    angles = np.linspace(-options.reach, options.reach, 2 * options.steps + 1)
    if len(points) < options.fewest_points:
        return MountingCheck(Mounting.UNOBSERVABLE, 0.0, 0.0, 0.0, 0.0)
    cost = np.array(
        [[_misfit(points, values, camera, a, b, options) for a in angles] for b in angles]
    )
    row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
    pitch, yaw = float(angles[row]), float(angles[column])
    best, given = float(cost[row, column]), float(cost[options.steps, options.steps])
    border = np.concatenate((cost[0], cost[-1], cost[:, 0], cost[:, -1]))
    contrast = float(np.median(border)) - best
    gain = 1.0 - best / max(given, 1e-9)
    verdict = Mounting.GOOD
    if contrast < options.least_contrast:
        verdict = Mounting.UNOBSERVABLE
    elif math.hypot(yaw, pitch) >= options.wrong and gain >= options.least_gain:
        verdict = Mounting.WRONG
    return MountingCheck(verdict, yaw, pitch, gain, contrast)


def turned(points: Floats, yaw: float, pitch: float) -> Floats:
    """Turn points about the camera: yaw about y, then pitch about x."""
    a, b, c, d = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    about_y = np.array([[a, 0.0, b], [0.0, 1.0, 0.0], [-b, 0.0, a]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, c, -d], [0.0, d, c]])
    return np.asarray(points @ (about_x @ about_y).T)


def _misfit(
    points: Floats,
    values: NDArray[np.float32],
    camera: PinholeCamera,
    yaw: float,
    pitch: float,
    options: MountingOptions,
) -> float:
    """Mean squared relative residual about the best line, 1 where a point does not fit."""
    moved = turned(points, yaw, pitch)
    pixels = project(moved, camera)
    d = sample_bilinear(values, pixels, (camera.height, camera.width))
    known = np.isfinite(d) & (moved[:, 2] > 0)
    if known.sum() < options.fewest_points / 2:
        return 1.0
    d, y = d[known], 1.0 / moved[known, 2]
    order = np.argsort(d, kind="stable")
    d, y = d[order], y[order]
    tolerance = options.tolerance * y
    line = best_pair(d, y, tolerance, seed=0, fewest=128)
    if line is None:
        return 1.0
    for _ in range(3):
        weights = np.square(np.clip(1 - np.square((line[0] * d + line[1] - y) / tolerance), 0, 1))
        weights /= tolerance**2
        if np.count_nonzero(weights) < 3:
            break
        mean_d, mean_y = np.average(d, weights=weights), np.average(y, weights=weights)
        away = d - mean_d
        square = float((weights * away**2).sum())
        if square <= 0:
            break
        scale = float((weights * away * (y - mean_y)).sum()) / square
        line = np.array([scale, mean_y - scale * mean_d])
    residual = (line[0] * d + line[1] - y) / tolerance
    return float(np.minimum(residual**2, 1.0).mean())
