"""AbsRel of every method as the ratio of its median to that of the oracle.

On real depth made relative: field = white noise on a 1/8 grid, Gaussian blur 80 px, unit RMS,
x 0.05 on y; 1 % sensor noise; outliers uniform in [0.3 m, 2 z_max]; s log-uniform e^+-2, t uniform
-0.05..0.3. The oracle is least squares over all clean pixels of the same frames.
"""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
from scale_simulation import abs_rel, depths, measure, oracle, relative_frame

from benchmarks.scale_bars.methods import METHODS, Floats
from benchmarks.scale_bars.parts import Bar, Options, Part, progress

CASES = ((5, 0.0), (10, 0.1), (20, 0.0), (20, 0.3), (50, 0.5), (150, 0.3))
BARS = {(20, 0.3): 1.08, (10, 0.1): 1.08, (150, 0.3): 1.03, (50, 0.5): 1.10}
PIXEL_STEP = 7  # AbsRel is taken on every 7th pixel.
OURS = "ours"

Rows = dict[tuple[str, int, float], list[float]]


def run(options: Options) -> Part:
    """Fit every case by every method."""
    frames = depths(options.data)[:: options.every]
    draws = list(itertools.product(enumerate(frames), range(options.seeds)))
    best: list[float] = []
    rows: Rows = defaultdict(list)
    for (number, depth), seed in progress(draws, "accuracy", len(draws)):
        rng = np.random.default_rng([number, seed])
        frame = relative_frame(depth, rng)
        best.append(abs_rel(frame, *oracle(frame), step=PIXEL_STEP))
        for count, outliers in CASES:
            pairs = measure(frame, count, outliers, rng)
            for name, method in METHODS.items():
                line = method(pairs)
                error = np.nan if line is None else abs_rel(frame, *line, step=PIXEL_STEP)
                rows[name, count, outliers].append(error)
    return _part(rows, np.array(best), len(frames), options.seeds)


def _part(rows: Rows, best: Floats, frames: int, seeds: int) -> Part:
    table, bars = [], []
    for (name, count, outliers), errors in rows.items():
        values = np.array(errors)
        seen = np.isfinite(values)
        ratio = ratio_of_medians(values, best)
        table.append(
            [
                count,
                f"{outliers:.0%}",
                name,
                float(np.median(values[seen])),
                float(np.percentile(values[seen], 95)),
                ratio,
                _uncertainty(values, best),
                float(np.median(values[seen] / best[seen])),
                int((~seen).sum()),
            ]
        )
        if name == OURS and (count, outliers) in BARS:
            title = f"{count} points, {outliers:.0%} outliers: AbsRel over the oracle's"
            bars.append(Bar(title, ratio, high=BARS[count, outliers]))
    columns = ("points", "outliers", "method", "median", "p95", "ratio", "+-", "paired", "refused")
    note = (
        f"{frames} frames x {seeds} seeds; oracle: median {np.median(best):.4f}, p95 "
        f"{np.percentile(best, 95):.4f}. +-: one standard deviation of the ratio over draws "
        "(bootstrap). What was refused counts in no figure."
    )
    return Part("accuracy", columns, table, bars, (note,))


def ratio_of_medians(values: Floats, best: Floats) -> float:
    """Of the errors that are there, to the oracle's of the same draws."""
    seen = np.isfinite(values)
    return float(np.median(values[seen]) / np.median(best[seen]))


def _uncertainty(values: Floats, best: Floats) -> float:
    rng = np.random.default_rng(0)
    again = rng.integers(0, len(values), (200, len(values)))
    return float(np.std([ratio_of_medians(values[pick], best[pick]) for pick in again]))
