"""Messages of bags: from raw CDR, and from message fields to raw CDR, through rosbags' types.

The types are da_ros's own and those of ROS 2 Jazzy, whatever definitions a bag carries: images,
camera_info and point clouds are the same in every distribution.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

import numpy as np
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from da_ros.conversions import Fields
from da_ros.errors import InputError
from da_ros.message_definitions import message_definitions
from da_ros.pipeline.outputs import CAMERA_INFO, IMAGE, POINT_CLOUD
from da_ros.types import Header

COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
TF_MESSAGE = "tf2_msgs/msg/TFMessage"

_LENGTH_FIELDS = ("d", "k", "r", "p")


@lru_cache(maxsize=1)
def typestore() -> Typestore:
    """Return all types that this room reads and writes."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for name, text in message_definitions().items():
        store.register(get_types_from_msg(text, name))
    return store


def read_message(raw: bytes | memoryview, msgtype: str) -> Any:
    """Read one message; its arrays are views of the raw bytes where they can be.

    Raises:
        InputError: If the bytes are no such message.
    """
    try:
        # A slice of a memoryview is no copy.
        return typestore().deserialize_cdr(memoryview(raw), msgtype)
    except (SerdeError, IndexError, TypeError, AssertionError) as error:
        # What the generated readers raise on garbage is not all wrapped by rosbags.
        raise InputError(f"damaged {msgtype} message of {len(raw)} bytes: {error}") from error


def read_stamp(raw: bytes | memoryview) -> int:
    """Read the stamp [ns] of a message that begins with a header, and nothing else of it.

    Raises:
        InputError: If the bytes are too few, or no CDR.
    """
    if len(raw) < 12 or bytes(raw[:2]) not in (b"\0\0", b"\0\1"):
        raise InputError(f"damaged message of {len(raw)} bytes: it does not begin with a header")
    sec, nanosec = struct.unpack_from("<iI" if raw[1] else ">iI", raw, 4)
    return int(sec) * 1_000_000_000 + int(nanosec)


def write_message(fields: Fields, msgtype: str) -> memoryview:
    """Write one message from the fields that ``conversions`` makes."""
    store = typestore()
    given = {**fields, "header": _header(fields["header"])}
    if msgtype == POINT_CLOUD:
        field_type: Any = store.types["sensor_msgs/msg/PointField"]
        given["fields"] = [field_type(**field) for field in fields["fields"]]
    elif msgtype == CAMERA_INFO:
        given |= {name: np.array(fields[name], np.float64) for name in _LENGTH_FIELDS}
        given["roi"] = _region(fields["roi"])
    message_type: Any = store.types[msgtype]
    return store.serialize_cdr(message_type(**given), msgtype)


def message_parts(fields: Fields, msgtype: str) -> list[bytes | memoryview]:
    """The same as ``write_message``, in parts: what is large is not copied.

    Pixels are the last field of an image; of a cloud one byte, ``is_dense``, follows its points.
    """
    behind = {IMAGE: 0, POINT_CLOUD: 1}.get(msgtype)
    if behind is None:
        return [write_message(fields, msgtype)]
    data = fields["data"]
    frame = bytes(write_message({**fields, "data": data[:0]}, msgtype))
    head, tail = frame[: len(frame) - 4 - behind], frame[len(frame) - behind :]
    return [head + struct.pack("<I", data.nbytes), memoryview(data).cast("B"), tail]


def definition(msgtype: str) -> tuple[str, str]:
    """Return the definition text and the type hash that a bag stores for a type."""
    text, _ = typestore().generate_msgdef(msgtype, ros_version=2)
    return text, typestore().hash_rihs01(msgtype)


def _header(header: Header) -> Any:
    types: Any = typestore().types
    stamp = types["builtin_interfaces/msg/Time"](sec=header.sec, nanosec=header.nanosec)
    return types["std_msgs/msg/Header"](stamp=stamp, frame_id=header.frame_id)


def _region(roi: Any) -> Any:
    region_type: Any = typestore().types["sensor_msgs/msg/RegionOfInterest"]
    names = ("x_offset", "y_offset", "height", "width")
    return region_type(**{name: getattr(roi, name) for name in names}, do_rectify=False)
