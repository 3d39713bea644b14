"""(s, t) jump +-20 % every frame; one frame in five is measured; a cut in the middle."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from scale_simulation import RelativeFrame, abs_rel, depths, measure, relative_frame

from benchmarks.scale_bars.parts import MODEL, Bar, Options, Part, progress
from da_ros.scale.calibrator import Calibrator, CalibratorOptions, NetworkFrame
from da_ros.scale.fit import Fit, Pairs, fit_scale_shift
from da_ros.scale.observations.points import PixelDepths
from da_ros.scale.options import FitOptions
from da_ros.types import ScaleShift

FRAMES, CUT, EVERY = 40, 20, 5


@dataclass
class _Found:
    """AbsRel by the filter and by a fit of the frame, and when each cut was recovered from."""

    kept: list[float] = field(default_factory=list)
    every: list[float] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)


def run(options: Options) -> Part:
    """Follow the scale through jumps and cuts."""
    frames = depths(options.data)[:: options.every]
    found = _Found()
    draws = list(itertools.product(range(len(frames) - 1), range(options.seeds)))
    for number, seed in progress(draws, "temporal", len(draws)):
        rng = np.random.default_rng([number, seed, 2])
        _follow([relative_frame(frames[number + k], rng) for k in (0, 1)], rng, found)
    ratio = float(np.median(found.kept) / np.median(found.every))
    late = float(np.mean(np.array(found.recovered) > 5))
    never = int(np.isinf(found.recovered).sum())
    rows = [
        ["filter, every 5th frame measured", *_figures(found.kept)],
        ["a fit of every frame", *_figures(found.every)],
    ]
    bars = [
        Bar("AbsRel of the filter over that of a fit of every frame", ratio, high=1.25),
        Bar("share of cuts not recovered within 5 observed frames", late, high=0.0),
    ]
    note = (
        f"{len(found.recovered)} cuts, recovered after a median of "
        f"{np.median(found.recovered):.0f} observed frames, never: {never}"
    )
    return Part("temporal", ("method", "median AbsRel", "p95"), rows, bars, (note,))


def _figures(errors: list[float]) -> list[float]:
    return [float(np.median(errors)), float(np.percentile(errors, 95))]


def _follow(shots: list[RelativeFrame], rng: np.random.Generator, found: _Found) -> None:
    one = Calibrator(MODEL, CalibratorOptions())
    observed_since_cut, recovered_after = 0, np.inf
    for step in range(FRAMES):
        shot = _jumped(shots[step >= CUT], rng)
        pairs = measure(shot, 60, 0.2, rng)
        given = [_pixel_depths(pairs)] if step % EVERY == 0 else []
        observed_since_cut = 0 if step == CUT else observed_since_cut
        observed_since_cut += bool(given)
        frame = NetworkFrame(shot.d.astype(np.float32), step * 100_000_000, shot.d.shape)
        made = one.observe(frame, given).estimate.transform
        fit = fit_scale_shift(pairs, FitOptions())
        if not isinstance(made, ScaleShift) or not isinstance(fit, Fit):
            continue
        found.kept.append(abs_rel(shot, made.scale, made.shift, step=37))
        found.every.append(abs_rel(shot, *fit.coefficients, step=37))
        if step >= CUT and found.kept[-1] <= 1.25 * found.every[-1]:
            recovered_after = min(recovered_after, observed_since_cut)
    found.recovered.append(recovered_after)


def _jumped(base: RelativeFrame, rng: np.random.Generator) -> RelativeFrame:
    scale, shift = base.scale * rng.uniform(0.8, 1.2), base.shift * rng.uniform(0.8, 1.2)
    d = (base.scale * base.d + base.shift - shift) / scale
    return RelativeFrame(d, base.depth, scale, shift)


def _pixel_depths(pairs: Pairs) -> PixelDepths:
    assert pairs.pixels is not None
    return PixelDepths("depth_image", pairs.pixels, pairs.depth, pairs.sigma)
