"""Which pixel encodings a camera image may have, and how each lies in memory."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2

from da_ros.errors import InputError


class Layout(Enum):
    """What the samples of a row mean."""

    RGB = "rgb"
    BGR = "bgr"
    RGBA = "rgba"
    BGRA = "bgra"
    GRAY = "gray"
    BAYER = "bayer"
    YUV_422 = "yuv 4:2:2"
    YUV_420 = "yuv 4:2:0"


@dataclass(frozen=True)
class Encoding:
    """One value of ``sensor_msgs/Image.encoding``.

    Attributes:
        name: As in the message.
        layout: What the samples mean.
        samples: Samples per pixel within a row.
        sample_bytes: 1, or 2 with the endianness of the message.
        code: OpenCV colour conversion to RGB; None where none is needed.
    """

    name: str
    layout: Layout
    samples: int
    sample_bytes: int = 1
    code: int | None = None

    def row_bytes(self, width: int) -> int:
        """Bytes of a row without padding."""
        return width * self.samples * self.sample_bytes

    def rows(self, height: int) -> int:
        """Rows in memory; 4:2:0 has its chroma below the picture."""
        return height * 3 // 2 if self.layout is Layout.YUV_420 else height


# The letters of a ROS Bayer name are the first pixels of the first two rows; OpenCV's older names,
# the only ones that the 4.5 of Humble has, are those of the second row and second column.
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}


def _table() -> dict[str, Encoding]:
    colour = [
        ("rgb", Layout.RGB, 3, None),
        ("bgr", Layout.BGR, 3, None),
        ("rgba", Layout.RGBA, 4, cv2.COLOR_RGBA2RGB),
        ("bgra", Layout.BGRA, 4, cv2.COLOR_BGRA2RGB),
        ("mono", Layout.GRAY, 1, cv2.COLOR_GRAY2RGB),
    ]
    colour += [(f"bayer_{name}", Layout.BAYER, 1, code) for name, code in _BAYER.items()]
    found = [
        Encoding(f"{stem}{8 * size}", layout, samples, size, code)
        for stem, layout, samples, code in colour
        for size in (1, 2)
    ]
    # Channels without a name are in OpenCV's order, as everything that writes them has it.
    found += [
        Encoding("8UC1", Layout.GRAY, 1, 1, cv2.COLOR_GRAY2RGB),
        Encoding("8UC3", Layout.BGR, 3),
        Encoding("8UC4", Layout.BGRA, 4, 1, cv2.COLOR_BGRA2RGB),
    ]
    found += [
        Encoding(name, Layout.YUV_422, 2, 1, code)
        for names, code in (
            (("yuv422", "uyvy"), cv2.COLOR_YUV2RGB_UYVY),
            (("yuv422_yuy2", "yuyv"), cv2.COLOR_YUV2RGB_YUY2),
        )
        for name in names
    ]
    found += [
        Encoding("nv12", Layout.YUV_420, 1, 1, cv2.COLOR_YUV2RGB_NV12),
        Encoding("nv21", Layout.YUV_420, 1, 1, cv2.COLOR_YUV2RGB_NV21),
    ]
    return {item.name: item for item in found}


ENCODINGS: dict[str, Encoding] = _table()
"""Every encoding that is read, by its name in the message."""

_DEPTH_ENCODINGS = ("16UC1", "32FC1", "64FC1")


def encoding_named(name: str) -> Encoding:
    """Look an encoding up.

    Raises:
        InputError: If a camera picture cannot have it, with the list of those it can.
    """
    found = ENCODINGS.get(name)
    if found is not None:
        return found
    why = " (that is a depth image, not a camera's picture)" if name in _DEPTH_ENCODINGS else ""
    raise InputError(
        f"image encoding {name!r} is not supported{why}; supported: {', '.join(ENCODINGS)}"
    )
