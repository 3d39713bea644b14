"""What publishing alone costs: depth, camera_info and a coloured cloud, 640x480.

    python -m benchmarks.publishing [RATE]

Makes messages of ready fields and publishes them as the node does, the middleware's share of a
frame. Runs until SIGINT beside a subscriber (benchmarks/node.py is one), then prints JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

import numpy as np
import rclpy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from benchmarks.node_process import HEIGHT, WIDTH
from da_ros.conversions import camera_info_fields, cloud_fields, image_fields
from da_ros.geometry.camera import PinholeCamera
from da_ros.memory import keep_freed_memory
from da_ros.ros.messages import ReusedMessages
from da_ros.ros.qos import output_profile
from da_ros.types import Header

SPACE = "/publishing"
CLASSES = {"depth/image": Image, "depth/camera_info": CameraInfo, "points": PointCloud2}


def fields_of(stamp_ns: int) -> dict[str, Any]:
    header = Header(*divmod(stamp_ns, 10**9), "camera_optical_frame")
    camera = PinholeCamera(WIDTH, HEIGHT, 525.0, 525.0, 319.5, 239.5)
    return {
        "depth/image": image_fields(header, DEPTH, "32FC1"),
        "depth/camera_info": camera_info_fields(header, camera.fields()),
        "points": cloud_fields(header, CLOUD),
    }


DEPTH = np.random.default_rng(0).random((HEIGHT, WIDTH), np.float32)
CLOUD = np.random.default_rng(1).random((HEIGHT, WIDTH, 4), np.float32)


def main() -> None:
    period = 1.0 / (float(sys.argv[1]) if len(sys.argv) > 1 else 30.0)
    keep_freed_memory()
    rclpy.init(args=[])
    node = rclpy.create_node("publishing")
    messages = ReusedMessages()
    publishers = {
        topic: node.create_publisher(kind, f"{SPACE}/{topic}", output_profile())
        for topic, kind in CLASSES.items()
    }
    times: list[float] = []
    try:
        while True:
            fields = fields_of(time.time_ns())
            start = time.perf_counter()
            for topic, publisher in publishers.items():
                kind = f"sensor_msgs/msg/{CLASSES[topic].__name__}"
                publisher.publish(messages.filled(topic, fields[topic], kind))
            if publishers["points"].get_subscription_count():
                times.append(1000.0 * (time.perf_counter() - start))
            time.sleep(max(0.0, start + period - time.perf_counter()))
    except KeyboardInterrupt:
        print(json.dumps({"publish_ms": statistics.median(times or [float("nan")])}), flush=True)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
