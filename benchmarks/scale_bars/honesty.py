"""Is the truth where the covariance says: of (s, t), and of each pixel."""

from __future__ import annotations

import itertools

import numpy as np
from scale_simulation import RelativeFrame, depths, measure, relative_frame

from benchmarks.scale_bars.methods import Floats
from benchmarks.scale_bars.parts import Bar, Options, Part, progress
from da_ros.scale.fit import Fit, Pairs, fit_scale_shift
from da_ros.scale.options import FitOptions

MARGINS = {0.0: 0.03, 0.3: 0.06}
PIXEL_CASES = ((20, 0.0), (20, 0.3), (50, 0.0), (50, 0.3), (150, 0.0), (150, 0.3))
NAMES = ("s", "t", "y in the middle")


def run(options: Options) -> Part:
    """Coverage under the stated noise, errors of points independent."""
    rows, bars = [], []
    for outliers, margin in MARGINS.items():
        away, refused = coverage(options.trials, outliers)
        inner, outer = (away < 1).mean(axis=0), (away < 1.96).mean(axis=0)
        for name, one, two in zip(NAMES, inner, outer, strict=True):
            rows.append([f"{outliers:.0%}", name, float(one), float(two), refused])
            said = f"{name}, {outliers:.0%} outliers: share within"
            bars.append(Bar(f"{said} 1 sigma", float(one), 0.683 - margin, 0.683 + margin))
            bars.append(Bar(f"{said} 1.96 sigma", float(two), 0.95 - margin, 0.95 + margin))
    columns = ("outliers", "of", "1 sigma", "1.96 sigma", "refused")
    return Part("honesty of (s, t)", columns, rows, bars, (f"{options.trials} trials",))


def coverage(trials: int, outliers: float) -> tuple[Floats, int]:
    """Deviations of s, t and y at the middle d in their own sigmas, (n, 3), and refusals."""
    away, refused = [], 0
    for trial in progress(range(trials), f"honesty {outliers:.0%}", trials):
        rng = np.random.default_rng([trial, round(outliers * 100)])
        count = (10, 20, 50, 100)[trial % 4]
        scale, shift = np.exp(rng.uniform(-2, 2)), rng.uniform(-0.05, 0.3)
        z = np.exp(rng.uniform(np.log(0.5), np.log(5.0), count))
        d = ((1 + 0.05 * rng.standard_normal(count)) / z - shift) / scale
        z = z * (1 + 0.01 * rng.standard_normal(count))
        wrong = rng.permutation(count) < round(outliers * count)
        z[wrong] = rng.uniform(0.3, 10.0, int(wrong.sum()))
        found = fit_scale_shift(Pairs(d, z, 0.01 * z), FitOptions(seed=trial))
        if not isinstance(found, Fit):
            refused += 1
            continue
        rows = np.array([[1.0, 0.0], [0.0, 1.0], [float(np.median(d)), 1.0]])
        off = rows @ (found.coefficients - [scale, shift])
        away.append(np.abs(off) / np.sqrt(np.einsum("ij,jk,ik->i", rows, found.covariance, rows)))
    return np.array(away), refused


def run_pixels(options: Options) -> Part:
    """Coverage of held-out pixels: ``depth/std``."""
    rows, bars = [], []
    for count, outliers in PIXEL_CASES:
        inside, line = pixel_coverage(options, count, outliers)
        one, two = float(inside[0]), float(inside[1])
        of_line = [float((line[:, k] < limit).mean()) for k in (0, 1) for limit in (1, 1.96)]
        rows.append([count, f"{outliers:.0%}", one, two, *of_line])
        said = f"{count} points, {outliers:.0%} outliers: pixels within"
        bars.append(Bar(f"{said} 1 sigma", one, 0.63, 0.73))
        bars.append(Bar(f"{said} 2 sigma", two, 0.92, 0.98))
    columns = ("points", "outliers", "1 sigma", "2 sigma", "s 1", "s 1.96", "t 1", "t 1.96")
    note = "smooth error field of 5 %; s, t: share of fits whose own sigma holds the truth"
    return Part("honesty of depth/std", columns, rows, bars, (note,))


def pixel_coverage(options: Options, count: int, outliers: float) -> tuple[Floats, Floats]:
    """Share of pixels inside 1 and 2 sigma, (2,), and deviations of s and t, (n, 2)."""
    inside, line = [], []
    frames = depths(options.data)[:: options.every]
    draws = list(itertools.product(enumerate(frames), range(options.seeds)))
    for (number, depth), seed in progress(draws, f"pixels {count} {outliers:.0%}", len(draws)):
        rng = np.random.default_rng([number, seed, 1])
        frame = relative_frame(depth, rng)
        found = fit_scale_shift(measure(frame, count, outliers, rng), FitOptions())
        if not isinstance(found, Fit):
            continue
        inside.append(_inside(frame, found))
        off = np.abs(found.coefficients - [frame.scale, frame.shift])
        line.append(off / np.sqrt(np.diag(found.covariance)))
    return np.mean(inside, axis=0), np.array(line)


def _inside(frame: RelativeFrame, found: Fit) -> tuple[float, float]:
    d, z = frame.d[frame.valid][::37], frame.depth[frame.valid][::37]
    y = found.coefficients[0] * d + found.coefficients[1]
    rows = np.stack((d, np.ones_like(d)), axis=1)
    of_line = np.einsum("ij,jk,ik->i", rows, found.covariance, rows)
    sigma = np.sqrt(of_line + (found.pixel_error * y) ** 2)
    away = np.abs(y - 1 / z) / sigma
    return float((away < 1).mean()), float((away < 2).mean())
