"""What the other sensors of a camera send: subscribed, kept, and matched to its images."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from da_ros.conversions import header_of
from da_ros.params import ScaleParams
from da_ros.pipeline import Evidence, EvidenceShelf, says_rect
from da_ros.ros.qos import AutoSubscription

DEPTH_TOPIC = "scale_depth/image"
DEPTH_INFO_TOPIC = "scale_depth/camera_info"
CLOUD_TOPIC = "scale_points"
KEPT = 5
GIVE_UP_AFTER = 3
"""Images in a row for which a depth image was due and did not come: none waits until one comes."""
_DUE = 0.75  # Of the depth images' period after the last one.


class EvidenceBox:
    """Messages of the other sensors; filled and asked from different threads.

    An image waits for the depth image that is due at its time. A cloud is not waited for: the next
    image takes it.

    Args:
        params: Of the scale.
        depth_topic: Whether it says rect decides whether depth images are rectified.
    """

    def __init__(self, params: ScaleParams, depth_topic: str = "") -> None:
        self._params = params
        self._shelf = EvidenceShelf(params, depth_rectified=says_rect(depth_topic))
        self._arrived = threading.Condition()
        self._depth_stamps: deque[int] = deque(maxlen=9)
        self._misses = 0
        self._closed = False
        self.received = {"depth_image": 0, "point_cloud": 0}

    def add_depth(self, message: Any) -> None:
        """Take a depth image."""
        with self._arrived:
            self._shelf.add_depth(message)
            stamp = header_of(message).stamp_ns
            if self._depth_stamps and stamp < self._depth_stamps[-1]:
                self._depth_stamps.clear()
            self._depth_stamps.append(stamp)
            self._misses = 0
            self.received["depth_image"] += 1
            self._arrived.notify_all()

    def add_depth_info(self, message: Any) -> None:
        """Take the depth images' camera_info."""
        with self._arrived:
            self._shelf.add_depth_info(message)

    def add_cloud(self, message: Any) -> None:
        """Take a cloud."""
        with self._arrived:
            self._shelf.add_cloud(message)
            self.received["point_cloud"] += 1

    def match(self, stamp_ns: int, wait_s: float) -> tuple[Evidence, ...]:
        """Return what belongs to an image, waiting for it where that makes sense.

        Args:
            stamp_ns: Of the image.
            wait_s: Longest wait [s].
        """
        end = time.monotonic() + wait_s
        with self._arrived:
            waits = self._params.depth_image and self._is_due(stamp_ns)
            waits = waits and self._misses < GIVE_UP_AFTER
            while waits and not self._closed and not self._shelf.is_complete(stamp_ns, "depth"):
                remaining = end - time.monotonic()
                if remaining <= 0.0:
                    self._misses += 1
                    break
                self._arrived.wait(remaining)
            return self._shelf.match(stamp_ns)

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()

    def _is_due(self, stamp_ns: int) -> bool:
        """Whether a depth image of about this stamp is to be expected next."""
        stamps = list(self._depth_stamps)
        if len(stamps) < 2:
            return bool(stamps)
        period = statistics.median(b - a for a, b in pairwise(stamps))
        tolerance = round(self._params.sync_tolerance * 1e9)
        return stamp_ns + tolerance >= stamps[-1] + _DUE * period


class EvidenceInput:
    """Subscribes the sources of a camera's scale while it lives.

    Attributes:
        box: What has come.
    """

    def __init__(self, node: Node, params: ScaleParams) -> None:
        """Subscribe.

        Args:
            node: To subscribe with.
            params: Which sources are on.
        """
        depth = node.resolve_topic_name(DEPTH_TOPIC)
        self.box = EvidenceBox(params, depth)
        self._subscriptions: dict[str, AutoSubscription] = {}
        if params.depth_image:
            self._subscribe(node, "depth_image", Image, depth, self.box.add_depth)
            self._subscribe(
                node, "", CameraInfo, _info_topic(node, depth), self.box.add_depth_info
            )
        if params.point_cloud:
            cloud = node.resolve_topic_name(CLOUD_TOPIC)
            self._subscribe(node, "point_cloud", PointCloud2, cloud, self.box.add_cloud)

    @property
    def topics(self) -> dict[str, str]:
        """Resolved topic of each source."""
        return {name: one.topic for name, one in self._subscriptions.items() if name}

    @property
    def publishers(self) -> dict[str, int]:
        """How many publish each source."""
        return {name: one.publishers for name, one in self._subscriptions.items() if name}

    @property
    def choices(self) -> dict[str, str]:
        """QoS of each source's subscription, in words."""
        return {name: one.choice for name, one in self._subscriptions.items() if name}

    @property
    def subscriptions(self) -> Sequence[AutoSubscription]:
        """All of them, to be refreshed."""
        return list(self._subscriptions.values())

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions.values():
            subscription.close()
        self.box.close()

    def _subscribe(self, node: Node, name: str, message: Any, topic: str, take: Any) -> None:
        self._subscriptions[name] = AutoSubscription(
            node, message, topic, take, depth=KEPT, durability="auto" if not name else "volatile"
        )


def _info_topic(node: Node, depth_topic: str) -> str:
    """The camera_info beside the resolved depth topic, unless it was remapped itself."""
    info: str = node.resolve_topic_name(DEPTH_INFO_TOPIC)
    unmapped = f"{node.get_namespace().rstrip('/')}/{DEPTH_INFO_TOPIC}"
    return f"{depth_topic.rpartition('/')[0]}/camera_info" if info == unmapped else info
