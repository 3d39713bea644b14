"""A scale that lives on from frame to frame, and says how long ago it was last seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from da_ros.scale.alignment import Alignment
from da_ros.scale.options import FilterOptions
from da_ros.scale.robust import Floats
from da_ros.types import DepthScale, ScaleShift

_GATE_SHARE = 6.63 / 9.21  # The 99 % points of chi-square with one and two numbers.


class ScaleState(str, Enum):
    """How much a scale is worth now."""

    NONE = "none"
    """Never seen, or lost."""

    CALIBRATED = "calibrated"
    """Seen a moment ago."""

    HELD = "held"
    """Carried on from a while ago, or contradicted by the last observation."""

    STALE = "stale"
    """Too long ago to be called metres."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class ScaleEstimate:
    """The scale of one frame.

    Attributes:
        state: How much it is worth.
        transform: For this very frame, with its covariance; None in states none and stale.
        pixel_error: Relative error of a pixel's y beyond the transform's own, standard deviation.
        stamp_ns: Of the frame.
        age: Since the last accepted observation [s]; NaN if there was none.
    """

    state: ScaleState
    transform: ScaleShift | DepthScale | None
    pixel_error: float
    stamp_ns: int
    age: float


@dataclass(frozen=True, eq=False)
class Observed:
    """What the sources say about a frame: one fit, or several fused.

    Attributes:
        coefficients: (s, t) or (k,).
        covariance: Of them.
        pixel_error: As in ``ScaleEstimate``.
        of_model: The part of the covariance that is the model's error, which is alike over
            regions of this frame and another in the next; None for none.
    """

    coefficients: Floats
    covariance: Floats
    pixel_error: float
    of_model: Floats | None = None


class ScaleFilter:
    """Kalman filter of (s, m) in y = s (d - d_ref) + m, or of k.

    d_ref is fixed: the mean of a frame moves, and with it the meaning of m. Where t is the value
    at d = 0, far outside of what is seen, m is measured directly, and nearly independent of s.

    Args:
        reference: d_ref in the unit of d; None for a metric model's k.
        options: Growth, gate and ages.
    """

    def __init__(self, reference: float | None, options: FilterOptions) -> None:
        self._options = options
        self._parameters = 1 if reference is None else 2
        shift = 0.0 if reference is None else reference
        self._to_reference = np.array([[1.0, 0.0], [shift, 1.0]])[
            : self._parameters, : self._parameters
        ]
        self._from_reference = np.linalg.inv(self._to_reference)
        self._stamp_ns: int | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the scale; the clock stays."""
        self._mean: Floats | None = None
        self._covariance: Floats = np.zeros((self._parameters, self._parameters))
        self._pixel_error = 0.0
        self._seen_ns = 0
        self._rejects = 0

    def state(self) -> dict[str, Any]:
        """What is remembered, in plain numbers and lists, for ``restore``."""
        return {
            "stamp_ns": self._stamp_ns,
            "mean": None if self._mean is None else self._mean.tolist(),
            "covariance": self._covariance.tolist(),
            "pixel_error": self._pixel_error,
            "seen_ns": self._seen_ns,
            "rejects": self._rejects,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was asked."""
        self._stamp_ns = state["stamp_ns"]
        self._mean = None if state["mean"] is None else np.array(state["mean"], np.float64)
        self._covariance = np.array(state["covariance"], np.float64)
        self._pixel_error = float(state["pixel_error"])
        self._seen_ns, self._rejects = int(state["seen_ns"]), int(state["rejects"])

    def predict(self, stamp_ns: int, alignment: Alignment | None) -> str:
        """Go on to the next frame.

        Args:
            stamp_ns: Of its message.
            alignment: From the frame before to this one; None if they do not show the same, or
                there is none before. Not read for metric models.

        Returns:
            Why the scale was forgotten; empty if it was not.
        """
        before, self._stamp_ns = self._stamp_ns, stamp_ns
        if before is None or self._mean is None:
            return ""
        seconds = (stamp_ns - before) * 1e-9
        lost = self._lost(seconds, alignment)
        if lost:
            self.reset()
            return lost
        if alignment is not None and self._parameters == 2:
            self._carry(alignment)
        grown = self._options.growth**2 * seconds * self._mean**2
        self._covariance = self._covariance + np.diag(grown)
        return ""

    def _lost(self, seconds: float, alignment: Alignment | None) -> str:
        if seconds < 0:
            return f"stamps went back by {-seconds:.3f} s"
        if self._parameters == 1:
            return ""
        if seconds > self._options.longest_gap:
            return f"no frame for {seconds:.1f} s, across which nothing can be carried"
        return "" if alignment is not None else "the scene was cut: this frame shows another"

    def _carry(self, alignment: Alignment) -> None:
        """Bring (s, t) along: s d' + t with d' = a d + b is (s a) d + (t + s b)."""
        scale, shift = self._from_reference @ self._mean
        a, b = alignment.a, alignment.b
        step = np.array([[a, 0.0], [b, 1.0]])
        covariance = self._from_reference @ self._covariance @ self._from_reference.T
        covariance = step @ covariance @ step.T + scale**2 * alignment.covariance
        self._mean = self._to_reference @ np.array([scale * a, shift + scale * b])
        self._covariance = self._to_reference @ covariance @ self._to_reference.T

    def update(self, observed: Observed) -> str:
        """Take in what was seen of the frame that ``predict`` went on to.

        Returns:
            Why it was not taken; empty if it was.

        Raises:
            ValueError: If no frame has been predicted, or the numbers are those of another kind.
        """
        if self._stamp_ns is None or len(observed.coefficients) != self._parameters:
            raise ValueError("update needs predict first, and a fit of the filter's kind")
        seen = self._to_reference @ observed.coefficients
        noise = self._to_reference @ observed.covariance @ self._to_reference.T
        if self._mean is not None:
            chi = _chi_square(seen - self._mean, self._covariance + noise)
            gate = self._options.gate * (1.0 if self._parameters == 2 else _GATE_SHARE)
            if chi > gate:
                self._rejects += 1
                if self._rejects < self._options.rejects_before_reset:
                    return f"gate: chi-square {chi:.1f} of at most {gate:.2f}"
                self.reset()
        of_model = observed.of_model
        if of_model is None:
            of_model = np.zeros_like(observed.covariance)
        self._take(seen, noise, self._to_reference @ of_model @ self._to_reference.T)
        self._pixel_error = observed.pixel_error
        self._seen_ns, self._rejects = self._stamp_ns, 0
        return ""

    def _take(self, seen: Floats, noise: Floats, of_model: Floats) -> None:
        if self._mean is None:
            self._mean, self._covariance = seen, noise
            return
        # What was right for the frames before need not be for this one, whose error is another.
        before = self._covariance + self._options.wander * of_model
        gain, covariance = _blend(before, noise, self._options.least_share)
        mean = self._mean + gain @ (seen - self._mean)
        if mean[0] <= 0:  # Two uncertain scales may cross zero between them; the newer stands.
            mean, covariance = seen, noise
        self._mean, self._covariance = mean, covariance

    def estimate(self) -> ScaleEstimate:
        """The scale of the frame that ``predict`` went on to."""
        stamp = self._stamp_ns or 0
        if self._mean is None:
            return ScaleEstimate(ScaleState.NONE, None, 0.0, stamp, math.nan)
        age = (stamp - self._seen_ns) * 1e-9
        if age >= self._options.stale_after:
            return ScaleEstimate(ScaleState.STALE, None, self._pixel_error, stamp, age)
        # What was measured last speaks against it: no longer what one would call calibrated.
        held = age >= self._options.held_after or self._rejects > 0
        state = ScaleState.HELD if held else ScaleState.CALIBRATED
        return ScaleEstimate(state, self._transform(), self._pixel_error, stamp, age)

    def _transform(self) -> ScaleShift | DepthScale:
        assert self._mean is not None
        values = self._from_reference @ self._mean
        covariance = self._from_reference @ self._covariance @ self._from_reference.T
        if self._parameters == 1:
            return DepthScale(float(values[0]), float(covariance[0, 0]))
        numbers = (covariance[0, 0], covariance[0, 1], covariance[1, 1])
        variances = (float(numbers[0]), float(numbers[1]), float(numbers[2]))
        return ScaleShift(float(values[0]), float(values[1]), variances)


def _chi_square(difference: Floats, covariance: Floats) -> float:
    return float(difference @ np.linalg.pinv(covariance, hermitian=True) @ difference)


def _blend(before: Floats, noise: Floats, least_share: float) -> tuple[Floats, Floats]:
    """Kalman gain and covariance after an observation whose errors are alike from one to the next.

    Seen in the directions in which both covariances are independent: where a share of the
    observation's variance is less than what was known, that share is what stays at least; where it
    is not, the observation tells nothing new, and what was known stands.
    """
    grain = 1e-12 * np.diag(np.diag(before) + np.diag(noise))  # else what is exact has no root
    try:
        root = np.linalg.cholesky(before + grain)
    except np.linalg.LinAlgError:  # both are exact
        return np.eye(len(before)), noise
    inverse = np.linalg.inv(root)
    values, vectors = np.linalg.eigh(inverse @ noise @ inverse.T)
    values = np.maximum(values, 0.0)
    learns = least_share * values <= 1.0 + 1e-9  # what is as good as what was known is averaged
    share = np.where(learns, 1.0 / (1.0 + values), 0.0)
    kept = np.where(learns, np.maximum(values * share, least_share * values), 1.0)
    gain: Floats = root @ (vectors * share) @ vectors.T @ inverse
    covariance: Floats = root @ (vectors * kept) @ vectors.T @ root.T
    return gain, covariance
