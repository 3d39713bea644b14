"""How much a model is off, told from residuals some of which are the sensor's fault.

A robust fit throws away what is far off, and with it the tail of the model's own error: what is
left looks better than the model is. So the residuals are taken for what they are, a mixture: the
model's error, normal, and outliers that may lie anywhere up to the farthest depth measured. How
many there are of each comes out with the spread.

Source:
    Expectation maximisation: Dempster, Laird, Rubin 1977.
"""

from __future__ import annotations

import math

import numpy as np

from da_ros.scale.robust import LARGEST_ERROR, Floats

_LOOKED_AT = 400
"""Residuals are many alike; so many, taken evenly, tell the spread."""

_ROUNDS, _CONVERGED = 30, 1e-3
_START_SHARE = 0.1  # Of outliers.
_LEAST = 1e-4  # Of the error, so that exact models divide by no zero.


def spread(residual: Floats, sensor: Floats, reach: Floats, start: float) -> tuple[float, float]:
    """Tell the model's error from residuals with outliers.

    Args:
        residual: Relative, (N,).
        sensor: Standard deviation of the measurement, relative, (N,).
        reach: Depth measured over the largest one, (N,) in (0, 1]: the density of the relative
            residual of an outlier that may have any depth up to that one.
        start: Relative error to begin with.

    Returns:
        The model's relative error, standard deviation, at most ``LARGEST_ERROR``; and how many of
        the N residuals are not outliers.
    """
    step = max(1, len(residual) // _LOOKED_AT)
    squares, sensors, density = (
        values[::step] for values in (np.square(residual), np.square(sensor), reach)
    )
    error, share, count = max(start, _LEAST) ** 2, _START_SHARE, len(squares)
    kept = float(count)
    for _ in range(_ROUNDS):
        variance = error + sensors
        normal = np.exp(-0.5 * squares / variance) / np.sqrt(2.0 * np.pi * variance)
        of_model = (1.0 - share) * normal / ((1.0 - share) * normal + share * density)
        kept = float(of_model.sum())
        share = (count - kept + 1.0) / (count + 2.0)
        part = error / variance  # of a residual, that is the model's
        whole = float(of_model @ (part**2 * squares + part * sensors))
        before, error = error, min(max(whole / max(kept, 1e-9), _LEAST**2), LARGEST_ERROR**2)
        if abs(error - before) < _CONVERGED * before:
            break
    return math.sqrt(error), kept * len(residual) / count


def spread_of_all(residual: Floats) -> float:
    """The model's error where the sensor is trusted: what disagrees is the model's, too.

    Such errors have long tails, and one number has to say where 68 % and where 95 % of them are:
    the root mean square of what either says by itself.

    Args:
        residual: Relative, (N,).

    Returns:
        Standard deviation, relative, at most ``LARGEST_ERROR``.
    """
    one, two = np.quantile(np.abs(residual), (0.6827, 0.9545))
    return min(math.hypot(float(one), float(two) / 2.0) / math.sqrt(2.0), LARGEST_ERROR)
