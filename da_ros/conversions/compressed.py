"""sensor_msgs/CompressedImage (JPEG and PNG) to pixels.

What the data is, its first bytes say; the format string, whose spelling differs between
publishers, only tells what those bytes cannot: raw depth, a Bayer mosaic, swapped channels.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import cv2

from da_ros.conversions.encodings import ENCODINGS, Layout
from da_ros.conversions.images import DecodedImage, Pixels, bytes_of, check_size, to_colour
from da_ros.errors import InputError

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
# Frame headers C0..CF hold the size; C4, C8 and CC are tables.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def compressed_image_to_rgb(message: Any) -> Pixels:
    """Read a CompressedImage message as RGB, (H, W, 3) uint8.

    Raises:
        InputError: As :func:`decode_compressed`.
    """
    return decode_compressed(message).rgb


def decode_compressed(message: Any) -> DecodedImage:
    """Read a CompressedImage message: 8-bit JPEG or PNG, whatever its format string's spelling.

    An orientation tag is not followed: the intrinsics belong to the sensor's own rows and columns.

    Args:
        message: With the fields of sensor_msgs/CompressedImage.

    Raises:
        InputError: If it is depth, 16-bit, another format, or damaged.
    """
    spelling = str(message.format)
    if "compresseddepth" in spelling.lower():
        raise InputError(
            f"compressed image of format {spelling!r} is depth, not a camera's picture; "
            "choose the colour topic"
        )
    data = bytes_of(message.data)
    head = data[: len(_PNG_MAGIC)].tobytes()
    if head == _PNG_MAGIC:
        _check_png(data.tobytes(), spelling)
    elif head.startswith(_JPEG_MAGIC):
        _check_jpeg(data.tobytes(), spelling)
    else:
        raise InputError(
            f"compressed image of format {spelling!r}: expected JPEG or PNG data, got "
            f"{data.size} bytes that begin with {head.hex(' ') or 'nothing'}"
        )
    return _decoded(data, spelling)


def _decoded(data: Pixels, spelling: str) -> DecodedImage:
    source = ENCODINGS.get(spelling.partition(";")[0].strip())
    mosaic = source is not None and source.layout is Layout.BAYER and _names_no_target(spelling)
    flag = cv2.IMREAD_GRAYSCALE if mosaic else cv2.IMREAD_COLOR
    try:
        pixels = cv2.imdecode(data, flag | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise _damaged(spelling, str(error.err)) from error
    if pixels is None:
        raise _damaged(spelling, "the decoder refuses it")
    if mosaic and source is not None:
        return to_colour(pixels, source, pixels.shape[1])  # type: ignore[arg-type]
    # image_transport names the channel order it gave to the encoder, which writes BGR as such.
    swapped = "compressed rgb8" in spelling.lower()
    return DecodedImage(pixels, bgr=not swapped)  # type: ignore[arg-type]


def _names_no_target(spelling: str) -> bool:
    return spelling.lower().rstrip().endswith("compressed")


def _check_png(data: bytes, spelling: str) -> None:
    """Hold every chunk to its checksum: the decoder shows a damaged picture without a word."""
    position, kind = len(_PNG_MAGIC), b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise _damaged(spelling, f"the PNG ends at byte {len(data)} without its end chunk")
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 4 : position + 8 + length]
        position += 12 + length
        if position > len(data):
            raise _damaged(spelling, f"the PNG is cut at byte {len(data)}")
        (expected,) = struct.unpack_from(">I", data, position - 4)
        if zlib.crc32(body) != expected:
            raise _damaged(spelling, f"the checksum of PNG chunk {kind!r} is wrong")
        if kind == b"IHDR":
            _check_png_header(body[4:], spelling)


def _check_png_header(body: bytes, spelling: str) -> None:
    if len(body) != 13:
        raise _damaged(spelling, f"its PNG header has {len(body)} bytes instead of 13")
    width, height, bits = struct.unpack_from(">IIB", body)
    check_size(height, width)
    if bits == 16:
        raise InputError(
            f"compressed image of format {spelling!r} is a 16-bit PNG: that is raw depth or raw "
            "sensor counts; publish 8-bit colour (jpeg or 8-bit png)"
        )


def _check_jpeg(data: bytes, spelling: str) -> None:
    """Find the size before anything is allocated, and the end: a cut file decodes half grey."""
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            break
        marker = data[position + 1]
        if marker == 0xFF or marker in _JPEG_ALONE:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            check_size(height, width)
            break
        position += 2 + int(struct.unpack_from(">H", data, position + 2)[0])
    else:
        raise _damaged(spelling, f"the JPEG ends at byte {len(data)} before its picture")
    # Some encoders pad behind the end marker, so it is looked for, not expected at the very end.
    if data.rfind(_JPEG_END) < position:
        raise _damaged(spelling, f"the JPEG is cut at byte {len(data)}, without its end marker")


def _damaged(spelling: str, what: str) -> InputError:
    return InputError(f"compressed image of format {spelling!r} is damaged: {what}")
