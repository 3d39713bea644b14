"""From the line of a few points to the line of the whole frame.

A network's error is alike over whole regions. Ten points see some regions twice and others never;
least squares through them takes the regions that they happen to see most. Here the error is
interpolated between the points (universal kriging), and the line is fitted to the interpolated
frame. Hundreds of points see every region anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from da_ros.scale.robust import Floats, Reweighted

MOST_POINTS = 160
"""Above, the line of the points is that of the frame, and solving would take milliseconds."""

_SHARE_OF_REGION = 0.95  # Of the model's error; the rest is each pixel's own.
_LEAST_WEIGHT = 0.05
_FEWEST_PIXELS = 20
_MARGIN = 0.25


@dataclass(frozen=True, eq=False)
class FrameSample:
    """What the network says all over the frame.

    Attributes:
        network: (M,), finite.
        pixels: Where, (M, 2) [px].
    """

    network: Floats
    pixels: Floats


def line_of_frame(
    found: Reweighted,
    design: Floats,
    target: Floats,
    pixels: Floats,
    frame: FrameSample,
    reach: float,
) -> Floats:
    """Fit the line to the frame as the points tell it.

    Args:
        found: Robust fit of the points.
        design: Its rows (d, 1), (N, 2).
        target: y, (N,).
        pixels: Of the points, (N, 2) [px].
        frame: The network's values over the frame.
        reach: Standard deviation of the Gaussian by which errors are alike [px].

    Returns:
        (s, t); those of ``found`` where there are too many points or too few.
    """
    kept = found.weights > _LEAST_WEIGHT
    if not design.shape[1] + 1 <= int(kept.sum()) <= MOST_POINTS:
        return found.coefficients
    frame = _within(frame, design[kept, 0])
    if len(frame.network) < _FEWEST_PIXELS:
        return found.coefficients
    rows = np.stack((frame.network, np.ones_like(frame.network)), axis=1)
    size = np.maximum(rows @ found.coefficients, 0.2 * target[kept].min())  # y of the frame
    line, error = _interpolated(found, kept, design, target, pixels, frame, size, reach)
    told = (rows @ line + error) / size
    solved: Floats = np.linalg.lstsq(rows / size[:, None], told, rcond=None)[0]
    return solved if np.all(np.isfinite(solved)) else found.coefficients


def _within(frame: FrameSample, d: Floats) -> FrameSample:
    """Leave out what is much nearer or farther than any point: sky would outweigh all else."""
    margin = _MARGIN * (d.max() - d.min())
    near = (frame.network >= d.min() - margin) & (frame.network <= d.max() + margin)
    return FrameSample(frame.network[near], frame.pixels[near])


def _interpolated(
    found: Reweighted,
    kept: NDArray[np.bool_],
    design: Floats,
    target: Floats,
    pixels: Floats,
    frame: FrameSample,
    size: Floats,
    reach: float,
) -> tuple[Floats, Floats]:
    """Line by generalised least squares, (2,), and the model's error over the frame, (M,)."""
    rows, y, place = design[kept], target[kept], pixels[kept]
    of_model = found.model_error * y
    alike = _SHARE_OF_REGION * _alike(place, place, reach)
    covariance = alike * np.outer(of_model, of_model)
    # A point of little weight is one of much noise of its own.
    own = found.sigma[kept] ** 2 / found.weights[kept] - _SHARE_OF_REGION * of_model**2
    covariance[np.diag_indices(len(y))] += np.maximum(own, 1e-9 * y**2)
    solved = np.linalg.solve(covariance, np.column_stack((rows, y)))
    line = np.linalg.solve(rows.T @ solved[:, :-1], rows.T @ solved[:, -1])
    spared = solved[:, -1] - solved[:, :-1] @ line
    across = _SHARE_OF_REGION * found.model_error * size[:, None] * of_model
    return line, (across * _alike(frame.pixels, place, reach)) @ spared


def _alike(a: Floats, b: Floats, reach: float) -> Floats:
    squared = np.square(a[:, None, 0] - b[None, :, 0]) + np.square(a[:, None, 1] - b[None, :, 1])
    return np.asarray(np.exp(-0.5 * squared / reach**2))
