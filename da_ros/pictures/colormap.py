"""Numbers to colours: near is bright and warm, far is dark and cold.

The map is computed, not copied: a spiral through OKLab whose 256 entries are equally far apart, so
that equal steps of the value look like equal steps of colour, and whose lightness only rises, so
that it survives a black and white print.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from da_ros.errors import ParameterError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ByteImage = npt.NDArray[np.uint8]
FloatImage = npt.NDArray[np.floating]
_Table = npt.NDArray[np.float64]

COLORMAPS = ("ember", "gray")
"""Names that ``colorize`` knows: ember = violet, red, orange, yellow; gray = black to white."""

NOT_A_NUMBER = (48, 96, 104)
"""Colour of NaN: no value here. A dull teal that no map contains."""

TOO_FAR = (168, 205, 232)
"""Colour of +Inf: beyond the range (REP 117), such as the sky."""

TOO_NEAR = (0, 200, 120)
"""Colour of -Inf: nearer than the range (REP 117)."""

_STEPS = 256
_LIGHTNESS = (0.20, 0.95)
_HUE_DEG = (285.0, 465.0)
_CHROMA = (0.09, 0.19, 0.11)


def colorize(values: FloatImage, near: float, far: float, colormap: str = "ember") -> ByteImage:
    """Paint numbers: the value ``near`` gets the bright warm end, ``far`` the dark cold one.

    Which of the two is larger says what the numbers are: depth has near < far, inverse depth has
    near > far. What lies outside takes the colour of the nearer end.

    Args:
        values: Any shape (...), in any unit.
        near: Value of the bright end, in the unit of the values.
        far: Value of the dark end; if equal to ``near``, every finite value is painted mid-way.
        colormap: One of ``COLORMAPS``.

    Returns:
        RGB, (..., 3) uint8, with ``NOT_A_NUMBER``, ``TOO_FAR`` and ``TOO_NEAR`` where it is due.

    Raises:
        ParameterError: If an end is not finite or the colour map is unknown.
    """
    _check_ends(near, far)
    table = _full_table(colormap)
    values = np.asarray(values, np.float32)
    finite = np.isfinite(values)
    span = np.float32(near) - np.float32(far)
    with np.errstate(over="ignore"):  # an overflow lies outside and is clipped
        place = (values - np.float32(far)) / span if span else np.full_like(values, 0.5)
    place = np.clip(np.where(finite, place, 0.0), 0.0, 1.0)
    index = np.rint(place * (_STEPS - 1)).astype(np.intp)  # (...)
    if not finite.all():
        index[np.isnan(values)] = _STEPS
        index[np.isposinf(values)] = _STEPS + 1
        index[np.isneginf(values)] = _STEPS + 2
    painted: ByteImage = table[index]
    return painted


def colorize_on_device(values: Tensor, near: float, far: float, colormap: str = "ember") -> Tensor:
    """What ``colorize`` does, where the values are: on a GPU only the picture comes down.

    Args:
        values: float32, any shape (...).
        near: As in ``colorize``.
        far: As in ``colorize``.
        colormap: One of ``COLORMAPS``.

    Returns:
        RGB, (..., 3) uint8 on the device of the values: the same bytes.

    Raises:
        ParameterError: As in ``colorize``.
    """
    import torch

    _check_ends(near, far)
    # A tensor, since by a number CUDA would multiply with its reciprocal.
    difference = float(np.float32(near) - np.float32(far))
    span = torch.full((), difference or 1.0, device=values.device)
    place = (values - float(np.float32(far))) / span if difference else values.new_tensor(0.5)
    place = torch.where(values.isfinite(), place, 0.0).clamp(0.0, 1.0)
    index = (place * (_STEPS - 1)).round().long()
    for number, where in enumerate((values.isnan(), values.isposinf(), values.isneginf())):
        index = torch.where(where, _STEPS + number, index)
    return _table_on(values.device, colormap)[index]


def _check_ends(near: float, far: float) -> None:
    if not (np.isfinite(np.float32(near)) and np.isfinite(np.float32(far))):
        raise ParameterError(f"colour range: expected finite ends, got near {near}, far {far}")


def value_range(
    values: FloatImage, low_percent: float = 1.0, high_percent: float = 99.0
) -> tuple[float, float]:
    """Percentiles of the finite values, so that a few stray pixels do not eat the colours.

    Args:
        values: Any shape.
        low_percent: In [0, 100].
        high_percent: In [0, 100], above ``low_percent``.

    Returns:
        (low, high) in the unit of the values; (0, 1) if no value is finite.
    """
    finite = np.asarray(values)[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(finite.astype(np.float64), [low_percent, high_percent])
    return float(low), float(high)


@cache
def color_table(colormap: str) -> ByteImage:
    """The colours of a map from its far (dark) to its near (bright) end.

    Args:
        colormap: One of ``COLORMAPS``.

    Returns:
        (256, 3) uint8 RGB; do not write to it.

    Raises:
        ParameterError: If the name is unknown.
    """
    if colormap == "gray":
        table = np.repeat(np.arange(_STEPS, dtype=np.uint8)[:, None], 3, axis=1)
    elif colormap == "ember":
        table = np.rint(_ember() * 255.0).astype(np.uint8)
    else:
        raise ParameterError(f"colormap: expected one of {', '.join(COLORMAPS)}, got {colormap!r}")
    table.setflags(write=False)
    return table


def _full_table(colormap: str) -> ByteImage:
    """The map's colours and behind them those of NaN, +Inf and -Inf, (259, 3)."""
    special = np.array([NOT_A_NUMBER, TOO_FAR, TOO_NEAR], np.uint8)
    return np.concatenate([color_table(colormap), special])


@cache
def _table_on(device: torch.device, colormap: str) -> Tensor:
    import torch

    return torch.from_numpy(_full_table(colormap)).to(device)


def _ember() -> _Table:
    """Colours in sRGB [0, 1], (256, 3), at equal distances along the spiral in OKLab."""
    fine = _spiral(np.linspace(0.0, 1.0, 4096))
    length = np.concatenate([[0.0], np.linalg.norm(np.diff(fine, axis=0), axis=1).cumsum()])
    wanted = np.linspace(0.0, length[-1], _STEPS)
    even = np.stack([np.interp(wanted, length, fine[:, i]) for i in range(3)], axis=1)
    return np.clip(_oklab_to_srgb(even), 0.0, 1.0)


def _spiral(t: _Table) -> _Table:
    """Points in OKLab, (N, 3), with chroma reduced where sRGB has no such colour."""
    lightness = _LIGHTNESS[0] + (_LIGHTNESS[1] - _LIGHTNESS[0]) * t
    hue = np.deg2rad(_HUE_DEG[0] + (_HUE_DEG[1] - _HUE_DEG[0]) * t)
    chroma = np.interp(t, [0.0, 0.5, 1.0], _CHROMA)
    least, most = np.zeros_like(chroma), chroma
    for _ in range(30):  # bisection to the edge of the gamut
        middle = (least + most) / 2.0
        rgb = _linear_rgb(_lab(lightness, middle, hue))
        inside = ((rgb >= 0.0) & (rgb <= 1.0)).all(axis=1)
        least, most = np.where(inside, middle, least), np.where(inside, most, middle)
    return _lab(lightness, least, hue)


def _lab(lightness: _Table, chroma: _Table, hue: _Table) -> _Table:
    return np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)


def _linear_rgb(lab: _Table) -> _Table:
    """OKLab to linear sRGB, (N, 3). Source: B. Ottosson, "A perceptual color space", 2020."""
    to_cone = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    cone: _Table = (lab @ to_cone.T) ** 3
    rgb: _Table = cone @ to_rgb.T
    return rgb


def _oklab_to_srgb(lab: _Table) -> _Table:
    linear = np.clip(_linear_rgb(lab), 0.0, 1.0)
    curved: _Table = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1.0 / 2.4) - 0.055
    )
    return curved
