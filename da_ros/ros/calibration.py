"""The service ~/calibrate: some frames are fitted, and what they say together is said in words."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone

import numpy as np

from da_ros.pipeline import PackedFrame
from da_ros.scale.filter import Observed
from da_ros.scale.observations.static import StaticCalibration, calibration_of_fits
from da_ros.scale.uncertainty import sigma_at
from da_ros.types import DepthScale, Kind, ModelInfo, ScaleShift


class CalibrationRun:
    """Gathers the fits of frames; filled by the inference thread, watched by the executor's.

    Args:
        frames: How many fits are wanted.
        timeout_s: After which it gives up [s].
        on_end: Called once, in whichever thread ends it.
    """

    def __init__(self, frames: int, timeout_s: float, on_end: Callable[[], None]) -> None:
        self._frames, self._timeout_s = frames, timeout_s
        self._end = time.monotonic() + timeout_s
        self._on_end = on_end
        self._lock = threading.Lock()
        self._fits: list[Observed] = []
        self._sources: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._seen = 0
        self._size = (0, 0)
        self.fault = ""
        self.is_over = False

    def add(self, done: PackedFrame) -> None:
        """Take a frame's fit."""
        found = done.calibration
        if found is None or self.is_over:
            return
        with self._lock:
            self._seen += 1
            if self._size not in ((0, 0), done.network_size):
                self.fault = "the size of the images changed meanwhile"
            self._size = done.network_size
            if found.observed is not None:
                self._fits.append(found.observed)
                self._sources.update(r.source for r in found.reports if not r.reason)
            elif found.refusal:
                self._refusals[found.refusal] += 1
            complete = len(self._fits) >= self._frames or bool(self.fault)
        if complete:
            self._finish()

    def check(self) -> None:
        """Give up if the time is over."""
        if not self.is_over and time.monotonic() > self._end:
            self.abort(
                f"only {len(self._fits)} of {self._frames} frames could be fitted within "
                f"{self._timeout_s:g} s, of {self._seen} that came"
            )

    def abort(self, reason: str) -> None:
        """End it without a result."""
        if not self.is_over:
            common = self._refusals.most_common(1)
            self.fault = reason + (f"; mostly: {common[0][0]}" if common else "")
            self._finish()

    def result(self, model: ModelInfo, *, static_camera: bool) -> StaticCalibration:
        """Sum up."""
        return calibration_of_fits(
            self._fits,
            model,
            self._size,
            "+".join(sorted(self._sources)),
            datetime.now(timezone.utc).isoformat(timespec="seconds"),
            static_camera,
        )

    def _finish(self) -> None:
        with self._lock:
            if self.is_over:
                return
            self.is_over = True
        self._on_end()


def calibration_words(found: StaticCalibration) -> str:
    """Say what a calibration found, and what it is worth."""
    spread = np.sqrt(np.diag(np.array(found.covariance))) / np.abs(found.coefficients)
    transform: ScaleShift | DepthScale
    if found.kind is Kind.METRIC_DEPTH:
        (factor,), ((variance,),) = found.coefficients, found.covariance
        transform = DepthScale(factor, variance)
        what = f"factor {factor:.4g} +- {spread[0]:.1%}"
    else:
        scale, shift = found.coefficients
        (a, b), (_, c) = found.covariance
        transform = ScaleShift(scale, shift, (a, b, c))
        what = f"scale {scale:.4g} +- {spread[0]:.1%}, shift {shift:.4g} 1/m"
    sigma = sigma_at(5.0, transform, found.pixel_error)
    said = (
        f"{found.frames} frame(s), {found.source}: {what}; as a saved calibration 5 m +- "
        f"{sigma:.2f} m"
    )
    if found.kind is Kind.METRIC_DEPTH:
        return f"{said}; ~/save_calibration keeps it"
    return (
        f"{said}; a relative model's scale changes with the scene, so only a camera that stands "
        "still can use it later"
    )
