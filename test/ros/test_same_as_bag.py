"""The node and `da_ros bag` make the same bytes of the same images."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bag_maker
import pytest
from bag_maker import INFO, STORE, frames, messages_of, write_bag
from ramp_estimator import ramp_estimator
from robot import NodeProcess, Robot
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from da_ros.msg import DepthInfo
from da_ros.offline.bag import convert_bag
from da_ros.offline.bag_job import BagJob
from da_ros.offline.bag_messages import typestore
from da_ros.params import OUTPUTS, PipelineParams
from da_ros.pipeline import TOPIC_TYPES, DepthPipeline, available_outputs
from da_ros.types import Kind

CLASSES = {
    "sensor_msgs/msg/Image": Image,
    "sensor_msgs/msg/CameraInfo": CameraInfo,
    "sensor_msgs/msg/PointCloud2": PointCloud2,
    "da_ros/msg/DepthInfo": DepthInfo,
}
SETTINGS = {"cloud.stride": 2, "far": 2.6, "color.range": "fixed"}


def canonical(raw: bytes, msgtype: str) -> bytes:
    """The same message with zeros between its fields, where DDS leaves what was in the memory.

    DepthInfo says what each stage took; a bag, made the same each time, does not.
    """
    store = typestore()
    message: Any = store.deserialize_cdr(raw, msgtype)
    if msgtype == "da_ros/msg/DepthInfo":
        names = ("decode_ms", "prepare_ms", "infer_ms", "to_depth_ms", "pack_ms")
        message = dataclasses.replace(message, **dict.fromkeys(names, math.nan))
    return bytes(store.serialize_cdr(message, msgtype))


@pytest.mark.parametrize("kind", [Kind.METRIC_DEPTH, Kind.RELATIVE_INVERSE_DEPTH], ids=str)
def test_byte_for_byte(
    kind: Kind, robot: Robot, start_node: Callable[..., NodeProcess], tmp_path: Path
) -> None:
    recorded = frames("/front", 4)
    source = write_bag(tmp_path / "in", recorded)
    estimator = ramp_estimator(kind)
    pipeline = DepthPipeline(estimator, PipelineParams().with_values(SETTINGS), info_times=False)
    outputs = tuple(name for name in OUTPUTS if name in available_outputs(estimator.info))
    # Batches differ in the last bits of a network; the node takes one image at a time.
    convert_bag(BagJob((source,), tmp_path / "out", outputs=outputs, batch=1), pipeline)
    offline = {
        topic: [raw for _, raw in entries]
        for topic, entries in messages_of(tmp_path / "out").items()
        if topic.startswith("/da_ros/")
    }
    settings = [word for name, v in SETTINGS.items() for word in ("-p", f"{name}:={v}")]
    node = start_node(*settings, image_topic="/front/image_raw", kind=str(kind))
    heard = {
        topic: robot.listen(CLASSES[TOPIC_TYPES[topic.removeprefix("/da_ros/")]], topic, raw=True)
        for topic in offline
    }
    try:
        robot.until_state("active")
        replay(robot, recorded, heard)
        for topic, expected in offline.items():
            msgtype = TOPIC_TYPES[topic.removeprefix("/da_ros/")]
            live = [canonical(bytes(raw), msgtype) for raw in heard[topic].messages]
            assert live == [canonical(raw, msgtype) for raw in expected], topic
            assert len(live) == 4
    finally:
        for listener in heard.values():
            listener.__exit__()
        assert node.end() == 0


def replay(robot: Robot, recorded: list[Any], heard: dict[str, Any]) -> None:
    """Send each image once everything of the one before has come."""
    robot.until(
        lambda: (
            all(robot.node.count_publishers(topic) for topic in heard)
            and robot.node.count_subscribers("/front/image_raw")
            and robot.node.count_subscribers("/front/camera_info")
        ),
        "discovery",
    )
    image_out = robot.publisher(Image, "/front/image_raw")
    info_out = robot.publisher(CameraInfo, "/front/camera_info")
    robot.until(
        lambda: (
            image_out.get_subscription_count()
            and info_out.get_subscription_count()
            and "keep last 1" in robot.value("input", "subscribed")
            and robot.value("input", "subscribed").startswith("reliable")
            and all(
                int(robot.value("output", f"subscribers of {topic.removeprefix('/da_ros/')}") or 0)
                for topic in heard
            )
        ),
        "both sides matched",
    )
    for number in range(0, len(recorded), 2):
        image, info = recorded[number], recorded[number + 1]
        info_out.publish(bytes(STORE.serialize_cdr(info.message, INFO)))
        image_out.publish(bytes(STORE.serialize_cdr(image.message, bag_maker.IMAGE)))
        wanted = number // 2 + 1
        robot.until(
            lambda n=wanted: all(len(one.messages) >= n for one in heard.values()),
            f"every output of image {wanted}",
        )
