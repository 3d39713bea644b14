"""Message fields, as :mod:`da_ros.conversions` makes them, to messages of rclpy."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField, RegionOfInterest
from std_msgs.msg import Header as HeaderMessage

from da_ros.conversions import Fields, message_data
from da_ros.pipeline.outputs import CAMERA_INFO, IMAGE, POINT_CLOUD
from da_ros.types import Header


def message_class(type_name: str) -> Any:
    """Class of a message type that the pipeline makes; None if da_ros.msg was not built."""
    known = {IMAGE: Image, CAMERA_INFO: CameraInfo, POINT_CLOUD: PointCloud2}
    if type_name in known:
        return known[type_name]
    try:
        from da_ros import msg
    except ImportError:
        return None
    return getattr(msg, type_name.rpartition("/")[2])


class ReusedMessages:
    """One message per topic, filled anew for each frame; for one thread.

    rclpy copies a message while it publishes, so its memory can serve again. New memory of
    megabytes is mapped page by page and, since most setters copy what they are given, twice: that
    costs more than everything else that happens to a cloud in the node.
    """

    def __init__(self) -> None:
        self._messages: dict[str, Any] = {}

    def filled(self, topic: str, fields: Fields, type_name: str) -> Any:
        """Return the topic's message with these fields.

        Args:
            topic: Whose message it is; always of one type.
            fields: By the names of the message, the header as :class:`~da_ros.types.Header`.
            type_name: Such as ``sensor_msgs/msg/Image``.
        """
        if topic not in self._messages:
            self._messages[topic] = message_class(type_name)()
        message = self._messages[topic]
        for name, value in _given(fields, type_name).items():
            if name != "data":
                setattr(message, name, value)
            elif len(message.data) == len(value):
                memoryview(message.data)[:] = value.data
            else:
                message.data = message_data(value)
        return message


def _given(fields: Fields, type_name: str) -> Fields:
    """Fields as the message takes them, but for its data."""
    given = {**fields, "header": header_message(fields["header"])}
    if type_name == POINT_CLOUD:
        given["fields"] = [PointField(**field) for field in given["fields"]]
    elif type_name == CAMERA_INFO:
        given |= {name: [float(v) for v in given[name]] for name in ("d", "k", "r", "p")}
        given["roi"] = RegionOfInterest(**given["roi"]._asdict())
    return given


def header_message(header: Header) -> HeaderMessage:
    """Make a header with exactly these numbers."""
    return HeaderMessage(
        stamp=Time(sec=header.sec, nanosec=header.nanosec), frame_id=header.frame_id
    )
