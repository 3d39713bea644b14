"""sensor_msgs/Image to pixels, without a copy where the memory allows it.

Messages are duck-typed: those of rclpy, of rosbags, or anything with the same fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from da_ros.conversions.encodings import Encoding, Layout, encoding_named
from da_ros.errors import InputError

Pixels: TypeAlias = npt.NDArray[np.uint8]

MAX_PIXELS = 2**28
"""Largest picture taken for one; more is a damaged message (a 16k x 16k camera would fit)."""


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """A picture in memory.

    Attributes:
        pixels: (H, W, 3) uint8; read-only or with padded rows where it is a view of the message.
        bgr: Whether the channels are blue, green, red. A common driver's bgr8 stays as it is, and
            whoever reads the pixels anyway swaps on the way.
    """

    pixels: Pixels
    bgr: bool = False

    @property
    def height(self) -> int:
        """Rows [px]."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns [px]."""
        return int(self.pixels.shape[1])

    @cached_property
    def rgb(self) -> Pixels:
        """The pixels as red, green, blue, (H, W, 3); converted once."""
        if not self.bgr:
            return self.pixels
        return cv2.cvtColor(self.pixels, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def image_to_rgb(message: Any) -> Pixels:
    """Read an Image message as RGB.

    Args:
        message: With the fields of sensor_msgs/Image.

    Returns:
        (H, W, 3) uint8, possibly a read-only view of the message's data.

    Raises:
        InputError: As :func:`decode_image`.
    """
    return decode_image(message).rgb


def decode_image(message: Any) -> DecodedImage:
    """Read an Image message in any encoding of :data:`~da_ros.conversions.ENCODINGS`.

    Row padding (``step``) and endianness are honoured. 16-bit samples become 8-bit by their high
    byte (``>> 8``), Bayer ones before the demosaicing. Alpha is dropped.

    Args:
        message: With the fields of sensor_msgs/Image.

    Returns:
        The picture; rgb8, bgr8 and 8UC3 are views of the message's data.

    Raises:
        InputError: If encoding, size, step or data do not describe a picture.
    """
    encoding = encoding_named(message.encoding)
    height, width, step = int(message.height), int(message.width), int(message.step)
    check_size(height, width)
    _check_chroma(encoding, height, width)
    rows = _rows_of(message.data, encoding, height, width, step)
    if encoding.sample_bytes == 2:
        # The high byte comes first in big-endian data; taking it is the shift by 8.
        rows = np.ascontiguousarray(rows[:, (0 if message.is_bigendian else 1) :: 2])
    return to_colour(rows, encoding, width)


def to_colour(rows: Pixels, encoding: Encoding, width: int) -> DecodedImage:
    """Turn 8-bit rows without padding into a colour picture.

    Args:
        rows: (rows in memory, width * samples) uint8; row stride free.
        encoding: What the samples mean; its sample size plays no part any more.
        width: [px].
    """
    if encoding.samples > 1:
        # Only strides change: reshape would copy padded rows.
        rows = np.lib.stride_tricks.as_strided(
            rows,
            shape=(rows.shape[0], width, encoding.samples),
            strides=(rows.strides[0], encoding.samples, 1),
            writeable=False,
        )
    if encoding.code is None:
        return DecodedImage(rows, bgr=encoding.layout is Layout.BGR)
    return DecodedImage(cv2.cvtColor(rows, encoding.code))  # type: ignore[arg-type]


def check_size(height: int, width: int) -> None:
    """Refuse a picture of no or of absurd size.

    Raises:
        InputError: If a side is below 1 px or the area above :data:`MAX_PIXELS`.
    """
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise InputError(
            f"image of {width} x {height} px: expected at least 1 x 1 and at most {MAX_PIXELS} px "
            "in all; the message is damaged or its driver is misconfigured"
        )


def _check_chroma(encoding: Encoding, height: int, width: int) -> None:
    odd_width = width % 2 and encoding.layout in (Layout.YUV_422, Layout.YUV_420)
    odd_height = height % 2 and encoding.layout is Layout.YUV_420
    if odd_width or odd_height:
        raise InputError(
            f"image {encoding.name} of {width} x {height} px: {encoding.layout.value} shares "
            "colour between neighbours and needs even sides; use another encoding or crop"
        )
    if encoding.layout is Layout.BAYER and min(height, width) < 3:
        raise InputError(
            f"image {encoding.name} of {width} x {height} px: demosaicing needs at least 3 x 3 px"
        )


def _rows_of(data: Any, encoding: Encoding, height: int, width: int, step: int) -> Pixels:
    """View the data as (rows in memory, bytes of a row without padding)."""
    wanted, rows = encoding.row_bytes(width), encoding.rows(height)
    if step < wanted:
        raise InputError(
            f"image {encoding.name} of {width} x {height} px: expected step >= {wanted} bytes per "
            f"row, got {step}; the driver's step or encoding is wrong"
        )
    raw = bytes_of(data)
    needed = step * (rows - 1) + wanted  # the padding of the last row may be missing
    if raw.size < needed:
        raise InputError(
            f"image {encoding.name} of {width} x {height} px with step {step}: expected "
            f"{step * rows} bytes of data, got {raw.size}; the message was cut short"
        )
    return np.lib.stride_tricks.as_strided(
        raw, shape=(rows, wanted), strides=(step, 1), writeable=False
    )


def bytes_of(data: Any) -> Pixels:
    """View message data (array.array, bytes or uint8 array) as uint8 without a copy.

    Raises:
        InputError: If it is no run of bytes.
    """
    try:
        return np.frombuffer(data, np.uint8)
    except (TypeError, ValueError, BufferError) as error:
        raise InputError(
            f"image data: expected bytes, got {type(data).__name__} ({error})"
        ) from error
