"""Is a saved calibration good enough, or does this camera need a live source? In words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from da_ros.offline.calibration import FrameFit, Gathered, metres
from da_ros.params import STATIC_FEWEST_FRAMES, STATIC_SPREAD
from da_ros.scale.extrinsic import mounting_words
from da_ros.scale.observations.static import StaticCalibration
from da_ros.types import Kind

_ROWS = 20
_NORMAL = 1.4826  # Standard deviation of a normal distribution over its median deviation.


@dataclass(frozen=True)
class Reference:
    """One depth, by which frames are compared.

    Attributes:
        name: near, middle or far of what was measured.
        depth: [m].
        spread: How far the frames' own fits put it apart, relative, standard deviation.
        ratio: What each fitted frame makes of it, over ``depth``.
    """

    name: str
    depth: float
    spread: float
    ratio: tuple[float, ...]


@dataclass(frozen=True)
class Verdict:
    """What to do with this camera.

    Attributes:
        static: Whether a saved calibration is good enough.
        usable: Whether one can be used at all.
        references: Spread of the frames at three depths.
        words: Sentences.
    """

    static: bool
    usable: bool
    references: tuple[Reference, ...]
    words: tuple[str, ...]


def verdict_of(found: Gathered, calibration: StaticCalibration) -> Verdict:
    """Judge.

    Args:
        found: The frames.
        calibration: What was made of them.

    Returns:
        The verdict. A relative model's calibration is usable only where the camera stands still.
    """
    kind, fitted = found.model.kind, found.fitted
    references = _references(fitted, calibration, kind)
    worst = max(one.spread for one in references) if references else float("nan")
    usable = kind is Kind.METRIC_DEPTH or calibration.static_camera
    enough = len(fitted) >= STATIC_FEWEST_FRAMES
    good = usable and enough and worst <= STATIC_SPREAD
    words = [_numbers(calibration, kind), _spread(references, len(fitted))]
    if good:
        words.append(
            "Static is good enough for this camera: use the file as scale.calibration_file"
            + ("" if kind is Kind.METRIC_DEPTH else ", with scale.static_camera")
            + "."
        )
    elif usable and not enough:
        words.append(
            f"Too few frames to tell whether static is good enough: {len(fitted)} fitted, "
            f"{STATIC_FEWEST_FRAMES} needed. Until then use a live source."
        )
    elif usable:
        words.append(
            f"A live source is needed: the scale moves by {worst:.1%} from frame to frame, and "
            f"static is good enough up to {STATIC_SPREAD:.0%}. The file carries this spread as "
            "its uncertainty."
        )
    else:
        words.append(
            "A live source is needed: scale and shift of a relative model change with what is "
            "seen. A saved calibration is of use only where the camera stands still and looks at "
            "the same scene (--static-camera), or with a metric model."
        )
    if found.mounting is not None:
        words.append(f"Mounting: {mounting_words(found.mounting)}.")
    return Verdict(good, usable, references, tuple(words))


def _references(
    fitted: Sequence[FrameFit], calibration: StaticCalibration, kind: Kind
) -> tuple[Reference, ...]:
    """The frames' fits, compared at near, middle and far of what was measured."""
    network = np.concatenate([frame.network for frame in fitted])
    if len(network) == 0:
        return ()
    own = np.array(calibration.coefficients)
    fits = [frame.observed.coefficients for frame in fitted if frame.observed is not None]
    known = metres(own, network, kind)
    usual = network[np.isfinite(known)]
    near, far = (10, 90) if kind is Kind.METRIC_DEPTH else (90, 10)
    found = []
    for name, share in (("near", near), ("middle", 50), ("far", far)):
        value = np.array([np.percentile(usual, share)])
        depth = float(metres(own, value, kind)[0])
        ratio = np.array([metres(fit, value, kind)[0] for fit in fits]) / depth
        found.append(Reference(name, depth, _deviation(ratio), tuple(map(float, ratio))))
    return tuple(found[1:2] if kind is Kind.METRIC_DEPTH else found)


def _deviation(ratio: np.ndarray) -> float:
    """Standard deviation about the saved one, by the median, so that one bad frame is one."""
    beyond = np.where(np.isfinite(ratio), np.abs(ratio - 1.0), np.inf)
    return float(_NORMAL * np.median(beyond))


def _numbers(calibration: StaticCalibration, kind: Kind) -> str:
    deviation = np.sqrt(np.diag(np.array(calibration.covariance)))
    if kind is Kind.METRIC_DEPTH:
        k = calibration.coefficients[0]
        return (
            f"k = {k:.4f} +- {deviation[0] / k:.1%}; each pixel +- {calibration.pixel_error:.1%}"
        )
    s, t = calibration.coefficients
    return (
        f"s = {s:.4g} +- {deviation[0]:.2g}, t = {t:.4g} +- {deviation[1]:.2g} 1/m; each pixel "
        f"+- {calibration.pixel_error:.1%}"
    )


def _spread(references: Sequence[Reference], frames: int) -> str:
    shown = ", ".join(f"{one.spread:.1%} at {one.depth:.2g} m" for one in references)
    return f"spread between {frames} frames: {shown or 'not known'}"


def table(found: Gathered) -> list[str]:
    """Rows of text: one a frame, or one a span of frames where there are many."""
    metric = found.model.kind is Kind.METRIC_DEPTH
    head = (
        f"{'time s':>15} {'frames':>7} {'offered':>9} {'used':>7} {'inliers':>8} {'residual':>9}"
    )
    lines = [head + (f" {'k':>9}" if metric else f" {'s':>9} {'t 1/m':>9}")]
    if not found.frames:
        return lines
    start = min(frame.stamp_ns for frame in found.frames)
    spans = np.array_split(np.arange(len(found.frames)), min(_ROWS, len(found.frames)))
    for span in spans:
        lines.append(_row([found.frames[place] for place in span], start, metric))
    return lines


def _row(frames: Sequence[FrameFit], start: int, metric: bool) -> str:
    """Sums of points, medians of the rest; a dash where no frame was fitted."""
    times = [(frame.stamp_ns - start) * 1e-9 for frame in frames]
    when = f"{times[0]:.2f}" if len(frames) == 1 else f"{times[0]:.2f}-{times[-1]:.2f}"
    reports = [report for frame in frames for report in frame.reports]
    offered, used, inliers = (
        sum(getattr(report, name) for report in reports) for name in ("offered", "used", "inliers")
    )
    fitted = [frame.observed.coefficients for frame in frames if frame.observed is not None]
    residuals = [report.residual for report in reports if not report.reason]
    residual = f"{np.nanmedian(residuals):.1%}" if residuals else "-"
    count = f"{len(fitted)}/{len(frames)}"
    line = f"{when:>15} {count:>7} {offered:>9} {used:>7} {inliers:>8} {residual:>9}"
    if not fitted:
        return line + "         -" * (1 if metric else 2)
    return line + "".join(f" {value:>9.4g}" for value in np.median(np.stack(fitted), axis=0))
