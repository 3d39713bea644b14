"""How well scale and shift are found: accuracy, honesty, time.

    python -m benchmarks.scale accuracy [--data ../shared/data/rgbd] [--seeds 20]
    python -m benchmarks.scale honesty [--trials 5000]
    python -m benchmarks.scale temporal
    python -m benchmarks.scale speed
    python -m benchmarks.scale mounting [--scenes 200]

Accuracy is on real depth made relative: field = white noise on a 1/8 grid, Gaussian blur 80 px,
unit RMS, x 0.05 on y; 1 % sensor noise; outliers uniform in [0.3 m, 2 z_max]; s log-uniform
e^+-2, t uniform -0.05..0.3. AbsRel is quoted as the ratio of its median to the median of the
oracle: least squares over all clean pixels of the same frames.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from da_ros.geometry.unproject import project
from da_ros.scale.calibrator import Calibrator, CalibratorOptions, NetworkFrame
from da_ros.scale.extrinsic import MountingOptions, check_mounting, turned
from da_ros.scale.fit import Fit, Pairs, fit_scale_shift
from da_ros.scale.observations.points import PixelDepths
from da_ros.scale.options import FitOptions
from da_ros.types import Kind, ModelInfo, ScaleShift

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "support"))
from scale_simulation import RelativeFrame, abs_rel, depths, measure, oracle, relative_frame

Floats = NDArray[np.float64]
Line = Floats | None

CASES = ((5, 0.0), (10, 0.1), (20, 0.0), (20, 0.3), (50, 0.5), (150, 0.3))
BARS = {(20, 0.3): 1.08, (10, 0.1): 1.08, (150, 0.3): 1.03, (50, 0.5): 1.10}
PIXEL_STEP = 7  # AbsRel is taken on every 7th pixel.
MODEL = ModelInfo("nano", "0" * 64, True, Kind.RELATIVE_INVERSE_DEPTH, None, 0.5)


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


def accuracy(options: argparse.Namespace) -> None:
    """AbsRel of every method against the oracle."""
    rows: dict[tuple[str, int, float], list[float]] = defaultdict(list)
    best: list[float] = []
    refused: Counter[tuple[str, int, float]] = Counter()
    frames = depths(options.data)[:: options.every]
    for (number, depth), seed in itertools.product(enumerate(frames), range(options.seeds)):
        rng = np.random.default_rng([number, seed])
        frame = relative_frame(depth, rng)
        best.append(abs_rel(frame, *oracle(frame), step=PIXEL_STEP))
        for count, outliers in CASES:
            pairs = measure(frame, count, outliers, rng)
            for name, method in METHODS.items():
                line = method(pairs)
                if line is None:
                    refused[name, count, outliers] += 1
                    rows[name, count, outliers].append(np.nan)
                else:
                    error = abs_rel(frame, line[0], line[1], step=PIXEL_STEP)
                    rows[name, count, outliers].append(error)
    reference = np.array(best)
    print(f"{len(frames)} frames x {options.seeds} seeds; oracle: median {np.median(best):.4f}, ")
    print(f"p95 {np.percentile(best, 95):.4f}\n")
    print("| points | outliers | method | median | p95 | ratio | paired | bar | refused |")
    print("|-|-|-|-|-|-|-|-|-|")
    for (name, count, outliers), errors in rows.items():
        values = np.array(errors)
        seen = np.isfinite(values)
        ratio = np.median(values[seen]) / np.median(reference[seen])
        paired = np.median(values[seen] / reference[seen])
        bar = BARS.get((count, outliers), float("nan")) if name.startswith("ours") else np.nan
        print(
            f"| {count} | {outliers:.0%} | {name} | {np.median(values[seen]):.4f} | "
            f"{np.percentile(values[seen], 95):.4f} | {ratio:.3f} | {paired:.3f} | "
            f"{'' if np.isnan(bar) else f'{bar:.2f}'} | {refused[name, count, outliers]} |"
        )


def honesty(options: argparse.Namespace) -> None:
    """Coverage of (s, t) under independent noise, and of pixels in the simulation."""
    print("Share within 1 and 1.96 sigma of the truth, errors of points independent:\n")
    print("| outliers | trials | s | t | y in the middle | refused |\n|-|-|-|-|-|-|")
    for outliers in (0.0, 0.3):
        away, refused = coverage(options.trials, outliers)
        inner, outer = (away < 1).mean(axis=0), (away < 1.96).mean(axis=0)
        cells = " | ".join(f"{a:.3f} {b:.3f}" for a, b in zip(inner, outer, strict=True))
        print(f"| {outliers:.0%} | {options.trials} | {cells} | {refused} |")
    print("\nShare of held-out pixels within 1 and 2 sigma (smooth error field of 5 %):\n")
    print("| points | outliers | 1 sigma | 2 sigma | s 1, 1.96 sigma | t |\n|-|-|-|-|-|-|")
    for count, outliers in ((20, 0.0), (20, 0.3), (50, 0.0), (50, 0.3), (150, 0.0), (150, 0.3)):
        inside, line = pixel_coverage(options, count, outliers)
        one, two = inside
        shown = " | ".join(
            f"{(line[:, k] < 1).mean():.3f} {(line[:, k] < 1.96).mean():.3f}" for k in (0, 1)
        )
        print(f"| {count} | {outliers:.0%} | {one:.3f} | {two:.3f} | {shown} |")


def coverage(trials: int, outliers: float) -> tuple[Floats, int]:
    """Deviations of s, t and y at the middle d in their own sigmas, (n, 3), and refusals."""
    away, refused = [], 0
    for trial in range(trials):
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


def pixel_coverage(
    options: argparse.Namespace, count: int, outliers: float
) -> tuple[Floats, Floats]:
    """Share of pixels inside 1 and 2 sigma, (2,), and deviations of s and t, (n, 2)."""
    inside, line = [], []
    frames = depths(options.data)[:: options.every]
    for (number, depth), seed in itertools.product(enumerate(frames), range(options.seeds)):
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


def temporal(options: argparse.Namespace) -> None:
    """(s, t) jump +-20 % every frame; one frame in five is measured; a cut in the middle."""
    frames = depths(options.data)[:: options.every]
    kept, every, recovered = [], [], []
    for number, seed in itertools.product(range(len(frames) - 1), range(options.seeds)):
        rng = np.random.default_rng([number, seed, 2])
        one = Calibrator(MODEL, CalibratorOptions())
        shots = [relative_frame(frames[number + k], rng) for k in (0, 1)]
        observed_since_cut, recovered_after = 0, np.inf
        for step in range(40):
            base = shots[step >= 20]
            shot = _jumped(base, rng)
            pairs = measure(shot, 60, 0.2, rng)
            given = [_pixel_depths(pairs)] if step % 5 == 0 else []
            observed_since_cut = 0 if step == 20 else observed_since_cut
            observed_since_cut += bool(given)
            stamp = step * 100_000_000
            estimate = one.observe(
                NetworkFrame(shot.d.astype(np.float32), stamp, shot.d.shape), given
            ).estimate
            made = estimate.transform
            if not isinstance(made, ScaleShift):
                continue
            fit = fit_scale_shift(pairs, FitOptions())
            if not isinstance(fit, Fit):
                continue
            kept.append(abs_rel(shot, made.scale, made.shift, step=37))
            every.append(abs_rel(shot, *fit.coefficients, step=37))
            if step >= 20 and kept[-1] <= 1.25 * every[-1]:
                recovered_after = min(recovered_after, observed_since_cut)
        recovered.append(recovered_after)
    ratio = np.median(kept) / np.median(every)
    print(f"filter, observed every 5th frame: median AbsRel {np.median(kept):.4f}, p95 ", end="")
    print(f"{np.percentile(kept, 95):.4f}; a fit of every frame: {np.median(every):.4f}, ", end="")
    print(f"p95 {np.percentile(every, 95):.4f}; ratio {ratio:.3f} (bar 1.25)")
    late = np.mean(np.array(recovered) > 5)
    print(
        f"{len(recovered)} cuts, recovered after a median of {np.median(recovered):.0f} ", end=""
    )
    print(f"observed frames, at most {max(recovered)} (bar 5; inf: never), later: {late:.0%}")


def _jumped(base: RelativeFrame, rng: np.random.Generator) -> RelativeFrame:
    scale, shift = base.scale * rng.uniform(0.8, 1.2), base.shift * rng.uniform(0.8, 1.2)
    d = (base.scale * base.d + base.shift - shift) / scale
    return RelativeFrame(d, base.depth, scale, shift)


def _pixel_depths(pairs: Pairs) -> PixelDepths:
    assert pairs.pixels is not None
    return PixelDepths("depth_image", pairs.pixels, pairs.depth, pairs.sigma)


def speed(options: argparse.Namespace) -> None:
    """Milliseconds of processor time of a fit, in one thread."""
    print("| points | outliers | median ms | p95 ms |\n|-|-|-|-|")
    depth = depths(options.data)[5]
    for count, outliers in ((20, 0.3), (150, 0.3), (300, 0.3), (2000, 0.0), (2000, 0.3)):
        rng = np.random.default_rng(0)
        pairs = measure(relative_frame(depth, rng), count, outliers, rng)
        times = []
        for number in range(60):
            start = time.process_time()
            fit_scale_shift(pairs, FitOptions(seed=number))
            times.append((time.process_time() - start) * 1e3)
        print(
            f"| {count} | {outliers:.0%} | {np.median(times[10:]):.2f} | "
            f"{np.percentile(times[10:], 95):.2f} |"
        )


def mounting(options: argparse.Namespace) -> None:
    """Verdicts on a scanner mounted rightly, and 2 degrees off in yaw or pitch."""
    from scanned_scene import said, scanned, scanner_in_camera, scene_worth_scanning

    off = math.radians(2.0)
    turns = {"as mounted": (0.0, 0.0), "yaw": (off, 0.0), "pitch": (0.0, off)}
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    for seed in range(options.scenes):
        scene = scene_worth_scanning(seed, "room")
        view = scanned(scene, scene.camera, seed)
        pose = scanner_in_camera()
        points = view.cloud @ pose[:3, :3].T + pose[:3, 3]
        pixels = project(points, view.camera)
        high = np.array([view.camera.width, view.camera.height]) - 1
        points = points[((pixels >= 0) & (pixels <= high)).all(axis=1)]
        rng = np.random.default_rng(seed)
        points = points[rng.permutation(len(points))[:400]]
        d = said(view.y, 1.7, 0.04, 0.05, seed)
        for name, (yaw, pitch) in turns.items():
            moved = turned(points, yaw, pitch)
            found = check_mounting(moved, d, view.camera, MountingOptions())
            verdicts[name][str(found.verdict)] += 1
    for name, counts in verdicts.items():
        print(f"{name}: {dict(counts)}")
    print("bars: wrong in 95 % of yaw and of pitch, in at most 5 % as mounted")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = {"accuracy": accuracy, "honesty": honesty, "temporal": temporal, "speed": speed}
    parts |= {"mounting": mounting}
    parser.add_argument("part", choices=parts)
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--data", type=Path, default=root / "shared" / "data" / "rgbd")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--every", type=int, default=1, help="take every n-th frame (1)")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--trials", type=int, default=5000)
    options = parser.parse_args()
    parts[options.part](options)


if __name__ == "__main__":
    main()
