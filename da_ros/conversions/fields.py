"""Headers and cameras out of messages; arrays and cameras into message fields.

The output functions give dicts with the field names of the message, which the ROS and the bag room
turn into messages of their world: ``header`` is a :class:`~da_ros.types.Header`, ``data`` a flat
uint8 view of the array it was made from, not a copy.
"""

from __future__ import annotations

import array
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from da_ros.conversions.images import Pixels
from da_ros.errors import InputError
from da_ros.types import Header

Fields = dict[str, Any]

_IS_BIGENDIAN = sys.byteorder == "big"
_FLOAT32 = 7  # sensor_msgs/PointField.FLOAT32

_OUTPUT_SAMPLES: dict[str, tuple[np.dtype[Any], int]] = {
    "32FC1": (np.dtype(np.float32), 1),
    "16UC1": (np.dtype(np.uint16), 1),
    "rgb8": (np.dtype(np.uint8), 3),
}


def header_of(message: Any) -> Header:
    """Read a message's header."""
    header = message.header
    return Header(int(header.stamp.sec), int(header.stamp.nanosec), str(header.frame_id))


def camera_fields_of(message: Any) -> Fields:
    """Read a CameraInfo message as the arguments of ``PinholeCamera.from_fields``.

    Both spellings of ROS 1 and 2 (``D`` and ``d``) are read.
    """

    def numbers(name: str) -> tuple[float, ...]:
        values = (
            getattr(message, name) if hasattr(message, name) else getattr(message, name.upper())
        )
        return tuple(float(value) for value in values)

    roi = message.roi
    return {
        "height": int(message.height),
        "width": int(message.width),
        "distortion_model": str(message.distortion_model),
        "d": numbers("d"),
        "k": numbers("k"),
        "r": numbers("r"),
        "p": numbers("p"),
        "binning_x": int(message.binning_x),
        "binning_y": int(message.binning_y),
        "roi": (int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height)),
    }


def image_fields(header: Header, picture: npt.NDArray[Any], encoding: str) -> Fields:
    """Fields of a sensor_msgs/Image.

    Args:
        header: Goes into the message unchanged.
        picture: (H, W) float32 for 32FC1, (H, W) uint16 for 16UC1, (H, W, 3) uint8 for rgb8.
        encoding: One of these three.

    Raises:
        InputError: If array and encoding do not belong together.
    """
    dtype, samples = _OUTPUT_SAMPLES[encoding]
    shape = picture.shape if samples == 1 else picture.shape[:-1]
    if picture.dtype != dtype or len(shape) != 2 or picture.size != shape[0] * shape[1] * samples:
        raise InputError(
            f"image for encoding {encoding}: expected {dtype} with {samples} channel(s), got "
            f"{picture.dtype} of shape {picture.shape}"
        )
    return {
        "header": header,
        "height": shape[0],
        "width": shape[1],
        "encoding": encoding,
        "is_bigendian": int(_IS_BIGENDIAN),
        "step": shape[1] * samples * dtype.itemsize,
        "data": flat_bytes(picture),
    }


def camera_info_fields(header: Header, camera_fields: Mapping[str, Any]) -> Fields:
    """Fields of a sensor_msgs/CameraInfo, from ``PinholeCamera.fields()``."""
    return {"header": header, **camera_fields}


def cloud_fields(header: Header, packed: npt.NDArray[np.float32]) -> Fields:
    """Fields of an organised sensor_msgs/PointCloud2.

    Args:
        header: Goes into the message unchanged.
        packed: (h, w, 3) x y z or (h, w, 4) x y z rgb, float32 [m]; NaN where there is no point.
    """
    names = ("x", "y", "z", "rgb")[: packed.shape[-1]]
    height, width = packed.shape[:2]
    return {
        "header": header,
        "height": height,
        "width": width,
        "fields": [
            {"name": name, "offset": 4 * index, "datatype": _FLOAT32, "count": 1}
            for index, name in enumerate(names)
        ],
        "is_bigendian": _IS_BIGENDIAN,
        "point_step": 4 * len(names),
        "row_step": 4 * len(names) * width,
        "data": flat_bytes(packed),
        "is_dense": False,
    }


def flat_bytes(values: npt.NDArray[Any]) -> Pixels:
    """View an array as flat uint8; copied only if it is not contiguous."""
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)


def message_data(flat: Pixels) -> array.array[int]:
    """Copy flat bytes into what rclpy takes unchecked; a list or numpy array costs 100 x more."""
    data = array.array("B")
    data.frombytes(flat.data)
    return data
