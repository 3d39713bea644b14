"""``report.html`` of a run over a bag: what was done, for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from da_ros.offline.bag_cameras import BagCamera
from da_ros.offline.bag_report import BagReport
from da_ros.offline.frame_log import FrameFigures, FrameLog
from da_ros.offline.words import NO_METRES, describe_model
from da_ros.pictures.html import Figure, Section, write_page
from da_ros.pictures.plot import Line, line_plot
from da_ros.pictures.sheet import contact_sheet
from da_ros.types import Kind, ModelInfo

NAME = "report.html"

_SCORES = {
    "frames": "Frames with measured depth",
    "abs_rel": "AbsRel, mean",
    "delta1": "delta1, mean",
    "ratio_median": "Ratio, median",
    "ratio_first_tenth": "Ratio at the beginning",
    "ratio_last_tenth": "Ratio at the end",
    "scale_drift": "Drift of the scale, end / beginning - 1",
}
_COLUMNS = 3
_NS = 1e-9


def write_bag_page(
    path: Path,
    title: str,
    report: BagReport,
    log: FrameLog,
    cameras: Sequence[BagCamera],
    model: ModelInfo,
) -> None:
    """Write the page of a finished run: one file, nothing from the network."""
    state = (
        "Every image was done." if report.complete else "Not everything could be done, see below."
    )
    intro = [f"{report.done} of {report.images} images. {state}", describe_model(model)]
    metres = any(camera.metres for camera in log.cameras.values())
    if model.kind is not Kind.METRIC_DEPTH and not metres:
        intro.append(NO_METRES)
    sections = [_faults(report)] if not report.complete or report.notes else []
    for camera in cameras:
        sections += _camera_sections(camera.image_topic, log)
    write_page(path, title, [*sections, _speed(report), _counts(report)], intro)


def _camera_sections(topic: str, log: FrameLog) -> list[Section]:
    camera = log.cameras.get(topic)
    if camera is None or not camera.figures:
        return []
    unit = "m" if camera.metres else "inverse depth, the network's own unit"
    figures = camera.figures
    plots = [Figure(_range_plot(figures), f"Depth over time [{unit}]", lossless=True)]
    if any(math.isfinite(item.scale) for item in figures):
        scales = _line(figures, "scale", "scale")
        plots.append(Figure(line_plot([scales], "time [s]"), "Scale over time", lossless=True))
    sections = [Section(f"{topic} over time", plots)]
    if any(math.isfinite(item.ratio) for item in figures):
        scores = log.evaluation()[topic]
        facts = {
            words: f"{scores[name]:.4g}" if name in scores else "not determined"
            for name, words in _SCORES.items()
        }
        title = f"{topic} against measured depth"
        sections.append(Section(title, _error_plots(figures, metres=camera.metres), facts))
    shown = log.pictures(topic)
    if shown:
        sheet = _sheet([picture for _, picture in shown], [number for number, _ in shown])
        sections.insert(0, Section(topic, [Figure(sheet, "Image and depth; near is bright")]))
    return sections


def _sheet(
    pictures: Sequence[npt.NDArray[np.uint8]], numbers: Sequence[int]
) -> npt.NDArray[np.uint8]:
    rows = [pictures[at : at + _COLUMNS] for at in range(0, len(pictures), _COLUMNS)]
    named = [numbers[at : at + _COLUMNS] for at in range(0, len(numbers), _COLUMNS)]
    captions = ["frames " + ", ".join(map(str, row)) for row in named]
    return contact_sheet(rows, captions, cell_width=400)


def _range_plot(figures: Sequence[FrameFigures]) -> npt.NDArray[np.uint8]:
    lines = [
        _line(figures, "high", "98th percentile"),
        _line(figures, "middle", "median"),
        _line(figures, "low", "2nd percentile"),
    ]
    return line_plot(lines, "time [s]")


def _error_plots(figures: Sequence[FrameFigures], *, metres: bool) -> list[Figure]:
    ratio = "measured / predicted, median" if metres else "fitted scale"
    return [
        Figure(line_plot([_line(figures, name, words)], "time [s]"), caption, lossless=True)
        for name, words, caption in (
            ("ratio", ratio, "Drift of the scale" + (": 1 is right" if metres else "")),
            ("abs_rel", "AbsRel", "Mean absolute relative error"),
            ("delta1", "delta1", "Share of points within a factor of 1.25"),
        )
    ]


def _line(figures: Sequence[FrameFigures], name: str, words: str) -> Line:
    begin = figures[0].stamp
    times = np.array([(item.stamp - begin) * _NS for item in figures])
    return Line(words, times, np.array([getattr(item, name) for item in figures], np.float64))


def _faults(report: BagReport) -> Section:
    return Section("What could not be done", notes=list(report.faults()))


def _speed(report: BagReport) -> Section:
    rate = report.done / report.seconds if report.seconds else 0.0
    facts = {"Time": f"{report.seconds:.1f} s", "Rate": f"{rate:.1f} frames/s"}
    work = sum(report.busy.values()) or 1.0
    for name, spent in report.busy.items():
        each = 1000 * spent / max(report.done, 1)
        facts[f"Stage {name}"] = f"{each:.2f} ms per frame, {100 * spent / work:.0f} % of the work"
    note = "The stages work side by side, so their times add up to more than the time it took."
    return Section("Throughput by stage", facts=facts, notes=[note])


def _counts(report: BagReport) -> Section:
    facts = {
        topic: f"{report.read[topic]} in, {report.copied[topic]} out"
        for topic in sorted(report.read)
    }
    facts |= {topic: f"{report.added[topic]} out, new" for topic in sorted(report.added)}
    return Section("Messages", facts=facts, files={"manifest": "manifest.json"})
