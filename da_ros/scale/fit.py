"""Scale and shift of one frame from sparse measurements, or the reason why there are none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from da_ros.scale.accuracy import accuracy_of
from da_ros.scale.correlation import Correlation
from da_ros.scale.options import FitOptions
from da_ros.scale.robust import Floats, Reweighted, best_factor, best_pair, reweighted
from da_ros.scale.whole_frame import FrameSample, line_of_frame

_INLIER = 3.0  # Standard deviations.


class Reason(str, Enum):
    """Why there is no scale."""

    TOO_FEW_POINTS = "too_few_points"
    TOO_LITTLE_SPREAD = "too_little_spread"
    LOW_INLIER_RATIO = "low_inlier_ratio"
    NEGATIVE_SCALE = "negative_scale"
    ILL_CONDITIONED = "ill_conditioned"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, eq=False)
class Refusal:
    """No scale from these points.

    Attributes:
        reason: For machines.
        message: For people: what was found, what is needed.
        offered: Points that came.
        used: Of these, with finite, positive numbers.
        inliers: Of these, that agree with the best line; 0 where none was sought.
    """

    reason: Reason
    message: str
    offered: int
    used: int = 0
    inliers: int = 0


@dataclass(frozen=True, eq=False)
class Fit:
    """A fit with its uncertainty.

    Attributes:
        coefficients: (s, t) of y = s d + t, or (k,) of z = k z_network.
        covariance: Of the coefficients, (2, 2) or (1, 1).
        of_model: The part of it that is the model's error, alike over regions.
        model_error: Relative error of the model's y (or z), standard deviation, re-estimated; with
            what the fit swallowed of it.
        frame_error: The part that is left in this frame after the fit: how far off a pixel of
            it is, relative, standard deviation.
        moment: Mean of (d, 1)^T (d, 1) / y^2 over the inliers, the shape of ``covariance``.
        residual: Median of the inliers' relative residuals.
        inlier: Which of the points offered agree, (N,) bool.
        used: Points with finite, positive numbers.
    """

    coefficients: Floats
    covariance: Floats
    of_model: Floats
    model_error: float
    frame_error: float
    moment: Floats
    residual: float
    inlier: NDArray[np.bool_]
    used: int

    @property
    def pixel_error(self) -> float:
        """What ``covariance`` leaves unexplained of ``frame_error``, relative.

        The predictive variance of a pixel is that of its s d + t plus this: ``uncertainty``.
        """
        explained = float(np.sum(self.covariance * self.moment))
        return math.sqrt(max(self.frame_error**2 - explained, 0.02 * self.frame_error**2))

    @property
    def offered(self) -> int:
        """Points that came."""
        return len(self.inlier)

    @property
    def inliers(self) -> int:
        """Points that agree."""
        return int(self.inlier.sum())


@dataclass(frozen=True, eq=False)
class Pairs:
    """What the network says and what was measured, at the same pixels.

    Attributes:
        network: Relative inverse depth, or metres of a metric model, (N,).
        depth: Measured along the optical axis, (N,) [m].
        sigma: Standard deviation of the measurement, (N,) [m].
        pixels: Where, (N, 2) [px]; None if not known, then errors count as independent.
        size: (height, width) of the image of these pixels.
        common: What one standard deviation of each error shared by all points (a camera's pitch,
            its height) does to 1/z, (N, K) [1/m]; None if there is none.
        frame: The network over the whole frame, whose line is wanted; None: that of the points.
    """

    network: Floats
    depth: Floats
    sigma: Floats
    pixels: Floats | None = None
    size: tuple[int, int] = (0, 0)
    common: Floats | None = None
    frame: FrameSample | None = None


def fit_scale_shift(pairs: Pairs, options: FitOptions) -> Fit | Refusal:
    """Fit 1/z = s d + t.

    RANSAC over pairs of points with a relative threshold, then least squares with Tukey's
    biweight (Huber's weights where the sensor is trusted), each point weighted by its sensor's
    noise and the model's own relative error, which is re-estimated from the residuals. Where the
    frame is given, the line is then that of the frame. The covariance counts neighbouring pixels'
    errors as alike. The order of the points does not matter.

    Args:
        pairs: Relative inverse depth d against measured z.
        options: When to refuse, and the seed.

    Returns:
        The fit, or why there is none.
    """
    chosen = _usable(pairs)
    if len(chosen) < options.fewest_points:
        return _too_few(pairs, len(chosen), options)
    d, z = pairs.network[chosen], pairs.depth[chosen]
    y, sensor = 1.0 / z, pairs.sigma[chosen] / z**2
    tolerance = np.hypot(options.threshold * y, 2.0 * sensor)
    start = best_pair(d, y, tolerance, options.seed, options.hypotheses)
    if start is None:
        said = (
            "the network says the same at every measured pixel (a wall, or fog): one line of many"
        )
        return Refusal(Reason.TOO_LITTLE_SPREAD, said, len(pairs.depth), len(chosen))
    lines = _Lines(pairs, chosen, np.stack((d, np.ones_like(d)), axis=1), y, sensor)
    found = lines.refined(start, options)
    return (
        _low_ratio(lines, found, options)
        or _no_line(lines, found, options)
        or _fit(lines, found, options)
    )


def fit_factor(pairs: Pairs, options: FitOptions) -> Fit | Refusal:
    """Fit z = k z_network, for metric models.

    Starts from the ratio that most points agree with; otherwise as ``fit_scale_shift``. Errors
    shared by all points are given as those of 1/z.

    Args:
        pairs: Metres of the model against measured metres.
        options: When to refuse.

    Returns:
        The fit, or why there is none.
    """
    chosen = _usable(pairs)
    chosen = chosen[pairs.network[chosen] > 0]
    if len(chosen) < options.fewest_points:
        return _too_few(pairs, len(chosen), options)
    z_network, z, sensor = pairs.network[chosen], pairs.depth[chosen], pairs.sigma[chosen]
    lines = _Lines(pairs, chosen, z_network[:, None], z, sensor)
    tolerance = np.hypot(options.threshold * z, 2.0 * sensor)
    start = np.array([best_factor(z_network, z, tolerance)])
    found = lines.refined(start, options)
    return _low_ratio(lines, found, options) or _fit(lines, found, options)


@dataclass(frozen=True, eq=False)
class _Lines:
    """The equations of a fit: design @ coefficients = target, for the chosen of the pairs."""

    pairs: Pairs
    chosen: NDArray[np.int64]
    design: Floats
    target: Floats
    sensor: Floats

    def refined(self, start: Floats, options: FitOptions) -> Reweighted:
        """Least squares around a start; errors are relative to what was measured."""
        return reweighted(
            self.design,
            self.target,
            self.sensor,
            self.target,
            start,
            options.model_error,
            options.model_error_weight,
            trusted=options.trusted,
        )

    def refusal(self, reason: Reason, inliers: int, message: str) -> Refusal:
        return Refusal(reason, message, len(self.pairs.depth), len(self.chosen), inliers)

    @property
    def common(self) -> Floats | None:
        """What shared errors do to the target, (N, K)."""
        if self.pairs.common is None:
            return None
        effect = self.pairs.common[self.chosen]
        if self.design.shape[1] == 1:
            return effect * (self.target**2)[:, None]  # dz = -z^2 dy, and the sign plays no part.
        return effect

    @property
    def pixels(self) -> Floats | None:
        """Where the points are, if it is known."""
        known = self.pairs.pixels is not None and min(self.pairs.size) > 0
        return self.pairs.pixels[self.chosen] if known and self.pairs.pixels is not None else None


def _usable(pairs: Pairs) -> NDArray[np.int64]:
    """Indices of points with finite numbers, z > 0 and sigma >= 0, in an order of their own."""
    d, z, sigma = pairs.network, pairs.depth, pairs.sigma
    good = np.isfinite(d) & np.isfinite(z) & (z > 0) & np.isfinite(sigma) & (sigma >= 0)
    index = np.flatnonzero(good)
    # Sorted by value: which pairs are drawn, and how sums round, depends on no one's order.
    return index[np.lexsort((sigma[index], z[index], d[index]))]


def _inliers(found: Reweighted) -> NDArray[np.bool_]:
    return np.asarray(np.abs(found.residual) <= _INLIER * found.sigma)


def _low_ratio(lines: _Lines, found: Reweighted, options: FitOptions) -> Refusal | None:
    """Refuse what only a wide tolerance makes agree: what counts here does not grow with noise."""
    tolerance = np.hypot(2.0 * options.threshold * lines.target, _INLIER * lines.sensor)
    count, total = int((np.abs(found.residual) <= tolerance).sum()), len(lines.chosen)
    # A line through two of a few points meets others by chance: ask for more of them.
    needed = options.lowest_inlier_ratio + options.chance / math.sqrt(total)
    fewest = max(options.fewest_points / 2, min(needed, 1.0) * total)
    if count >= fewest:
        return None
    return lines.refusal(
        Reason.LOW_INLIER_RATIO,
        count,
        f"{count} of {total} points agree with the best line (needed: {math.ceil(fewest)}); "
        "check time stamps, mounting and units",
    )


def _no_line(lines: _Lines, found: Reweighted, options: FitOptions) -> Refusal | None:
    """Refuse what agrees with itself, but is no rising line."""
    inlier = _inliers(found)
    measured, scale = lines.target[inlier], float(found.coefficients[0])
    spread = float(measured.std() / measured.mean())
    told = float(abs(scale) * lines.design[inlier, 0].std() / measured.mean())
    if spread < options.smallest_spread or told < options.smallest_spread / 2:
        return lines.refusal(
            Reason.TOO_LITTLE_SPREAD,
            len(measured),
            f"the inverse depths measured vary by {spread:.1%}, those fitted by {told:.1%} "
            f"(needed: {options.smallest_spread:.0%}); another distance must come into view",
        )
    if scale <= 0:
        return lines.refusal(
            Reason.NEGATIVE_SCALE,
            len(measured),
            f"the best line falls (s = {scale:.4g}): what the network calls near was measured "
            "far; the measurements are not of this image",
        )
    return None


def _fit(lines: _Lines, found: Reweighted, options: FitOptions) -> Fit | Refusal:
    """Bring the line to the frame, judge its accuracy, and refuse what is too inaccurate."""
    pairs, pixels = lines.pairs, lines.pixels
    correlation, length = Correlation.independent(), options.correlation_length
    coefficients = found.coefficients
    if pixels is not None and length > 0:
        correlation = Correlation.of_pixels(pixels, pairs.size, length)
        if pairs.frame is not None and len(coefficients) == 2:
            reach = length * math.hypot(*pairs.size)
            coefficients = line_of_frame(
                found, lines.design, lines.target, pixels, pairs.frame, reach
            )
    accuracy = accuracy_of(
        found,
        lines.design,
        lines.target,
        lines.sensor,
        pairs.depth[lines.chosen],
        lines.common,
        correlation,
        options,
    )
    inlier = np.zeros(len(pairs.depth), bool)
    inlier[lines.chosen] = _inliers(found)
    scale = float(coefficients[0])
    wide = math.sqrt(float(accuracy.covariance[0, 0])) / scale if scale > 0 else math.inf
    if not wide <= options.largest_scale_error:
        return lines.refusal(
            Reason.ILL_CONDITIONED,
            int(inlier.sum()),
            f"the scale would be known to {wide:.0%} only (needed: "
            f"{options.largest_scale_error:.0%}); more points, or at more distances",
        )
    residual = np.abs(found.residual / lines.target)[inlier[lines.chosen]]
    return Fit(
        coefficients,
        accuracy.covariance,
        accuracy.of_model,
        accuracy.model_error,
        accuracy.frame_error,
        accuracy.moment,
        float(np.median(residual)),
        inlier,
        len(lines.chosen),
    )


def _too_few(pairs: Pairs, used: int, options: FitOptions) -> Refusal:
    return Refusal(
        Reason.TOO_FEW_POINTS,
        f"{used} usable points of {len(pairs.depth)} (needed: {options.fewest_points}); usable "
        "are finite, positive depths where the network says something",
        len(pairs.depth),
        used,
    )
