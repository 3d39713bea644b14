"""The bar beside a coloured picture that says which colour is which number."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from da_ros.pictures.colormap import NOT_A_NUMBER, TOO_FAR, TOO_NEAR, colorize
from da_ros.pictures.lettering import INK, PAPER, text_size, write

ByteImage = npt.NDArray[np.uint8]
FloatImage = npt.NDArray[np.floating]

METRES = "depth [m]"
"""Unit line of metric depth."""

RELATIVE = "inverse depth (relative)"
"""Unit line of a relative model's own output: larger is nearer, no unit."""


def picture_with_bar(
    values: FloatImage,
    near: float,
    far: float,
    unit: str,
    *,
    colormap: str = "ember",
) -> ByteImage:
    """Paint numbers and put their scale bar on the right.

    Args:
        values: (H, W), in any unit.
        near: Value of the bright end, at the top of the bar.
        far: Value of the dark end, at the bottom.
        unit: What the numbers are, such as ``METRES``.
        colormap: One of ``colormap.COLORMAPS``.

    Returns:
        RGB, (H, W + bar, 3) uint8; a picture lower than 160 px is padded to that height.

    Raises:
        ParameterError: If an end is not finite or the colour map is unknown.
    """
    picture = colorize(values, near, far, colormap)
    height = max(picture.shape[0], 160)
    below = np.full((height - picture.shape[0], picture.shape[1], 3), PAPER, np.uint8)
    seen = _seen(values)
    bar = scale_bar(height, near, far, unit, legend=seen, colormap=colormap)
    return np.concatenate([np.concatenate([picture, below]), bar], axis=1)


def scale_bar(
    height: int,
    near: float,
    far: float,
    unit: str,
    *,
    legend: tuple[str, ...] = (),
    colormap: str = "ember",
) -> ByteImage:
    """Draw a vertical bar, near end up, with round numbers beside it.

    Args:
        height: [px], at least 160.
        near: Value of the bright end.
        far: Value of the dark end.
        unit: Written above the bar.
        legend: Which of ``nan``, ``far`` and ``near`` to explain below the bar.
        colormap: One of ``colormap.COLORMAPS``.

    Returns:
        RGB, (height, W, 3) uint8; W follows the text.
    """
    size = max(11, height // 28)  # legible also where a large picture is shown small
    entries = [LEGEND[name] for name in legend]
    width = 2 * size + max(
        text_size(unit, size)[0],
        *(int(1.6 * size) + text_size(text, size)[0] for text, _ in entries),
        int(5.5 * size),
    )
    bar = np.full((height, width, 3), PAPER, np.uint8)
    bar = write(bar, unit, size, 0.6 * size, size)
    top, bottom = int(2.4 * size), height - int(size * (1 + 1.6 * len(entries)))
    bar = _with_colours(bar, top, bottom, size, near, far, colormap)
    for row, (text, color) in enumerate(entries):
        y = bottom + int(size * (0.8 + 1.6 * row))
        bar[y : y + size, size : 2 * size] = color
        bar = write(bar, text, 2.6 * size, y + size / 2, size, anchor="lm")
    return bar


def ticks(first: float, last: float, most: int) -> list[float]:
    """Round numbers between two values: 1, 2 or 5 times a power of ten apart.

    Args:
        first: One end.
        last: The other end; may be the smaller one.
        most: No more numbers than this, at least 2.

    Returns:
        The numbers, rising; the one value if the ends are equal.
    """
    low, high = min(first, last), max(first, last)
    if high == low:
        return [low]
    least = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(s * power for s in (1.0, 2.0, 5.0, 10.0, 20.0) if s * power >= least * 0.999)
    start, end = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(start, end + 1)]


LEGEND = {
    "nan": ("no value", NOT_A_NUMBER),
    "far": ("beyond range", TOO_FAR),
    "near": ("too near", TOO_NEAR),
}
"""Text and colour of what is no number."""


def _with_colours(
    bar: ByteImage, top: int, bottom: int, size: int, near: float, far: float, colormap: str
) -> ByteImage:
    """The gradient between two rows, with its numbers."""
    column = np.linspace(near, far, bottom - top)[:, None]
    bar[top:bottom, size : 2 * size] = colorize(column, near, far, colormap)
    numbers = ticks(near, far, max(2, (bottom - top) // (3 * size)))
    for number in numbers:
        share = (number - near) / (far - near) if far != near else 0.5
        y = top + share * (bottom - top - 1)
        bar[round(y), 2 * size : int(2.5 * size)] = INK
        bar = write(bar, _label(number, numbers), 2.8 * size, y, size, anchor="lm")
    return bar


def _label(number: float, numbers: list[float]) -> str:
    """As many digits as the step between the numbers needs."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else abs(number)
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    return f"{number + 0.0:.{digits}f}" if digits <= 6 and abs(number) < 1e6 else f"{number:.3g}"


def _seen(values: FloatImage) -> tuple[str, ...]:
    """What of a picture the legend must explain."""
    found = {
        "nan": bool(np.isnan(values).any()),
        "far": bool(np.isposinf(values).any()),
        "near": bool(np.isneginf(values).any()),
    }
    return tuple(name for name, there in found.items() if there)
