"""Milliseconds of processor time of a fit, in one thread."""

from __future__ import annotations

import time

import numpy as np
from scale_simulation import depths, measure, relative_frame

from benchmarks.scale_bars.parts import Bar, Options, Part
from da_ros.scale.fit import fit_scale_shift
from da_ros.scale.options import FitOptions

CASES = ((20, 0.3), (150, 0.3), (300, 0.3), (2000, 0.0), (2000, 0.3))


def run(options: Options) -> Part:
    """Time a fit."""
    rows, bars = [], []
    depth = depths(options.data)[5]
    for count, outliers in CASES:
        rng = np.random.default_rng(0)
        pairs = measure(relative_frame(depth, rng), count, outliers, rng)
        times = []
        for number in range(60):
            start = time.process_time()
            fit_scale_shift(pairs, FitOptions(seed=number))
            times.append((time.process_time() - start) * 1e3)
        median, late = (float(np.percentile(times[10:], share)) for share in (50, 95))
        rows.append([count, f"{outliers:.0%}", median, late])
        if count == 2000:
            bars.append(Bar(f"{count} points, {outliers:.0%} outliers [ms]", median, high=5.0))
    return Part("speed", ("points", "outliers", "median ms", "p95 ms"), rows, bars)
