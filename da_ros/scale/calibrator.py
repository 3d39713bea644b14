"""One camera's scale: sources in, one estimate a frame out, and in words what became of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from da_ros.errors import InputError
from da_ros.scale.alignment import align
from da_ros.scale.filter import Observed, ScaleEstimate, ScaleFilter, ScaleState
from da_ros.scale.fit import Fit, Pairs, Refusal, fit_factor, fit_scale_shift
from da_ros.scale.observations import static
from da_ros.scale.observations.points import PixelDepths, sample_bilinear
from da_ros.scale.options import FilterOptions, FitOptions
from da_ros.scale.robust import Floats
from da_ros.scale.whole_frame import FrameSample
from da_ros.types import Kind, ModelInfo

_FRAME_GRID = 20


@dataclass(frozen=True, eq=False)
class NetworkFrame:
    """What the network said about one image.

    Attributes:
        values: (h, w) float32, on the network's or the image's grid.
        stamp_ns: Of the image's message.
        image_size: (height, width) of the image that the sources' pixels are those of.
    """

    values: NDArray[np.float32]
    stamp_ns: int
    image_size: tuple[int, int]


@dataclass(frozen=True)
class SourceReport:
    """What became of one source in one frame.

    Attributes:
        source: Its name.
        offered: Points that the sensor gave.
        used: Of these, that went into the fit.
        inliers: Of these, that agree with it.
        residual: Median relative residual of the inliers; NaN without a fit.
        reason: Why it gave no scale, for machines; empty if it did.
        message: The same for people, or what is to be known.
    """

    source: str
    offered: int
    used: int
    inliers: int
    residual: float
    reason: str
    message: str


@dataclass(frozen=True)
class Basis:
    """The observation that a scale rests on.

    Attributes:
        sources: Their names, ``static`` for a saved calibration.
        inliers: Points that agreed, of all of them.
    """

    sources: tuple[str, ...] = ()
    inliers: int = 0


@dataclass(frozen=True)
class Calibration:
    """The scale of one frame, and how it came about.

    Attributes:
        estimate: For this very frame.
        reports: Of each source that had something to say.
        note: Why the scale was forgotten, or the update was not taken; empty if neither.
        disagreement: Chi-square over freedom between several sources; 0 with one.
        observed: What the sensors said of this frame, fused, before the filter and without a
            saved calibration; None if no source could be fitted.
        refusal: Why what was observed did not enter the scale; empty if it did.
        basis: What the scale rests on: the last observation that entered it.
        is_news: Whether something was observed or refused, or the state is another than before.
    """

    estimate: ScaleEstimate
    reports: tuple[SourceReport, ...] = ()
    note: str = ""
    disagreement: float = 0.0
    observed: Observed | None = None
    refusal: str = ""
    basis: Basis = Basis()
    is_news: bool = False


@dataclass(frozen=True)
class CalibratorOptions:
    """How the scale of one camera is found.

    Attributes:
        fit: For every source.
        by_source: Instead of ``fit``, for the sources named.
        filter: Over time.
    """

    fit: FitOptions = field(default_factory=FitOptions)
    by_source: Mapping[str, FitOptions] = field(default_factory=dict)
    filter: FilterOptions = field(default_factory=FilterOptions)


class Calibrator:
    """The scale filter of one camera with its sources.

    Args:
        model: Whose numbers they are.
        options: See there.

    Raises:
        InputError: If the model gives relative depth, for which 1/z = s d + t does not hold.
    """

    def __init__(self, model: ModelInfo, options: CalibratorOptions) -> None:
        if model.kind is Kind.RELATIVE_DEPTH:
            raise InputError(
                f"scale: {model.model_id} gives relative depth; scale and shift are found for "
                "relative inverse depth and for metric depth only"
            )
        self._metric = model.kind is Kind.METRIC_DEPTH
        self._options = options
        reference = None if self._metric else model.reference_inverse_depth or 1.0
        self._filter = ScaleFilter(reference, options.filter)
        self._before: NDArray[np.float32] | None = None
        self._basis, self._state = Basis(), ScaleState.NONE

    def reset(self) -> None:
        """Forget the scale and the frame before."""
        self._filter.reset()
        self._before = None
        self._basis = Basis()

    def state(self) -> dict[str, Any]:
        """What is remembered, in plain numbers, strings and arrays, for ``restore``."""
        return {
            "filter": self._filter.state(),
            "before": self._before,
            "sources": list(self._basis.sources),
            "inliers": self._basis.inliers,
            "state": str(self._state),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was asked."""
        self._filter.restore(state["filter"])
        self._before = state["before"]
        self._basis = Basis(tuple(state["sources"]), int(state["inliers"]))
        self._state = ScaleState(state["state"])

    def observe(
        self,
        frame: NetworkFrame,
        points: Sequence[PixelDepths] = (),
        known: Observed | None = None,
    ) -> Calibration:
        """Go on to the next frame, and take in what the sources say about it.

        Args:
            frame: What the network said.
            points: Of each source that measured at this frame; none is usual.
            known: A saved calibration, taken into account at every frame.

        Returns:
            The scale of this frame. Without evidence its state says so, and it has no transform.
        """
        alignment = None
        if not self._metric and self._before is not None:
            alignment = align(self._before, frame.values)
        self._before = frame.values
        lost = self._filter.predict(frame.stamp_ns, alignment)
        if lost:
            self._basis = Basis()
        fits, reports = self._fits(frame, points)
        observed = fuse(fits)[0] if fits else None
        everything = [*fits, known] if known is not None else fits
        rejected, disagreement = "", 0.0
        if everything:
            fused, disagreement = fuse(everything)
            rejected = self._filter.update(fused)
            if not rejected:
                self._basis = _basis(reports, known)
        estimate = self._filter.estimate()
        before, self._state = self._state, estimate.state
        return Calibration(
            estimate=estimate,
            reports=reports,
            note="; ".join(note for note in (lost, rejected) if note),
            disagreement=disagreement,
            observed=observed,
            refusal=_refusal(reports, rejected),
            basis=self._basis,
            is_news=bool(reports) or estimate.state is not before,
        )

    def _fits(
        self, frame: NetworkFrame, points: Sequence[PixelDepths]
    ) -> tuple[list[Observed], tuple[SourceReport, ...]]:
        """Fit each source by itself."""
        found = [self._fit(frame, measured) for measured in points]
        fits = [
            Observed(fit.coefficients, fit.covariance, fit.pixel_error, fit.of_model)
            for fit, _ in found
            if isinstance(fit, Fit)
        ]
        return fits, tuple(report for _, report in found)

    def fit(self, frame: NetworkFrame, measured: PixelDepths) -> Fit | Refusal:
        """Fit one source to one frame, without the filter."""
        return self._fit(frame, measured)[0]

    def _fit(
        self, frame: NetworkFrame, measured: PixelDepths
    ) -> tuple[Fit | Refusal, SourceReport]:
        options = self._options.by_source.get(measured.source, self._options.fit)
        pairs = Pairs(
            sample_bilinear(frame.values, measured.pixels, frame.image_size),
            measured.depth,
            measured.sigma,
            measured.pixels,
            frame.image_size,
            measured.common,
            None if self._metric else frame_sample(frame),
        )
        found = fit_factor(pairs, options) if self._metric else fit_scale_shift(pairs, options)
        refused = isinstance(found, Refusal)
        said = [measured.note, found.message if isinstance(found, Refusal) else ""]
        report = SourceReport(
            source=measured.source,
            offered=max(measured.offered, found.offered),
            used=found.used,
            inliers=found.inliers,
            residual=math.nan if isinstance(found, Refusal) else found.residual,
            reason=str(found.reason) if isinstance(found, Refusal) and refused else "",
            message="; ".join(text for text in said if text),
        )
        return found, report


def _basis(reports: Sequence[SourceReport], known: Observed | None) -> Basis:
    """What has just entered the scale."""
    fitted = [report for report in reports if not report.reason]
    names = [report.source for report in fitted] + ([static.SOURCE] if known is not None else [])
    return Basis(tuple(names), sum(report.inliers for report in fitted))


def _refusal(reports: Sequence[SourceReport], rejected: str) -> str:
    """Why sources did not enter the scale, in words; empty if all did."""
    refused = [f"{report.source}: {report.message}" for report in reports if report.reason]
    return "; ".join([*refused, *([rejected] if rejected else [])])


def frame_sample(frame: NetworkFrame) -> FrameSample:
    """The network's values on a coarse grid over the image."""
    height, width = frame.image_size
    u = (np.arange(_FRAME_GRID) + 0.5) * width / _FRAME_GRID - 0.5
    v = (np.arange(_FRAME_GRID) + 0.5) * height / _FRAME_GRID - 0.5
    pixels = np.stack([grid.ravel() for grid in np.meshgrid(u, v)], axis=1)
    values = sample_bilinear(frame.values, pixels, frame.image_size)
    known = np.isfinite(values)
    return FrameSample(values[known], pixels[known])


def fuse(fits: Sequence[Observed]) -> tuple[Observed, float]:
    """Join what several sources say of one frame, each weighted by its covariance.

    Args:
        fits: At least one.

    Returns:
        The mean, its covariance widened where the sources differ by more than they say, and that
        chi-square over its freedom (0 for a single source).
    """
    if len(fits) == 1:
        return fits[0], 0.0
    information = [np.linalg.pinv(fit.covariance, hermitian=True) for fit in fits]
    covariance: Floats = np.linalg.pinv(np.sum(information, axis=0), hermitian=True)
    weighted = [i @ fit.coefficients for i, fit in zip(information, fits, strict=True)]
    mean: Floats = covariance @ np.sum(weighted, axis=0)
    chi = 0.0
    for i, fit in zip(information, fits, strict=True):
        away = fit.coefficients - mean
        chi += float(away @ i @ away)
    per_freedom = chi / ((len(fits) - 1) * len(mean))
    error = math.sqrt(float(np.mean([fit.pixel_error**2 for fit in fits])))
    # The sources see one error of one model: it does not average out.
    parts = [np.zeros_like(f.covariance) if f.of_model is None else f.of_model for f in fits]
    of_model: Floats = np.mean(parts, axis=0)
    return Observed(mean, covariance * max(1.0, per_freedom), error, of_model), per_freedom
