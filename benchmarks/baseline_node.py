"""What a node looks like that is put together from the usual parts; see benchmarks/node.py.

transformers' depth-estimation pipeline in fp32 on a PIL image, a cloud through a structured array,
message data as bytes, the middleware's default profile. Random weights of the small metric model.
At the end it prints its median time per step as JSON.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from typing import Any

import numpy as np
import rclpy
import torch
from PIL import Image as PilImage
from rclpy.executors import ExternalShutdownException
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField


def pipeline() -> Any:
    from transformers import (
        DepthAnythingConfig,
        DepthAnythingForDepthEstimation,
        Dinov2Config,
        DPTImageProcessor,
    )
    from transformers import pipeline as made

    backbone = Dinov2Config(
        hidden_size=384,
        num_attention_heads=6,
        image_size=518,
        patch_size=14,
        out_indices=[3, 6, 9, 12],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=384,
        neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64,
        depth_estimation_type="metric",
        max_depth=20,
    )
    processor = DPTImageProcessor(
        size={"height": 518, "width": 518}, keep_aspect_ratio=True, ensure_multiple_of=14,
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    )  # fmt: skip
    model = DepthAnythingForDepthEstimation(config).eval()
    return made("depth-estimation", model=model, image_processor=processor)


class Baseline:
    """Image callback to cloud, one step after the other."""

    def __init__(self) -> None:
        self.node = rclpy.create_node("baseline")
        self.estimate = pipeline()
        self.times: dict[str, list[float]] = {}
        self.info: Any = None
        self.depths = self.node.create_publisher(Image, "/baseline/depth/image", 2)
        self.infos = self.node.create_publisher(CameraInfo, "/baseline/depth/camera_info", 2)
        self.clouds = self.node.create_publisher(PointCloud2, "/baseline/points", 2)
        self.node.create_subscription(CameraInfo, "/bench/camera_info", self.on_info, 1)
        self.node.create_subscription(Image, "/bench/image", self.on_image, 1)

    def on_info(self, message: Any) -> None:
        self.info = message

    def on_image(self, message: Any) -> None:
        if self.info is None:
            return
        marks = [("", time.perf_counter())]

        def mark(name: str) -> None:
            marks.append((name, time.perf_counter()))

        shape = (message.height, message.width, 3)
        rgb = np.frombuffer(message.data, np.uint8).reshape(shape)[..., ::-1]
        picture = PilImage.fromarray(np.ascontiguousarray(rgb))
        mark("decode")
        depth = self.estimate(picture)["predicted_depth"].squeeze().numpy().astype(np.float32)
        mark("pipeline")
        cloud = self.cloud(depth, rgb)
        mark("cloud")
        out = Image(header=message.header, height=shape[0], width=shape[1], encoding="32FC1")
        out.step = 4 * shape[1]
        out.data = depth.tobytes()
        points = PointCloud2(header=message.header, height=1, width=cloud.size, point_step=16)
        points.row_step = 16 * cloud.size
        points.fields = [
            PointField(name=name, offset=4 * i, datatype=7, count=1)
            for i, name in enumerate(("x", "y", "z", "rgb"))
        ]
        points.data = cloud.tobytes()
        mark("messages")
        self.depths.publish(out)
        self.infos.publish(self.info)
        self.clouds.publish(points)
        mark("publish")
        for (_, before), (name, after) in itertools.pairwise(marks):
            self.times.setdefault(name, []).append(1000.0 * (after - before))

    def cloud(self, depth: np.ndarray, rgb: np.ndarray) -> np.ndarray:
        fx, fy, cx, cy = self.info.k[0], self.info.k[4], self.info.k[2], self.info.k[5]
        v, u = np.mgrid[: depth.shape[0], : depth.shape[1]]
        names = [(name, np.float32) for name in ("x", "y", "z", "rgb")]
        cloud = np.zeros(depth.size, dtype=names)
        cloud["x"] = ((u - cx) * depth / fx).ravel()
        cloud["y"] = ((v - cy) * depth / fy).ravel()
        cloud["z"] = depth.ravel()
        r, g, b = (rgb[..., i].astype(np.uint32).ravel() for i in range(3))
        cloud["rgb"] = (r << 16 | g << 8 | b).view(np.float32)
        return cloud


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    rclpy.init(args=[])
    baseline = Baseline()
    try:
        rclpy.spin(baseline.node)
    except (KeyboardInterrupt, ExternalShutdownException):
        steps = {f"{name}_ms": statistics.median(t) for name, t in baseline.times.items()}
        print(json.dumps(steps), flush=True)
    finally:
        baseline.node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
