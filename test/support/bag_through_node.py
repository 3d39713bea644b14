"""A recorded RGB-D camera in front of the real node with nano; needs ROS."""

from __future__ import annotations

import array
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from held_back import Recorded, Score, held_back, millimetres, score
from numpy.typing import NDArray
from robot import NodeProcess, Robot, pixels_of, points_of
from scale_robot import of_stamp, stamp_of, subscribed
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

IMAGE_TOPIC, DEPTH_TOPIC = "/camera/color/image_raw", "/camera/depth/image_raw"
OUTPUTS = {
    "depth/image": Image,
    "depth/std": Image,
    "inverse_depth/image": Image,
    "points": PointCloud2,
}


class Shown(NamedTuple):
    """What came out for one frame."""

    score: Score
    depth: NDArray[np.float32]
    points: NDArray[np.float32]


def nano_node(log: Path) -> NodeProcess:
    """The node as users start it, with the depth camera as its source of scale."""
    words = [
        *("-r", f"image:={IMAGE_TOPIC}", "-r", f"scale_depth/image:={DEPTH_TOPIC}"),
        *("-p", "model_size:=nano", "-p", "device:=cpu", "-p", "scale.depth_image:=true"),
        *("-p", "scale.wait:=1.0", "-p", "camera_info_wait:=1.0"),
    ]
    command = [sys.executable, "-m", "da_ros.ros.depth_node"]
    return NodeProcess(log, *words, command=command)


def play(robot: Robot, frames: list[Recorded], seed: int = 0) -> list[Shown]:
    """Send the frames one by one, a share of the depth held back, and score what is published."""
    senders = {
        topic: robot.publisher(kind, topic)
        for topic, kind in (
            (IMAGE_TOPIC, Image),
            ("/camera/color/camera_info", CameraInfo),
            (DEPTH_TOPIC, Image),
            ("/camera/depth/camera_info", CameraInfo),
        )
    }
    shown = []
    with ExitStack() as stack:
        heard = {
            topic: stack.enter_context(robot.listen(kind, f"/da_ros/{topic}"))
            for topic, kind in OUTPUTS.items()
        }
        robot.until(subscribed(robot, *OUTPUTS), "the node knows its listeners")
        robot.until(
            lambda: (
                all(sender.get_subscription_count() for sender in senders.values())
                and robot.value("input", "subscribed").startswith("reliable")
                and robot.value("scale", "depth_image: subscribed").startswith("reliable")
            ),
            "both sides matched",
        )
        for number, frame in enumerate(frames):
            without = held_back((frame.depth.height, frame.depth.width), 100 * seed + number)
            before = robot.value("scale", "depth_image: received")
            senders["/camera/depth/camera_info"].publish(_info(frame.depth_info))
            senders[DEPTH_TOPIC].publish(_image(frame.depth, millimetres(frame.depth, without)))
            robot.until(
                lambda b=before: robot.value("scale", "depth_image: received") != b, "depth"
            )
            senders["/camera/color/camera_info"].publish(_info(frame.info))
            pixels = np.frombuffer(bytes(frame.image.data), np.uint8)
            senders[IMAGE_TOPIC].publish(_image(frame.image, pixels))
            stamp = stamp_of(frame.image)
            found: dict[str, Any] = {
                topic: robot.until(lambda t=topic, s=stamp: of_stamp(heard[t], s), topic)
                for topic in OUTPUTS
            }
            depth, std, inverse = (
                pixels_of(found[t]) for t in ("depth/image", "depth/std", "inverse_depth/image")
            )
            points = points_of(found["points"])
            shown.append(Shown(score(frame, without, depth, std, inverse), depth, points))
    return shown


def _header(target: Any, source: Any) -> Any:
    target.header.stamp.sec = int(source.header.stamp.sec)
    target.header.stamp.nanosec = int(source.header.stamp.nanosec)
    target.header.frame_id = source.header.frame_id
    return target


def _image(source: Any, pixels: np.ndarray) -> Image:
    message = Image(
        height=source.height,
        width=source.width,
        encoding=source.encoding,
        is_bigendian=int(source.is_bigendian),
        step=source.step,
        data=array.array("B", pixels.tobytes()),
    )
    return _header(message, source)


def _info(source: Any) -> CameraInfo:
    numbers = {name: [float(v) for v in getattr(source, name)] for name in ("d", "k", "r", "p")}
    message = CameraInfo(
        height=source.height,
        width=source.width,
        distortion_model=source.distortion_model,
        **numbers,
    )
    return _header(message, source)
