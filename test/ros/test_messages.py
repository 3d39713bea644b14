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
