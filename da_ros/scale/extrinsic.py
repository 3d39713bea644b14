"""Is the scanner where TF says it is? Its edges must be the picture's edges.

A network is wrong by regions, and on slanted surfaces that looks like a turned scanner. So with
every turn a smooth error of the network is fitted along: what it cannot explain are edges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.unproject import project
from da_ros.scale.observations.points import sample_bilinear
from da_ros.scale.observations.visibility import VisibilityOptions, hidden_points
from da_ros.scale.robust import Floats, best_pair

_COLUMNS, _ROWS = 5, 4  # Knots of the network's smooth error over the image.
_ROUNDS, _WIDEST, _NARROWER = 6, 0.25, 0.7  # Tolerance of the rounds: from wide to that asked for.
_LINE_POINTS = 400


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
        model_error: Of the network, smooth over the image, relative, standard deviation.
        noise: What a point has beyond it, relative, standard deviation.
        wrong: A better turn must be at least this far away [rad].
        least_gain: And must take away this much of the misfit.
        least_contrast: Less than this between best and widest turns tells nothing; walls, also
            slanted ones, were seen to give up to 0.009.
        fewest_points: Fewer tell nothing.
        most_points: So many are looked at.
        window: Points are hidden by nearer ones on both sides within this, share of the width.
    """

    reach: float = math.radians(3.0)
    steps: int = 4
    tolerance: float = 0.08
    model_error: float = 0.05
    noise: float = 0.03
    wrong: float = math.radians(1.2)
    least_gain: float = 0.1
    least_contrast: float = 0.012
    fewest_points: int = 60
    most_points: int = 1000
    window: float = 0.0375


def check_mounting(
    points: Floats,
    values: NDArray[np.float32],
    camera: PinholeCamera,
    options: MountingOptions,
) -> MountingCheck:
    """Turn the points about the camera, and see where they fit the prediction best.

    Args:
        points: In the camera's optical frame, those at edges too, (N, 3) [m].
        values: Relative inverse depth, (h, w).
        camera: Of the image.
        options: See there.

    Returns:
        The verdict with its figures.
    """
    angles = np.linspace(-options.reach, options.reach, 2 * options.steps + 1)
    seen = _seen(points, camera, options)
    if len(seen) < options.fewest_points:
        return MountingCheck(Mounting.UNOBSERVABLE, 0.0, 0.0, 0.0, 0.0)
    start = _line(seen, values, camera, options)
    if start is None:
        return MountingCheck(Mounting.UNOBSERVABLE, 0.0, 0.0, 0.0, 0.0)
    field = _hats(project(seen, camera), camera)
    cost = np.array(
        [
            [_misfit(turned(seen, a, b), field, start, values, camera, options) for a in angles]
            for b in angles
        ]
    )
    return _judged(cost, angles, options)


def _judged(cost: Floats, angles: Floats, options: MountingOptions) -> MountingCheck:
    """Verdict on the misfit of every pitch and yaw, (n, n)."""
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


def sum_up(checks: Sequence[MountingCheck]) -> MountingCheck:
    """Make one verdict of several frames.

    Args:
        checks: At least one.

    Returns:
        WRONG if most of the frames that can tell say so, with the medians of their figures.
    """
    telling = [check for check in checks if check.verdict is not Mounting.UNOBSERVABLE]
    wrong = [check for check in telling if check.verdict is Mounting.WRONG]
    if not telling:
        return checks[0]
    is_wrong = 2 * len(wrong) > len(telling)
    kept = wrong if is_wrong else [check for check in telling if check.verdict is Mounting.GOOD]
    figures = np.median([(c.yaw, c.pitch, c.gain, c.contrast) for c in kept], axis=0)
    return MountingCheck(Mounting.WRONG if is_wrong else Mounting.GOOD, *map(float, figures))


def mounting_words(found: MountingCheck) -> str:
    """Say what a check found, and what to do."""
    if found.verdict is Mounting.GOOD:
        return "the cloud's edges are the picture's edges: its mounting looks right"
    if found.verdict is Mounting.UNOBSERVABLE:
        return (
            "whether the cloud's mounting is right cannot be told from what was seen (walls, or "
            "too few points in the image)"
        )
    yaw, pitch = math.degrees(found.yaw), math.degrees(found.pitch)
    return (
        f"the cloud looks turned against the picture: {yaw:+.1f} deg about the camera's y axis "
        f"and {pitch:+.1f} deg about its x axis would fit better; check its TF, or fixed_transform"
    )


def turned(points: Floats, yaw: float, pitch: float) -> Floats:
    """Turn points about the camera: yaw about y, then pitch about x."""
    a, b, c, d = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    about_y = np.array([[a, 0.0, b], [0.0, 1.0, 0.0], [-b, 0.0, a]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, c, -d], [0.0, d, c]])
    return np.asarray(points @ (about_x @ about_y).T)


def _seen(points: Floats, camera: PinholeCamera, options: MountingOptions) -> Floats:
    """Points that fall into the image and are not behind others; a sample where they are many."""
    points = np.asarray(points, np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    points = points[points[:, 2] > 0]
    pixels = project(points, camera)
    high = np.array([camera.width, camera.height]) - 1
    inside = ((pixels >= 0) & (pixels <= high)).all(axis=1)
    points, pixels = points[inside], pixels[inside]
    window = VisibilityOptions(window_px=max(4, round(options.window * camera.width)))
    size = (camera.height, camera.width)
    points = points[~hidden_points(pixels, points[:, 2], size, window)]
    drawn = np.random.default_rng(0).permutation(len(points))[: options.most_points]
    return np.asarray(points[drawn])


def _hats(pixels: Floats, camera: PinholeCamera) -> Floats:
    """Shares of each point in the knots around it, (N, knots): bilinear over the image."""
    across = np.clip((pixels[:, 0] + 0.5) / camera.width, 0, 1) * (_COLUMNS - 1)
    down = np.clip((pixels[:, 1] + 0.5) / camera.height, 0, 1) * (_ROWS - 1)
    near_column = np.clip(1 - np.abs(across[:, None] - np.arange(_COLUMNS)), 0, None)
    near_row = np.clip(1 - np.abs(down[:, None] - np.arange(_ROWS)), 0, None)
    return np.asarray(np.einsum("ni,nj->nij", near_row, near_column).reshape(len(pixels), -1))


def _misfit(
    points: Floats,
    field: Floats,
    start: Floats,
    values: NDArray[np.float32],
    camera: PinholeCamera,
    options: MountingOptions,
) -> float:
    """Mean squared relative residual, 1 where a point does not fit.

    Of z (s d + t) = 1 + error(pixel), s, t and the knots of the error found by reweighting.
    """
    d = sample_bilinear(values, project(points, camera), (camera.height, camera.width))
    known = np.isfinite(d) & (points[:, 2] > 0)
    if known.sum() < options.fewest_points / 2:
        return 1.0
    z = points[known, 2]
    design = np.column_stack((z * d[known], z, -field[known]))
    # The knots are held to the network's error; by as little, the line to where it is.
    held = np.full(design.shape[1], (options.noise / options.model_error) ** 2)
    held[:2] = 1e-9
    residual = design[:, :2] @ start - 1.0
    for number in range(_ROUNDS):
        wide = max(options.tolerance, _WIDEST * _NARROWER**number)
        weights = np.square(np.clip(1.0 - np.square(residual / wide), 0.0, None))
        weighted = (design * weights[:, None]).T
        found = np.linalg.solve(weighted @ design + np.diag(held), weighted.sum(axis=1))
        residual = design @ found - 1.0
    misfit = np.minimum(np.square(residual / options.tolerance), 1.0).sum()
    price = (held[2:] * found[2:] ** 2).sum() / options.tolerance**2
    return float((misfit + price) / len(z))


def _line(
    points: Floats, values: NDArray[np.float32], camera: PinholeCamera, options: MountingOptions
) -> Floats | None:
    """A line for every turn to start from: through two points, near to most of some hundreds."""
    d = sample_bilinear(values, project(points, camera), (camera.height, camera.width))
    known = np.isfinite(d)
    d, y = d[known], 1.0 / points[known, 2]
    order = np.argsort(d, kind="stable")[:: max(1, len(d) // _LINE_POINTS)]
    d, y = d[order], y[order]
    return best_pair(d, y, 2.0 * options.tolerance * y, seed=0, fewest=64) if len(d) > 1 else None
