"""Text on pictures, with the font that Pillow brings along."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

ByteImage = npt.NDArray[np.uint8]

PAPER = (250, 250, 250)
"""Background of what is drawn beside pictures."""

INK = (32, 32, 32)
"""Text and lines on ``PAPER``."""


@cache
def font(size: int) -> Any:
    """Font of about this height.

    Args:
        size: Letter height [px]; Pillow before 10.1 has one size only and takes that.

    Returns:
        What ``ImageDraw.text`` takes as font.
    """
    try:
        return ImageFont.load_default(size)
    except TypeError:
        return ImageFont.load_default()


def text_size(text: str, size: int) -> tuple[int, int]:
    """Width and height that a line of text takes [px]; the height is the same for every text."""
    left, _, right, _ = _box(text, size)
    _, top, _, bottom = _box("Ag", size)
    return int(np.ceil(right - left)), int(np.ceil(bottom - top))


def write(
    picture: ByteImage,
    text: str,
    x: float,
    y: float,
    size: int,
    *,
    anchor: str = "lt",
    color: tuple[int, int, int] = INK,
) -> ByteImage:
    """Draw a line of text.

    Args:
        picture: (H, W, 3) uint8 RGB; not changed.
        text: One line.
        x: Column of the anchor [px].
        y: Row of the anchor [px].
        size: Letter height [px].
        anchor: Two letters as Pillow has them: l, m, r and t, m, b.
        color: RGB.

    Returns:
        A copy with the text.
    """
    image = Image.fromarray(picture)
    width, height = text_size(text, size)
    x -= {"l": 0.0, "m": width / 2.0, "r": float(width)}[anchor[0]]
    y -= {"t": 0.0, "m": height / 2.0, "b": float(height)}[anchor[1]]
    # Anchored by hand: the bitmap font of old Pillow knows no anchors.
    origin = (x - _box(text, size)[0], y - _box("Ag", size)[1])
    ImageDraw.Draw(image).text(origin, text, fill=color, font=font(size))
    return np.array(image)


def fitted(text: str, size: int, width: int) -> str:
    """Shorten a text in its middle until it fits.

    Args:
        text: One line.
        size: Letter height [px].
        width: Room [px].

    Returns:
        The text, or its ends around ``...``; empty if not even that fits.
    """
    if text_size(text, size)[0] <= width:
        return text
    for keep in range(len(text) - 1, 0, -1):
        head, tail = text[: (keep + 1) // 2], text[len(text) - keep // 2 :]
        if text_size(f"{head}...{tail}", size)[0] <= width:
            return f"{head}...{tail}"
    return ""


def _box(text: str, size: int) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the ink of a text written at (0, 0)."""
    letters = font(size)
    if not isinstance(letters, ImageFont.FreeTypeFont):  # Pillow < 9.2 has no box for these
        width, height = letters.getmask(text).size
        return 0.0, 0.0, float(width), float(height)
    return ImageDraw.Draw(Image.new("RGB", (1, 1))).textbbox((0, 0), text, font=letters)
