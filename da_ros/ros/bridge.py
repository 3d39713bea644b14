"""cv_bridge, where a robot has it, for the encodings that are not read in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from da_ros.conversions.encodings import ENCODINGS, Layout
from da_ros.ros.notices import Notices

BRIDGED = frozenset(
    name
    for name, encoding in ENCODINGS.items()
    if encoding.sample_bytes == 1
    and encoding.layout in (Layout.BAYER, Layout.YUV_422, Layout.YUV_420)
)
"""Mosaics and shared chroma. Of 16-bit samples we take the high byte and cv_bridge rounds; these
stay ours, so that a bag gives the same bytes with and without ROS."""


@dataclass(frozen=True, eq=False)
class BridgedImage:
    """An image message's fields, once cv_bridge has made it bgr8."""

    header: Any
    height: int
    width: int
    step: int
    data: Any
    encoding: str = "bgr8"
    is_bigendian: int = 0


class ImageBridge:
    """Lets cv_bridge convert what it is there for.

    Args:
        notices: Told if cv_bridge fails on what we can read.
        convert: ``CvBridge().imgmsg_to_cv2``; None where there is none.
    """

    def __init__(self, notices: Notices, convert: Callable[..., Any] | None) -> None:
        self._notices, self._convert = notices, convert

    @classmethod
    def find(cls, notices: Notices) -> ImageBridge:
        """Take the cv_bridge of this installation, if it has one."""
        try:
            from cv_bridge import CvBridge

            return cls(notices, CvBridge().imgmsg_to_cv2)
        # An opencv or numpy that it does not go with makes it fail with whatever comes first.
        except Exception:
            return cls(notices, None)

    def readable(self, message: Any) -> Any:
        """The message itself, or what cv_bridge made of it."""
        if self._convert is None or getattr(message, "encoding", "") not in BRIDGED:
            return message
        try:
            pixels = self._convert(message, "bgr8")
            height, width = (int(side) for side in pixels.shape[:2])
        except Exception as error:  # we can read it too, and say better what is wrong with it
            self._notices.once(
                "input: cv_bridge",
                f"cv_bridge does not convert {message.encoding} ({error!r}); da_ros does it",
            )
            return message
        return BridgedImage(message.header, height, width, pixels.strides[0], pixels)
