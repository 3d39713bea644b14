"""Arithmetic of robust straight-line fits: RANSAC on pairs, then reweighted least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALL_PAIRS_UP_TO = 2048
_WORK = 250_000  # Residuals that random pairs may cost: about a millisecond.
_FACTORS = 64  # Tried; a third of the points has twenty of them.

CUT = 4.0
"""Tukey's, in standard deviations: 91 % as efficient as least squares on clean data."""

# Under a normal distribution, weights of Tukey's biweight w: E[w u^2] / E[w], and the price in
# variance against least squares.
_CONSISTENCY = 0.7709
VARIANCE_PRICE = 1.0989

# Of a uniform background of outliers, one a standard deviation: its integrals of w and of w u^2
# within the cut. It is counted from the cut to three times the cut, on both sides.
_BACKGROUND_WEIGHT = 16 / 15 * CUT
_BACKGROUND_SQUARE = 16 / 105 * CUT**3
_COUNTED_TO = 3.0
_MOST_BACKGROUND = 0.5  # Of either sum: more is no background.

_MEDIAN_SQUARE = 0.4549
"""Median of chi-square with one degree of freedom."""

LARGEST_ERROR = 0.2
"""Relative; what is farther off is not a model's error but another thing."""

_ROUNDS = 20
_CONVERGED = 1e-4  # Of a standard deviation, and of the relative error.


@dataclass(frozen=True, eq=False)
class Reweighted:
    """A converged fit.

    Attributes:
        coefficients: (p,).
        weights: Tukey's, (N,) in [0, 1].
        sigma: Standard deviation of each point, sensor and model, (N,).
        residual: Target minus fit, (N,).
        relative: The same over the magnitude that errors are relative to.
        model_error: Relative error of the model, re-estimated.
        freedom: Points that this estimate is worth, the coefficients taken off.
    """

    coefficients: Floats
    weights: Floats
    sigma: Floats
    residual: Floats
    relative: Floats
    model_error: float
    freedom: float


def best_pair(d: Floats, y: Floats, tolerance: Floats, seed: int, fewest: int) -> Floats | None:
    """Find the line through two points that most others agree with (MSAC).

    Args:
        d: Ascending, (N,).
        y: (N,).
        tolerance: Residual from which a point counts as an outlier, (N,) > 0.
        seed: Of the random pairs; all pairs are tried where they are few.
        fewest: Random pairs at least.

    Returns:
        (s, t), or None where no two d differ.
    """
    first, second = _pairs(len(d), seed, fewest)
    step = d[second] - d[first]
    apart = step > 1e-9 * max(abs(d[0]), abs(d[-1]))
    if not apart.any():
        return None
    first, second, step = first[apart], second[apart], step[apart]
    scale = (y[second] - y[first]) / step
    lines = np.stack((scale, y[first] - scale * d[first], np.full(len(scale), -1.0)), axis=1)
    points = np.stack((d, np.ones_like(d), y)) / tolerance
    cost = np.minimum(np.square(lines @ points), 1.0).sum(axis=1)
    best: Floats = lines[int(np.argmin(cost)), :2]
    return best


def best_factor(x: Floats, z: Floats, tolerance: Floats) -> float:
    """Find the factor of one point that most others agree with (MSAC): z = factor * x.

    Args:
        x: (N,) > 0.
        z: (N,).
        tolerance: Residual from which a point counts as an outlier, (N,) > 0.

    Returns:
        The factor; of many points', that of one of some, evenly chosen by their rank.
    """
    factors = np.sort(z / x)
    some = np.linspace(0, len(factors) - 1, min(len(factors), _FACTORS)).astype(np.intp)
    factors = factors[some]
    cost = np.minimum(np.square((z - factors[:, None] * x) / tolerance), 1.0).sum(axis=1)
    return float(factors[int(np.argmin(cost))])


def _pairs(count: int, seed: int, fewest: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index pairs, the first below the second."""
    if count * (count - 1) // 2 <= ALL_PAIRS_UP_TO:
        first, second = np.triu_indices(count, 1)
        return first, second
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, count, (2, max(fewest, _WORK // count)))
    return drawn.min(axis=0), drawn.max(axis=0)


def reweighted(
    design: Floats,
    target: Floats,
    sensor: Floats,
    magnitude: Floats,
    start: Floats,
    model_error: float,
    prior_weight: float,
    *,
    trusted: bool = False,
) -> Reweighted:
    """Refine a fit by iterated weighted least squares with Tukey's biweight.

    Where the sensor is trusted, with Huber's weights: nothing is thrown away, and what is far off
    pulls no more than what is a little off, so that the sum of errors is about the least. Errors
    are then relative to the fit where that is larger, so that none exceeds one: a point measured
    too far has next to no magnitude of its own, and would turn the line.

    Args:
        design: (N, p).
        target: (N,).
        sensor: Standard deviation of the measurement, (N,), unit of the target.
        magnitude: What the model's relative error is relative to, (N,), unit of the target.
        start: Coefficients near the answer, (p,).
        model_error: Relative, to start with.
        prior_weight: Points that this starting value is worth.
        trusted: Whether the residuals are the model's fault and not the sensor's.

    Returns:
        The fit; weights are all zero if nothing agrees with it.
    """
    coefficients, error, freedom = start, model_error, 1e-9
    weigh = huber if trusted else biweight
    sensor_squares = np.square(sensor / magnitude)
    measured = np.abs(magnitude)
    for _ in range(_ROUNDS):
        if trusted:
            magnitude = np.maximum(measured, design @ coefficients)
            sensor_squares = np.square(sensor / magnitude)
        sigma = np.sqrt(sensor_squares + error**2) * np.abs(magnitude)
        residual = target - design @ coefficients
        weights = weigh(residual / sigma)
        solved = _solve(design, target, weights / sigma**2)
        if solved is None:
            break
        moved = float(np.max(np.abs(design @ (solved - coefficients)) / sigma))
        residual = target - design @ solved
        before, coefficients = error, solved
        squares = np.square(residual / magnitude)
        if trusted:
            found, freedom = _middle_beyond_sensor(squares, sensor_squares, len(start))
        else:
            found, freedom = _beyond_sensor(squares, weights, sensor_squares, error, len(start))
        share = (prior_weight * model_error**2 + freedom * found) / (prior_weight + freedom)
        error = min(float(np.sqrt(share)), LARGEST_ERROR)
        if moved < _CONVERGED and abs(error - before) < _CONVERGED * before:
            break
    sigma = np.hypot(sensor, error * magnitude)
    residual = target - design @ coefficients
    weights = weigh(residual / sigma)
    return Reweighted(coefficients, weights, sigma, residual, residual / magnitude, error, freedom)


def biweight(deviation: Floats) -> Floats:
    """Tukey's weights of residuals in standard deviations: 1 at 0, 0 from CUT on."""
    return np.square(np.clip(1.0 - np.square(deviation / CUT), 0.0, None))


def huber(deviation: Floats) -> Floats:
    """Huber's weights of residuals in standard deviations: 1 up to one, then their inverse."""
    return np.asarray(1.0 / np.maximum(np.abs(deviation), 1.0))


def _solve(design: Floats, target: Floats, weights: Floats) -> Floats | None:
    """Weighted least squares for one or two coefficients; None where they are collinear."""
    weighted = design.T * weights
    normal, right = weighted @ design, weighted @ target
    size = np.sqrt(np.diag(normal))
    if not np.all(size > 0):
        return None
    right = right / size
    if len(size) == 1:
        return np.asarray(right / size)
    # Scaled to a unit diagonal, so that only true collinearity is singular: then the condition
    # is (1 + |r|) / (1 - |r|). By hand, since the library's way in costs more than the sums.
    r = normal[0, 1] / (size[0] * size[1])
    if 1.0 - abs(r) < 2e-14:
        return None
    return np.asarray((right - r * right[::-1]) / ((1.0 - r) * (1.0 + r)) / size)


def _middle_beyond_sensor(
    squares: Floats, sensor_squares: Floats, parameters: int
) -> tuple[float, float]:
    """As ``_beyond_sensor``, from the median: of a sensor without outliers to count."""
    relative = float(np.median(squares)) / _MEDIAN_SQUARE
    freedom = max(len(squares) - parameters, 1e-9)
    return max(relative - float(np.median(sensor_squares)), 0.0), freedom


def _beyond_sensor(
    squares: Floats, weights: Floats, sensor_squares: Floats, error: float, parameters: int
) -> tuple[float, float]:
    """Relative variance of what the residuals have beyond the sensor's noise, and its freedom.

    Outliers that happen to lie within the cut would widen it: as many as their density beside it
    tells are taken off.

    Args:
        squares: Of the residuals, relative, (N,).
        weights: Tukey's, (N,).
        sensor_squares: Of the sensor's standard deviations, relative, (N,).
        error: The model's relative error that the weights were made with.
        parameters: Coefficients fitted.
    """
    deviation = squares / (sensor_squares + error**2)
    outside = deviation[deviation > CUT**2]
    beside = int(np.count_nonzero(outside < (_COUNTED_TO * CUT) ** 2))
    density = beside / (2.0 * (_COUNTED_TO - 1.0) * CUT)
    total, summed = float(weights.sum()), float(weights @ squares)
    of_sensor = float(weights @ sensor_squares) / max(total, 1e-9)
    wrong = min(density * _BACKGROUND_WEIGHT, _MOST_BACKGROUND * total)
    wide = min(density * _BACKGROUND_SQUARE * (of_sensor + error**2), _MOST_BACKGROUND * summed)
    freedom = max(total - wrong - parameters, 1e-9)
    relative = (summed - wide) / (_CONSISTENCY * freedom)
    return max(relative - of_sensor, 0.0), freedom
