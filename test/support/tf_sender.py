"""A robot that drives, as /tf and /tf_static say it: for a process that has tf2_msgs.

python tf_sender.py FIRST_S LAST_S SPEED: odom -> base along x at SPEED [m/s], base -> scanner and
base -> the camera's optical frame fixed; again and again until it is ended.
"""

from __future__ import annotations

import sys
import time

import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

STEP_S = 0.05


def transform(
    parent: str,
    child: str,
    at: float,
    place: tuple[float, float, float],
    turn: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0),
) -> TransformStamped:
    made = TransformStamped(child_frame_id=child)
    made.header.frame_id = parent
    nanoseconds = round(at * 1e9)
    made.header.stamp.sec, made.header.stamp.nanosec = divmod(nanoseconds, 10**9)
    made.transform.translation.x, made.transform.translation.y, made.transform.translation.z = (
        place
    )
    rotation = made.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = turn
    return made


def main() -> None:
    first, last, speed = (float(word) for word in sys.argv[1:4])
    rclpy.init()
    node = rclpy.create_node("tf_sender")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    fixed = node.create_publisher(TFMessage, "/tf_static", latched)
    moving = node.create_publisher(TFMessage, "/tf", 100)
    optical = (-0.5, 0.5, -0.5, 0.5)  # From ahead-left-up to right-down-ahead.
    fixed.publish(
        TFMessage(
            transforms=[
                transform("base", "scanner", 0.0, (0.05, -0.1, 0.55)),
                transform("base", "camera_optical_frame", 0.0, (0.1, 0.0, 0.4), optical),
            ]
        )
    )
    steps = round((last - first) / STEP_S)
    while rclpy.ok():
        for step in range(steps + 1):
            at = first + STEP_S * step
            place = (speed * STEP_S * step, 0.0, 0.0)
            moving.publish(TFMessage(transforms=[transform("odom", "base", at, place)]))
            time.sleep(0.002)
        time.sleep(0.3)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
