"""Headers, cameras and output fields, against the messages of rclpy and the .msg files."""

from __future__ import annotations

import array
import math
import struct
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from da_ros.conversions import (
    camera_fields_of,
    camera_info_fields,
    cloud_fields,
    depth_info_fields,
    header_of,
    image_fields,
    message_data,
)
from da_ros.conversions.fields import flat_bytes
from da_ros.conversions.own_fields import KIND_CODES
from da_ros.errors import InputError
from da_ros.geometry.camera import PinholeCamera
from da_ros.message_definitions import message_definition
from da_ros.types import DepthScale, Header, Kind, ModelInfo, ScaleShift, StageTimes

HEADER = Header(12, 34, "cam")
MODEL = ModelInfo("v2-small", "cd" * 32, True, Kind.RELATIVE_INVERSE_DEPTH)


def constants() -> dict[str, int]:
    lines = [line.split("#")[0].strip() for line in message_definition("DepthInfo").splitlines()]
    pairs = [line.split(" ")[1].split("=") for line in lines if "=" in line]
    return {name: int(value) for name, value in pairs}


def info(transform: ScaleShift | DepthScale | None, times: StageTimes | None = None) -> Any:
    return depth_info_fields(HEADER, MODEL, transform, (48, 64), (70, 98), times)


class TestHeaderOf:
    def test_of_rclpy(self) -> None:
        sensor_msgs = pytest.importorskip("sensor_msgs.msg")
        message = sensor_msgs.Image()
        message.header.stamp.sec, message.header.stamp.nanosec = -1, 999_999_999
        message.header.frame_id = "cam"
        assert header_of(message) == Header(-1, 999_999_999, "cam")


class TestCameraFieldsOf:
    def test_is_what_the_camera_takes(self) -> None:
        sensor_msgs = pytest.importorskip("sensor_msgs.msg")
        message = sensor_msgs.CameraInfo(height=480, width=640, distortion_model="plumb_bob")
        message.d = [0.1, 0.2, 0.3, 0.4, 0.5]
        message.k = [500.0, 0.0, 320.0, 0.0, 501.0, 240.0, 0.0, 0.0, 1.0]
        message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        message.p = [400.0, 0.0, 310.0, 0.0, 0.0, 400.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        message.binning_x = message.binning_y = 2
        message.roi.x_offset, message.roi.y_offset = 40, 20
        message.roi.width, message.roi.height = 320, 240
        camera = PinholeCamera.from_fields(**camera_fields_of(message))
        assert (camera.width, camera.height) == (160, 120)
        assert (camera.fx, camera.fy) == (250.0, 250.5)
        assert (camera.cx, camera.cy) == (140.0, 110.0)
        assert camera.distortion == (0.1, 0.2, 0.3, 0.4, 0.5)

    def test_ros_1_spells_in_capitals(self) -> None:
        roi = SimpleNamespace(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        message = SimpleNamespace(
            height=2, width=2, distortion_model="", D=[], K=[1.0] * 9, R=[0.0] * 9, P=[0.0] * 12,
            binning_x=0, binning_y=0, roi=roi,
        )  # fmt: skip
        assert camera_fields_of(message)["k"] == (1.0,) * 9


class TestImageFields:
    @pytest.mark.parametrize(
        ("picture", "encoding", "step"),
        [
            (np.array([[1.5, np.nan]], np.float32), "32FC1", 8),
            (np.array([[1, 65535]], np.uint16), "16UC1", 4),
            (np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8), "rgb8", 6),
        ],
    )
    def test_fits_the_message_of_rclpy(
        self, picture: np.ndarray, encoding: str, step: int
    ) -> None:
        sensor_msgs = pytest.importorskip("sensor_msgs.msg")
        fields = image_fields(HEADER, picture, encoding)
        assert fields.pop("header") is HEADER
        fields["data"] = message_data(fields["data"])
        message = sensor_msgs.Image(**fields)
        assert (message.height, message.width, message.step) == (1, 2, step)
        assert bytes(message.data) == picture.tobytes()
        assert message.is_bigendian == 0

    def test_data_is_a_view(self) -> None:
        picture = np.zeros((3, 4), np.float32)
        assert np.shares_memory(image_fields(HEADER, picture, "32FC1")["data"], picture)

    @pytest.mark.parametrize(
        ("picture", "encoding"),
        [
            (np.zeros((3, 4)), "32FC1"),
            (np.zeros((3, 4, 3), np.float32), "32FC1"),
            (np.zeros((3, 4), np.uint8), "rgb8"),
            (np.zeros((3, 4, 4), np.uint8), "rgb8"),
        ],
    )
    def test_refuses_what_the_encoding_is_not(self, picture: np.ndarray, encoding: str) -> None:
        with pytest.raises(InputError, match=f"image for encoding {encoding}: expected"):
            image_fields(HEADER, picture, encoding)


class TestCameraInfoFields:
    def test_fits_the_message_of_rclpy(self) -> None:
        sensor_msgs = pytest.importorskip("sensor_msgs.msg")
        camera = PinholeCamera.from_fov(64, 48, 60.0)
        fields = camera_info_fields(HEADER, camera.fields())
        del fields["header"], fields["roi"]
        message = sensor_msgs.CameraInfo(**fields)
        assert tuple(message.k) == camera.k
        assert tuple(message.p) == camera.p


class TestCloudFields:
    @pytest.mark.parametrize("channels", [3, 4])
    def test_fits_the_message_of_rclpy(self, channels: int) -> None:
        sensor_msgs = pytest.importorskip("sensor_msgs.msg")
        packed = np.arange(2 * 5 * channels, dtype=np.float32).reshape(2, 5, channels)
        fields = cloud_fields(HEADER, packed)
        del fields["header"]
        fields["data"] = message_data(fields["data"])
        fields["fields"] = [sensor_msgs.PointField(**field) for field in fields["fields"]]
        message = sensor_msgs.PointCloud2(**fields)
        assert {field.datatype for field in message.fields} == {sensor_msgs.PointField.FLOAT32}
        assert len(message.data) == message.row_step * message.height
        # One point by its offsets, as any reader finds it.
        at = message.row_step * 1 + message.point_step * 3
        for index, field in enumerate(message.fields):
            (value,) = struct.unpack_from("<f", message.data, at + field.offset)
            assert value == packed[1, 3, index]


class TestDepthInfoFields:
    def test_has_exactly_the_message_s_fields(self) -> None:
        lines = [
            line.split("#")[0].split() for line in message_definition("DepthInfo").splitlines()
        ]
        names = [words[1] for words in lines if len(words) == 2 and "=" not in words[1]]
        assert sorted(info(None)) == sorted(names)

    def test_kinds_are_the_message_s(self) -> None:
        known = constants()
        assert {f"KIND_{kind.name}": code for kind, code in KIND_CODES.items()} == {
            name: value for name, value in known.items() if name.startswith("KIND_")
        }

    def test_no_transform(self) -> None:
        fields = info(None)
        assert fields["transform"] == constants()["TRANSFORM_NONE"]
        assert fields["scale_source"] == constants()["SOURCE_NONE"]
        assert math.isnan(fields["scale"])

    def test_metric(self) -> None:
        fields = info(DepthScale(1.1, 0.04))
        assert fields["transform"] == constants()["TRANSFORM_SCALE"]
        assert fields["scale_source"] == constants()["SOURCE_MODEL"]
        assert fields["scale"] == 1.1
        assert fields["scale_std"] == pytest.approx(0.2)
        assert math.isnan(info(DepthScale())["scale_std"])

    def test_calibrated(self) -> None:
        fields = info(ScaleShift(0.3, -0.1, (0.09, 0.0, 0.16)))
        assert fields["transform"] == constants()["TRANSFORM_INVERSE_AFFINE"]
        assert (fields["scale"], fields["shift"]) == (0.3, -0.1)
        assert (fields["scale_std"], fields["shift_std"]) == pytest.approx((0.3, 0.4))

    def test_sizes_and_times(self) -> None:
        fields = info(None, StageTimes(1.0, 2.0, 3.0, 4.0, 5.0))
        assert (fields["image_height"], fields["image_width"]) == (48, 64)
        assert (fields["network_height"], fields["network_width"]) == (70, 98)
        assert (fields["decode_ms"], fields["pack_ms"]) == (1.0, 5.0)
        assert math.isnan(info(None)["decode_ms"])


class TestMessageData:
    def test_is_a_copy_of_the_bytes(self) -> None:
        values = np.arange(6, dtype=np.float32).reshape(2, 3)
        data = message_data(flat_bytes(values))
        assert isinstance(data, array.array)
        assert (data.typecode, data.tobytes()) == ("B", values.tobytes())

    def test_a_strided_array_is_laid_out_first(self) -> None:
        values = np.arange(6, dtype=np.float32).reshape(2, 3).T
        assert flat_bytes(values).tobytes() == np.ascontiguousarray(values).tobytes()
