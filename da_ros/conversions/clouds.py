"""Point clouds of other sensors to coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from da_ros.conversions.images import bytes_of
from da_ros.errors import InputError

# sensor_msgs/PointField: FLOAT32 and FLOAT64, the only ones in which coordinates come.
_TYPES = {7: "f4", 8: "f8"}

MAX_POINTS = 2**26
"""More in one message is a damaged one."""


def cloud_points(message: Any) -> npt.NDArray[np.float64]:
    """Read x, y, z of a PointCloud2 in any layout.

    Args:
        message: With the fields of sensor_msgs/PointCloud2.

    Returns:
        (height width, 3) float64 [m], a copy, NaN points included, in the message's order.

    Raises:
        InputError: If x, y or z is missing or no float, or sizes and data do not fit together.
    """
    fields = {str(field.name): field for field in message.fields}
    height, width = int(message.height), int(message.width)
    point_step, row_step = int(message.point_step), int(message.row_step)
    if not 0 <= height * width <= MAX_POINTS or height < 0 or width < 0:
        raise InputError(f"cloud of {height} x {width} points: the message is damaged")
    if height * width == 0:
        return np.zeros((0, 3))
    raw = bytes_of(message.data)
    needed = row_step * (height - 1) + point_step * width
    if point_step < 1 or row_step < point_step * width or raw.size < needed:
        raise InputError(
            f"cloud of {height} x {width} points: expected rows of {point_step * width} bytes, "
            f"got row_step {row_step}, point_step {point_step} and {raw.size} bytes in all; the "
            "message was cut short or its steps are wrong"
        )
    order = ">" if message.is_bigendian else "<"
    points = np.empty((height, width, 3))
    for axis, name in enumerate("xyz"):
        dtype, offset = _place(fields, name, order, point_step)
        view = np.lib.stride_tricks.as_strided(
            raw[offset:],
            (height, width, dtype.itemsize),
            (row_step, point_step, 1),
            writeable=False,
        )
        points[..., axis] = np.ascontiguousarray(view).view(dtype)[..., 0]
    return points.reshape(-1, 3)


def _place(
    fields: dict[str, Any], name: str, order: str, point_step: int
) -> tuple[np.dtype[Any], int]:
    """Type and offset of one coordinate."""
    if name not in fields:
        raise InputError(f"cloud: expected fields x, y, z, got {', '.join(fields) or 'none'}")
    field = fields[name]
    kind, offset = _TYPES.get(int(field.datatype)), int(field.offset)
    if kind is None:
        raise InputError(
            f"cloud: expected field {name} as FLOAT32 or FLOAT64, got type {field.datatype}"
        )
    dtype = np.dtype(order + kind)
    if not 0 <= offset <= point_step - dtype.itemsize:
        raise InputError(
            f"cloud: field {name} at byte {offset} leaves the point of {point_step} bytes"
        )
    return dtype, offset
