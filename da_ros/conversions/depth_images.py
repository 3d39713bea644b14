"""Depth images of other sensors to metres."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from da_ros.conversions.images import bytes_of, check_size
from da_ros.errors import InputError

DEPTH_ENCODINGS = ("16UC1", "32FC1")
"""What depth images are sent as."""

_SAMPLES = {"16UC1": ("u2", 0.001), "mono16": ("u2", 0.001), "32FC1": ("f4", 1.0)}


def decode_depth(message: Any) -> npt.NDArray[np.float32]:
    """Read a depth image (REP 118).

    Args:
        message: With the fields of sensor_msgs/Image: 16UC1 in millimetres or 32FC1 in metres;
            mono16, which some drivers write, is read as 16UC1.

    Returns:
        (H, W) float32 [m], a copy; 0 of 16UC1 becomes NaN.

    Raises:
        InputError: If encoding, size, step or data do not describe a depth image.
    """
    known = _SAMPLES.get(str(message.encoding))
    if known is None:
        raise InputError(
            f"depth image encoding {message.encoding!r} is not supported; supported: "
            f"{', '.join(_SAMPLES)}"
        )
    kind, unit = known
    height, width, step = int(message.height), int(message.width), int(message.step)
    check_size(height, width)
    dtype = np.dtype((">" if message.is_bigendian else "<") + kind)
    row = width * dtype.itemsize
    raw = bytes_of(message.data)
    if step < row or raw.size < step * (height - 1) + row:
        raise InputError(
            f"depth image {message.encoding} of {width} x {height} px: expected rows of {row} "
            f"bytes, got step {step} and {raw.size} bytes in all; the message was cut short or "
            "its step is wrong"
        )
    rows = np.lib.stride_tricks.as_strided(raw, (height, row), (step, 1), writeable=False)
    values = np.ascontiguousarray(rows).view(dtype).astype(np.float32)
    if kind == "u2":
        values[values == 0] = np.nan
        values *= np.float32(unit)
    return values
