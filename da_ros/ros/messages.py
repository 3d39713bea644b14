"""Message fields, as :mod:`da_ros.conversions` makes them, to messages of rclpy."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField, RegionOfInterest
from std_msgs.msg import Header as HeaderMessage

from da_ros.conversions import Fields, message_data
from da_ros.pipeline.outputs import CAMERA_INFO, DEPTH_INFO, IMAGE, POINT_CLOUD
from da_ros.types import Header


def message_class(type_name: str) -> Any:
    """Class of a message type that the pipeline makes; None if da_ros.msg was not built."""
    known = {IMAGE: Image, CAMERA_INFO: CameraInfo, POINT_CLOUD: PointCloud2}
    if type_name == DEPTH_INFO:
        try:
            from da_ros.msg import DepthInfo
        except ModuleNotFoundError:
            return None
        return DepthInfo
    return known[type_name]


def message_of(fields: Fields, type_name: str) -> Any:
    """Make a message.

    Args:
        fields: By the names of the message, the header as :class:`~da_ros.types.Header`.
        type_name: Such as ``sensor_msgs/msg/Image``.
    """
    given = {**fields, "header": header_message(fields["header"])}
    if "data" in given:
        given["data"] = message_data(given["data"])
    if type_name == POINT_CLOUD:
        given["fields"] = [PointField(**field) for field in given["fields"]]
    elif type_name == CAMERA_INFO:
        given |= {name: [float(v) for v in given[name]] for name in ("d", "k", "r", "p")}
        given["roi"] = RegionOfInterest(**given["roi"]._asdict())
    return message_class(type_name)(**given)


def header_message(header: Header) -> HeaderMessage:
    """Make a header with exactly these numbers."""
    return HeaderMessage(
        stamp=Time(sec=header.sec, nanosec=header.nanosec), frame_id=header.frame_id
    )
