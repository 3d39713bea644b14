from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from da_ros.conversions import camera_info_fields, cloud_fields, image_fields
from da_ros.geometry.camera import PinholeCamera
from da_ros.ros.messages import ReusedMessages
from da_ros.types import Header

IMAGE, CLOUD = "sensor_msgs/msg/Image", "sensor_msgs/msg/PointCloud2"
RANDOM = np.random.default_rng(0)


def image(sec: int, height: int = 4, width: int = 6) -> tuple[dict[str, Any], np.ndarray]:
    values = RANDOM.random((height, width), np.float32)
    return image_fields(Header(sec, 2, "optical"), values, "32FC1"), values


class TestReusedMessages:
    def test_each_frame_says_what_was_given_and_serves_again(self) -> None:
        messages = ReusedMessages()
        made = []
        for sec in (1, 5):
            fields, values = image(sec)
            message = messages.filled("depth", fields, IMAGE)
            made.append((message, message.data))
            assert (message.header.stamp.sec, message.header.frame_id) == (sec, "optical")
            assert (message.height, message.width, message.step) == (4, 6, 24)
            assert message.data.tobytes() == values.tobytes()
        assert made[0][0] is made[1][0]
        assert made[0][1] is made[1][1], "the memory is the same"

    @pytest.mark.parametrize("size", [(8, 6), (2, 3)])
    def test_another_size_is_another_memory(self, size: tuple[int, int]) -> None:
        messages = ReusedMessages()
        messages.filled("depth", image(1)[0], IMAGE)
        fields, values = image(2, *size)
        message = messages.filled("depth", fields, IMAGE)
        assert (message.height, message.width) == size
        assert message.data.tobytes() == values.tobytes()

    def test_topics_do_not_share(self) -> None:
        messages = ReusedMessages()
        one, two = image(1), image(2)
        first = messages.filled("a", one[0], IMAGE)
        messages.filled("b", two[0], IMAGE)
        assert first.data.tobytes() == one[1].tobytes()

    def test_clouds_and_cameras(self) -> None:
        messages = ReusedMessages()
        points = RANDOM.random((3, 5, 4)).astype(np.float32)
        for _ in range(2):
            cloud = messages.filled("p", cloud_fields(Header(1, 2, "o"), points), CLOUD)
            assert [field.name for field in cloud.fields] == ["x", "y", "z", "rgb"]
            assert cloud.data.tobytes() == points.tobytes()
            fields = camera_info_fields(
                Header(1, 2, "o"), PinholeCamera(6, 4, 5.0, 5.0, 2.5, 1.5).fields()
            )
            info = messages.filled("i", fields, "sensor_msgs/msg/CameraInfo")
            assert (info.k[0], info.p[0], info.roi.width) == (5.0, 5.0, 0)


class TestAgainstSensorMsgsPy:
    """What others read and write clouds with, where it is installed (it is on every robot)."""

    def test_it_reads_our_clouds(self) -> None:
        theirs = pytest.importorskip("sensor_msgs_py.point_cloud2", reason="no sensor_msgs_py")
        points = RANDOM.random((3, 5, 4)).astype(np.float32)
        points[1, 2, :3] = np.nan
        cloud = ReusedMessages().filled("p", cloud_fields(Header(1, 2, "o"), points), CLOUD)
        read = theirs.read_points(cloud, reshape_organized_cloud=True)
        assert read.shape in ((3, 5), (5, 3)), "organised"
        flat = theirs.read_points(cloud)
        for index, name in enumerate(("x", "y", "z", "rgb")):
            np.testing.assert_array_equal(flat[name], points[..., index].reshape(-1))
        kept = theirs.read_points(cloud, field_names=["x", "y", "z"], skip_nans=True)
        assert len(kept) == 14

    @pytest.mark.parametrize("names", [("x", "y", "z"), ("x", "y", "z", "rgb")])
    def test_it_writes_the_same_bytes(self, names: tuple[str, ...]) -> None:
        theirs = pytest.importorskip("sensor_msgs_py.point_cloud2", reason="no sensor_msgs_py")
        from sensor_msgs.msg import PointField

        points = RANDOM.random((3, 5, len(names))).astype(np.float32)
        ours = ReusedMessages().filled("p", cloud_fields(Header(1, 2, "o"), points), CLOUD)
        fields = [
            PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
            for i, name in enumerate(names)
        ]
        made = theirs.create_cloud(ours.header, fields, points)
        # Jazzy's calls the first axis the width, so its organised clouds lie on their side.
        assert (made.fields, made.data) == (ours.fields, ours.data)
        assert (made.point_step, made.is_bigendian) == (ours.point_step, ours.is_bigendian)
