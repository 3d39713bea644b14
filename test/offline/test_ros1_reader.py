"""A ROS 1 bag reads as what rosbags' own converter writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.convert.converter import convert
from rosbags.rosbag1 import Writer
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from da_ros.offline.bag import BagJob, convert_bag
from da_ros.offline.bag_input import BagInput

STORE = get_typestore(Stores.ROS1_NOETIC)
STORE.register(get_types_from_msg("float64 pitch\nstring tune\n", "my_robot/msg/Whistle"))
T: Any = STORE.types


def header(number: int) -> Any:
    stamp = T["builtin_interfaces/msg/Time"](sec=5, nanosec=number)
    return T["std_msgs/msg/Header"](seq=number, stamp=stamp, frame_id="cam")


def image(number: int) -> Any:
    data = np.full(48 * 64 * 3, 90 + number, np.uint8)
    return T["sensor_msgs/msg/Image"](header(number), 48, 64, "rgb8", 0, 192, data)


def info(number: int) -> Any:
    roi = T["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, do_rectify=False)
    k = np.array([50.0, 0, 31.5, 0, 50.0, 23.5, 0, 0, 1])
    p = np.array([50.0, 0, 31.5, 0, 0, 50.0, 23.5, 0, 0, 0, 1, 0])
    return T["sensor_msgs/msg/CameraInfo"](
        header(number), 48, 64, "plumb_bob", np.zeros(5), k, np.eye(3).ravel(), p, 0, 0, roi
    )


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    path = tmp_path / "old.bag"
    with Writer(path) as writer:
        topics = {
            name: writer.add_connection(name, kind, typestore=STORE, latching=latching)
            for name, kind, latching in (
                ("/cam/image_raw", "sensor_msgs/msg/Image", 0),
                ("/cam/camera_info", "sensor_msgs/msg/CameraInfo", 0),
                ("/whistle", "my_robot/msg/Whistle", 1),
            )
        }
        whistle = T["my_robot/msg/Whistle"](440.0, "la")
        writer.write(topics["/whistle"], 1, STORE.serialize_ros1(whistle, "my_robot/msg/Whistle"))
        for number in range(4):
            for name, message in (("image_raw", image(number)), ("camera_info", info(number))):
                topic = topics[f"/cam/{name}"]
                raw = STORE.serialize_ros1(message, topic.msgtype)
                writer.write(topic, 10 + number, raw)
    return path


class TestRos1Reader:
    def test_as_the_converter(self, bag: Path, tmp_path: Path) -> None:
        nothing: Any = ()
        jazzy = get_typestore(Stores.ROS2_JAZZY)
        convert(
            [bag], tmp_path / "two", "mcap", 8, None, "", None, jazzy,
            nothing, nothing, nothing, nothing,
        )  # fmt: skip
        with Reader(tmp_path / "two") as reader:
            wanted = [(c.topic, c.msgtype, at, bytes(raw)) for c, at, raw in reader.messages()]
            types = {c.topic: (c.msgtype, c.digest, c.ext) for c in reader.connections}
        with BagInput(bag) as source:
            found = [
                (m.connection.topic, m.connection.msgtype, m.timestamp, bytes(m.raw))
                for m in source.messages()
            ]
            assert {c.topic: (c.msgtype, c.digest, c.ext) for c in source.connections} == types
        assert found == wanted

    def test_depth_of_it(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        report = convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        assert report.complete
        assert report.added["/da_ros/points"] == 4
        with Reader(tmp_path / "out") as reader:
            assert reader.message_count == 9 + 4 * 4
