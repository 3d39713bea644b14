"""A camera with other sensors beside it, in a world that the ramp network is wrong about."""

from __future__ import annotations

import array
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from ramp_estimator import ramp_estimator
from robot import HEIGHT, WIDTH, Robot, picture
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField

from da_ros.types import Kind

SCALE, SHIFT, FACTOR = 0.15, 0.05, 1.3
"""Of the world: 1/z = SCALE d + SHIFT, or z = FACTOR z_network."""

FX = 50.0
FRAME = "camera_optical_frame"
DEPTH, CLOUD = "/front/depth/image_raw", "/front/scan"
REMAP = ("-r", f"scale_depth/image:={DEPTH}", "-r", f"scale_points:={CLOUD}")

TRANSLATION = (0.1, -0.15, -0.05)
"""Of the scanner in the optical frame [m]."""

ROTATION = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
"""From the scanner's axes (x ahead, y left, z up) to the optical ones."""

FIXED = "0.1 -0.15 -0.05 0.5 -0.5 0.5 0.5"
"""The same as x y z qx qy qz qw."""


def network(rgb: np.ndarray, kind: Kind) -> np.ndarray:
    """What the ramp network says of a picture, at the picture's size, (H, W) float64."""
    import cv2

    estimator = ramp_estimator(kind)
    values = estimator.estimate(rgb[None]).values[0].numpy()
    return np.asarray(cv2.resize(values, rgb.shape[1::-1]), np.float64)


def world(rgb: np.ndarray, kind: Kind = Kind.RELATIVE_INVERSE_DEPTH) -> np.ndarray:
    """True depth, (H, W) [m]."""
    said = network(rgb, kind)
    return FACTOR * said if kind is Kind.METRIC_DEPTH else 1.0 / (SCALE * said + SHIFT)


def stamp(message: Any, stamp_ns: int, frame_id: str = FRAME) -> Any:
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    message.header.frame_id = frame_id
    return message


def depth_image(metres: np.ndarray, stamp_ns: int) -> Image:
    data = array.array("B", metres.astype("<f4").tobytes())
    height, width = metres.shape
    message = Image(height=height, width=width, encoding="32FC1", step=4 * width, data=data)
    return stamp(message, stamp_ns)


def scan(metres: np.ndarray, stamp_ns: int, frame_id: str = "scanner") -> PointCloud2:
    """Every second pixel as a point in the scanner's frame."""
    v, u = np.mgrid[:HEIGHT:2, :WIDTH:2].reshape(2, -1)
    z = metres[v, u]
    optical = np.stack(
        ((u - (WIDTH - 1) / 2) / FX * z, (v - (HEIGHT - 1) / 2) / FX * z, z), axis=1
    )
    points = (optical - np.array(TRANSLATION)) @ ROTATION  # R^T (p - t)
    return cloud(points, stamp_ns, frame_id)


def cloud(points: np.ndarray, stamp_ns: int, frame_id: str) -> PointCloud2:
    message = PointCloud2(
        height=1,
        width=len(points),
        fields=[
            PointField(name=n, offset=8 * i, datatype=8, count=1) for i, n in enumerate("xyz")
        ],
        point_step=24,
        row_step=24 * len(points),
        data=array.array("B", points.astype("<f8").tobytes()),
        is_dense=True,
    )
    return stamp(message, stamp_ns, frame_id)


class Rig:
    """Sends frames with evidence; every stamp is chosen by the test."""

    def __init__(self, robot: Robot, kind: Kind = Kind.RELATIVE_INVERSE_DEPTH) -> None:
        self.robot, self.kind = robot, kind
        self.rgb = picture()
        self.truth = world(self.rgb, kind)

    def image(self, stamp_ns: int) -> Image:
        return stamp(self.robot.image(self.rgb), stamp_ns)

    def info(self) -> CameraInfo:
        return self.robot.info(fx=FX)

    def evidence(self, name: str, message: Any) -> None:
        """Send evidence, and wait until the node has it."""
        topic = DEPTH if name == "depth_image" else CLOUD
        sender = self.robot.publisher(type(message), topic)
        self.robot.until(
            lambda: (
                sender.get_subscription_count()
                and self.robot.value("scale", f"{name}: subscribed").startswith("reliable")
            ),
            f"{topic} is subscribed",
        )
        before = self.received(name)
        self._again_until(lambda: sender.publish(message), lambda: self.received(name) > before)

    def received(self, name: str) -> int:
        return int(self.robot.value("scale", f"{name}: received") or 0)

    def frame(self, stamp_ns: int, answers: Any) -> Any:
        """Send an image and wait for its DepthInfo; return that."""
        image_out = self.robot.publisher(Image, "/front/image")
        info_out = self.robot.publisher(CameraInfo, "/front/camera_info")
        self.robot.until(
            lambda: (
                image_out.get_subscription_count()
                and info_out.get_subscription_count()
                and self.robot.value("input", "subscribed").startswith("reliable")
            ),
            "both sides matched",
        )
        self._again_until(
            lambda: self.robot.send(self.image(stamp_ns), self.info()),
            lambda: of_stamp(answers, stamp_ns),
        )
        return of_stamp(answers, stamp_ns)

    def _again_until(self, send: Callable[[], Any], arrived: Callable[[], Any]) -> None:
        """Send; once more only if a subscription changed under way and it was lost."""
        due = 0.0

        def sent() -> Any:
            nonlocal due
            if time.monotonic() > due:
                send()
                due = time.monotonic() + 10.0
            return arrived()

        self.robot.until(sent, "an answer")


def stamp_of(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def of_stamp(listener: Any, stamp_ns: int) -> Any:
    return next((m for m in list(listener.messages) if stamp_of(m) == stamp_ns), None)


def subscribed(robot: Robot, *topics: str) -> Callable[[], bool]:
    """Whether the node knows that these outputs are listened to."""
    return lambda: all(
        int(robot.value("output", f"subscribers of {topic}") or 0) for topic in topics
    )
