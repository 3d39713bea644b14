"""A robot's recording: two cameras, one of them compressed, a LiDAR, TF, and what nobody knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bag_maker
import numpy as np
import pytest
from rosbags.interfaces import QosDurability
from rosbags.rosbag2 import Reader

from da_ros.offline.bag import convert_bag
from da_ros.offline.bag_job import BagJob

STEP = 33_000_000
LEFT, RIGHT = "/left/image_raw", "/right/image_raw/compressed"


def recording(count: int) -> list[bag_maker.Entry]:
    """In the order of recording; the LiDAR at a third of the cameras' rate."""
    made = [
        bag_maker.transform("/tf_static", 1000, 1000, "base", "lidar", (0.0, 0.0, 0.4)),
        bag_maker.odd(2000),
    ]
    for number in range(count):
        at = 10**9 + number * STEP
        made += [
            bag_maker.image(LEFT, at + 5_000_000, at),
            bag_maker.info("/left/camera_info", at + 6_000_000, at),
            bag_maker.transform("/tf", at + 7_000_000, at, "odom", "base", (0.01 * number, 0, 0)),
            bag_maker.info("/right/camera_info", at + 8_000_000, at + 1),
            bag_maker.compressed(RIGHT, at + 9_000_000, at + 1, "rgb8; jpeg compressed bgr8"),
        ]
        if number % 3 == 0:
            made.append(bag_maker.cloud("/lidar/points", at + 20_000_000, at + 2))
    return made


def stamps(messages: list[tuple[int, bytes]]) -> list[bytes]:
    """The headers, byte for byte: stamp, length of the frame's name, the name."""
    return [raw[4:20] for _, raw in messages]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("count", [12, pytest.param(300, marks=pytest.mark.slow)])
class TestRobot:
    def test_every_image_once_and_the_rest_untouched(
        self, pipeline: Any, tmp_path: Path, count: int, storage: str
    ) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", recording(count), storage=storage)
        job = BagJob((bag,), tmp_path / "out", outputs=("depth", "points", "info"), split=10)
        report = convert_bag(job, pipeline())
        assert report.complete
        before, after = bag_maker.messages_of(bag), bag_maker.messages_of(job.target)
        assert {topic: after[topic] for topic in before} == before
        for topic, space in ((LEFT, "/left"), (RIGHT, "/right")):
            for name in ("depth/image", "points", "depth_info"):
                made = after[f"{space}/da_ros/{name}"]
                assert stamps(made) == stamps(before[topic])
                assert [at for at, _ in made] == [at for at, _ in before[topic]]
        self.check_metadata(bag, job.target, 2 * count)
        made = json.loads((job.target / "manifest.json").read_text())
        assert made["topics"]["/left/da_ros/points"] == {"in": 0, "out": count}
        assert made["images"]["done"] == 2 * count

    def check_metadata(self, bag: Path, target: Path, images: int) -> None:
        """Types, hashes and QoS kept; parts of ten images, in whole batches of four."""
        with Reader(bag) as reader:
            before = {c.topic: (c.msgtype, c.digest, c.ext) for c in reader.connections}
        with Reader(target) as reader:
            after = {c.topic: (c.msgtype, c.digest, c.ext) for c in reader.connections}
            assert reader.message_count == sum(1 for _ in reader.messages())
        assert {topic: after[topic] for topic in before} == before
        static: Any = after["/tf_static"][2]
        assert static.offered_qos_profiles[0].durability is QosDurability.TRANSIENT_LOCAL
        parts = [path for path in target.iterdir() if path.suffix in (".mcap", ".db3")]
        assert len(parts) == -(-images // 12)

    def test_rclpy_reads_what_was_added(
        self, pipeline: Any, tmp_path: Path, count: int, storage: str
    ) -> None:
        serialization = pytest.importorskip("rclpy.serialization")
        sensor_msgs = pytest.importorskip("sensor_msgs.msg")
        bag = bag_maker.write_bag(tmp_path / "in", recording(count), storage=storage)
        job = BagJob((bag,), tmp_path / "out", outputs=("depth", "points"))
        convert_bag(job, pipeline())
        after = bag_maker.messages_of(job.target)
        for space in ("/left", "/right"):
            images, clouds = (
                after[f"{space}/da_ros/{name}"] for name in ("depth/image", "points")
            )
            assert len(images) == len(clouds) == count
            for (_, raw_image), (_, raw_cloud) in zip(images, clouds, strict=True):
                image = serialization.deserialize_message(raw_image, sensor_msgs.Image)
                cloud = serialization.deserialize_message(raw_cloud, sensor_msgs.PointCloud2)
                assert image.header == cloud.header
                depth = np.frombuffer(image.data, "<f4")
                z = np.frombuffer(cloud.data, "<f4").reshape(depth.size, -1)[:, 2]
                kept = np.isfinite(z)
                assert kept.any()
                np.testing.assert_array_equal(z[kept], depth[kept])


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["32FC3", "", "jpeg"])
    def test_one_that_is_no_picture_is_counted_and_the_rest_goes_on(
        self, pipeline: Any, tmp_path: Path, encoding: str
    ) -> None:
        entries = bag_maker.frames("/cam", 3)
        entries[2] = bag_maker.image("/cam/image_raw", entries[2].timestamp, 7, encoding=encoding)
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        report = convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        ((topic, reason),) = report.failures
        assert topic == "/cam/image_raw"
        assert "encoding" in reason
        assert (report.done, report.failed_images) == (2, 1)
