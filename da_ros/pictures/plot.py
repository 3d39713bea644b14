"""A line plot in the style of the other pictures; no plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from da_ros.pictures.lettering import INK, PAPER, text_size, write

ByteImage = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

COLORS = ((196, 78, 32), (38, 96, 164), (66, 138, 70), (140, 84, 160))

_TEXT = 14
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 16, 30, 42
_TICKS = 5
_SHIFT = 4  # fractional bits of cv2's coordinates


@dataclass(frozen=True, eq=False)
class Line:
    """One curve.

    Attributes:
        name: For the legend.
        x: (N,), ascending.
        y: (N,); a gap where it is not finite.
    """

    name: str
    x: Floats
    y: Floats


def line_plot(
    lines: Sequence[Line], x_label: str, width: int = 600, height: int = 300
) -> ByteImage:
    """Draw curves over a common axis.

    Args:
        lines: At most as many as there are ``COLORS``.
        x_label: Under the axis, with its unit.
        width: Of the picture [px].
        height: Of the picture [px].

    Returns:
        RGB, (height, width, 3) uint8.
    """
    picture = np.full((height, width, 3), PAPER, np.uint8)
    x_range = _span(np.concatenate([line.x for line in lines]), 0.0)
    y_range = _span(np.concatenate([line.y for line in lines]), 0.06)
    box = _LEFT, _TOP, width - _RIGHT, height - _BOTTOM
    picture = _axes(picture, box, x_range, y_range, x_label)
    at = _LEFT
    for line, color in zip(lines, COLORS, strict=False):
        _draw(picture, line, box, x_range, y_range, color)
        cv2.line(picture, (at, _TOP // 2), (at + 16, _TOP // 2), color, 2, cv2.LINE_AA)
        picture = write(picture, line.name, at + 22, _TOP / 2, _TEXT, anchor="lm")
        at += 22 + text_size(line.name, _TEXT)[0] + 16
    return picture


def ticks(low: float, high: float, count: int = _TICKS) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) between two values."""
    rough = (high - low) / max(1, count - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [step * number for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _span(values: Floats, margin: float) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    room = margin * (high - low)
    if high - low < 1e-9 * max(1.0, abs(high)):
        room = 0.5 * abs(high) or 0.5
    return low - room, high + room


def _axes(
    picture: ByteImage,
    box: tuple[int, int, int, int],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    x_label: str,
) -> ByteImage:
    left, top, right, bottom = box
    faint = tuple(int(0.85 * paper + 0.15 * ink) for paper, ink in zip(PAPER, INK, strict=True))
    for value in ticks(*y_range):
        y = round(bottom - (value - y_range[0]) / (y_range[1] - y_range[0]) * (bottom - top))
        cv2.line(picture, (left, y), (right, y), faint, 1)
        picture = write(picture, f"{value:.4g}", left - 8, y, _TEXT, anchor="rm")
    for value in ticks(*x_range):
        x = round(left + (value - x_range[0]) / (x_range[1] - x_range[0]) * (right - left))
        cv2.line(picture, (x, bottom), (x, bottom + 4), INK, 1)
        picture = write(picture, f"{value:.4g}", x, bottom + 14, _TEXT, anchor="mm")
    cv2.rectangle(picture, (left, top), (right, bottom), INK, 1)
    return write(picture, x_label, right, bottom + 32, _TEXT, anchor="rm")


def _draw(
    picture: ByteImage,
    line: Line,
    box: tuple[int, int, int, int],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    color: tuple[int, int, int],
) -> None:
    """Draw the finite stretches of a curve; a lone point as a dot."""
    left, top, right, bottom = box
    x = left + (line.x - x_range[0]) / (x_range[1] - x_range[0]) * (right - left)
    y = bottom - (line.y - y_range[0]) / (y_range[1] - y_range[0]) * (bottom - top)
    finite = np.isfinite(line.y)
    ends = np.flatnonzero(np.diff(np.concatenate([[0], finite.astype(np.int8), [0]])))
    for first, last in zip(ends[::2], ends[1::2], strict=True):
        places = np.stack([x[first:last], y[first:last]], -1)
        fixed = np.round(places * 2**_SHIFT).astype(np.int32)
        if last - first == 1:
            cv2.circle(
                picture, tuple(fixed[0].tolist()), 2 << _SHIFT, color, -1, cv2.LINE_AA, _SHIFT
            )
        else:
            cv2.polylines(picture, [fixed], False, color, 2, cv2.LINE_AA, _SHIFT)
