"""Transforms from /tf and /tf_static: through tf2_ros where it is, else by our own buffer.

tf2_ros comes with every distribution, but not with every way to install ROS. Without it, and
without tf2_msgs, there are no transforms: ``scale.fixed_transform`` says where a scanner is then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time

from da_ros.ros.patience import Patience
from da_ros.scale.observations.transforms import (
    FutureTransformError,
    TransformBuffer,
    TransformError,
    TransformSource,
    pose_matrix,
)

KEEP_S = 10.0
DEPTH = 100
_POLL_S = 0.002

Matrix = npt.NDArray[np.float64]


class Feed(Protocol):
    """Transforms that come in over ROS."""

    def lookup(
        self,
        target: str,
        target_stamp_ns: int,
        source: str,
        source_stamp_ns: int,
        fixed: str | None,
    ) -> Matrix:
        """As ``TransformSource.lookup``."""

    def clear(self) -> None:
        """Forget what moves."""

    def close(self) -> None:
        """Unsubscribe."""


class BufferFeed:
    """Our own buffer, filled from the topics.

    Args:
        node: To subscribe with; None, as in tests, subscribes nothing.
        message: Class of tf2_msgs/TFMessage.
    """

    def __init__(self, node: Node | None, message: Any = None) -> None:
        self._lock = threading.Lock()
        self._buffer = TransformBuffer(KEEP_S)
        self._node = node
        self._subscriptions = []
        if node is not None:
            moving, static = _profile(latched=False), _profile(latched=True)
            self._subscriptions = [
                node.create_subscription(message, "/tf", self._moving, moving),
                node.create_subscription(message, "/tf_static", self._static, static),
            ]

    def add(self, transform: Any, *, static: bool) -> None:
        """Take a geometry_msgs/TransformStamped."""
        place, turn = transform.transform.translation, transform.transform.rotation
        stamp = transform.header.stamp
        with self._lock:
            self._buffer.add(
                transform.header.frame_id,
                transform.child_frame_id,
                stamp.sec * 1_000_000_000 + stamp.nanosec,
                (place.x, place.y, place.z),
                (turn.x, turn.y, turn.z, turn.w),
                static=static,
            )

    def lookup(
        self,
        target: str,
        target_stamp_ns: int,
        source: str,
        source_stamp_ns: int,
        fixed: str | None,
    ) -> Matrix:
        """As ``TransformSource.lookup``."""
        with self._lock:
            return self._buffer.lookup(target, target_stamp_ns, source, source_stamp_ns, fixed)

    def clear(self) -> None:
        """Forget what moves."""
        with self._lock:
            self._buffer.clear()

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            assert self._node is not None, "it subscribed"
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def _moving(self, message: Any) -> None:
        self._take(message, static=False)

    def _static(self, message: Any) -> None:
        self._take(message, static=True)

    def _take(self, message: Any, *, static: bool) -> None:
        for transform in message.transforms:
            try:
                self.add(transform, static=static)
            except TransformError as error:
                if self._node is not None:
                    self._node.get_logger().warning(str(error), throttle_duration_sec=10.0)


class Tf2Feed:
    """The buffer of tf2_ros.

    Args:
        node: To subscribe with; None, as in tests, subscribes nothing.
        tf2: The module tf2_ros.
    """

    def __init__(self, node: Node | None, tf2: Any) -> None:
        self._tf2 = tf2
        self._buffer = tf2.Buffer()
        self._listener = None if node is None else tf2.TransformListener(self._buffer, node)

    def add(self, transform: Any, *, static: bool) -> None:
        """Take a geometry_msgs/TransformStamped."""
        put = self._buffer.set_transform_static if static else self._buffer.set_transform
        put(transform, "da_ros")

    def lookup(
        self,
        target: str,
        target_stamp_ns: int,
        source: str,
        source_stamp_ns: int,
        fixed: str | None,
    ) -> Matrix:
        """As ``TransformSource.lookup``."""
        at, then = Time(nanoseconds=target_stamp_ns), Time(nanoseconds=source_stamp_ns)
        to, of = target.lstrip("/"), source.lstrip("/")
        try:
            if fixed is None:
                found = self._buffer.lookup_transform(to, of, at)
            else:
                found = self._buffer.lookup_transform_full(to, at, of, then, fixed.lstrip("/"))
        except self._tf2.ExtrapolationException as error:
            raise _extrapolated(str(error)) from error
        except self._tf2.TransformException as error:
            raise TransformError(f"tf2: {error}") from error
        place, turn = found.transform.translation, found.transform.rotation
        return pose_matrix(
            np.array([place.x, place.y, place.z]), np.array([turn.x, turn.y, turn.z, turn.w])
        )

    def clear(self) -> None:
        """Forget what moves."""
        self._buffer.clear()

    def close(self) -> None:
        """Unsubscribe."""
        if self._listener is not None:
            self._listener.unregister()
            self._listener = None


class NoFeed:
    """No transforms, and why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def lookup(
        self,
        target: str,
        target_stamp_ns: int,
        source: str,
        source_stamp_ns: int,
        fixed: str | None,
    ) -> Matrix:
        """Refuse."""
        raise TransformError(self._reason)

    def clear(self) -> None:
        """There is nothing."""

    def close(self) -> None:
        """There is nothing."""


class PatientTransforms:
    """Waits a little for a transform that is about to come, in the thread that asks.

    Args:
        feed: What comes in.
        wait_s: Says the longest wait now [s].
    """

    def __init__(self, feed: TransformSource, wait_s: Callable[[], float]) -> None:
        self._feed, self._wait_s = feed, wait_s
        self._patience = Patience()

    def lookup(
        self,
        target: str,
        target_stamp_ns: int,
        source: str,
        source_stamp_ns: int,
        fixed: str | None,
    ) -> Matrix:
        """As ``TransformSource.lookup``."""
        waits = self._patience.waits()
        end = time.monotonic() + (self._wait_s() if waits else 0.0)
        while True:
            try:
                found = self._feed.lookup(target, target_stamp_ns, source, source_stamp_ns, fixed)
            except FutureTransformError:
                if time.monotonic() >= end:
                    if waits:
                        self._patience.missed()
                    raise
                time.sleep(_POLL_S)
                continue
            self._patience.met()
            return found


def open_feed(node: Node) -> Feed:
    """Listen to /tf and /tf_static by the best means there is."""
    try:
        import tf2_ros
    except ImportError:
        pass
    else:
        return Tf2Feed(node, tf2_ros)
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        reason = (
            "there is no TF: neither tf2_ros nor tf2_msgs is installed; scale.fixed_transform and "
            "scale.camera_pitch need none"
        )
        node.get_logger().warning(reason)
        return NoFeed(reason)
    return BufferFeed(node, TFMessage)


def _extrapolated(text: str) -> TransformError:
    """tf2 says in words alone on which side of its data a stamp lies."""
    kind = FutureTransformError if "future" in text else TransformError
    return kind(f"tf2: {text}")


def _profile(*, latched: bool) -> QoSProfile:
    return QoSProfile(
        depth=DEPTH,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
