"""Raw messages in and out: rclpy is the oracle, and any bytes are an InputError or a message."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.conversions import (
    camera_info_fields,
    cloud_fields,
    depth_info_fields,
    image_fields,
)
from da_ros.errors import InputError
from da_ros.geometry.camera import PinholeCamera
from da_ros.offline.bag_messages import (
    definition,
    message_parts,
    read_message,
    read_stamp,
    write_message,
)
from da_ros.types import DepthScale, Header, Kind, ModelInfo

HEADER = Header(-2, 999_999_999, "cam_optical")
IMAGE, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"
CLOUD, DEPTH_INFO = "sensor_msgs/msg/PointCloud2", "da_ros/msg/DepthInfo"


def by_rclpy(raw: memoryview, name: str) -> Any:
    serialization = pytest.importorskip("rclpy.serialization")
    module = pytest.importorskip("sensor_msgs.msg")
    return serialization.deserialize_message(bytes(raw), getattr(module, name))


def assert_header(message: Any) -> None:
    stamp = message.header.stamp
    assert (stamp.sec, stamp.nanosec) == (HEADER.sec, HEADER.nanosec)
    assert message.header.frame_id == HEADER.frame_id


class TestWriteMessage:
    def test_image(self) -> None:
        picture = np.array([[1.5, np.inf], [np.nan, -np.inf]], np.float32)
        message = by_rclpy(write_message(image_fields(HEADER, picture, "32FC1"), IMAGE), "Image")
        assert_header(message)
        assert (message.height, message.width, message.step) == (2, 2, 8)
        assert bytes(message.data) == picture.tobytes()

    def test_camera_info(self) -> None:
        camera = PinholeCamera.from_fov(64, 48, 60.0)
        raw = write_message(camera_info_fields(HEADER, camera.fields()), INFO)
        message = by_rclpy(raw, "CameraInfo")
        assert_header(message)
        assert tuple(message.k) == camera.k
        assert tuple(message.p) == camera.p
        assert list(message.d) == [0.0] * 5
        assert message.roi.width == 0

    def test_cloud(self) -> None:
        packed = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
        message = by_rclpy(write_message(cloud_fields(HEADER, packed), CLOUD), "PointCloud2")
        assert_header(message)
        assert [field.name for field in message.fields] == ["x", "y", "z", "rgb"]
        assert bytes(message.data) == packed.tobytes()

    def test_depth_info(self) -> None:
        model = ModelInfo("m", "ab" * 32, True, Kind.METRIC_DEPTH)
        fields = depth_info_fields(HEADER, model, DepthScale(), (48, 64), (70, 98), None)
        message = read_message(write_message(fields, DEPTH_INFO), DEPTH_INFO)
        assert_header(message)
        assert (message.model_id, message.kind, message.image_width) == ("m", 3, 64)

    def test_depth_info_is_the_one_of_rclpy(self) -> None:
        messages = pytest.importorskip("da_ros.msg")
        serialization = pytest.importorskip("rclpy.serialization")
        model = ModelInfo("m", "ab" * 32, True, Kind.METRIC_DEPTH)
        fields = depth_info_fields(HEADER, model, DepthScale(), (48, 64), (70, 98), None)
        raw = bytes(write_message(fields, DEPTH_INFO))
        message = serialization.deserialize_message(raw, messages.DepthInfo)
        assert_header(message)
        assert (message.model_sha256, message.network_height) == ("ab" * 32, 70)
        # Bytes cannot be compared: rclpy leaves alignment padding as it finds it.
        again = read_message(bytes(serialization.serialize_message(message)), DEPTH_INFO)
        assert str(again) == str(read_message(raw, DEPTH_INFO))


class TestReadMessage:
    @settings(deadline=None, max_examples=300)
    @given(
        raw=st.binary(max_size=300),
        start=st.sampled_from([b"", b"\0\1\0\0", b"\0\0\0\0"]),
        msgtype=st.sampled_from([IMAGE, INFO, "sensor_msgs/msg/CompressedImage"]),
    )
    def test_any_bytes(self, raw: bytes, start: bytes, msgtype: str) -> None:
        try:
            message = read_message(start + raw, msgtype)
        except InputError:
            return
        assert message.header is not None

    @settings(deadline=None, max_examples=200)
    @given(share=st.floats(0.0, 0.999), flip=st.integers(0, 255))
    def test_cut_or_changed(self, share: float, flip: int) -> None:
        camera = PinholeCamera.from_fov(64, 48, 60.0)
        raw = bytes(write_message(camera_info_fields(HEADER, camera.fields()), INFO))
        at = int(share * len(raw))
        changed = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
        for damaged in (raw[:at], changed):
            try:
                read_message(damaged, INFO)
            except InputError:
                continue

    def test_data_is_a_view(self) -> None:
        picture = np.zeros((100, 100), np.float32)
        raw = write_message(image_fields(HEADER, picture, "32FC1"), IMAGE)
        message = read_message(raw, IMAGE)
        assert np.shares_memory(message.data, np.frombuffer(raw, np.uint8))


class TestMessageParts:
    @pytest.mark.parametrize("frame_id", ["", "cam", "camera_link"])
    def test_joined_are_the_message(self, frame_id: str) -> None:
        header = Header(3, 4, frame_id)
        picture = np.arange(35, dtype=np.float32).reshape(5, 7)
        cloud = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
        camera = PinholeCamera.from_fov(64, 48, 60.0)
        for fields, msgtype in (
            (image_fields(header, picture, "32FC1"), IMAGE),
            (image_fields(header, picture.astype(np.uint16), "16UC1"), IMAGE),
            (cloud_fields(header, cloud), CLOUD),
            (camera_info_fields(header, camera.fields()), INFO),
        ):
            parts = message_parts(fields, msgtype)
            assert b"".join(parts) == bytes(write_message(fields, msgtype))

    def test_pixels_are_not_copied(self) -> None:
        picture = np.zeros((10, 10), np.float32)
        _, data, _ = message_parts(image_fields(HEADER, picture, "32FC1"), IMAGE)
        assert np.shares_memory(np.frombuffer(data, np.uint8), picture)


class TestReadStamp:
    @pytest.mark.parametrize("header", [HEADER, Header(0, 0), Header(2**31 - 1, 1)])
    def test_is_the_header_s(self, header: Header) -> None:
        raw = write_message(image_fields(header, np.zeros((1, 1), np.float32), "32FC1"), IMAGE)
        assert read_stamp(raw) == header.stamp_ns

    def test_big_endian(self) -> None:
        assert read_stamp(b"\0\0\0\0" + b"\0\0\0\1" + b"\0\0\0\2") == 1_000_000_002

    @pytest.mark.parametrize(
        "raw", [b"", b"\0\1\0\0", b"\0\1\0\0" + bytes(7), b"\7\7" + bytes(30)]
    )
    def test_damaged(self, raw: bytes) -> None:
        with pytest.raises(InputError, match="does not begin with a header"):
            read_stamp(raw)


class TestDefinition:
    @pytest.mark.parametrize(
        ("msgtype", "known"),
        [
            (IMAGE, "d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47"),
            (INFO, "b3dfd68ff46c9d56c80fd3bd4ed22c7a4ddce8c8348f2f59c299e73118e7e275"),
        ],
    )
    def test_hash_is_that_of_jazzy_s_own_message(self, msgtype: str, known: str) -> None:
        assert definition(msgtype)[1] == f"RIHS01_{known}"

    def test_text_has_the_whole_tree(self) -> None:
        text, _ = definition(CLOUD)
        assert "uint32 point_step" in text
        assert "MSG: sensor_msgs/PointField" in text
        assert "MSG: builtin_interfaces/Time" in text
