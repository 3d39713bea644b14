"""Many small pictures on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from da_ros.errors import InputError
from da_ros.pictures.lettering import PAPER, fitted, write

ByteImage = npt.NDArray[np.uint8]

_TEXT, _GAP = 15, 6


def contact_sheet(
    rows: Sequence[Sequence[ByteImage]],
    captions: Sequence[str] = (),
    headings: Sequence[str] = (),
    cell_width: int = 320,
) -> ByteImage:
    """Lay pictures out in rows, each row under its own line of text.

    Every picture is scaled to the cell's width; a row is as high as its highest picture.

    Args:
        rows: Pictures, each (H, W, 3) uint8 RGB; rows may differ in length.
        captions: One line above each row; empty for none.
        headings: One line above each column; empty for none.
        cell_width: [px].

    Returns:
        RGB, (H, W, 3) uint8.

    Raises:
        InputError: If there is no picture or the captions do not match the rows.
    """
    if not any(len(row) for row in rows):
        raise InputError("contact sheet: expected at least one picture, got none")
    if captions and len(captions) != len(rows):
        raise InputError(
            f"contact sheet: expected one caption per row, got {len(captions)} for {len(rows)}"
        )
    columns = max(len(row) for row in rows)
    width = columns * (cell_width + _GAP) + _GAP
    strips = [_headings(headings, cell_width, width)] if headings else []
    for index, row in enumerate(rows):
        if captions:
            strips.append(_line(captions[index], width))
        strips.append(_strip([fit_width(picture, cell_width) for picture in row], width))
    return np.concatenate(strips)


def fit_width(picture: ByteImage, width: int) -> ByteImage:
    """Scale a picture to a width, keeping its shape.

    Args:
        picture: (H, W, 3) uint8 RGB.
        width: [px].

    Returns:
        RGB, (h, width, 3) uint8.
    """
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    if picture.shape[:2] == (height, width):
        return picture
    scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, np.uint8)


def _strip(pictures: Sequence[ByteImage], width: int) -> ByteImage:
    height = max((p.shape[0] for p in pictures), default=0)
    strip = np.full((height + _GAP, width, 3), PAPER, np.uint8)
    x = _GAP
    for picture in pictures:
        strip[: picture.shape[0], x : x + picture.shape[1]] = picture
        x += picture.shape[1] + _GAP
    return strip


def _line(text: str, width: int) -> ByteImage:
    strip = np.full((_TEXT + 2 * _GAP, width, 3), PAPER, np.uint8)
    text = fitted(text, _TEXT, width - 2 * _GAP)
    return write(strip, text, _GAP, strip.shape[0] / 2, _TEXT, anchor="lm")


def _headings(texts: Sequence[str], cell_width: int, width: int) -> ByteImage:
    strip = np.full((_TEXT + 2 * _GAP, width, 3), PAPER, np.uint8)
    for index, text in enumerate(texts):
        x = _GAP + index * (cell_width + _GAP)
        strip = write(
            strip, fitted(text, _TEXT, cell_width), x, strip.shape[0] / 2, _TEXT, anchor="lm"
        )
    return strip
