"""Ways to find a line through points: ours, and those that it is measured against."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from da_ros.scale.fit import Fit, Pairs, fit_scale_shift
from da_ros.scale.options import FitOptions

Floats = NDArray[np.float64]
Line = Floats | None


def ours(pairs: Pairs) -> Line:
    found = fit_scale_shift(pairs, FitOptions(fewest_points=5))
    return found.coefficients if isinstance(found, Fit) else None


def ours_without_frame(pairs: Pairs) -> Line:
    found = fit_scale_shift(
        Pairs(pairs.network, pairs.depth, pairs.sigma), FitOptions(fewest_points=5)
    )
    return found.coefficients if isinstance(found, Fit) else None


def least_squares(pairs: Pairs) -> Line:
    return _solve(pairs, np.ones(len(pairs.depth)))


def huber(pairs: Pairs) -> Line:
    """Reweighted with k = 1.345 MAD sigma."""
    weights = np.ones(len(pairs.depth))
    for _ in range(30):
        line = _solve(pairs, weights)
        away = np.abs(line[0] * pairs.network + line[1] - 1 / pairs.depth)
        sigma = max(1.4826 * float(np.median(away)), 1e-12)
        weights = np.minimum(1.0, 1.345 * sigma / np.maximum(away, 1e-12))
    return line


def sensor_only(pairs: Pairs) -> Line:
    """RANSAC inliers, then weights of a sensor with a constant sigma_z: z^4."""
    line = _ransac(pairs)
    y = 1 / pairs.depth
    keep = np.abs(line[0] * pairs.network + line[1] - y) < 0.15 * y
    return _solve(pairs, np.where(keep, pairs.depth**4, 0.0)) if keep.sum() > 1 else line


def ransac(pairs: Pairs) -> Line:
    """Relative threshold of 8 %, then least squares over the inliers."""
    line = _ransac(pairs)
    y = 1 / pairs.depth
    keep = np.abs(line[0] * pairs.network + line[1] - y) < 0.08 * y
    return _solve(pairs, np.where(keep, pairs.depth**2, 0.0)) if keep.sum() > 1 else line


def trimmed(pairs: Pairs) -> Line:
    """Least trimmed squares of half the points, from 50 random pairs, relative residuals."""
    rng, y, half = np.random.default_rng(0), 1 / pairs.depth, len(pairs.depth) // 2 + 1
    best, lowest = None, np.inf
    for _ in range(50):
        weights = np.zeros(len(y))
        weights[rng.choice(len(y), 2, replace=False)] = 1.0
        for _ in range(5):
            line = _solve(pairs, weights)
            away = np.square((line[0] * pairs.network + line[1] - y) / y)
            kept = np.argsort(away)[:half]
            weights = np.zeros(len(y))
            weights[kept] = pairs.depth[kept] ** 2
        if away[kept].sum() < lowest:
            best, lowest = line, float(away[kept].sum())
    return best


def median_mad(pairs: Pairs) -> Line:
    """Match median and mean absolute deviation, as relative benchmarks align."""
    y, d = 1 / pairs.depth, pairs.network
    scale = float(np.mean(np.abs(y - np.median(y)))) / float(np.mean(np.abs(d - np.median(d))))
    return np.array([scale, float(np.median(y)) - scale * float(np.median(d))])


METHODS: dict[str, Callable[[Pairs], Line]] = {
    "ours": ours,
    "ours, points alone": ours_without_frame,
    "LS": least_squares,
    "Huber": huber,
    "RANSAC 8 %": ransac,
    "LTS": trimmed,
    "median/MAD": median_mad,
    "sensor-only": sensor_only,
}


def _solve(pairs: Pairs, weights: Floats) -> Floats:
    root = np.sqrt(weights)
    design = np.stack((pairs.network, np.ones_like(pairs.network)), axis=1) * root[:, None]
    return np.asarray(np.linalg.lstsq(design, root / pairs.depth, rcond=None)[0])


def _ransac(pairs: Pairs) -> Floats:
    d, y = pairs.network, 1 / pairs.depth
    chosen = list(itertools.combinations(range(len(d)), 2))
    if len(chosen) > 200:
        rng = np.random.default_rng(0)
        chosen = [tuple(rng.choice(len(d), 2, replace=False)) for _ in range(200)]
    i, j = np.array(chosen).T
    with np.errstate(all="ignore"):
        scale = (y[j] - y[i]) / (d[j] - d[i])
        lines = np.stack((scale, y[i] - scale * d[i]), axis=1)
        lines = lines[np.isfinite(lines).all(axis=1)]
        count = (np.abs(lines[:, :1] * d + lines[:, 1:] - y) < 0.08 * y).sum(axis=1)
    return np.asarray(lines[int(np.argmax(count))])
