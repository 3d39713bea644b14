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

from da_ros.errors import BagError
from da_ros.offline.bag import convert_bag
from da_ros.offline.bag_input import BagInput
from da_ros.offline.bag_job import BagJob

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


def read(path: Path) -> tuple[list[tuple[str, int]], str, dict[tuple[str, str], int]]:
    with BagInput(path) as source:
        found = [(m.connection.topic, m.timestamp) for m in source.messages()]
        return found, source.stopped, dict(source.lost)


def without_index(bag: Path) -> bytes:
    """As a recorder leaves it that is killed: the first record says that there is no index."""
    whole = bag.read_bytes()
    return whole.replace(b"index_pos=" + whole[whole.index(b"index_pos=") + 10 :][:8],
                         b"index_pos=" + bytes(8), 1)  # fmt: skip


@pytest.mark.parametrize("compression", [None, Writer.CompressionFormat.LZ4,
                                         Writer.CompressionFormat.BZ2])  # fmt: skip
class TestDamaged:
    @pytest.fixture
    def chunked(self, compression: Any, tmp_path: Path) -> Path:
        """Four images and camera_info, a chunk for each image."""
        path = tmp_path / "old.bag"
        writer = Writer(path)
        if compression is not None:
            writer.set_compression(compression)
        with writer:
            writer.chunk_threshold = 5000
            image_topic = writer.add_connection(
                "/cam/image_raw", "sensor_msgs/msg/Image", typestore=STORE
            )
            info_topic = writer.add_connection(
                "/cam/camera_info", "sensor_msgs/msg/CameraInfo", typestore=STORE
            )
            for number in range(4):
                raw = STORE.serialize_ros1(info(number), info_topic.msgtype)
                writer.write(info_topic, 10 + number, raw)
                raw = STORE.serialize_ros1(image(number), image_topic.msgtype)
                writer.write(image_topic, 10 + number, raw)
        return path

    def test_without_an_index_all_is_read_and_it_is_said(self, chunked: Path) -> None:
        whole, stopped, lost = read(chunked)
        assert (len(whole), stopped, lost) == (8, "", {})
        chunked.write_bytes(without_index(chunked))
        found, stopped, lost = read(chunked)
        assert sorted(found) == sorted(whole)
        assert "no whole index" in stopped
        assert lost == {}

    def test_cut_anywhere_it_is_read_as_far_as_it_goes(self, chunked: Path) -> None:
        raw, (whole, _, _) = chunked.read_bytes(), read(chunked)
        counts = []
        for share in (0.3, 0.5, 0.7, 0.9):
            chunked.write_bytes(raw[: int(len(raw) * share)])
            try:
                found, stopped, _ = read(chunked)
            except BagError as error:
                assert "no message could be found" in str(error)  # noqa: PT017
                counts.append(0)
                continue
            assert set(found) <= set(whole)
            assert "old.bag has no whole index" in stopped
            counts.append(len(found))
        assert counts == sorted(counts)
        assert counts[-1] >= 4

    def test_a_damaged_chunk_costs_itself_alone(self, chunked: Path, compression: Any) -> None:
        raw = bytearray(chunked.read_bytes())
        starts = [at for at in range(len(raw)) if raw[at : at + 12] == b"compression="]
        middle = starts[1] + (60 if compression is not None else 3000)  # there amid an image
        raw[middle : middle + 16] = bytes(16)
        chunked.write_bytes(bytes(raw))
        found, stopped, lost = read(chunked)
        assert stopped == ""
        assert len(found) + sum(lost.values()) == 8
        # Without compression nothing tells that the bytes of an image were others.
        assert sum(lost.values()) in ((0,) if compression is None else (1, 2))
        assert all("is damaged" in reason for _, reason in lost)


def test_depth_of_a_cut_bag(pipeline: Any, bag: Path, tmp_path: Path) -> None:
    bag.write_bytes(without_index(bag))
    report = convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
    assert not report.complete
    assert "no whole index" in report.stopped
    assert report.added["/da_ros/points"] == 4


def test_what_is_no_bag(tmp_path: Path) -> None:
    path = tmp_path / "no.bag"
    path.write_bytes(b"#ROSBAG V1.2\n" + bytes(100))
    with pytest.raises(BagError, match="cannot be read: Bag version 102 is not supported"):
        read(path)
