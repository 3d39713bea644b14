"""How far off a fit may be: of the true scale and shift, and of a pixel of this frame.

The two differ. Where the model is 5 % off over the whole table, a fit on the table swallows it:
its pixels come out right, its scale is wrong by these 5 % for everything else. So residuals tell
too little of the model's error, and the covariance of (s, t) is wider than they say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from da_ros.scale.correlation import Correlation
from da_ros.scale.options import FitOptions
from da_ros.scale.robust import VARIANCE_PRICE, Floats, Reweighted
from da_ros.scale.spread import spread, spread_of_all

_STUDENT = 0.75
"""Over the freedom: between what Student's distribution asks for at 68 % (1/2) and 95 % (3/2)."""

_LEAST_LEFT = 0.1
"""Of the error's variance that residuals keep; less cannot be told from an exact model."""


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Uncertainty of a fit; see ``fit.Fit`` for the fields.

    Attributes:
        covariance: (p, p).
        of_model: (p, p).
        model_error: Relative.
        frame_error: Relative.
        moment: (p, p).
    """

    covariance: Floats
    of_model: Floats
    model_error: float
    frame_error: float
    moment: Floats


def accuracy_of(
    found: Reweighted,
    design: Floats,
    target: Floats,
    sensor: Floats,
    depth: Floats,
    common: Floats | None,
    correlation: Correlation,
    options: FitOptions,
) -> Accuracy:
    """Judge a robust fit.

    Args:
        found: The fit.
        design: Its rows, (N, p).
        target: Its right side, (N,).
        sensor: Standard deviation of the measurement, (N,), unit of the target.
        depth: Measured, (N,) [m].
        common: What each shared error does to the target, (N, K), or None.
        correlation: Of the model's error between the points.
        options: Where the estimate of the model's error starts from.

    Returns:
        Covariance (B^T W B)^-1 widened by the correlation and the shared errors, B being the rows
        over their standard deviations and W the robust weights.
    """
    seen, count = spread(
        found.relative, sensor / np.abs(target), depth / depth.max(), found.model_error
    )
    error, left = _errors(found, design, seen, count, correlation, options)
    if options.trusted:
        left = max(left, spread_of_all(found.relative))
    of_model = error * np.abs(target)
    sigma = np.hypot(sensor, of_model)
    whitened = design / sigma[:, None]
    weighted = whitened * found.weights[:, None]
    size = np.sqrt(np.einsum("ij,ij->j", weighted, whitened))
    normal = (weighted.T @ whitened) / np.outer(size, size)
    gain = (weighted / size) @ np.linalg.pinv(normal) / size  # p numbers = gain^T (target / sigma)
    share = (of_model / sigma)[:, None]
    own = gain * np.sqrt(np.clip(1.0 - share**2, 0.0, 1.0))
    alike = VARIANCE_PRICE * correlation.product(gain * share)
    covariance = VARIANCE_PRICE * (own.T @ own) + alike
    if design.shape[1] == 2:
        covariance = covariance + _flattening(found, design, of_model, sigma)
    if common is not None:
        moved = (gain / sigma[:, None]).T @ common  # (p, K)
        covariance = covariance + moved @ moved.T
    kept = (design / target[:, None]) * np.sqrt(found.weights / found.weights.sum())[:, None]
    return Accuracy(covariance, alike, error, left, kept.T @ kept)


def _flattening(found: Reweighted, design: Floats, of_model: Floats, sigma: Floats) -> Floats:
    """What the model's error in d itself does to the line, squared, (2, 2).

    Noise in d flattens a line fitted to y: s is too small by the share of the variance of s d that
    is noise, and the line turns about the mean. For predicting y from such d the flatter line is
    the better one, so it stays; but it is not the true one, and the covariance has to say so.
    """
    weights = found.weights / sigma**2
    d, scale = design[:, 0], float(found.coefficients[0])
    middle = float(np.average(d, weights=weights))
    told = float((weights * np.square(scale * (d - middle))).sum())
    share = min(float((weights * of_model**2).sum()) / max(told, 1e-300), 1.0)
    turn = share * scale * np.array([1.0, -middle])
    return np.outer(turn, turn)


def _errors(
    found: Reweighted,
    design: Floats,
    seen: float,
    count: float,
    correlation: Correlation,
    options: FitOptions,
) -> tuple[float, float]:
    """From the error that ``count`` residuals show: the model's, and what is left in this frame.

    Of errors of correlation R the residuals keep trace(W) - trace(Q^T R Q), Q being an orthonormal
    base of the weighted design. The few numbers that correlated points are worth are pooled with
    the value that the fit started from; how uncertain such an estimate itself is widens it, as
    Student's distribution does.
    """
    root = np.sqrt(found.weights)
    base, _ = np.linalg.qr(design * (root / found.sigma)[:, None])
    total, parameters = float(found.weights.sum()), design.shape[1]
    swallowed = float(np.trace(correlation.product(base)))
    kept = max(1.0 - swallowed / total, _LEAST_LEFT)
    alike = float(correlation.product(root[:, None])[0, 0]) / total
    worth = max(total / alike - parameters, 1.0)
    prior, start = options.model_error_weight, options.model_error**2
    freedom = max(count - parameters, 1.0)
    whole = (prior * start + worth * seen**2 / kept) / (prior + worth)
    left = (prior * start * kept + count * seen**2) / (prior + freedom)
    widened = math.sqrt(whole) * (1.0 + _STUDENT / (prior + worth))
    return widened, math.sqrt(left * (1.0 + parameters / count))
