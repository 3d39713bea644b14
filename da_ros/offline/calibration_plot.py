"""A calibration as a picture: the line, what is left of it, and how it moves over time."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from da_ros.errors import InputError
from da_ros.offline.calibration import Gathered, metres
from da_ros.offline.calibration_verdict import Verdict
from da_ros.scale.observations.static import StaticCalibration
from da_ros.types import Kind

Floats = NDArray[np.float64]

_POINTS = 6000
_WIDEST = 0.5  # Residuals beyond are counted at the edge.


def can_plot() -> bool:
    """Whether matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def check_matplotlib(path: Path) -> None:
    """Say so before the work, if a plot was asked for that cannot be drawn.

    Args:
        path: Of the plot.

    Raises:
        InputError: If matplotlib is not installed, or does not write what its name ends in.
    """
    if not can_plot():
        raise InputError("the plot needs matplotlib: pip install 'da_ros[plot]'")
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in known:
        raise InputError(f"{path}: expected a plot's name to end in .{', .'.join(sorted(known))}")


def draw_calibration(
    found: Gathered, calibration: StaticCalibration, verdict: Verdict, path: Path
) -> None:
    """Draw d against 1/z with line and band, residuals, and the scale over time.

    Args:
        found: The frames.
        calibration: What was made of them.
        verdict: On it.
        path: To write; its ending says the format.

    Raises:
        InputError: As ``check_matplotlib``, or if the file cannot be written.
    """
    check_matplotlib(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    line, residuals, time = figure.subplots(1, 3)
    _draw_line(line, found, calibration)
    _draw_residuals(residuals, found, calibration)
    _draw_time(time, found, verdict)
    for axis in (line, residuals, time):
        axis.grid(alpha=0.3)
    figure.suptitle(f"{found.model.model_id} on {found.camera}: {verdict.words[-1]}", wrap=True)
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error}") from error


def _points(found: Gathered) -> tuple[Floats, Floats]:
    network = np.concatenate([frame.network for frame in found.fitted])
    depth = np.concatenate([frame.depth for frame in found.fitted])
    some = np.linspace(0, len(depth) - 1, min(_POINTS, len(depth))).astype(np.intp)
    return network[some], depth[some]


def _draw_line(axis: Any, found: Gathered, calibration: StaticCalibration) -> None:
    """Measured 1/z over what the network says, the saved line, and its band of one sigma."""
    network, depth = _points(found)
    metric = found.model.kind is Kind.METRIC_DEPTH
    d = 1.0 / network if metric else network
    axis.plot(d, 1.0 / depth, ".", ms=2, alpha=0.5, color="tab:blue", label="measured")
    low, high = np.percentile(d, (0.5, 99.5)) if len(d) else (0.0, 1.0)
    at = np.linspace(low, high, 200)
    rows = at[:, None] if metric else np.stack((at, np.ones_like(at)), axis=1)
    own = np.array(calibration.coefficients)
    covariance = np.array(calibration.covariance)
    if metric:  # 1/z = d / k
        covariance, own = covariance / own[0] ** 4, 1.0 / own
    y = rows @ own
    of_line = np.einsum("ij,jk,ik->i", rows, covariance, rows)
    sigma = np.sqrt(of_line + (calibration.pixel_error * y) ** 2)
    axis.plot(at, y, color="tab:red", label="saved calibration")
    axis.fill_between(at, y - sigma, y + sigma, color="tab:red", alpha=0.2, label="1 sigma")
    top = float(np.percentile(1.0 / depth, 99.5)) * 1.1 if len(depth) else 1.0
    name = "1 / network's metres [1/m]" if metric else "network's inverse depth d"
    axis.set(xlabel=name, ylabel="measured 1/z [1/m]", title="the line", xlim=(low, high))
    axis.set_ylim(min(0.0, float(y.min())), max(top, float(y.max())))
    axis.legend(loc="upper left")


def _draw_residuals(axis: Any, found: Gathered, calibration: StaticCalibration) -> None:
    """Relative errors of depth: with each frame's own fit, and with the saved one."""
    kind = found.model.kind
    saved: list[Floats] = []
    each: list[Floats] = []
    for frame in found.fitted:
        assert frame.observed is not None
        for into, line in (
            (saved, np.array(calibration.coefficients)),
            (each, frame.observed.coefficients),
        ):
            into.append(metres(line, frame.network, kind) / frame.depth - 1.0)
    bins = np.linspace(-_WIDEST, _WIDEST, 81)
    for name, values, colour in (
        ("each frame's own fit", each, "tab:green"),
        ("saved calibration", saved, "tab:red"),
    ):
        off = np.concatenate(values)
        off = np.clip(np.where(np.isfinite(off), off, _WIDEST), -_WIDEST, _WIDEST)
        share = float(np.median(np.abs(off)))
        axis.hist(off, bins, histtype="step", color=colour, label=f"{name}: median {share:.1%}")
    axis.set(xlabel="(z - measured) / measured", ylabel="points", title="residuals")
    axis.set_ylim(top=1.25 * axis.get_ylim()[1])  # room for the legend
    axis.legend(loc="upper left")


def _draw_time(axis: Any, found: Gathered, verdict: Verdict) -> None:
    """What each frame's own fit makes of near, middle and far, over the saved one."""
    start = min(frame.stamp_ns for frame in found.frames)
    seconds = [(frame.stamp_ns - start) * 1e-9 for frame in found.fitted]
    for one in verdict.references:
        label = f"{one.depth:.2g} m: spread {one.spread:.1%}"
        axis.plot(seconds, one.ratio, ".-", ms=4, lw=0.8, label=label)
    axis.axhline(1.0, color="tab:red", lw=1.0)
    axis.set(xlabel="time [s]", ylabel="own fit / saved calibration", title="scale over time")
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.3 * (high - low))
    axis.legend(loc="upper left")
