"""cv_bridge beside our own decoding.

cv_bridge is compiled and has no wheel, so a stand-in converts here: OpenCV with the codes that
cv_bridge's sources name. Where the real one is installed it is taken too.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from camera_formats import rows_of
from robot import picture
from sensor_msgs.msg import Image

from da_ros.conversions import ENCODINGS, decode_image
from da_ros.ros.bridge import BRIDGED, ImageBridge
from da_ros.ros.notices import Notices

CODES = {
    "bayer_rggb8": cv2.COLOR_BayerBG2BGR,
    "bayer_bggr8": cv2.COLOR_BayerRG2BGR,
    "bayer_gbrg8": cv2.COLOR_BayerGR2BGR,
    "bayer_grbg8": cv2.COLOR_BayerGB2BGR,
    "uyvy": cv2.COLOR_YUV2BGR_UYVY,
    "yuv422": cv2.COLOR_YUV2BGR_UYVY,
    "yuyv": cv2.COLOR_YUV2BGR_YUY2,
    "yuv422_yuy2": cv2.COLOR_YUV2BGR_YUY2,
}


def sent(encoding: str) -> Image:
    rows = rows_of(picture(), encoding)
    height, width = picture().shape[:2]
    return Image(
        height=height, width=width, encoding=encoding, step=rows.shape[1], data=rows.tobytes()
    )


def stand_in(message: Any, desired: str) -> np.ndarray:
    assert desired == "bgr8"
    raw = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    if message.encoding.startswith("bayer"):
        return cv2.cvtColor(raw, CODES[message.encoding])
    return cv2.cvtColor(raw.reshape(message.height, message.width, 2), CODES[message.encoding])


def bridge(convert: Any) -> tuple[ImageBridge, list[str]]:
    log: list[str] = []
    return ImageBridge(Notices(log.append), convert), log


class TestReadable:
    @pytest.mark.parametrize("encoding", sorted(CODES))
    def test_the_same_pixels_as_ours(self, encoding: str) -> None:
        message = sent(encoding)
        made, log = bridge(stand_in)
        readable = made.readable(message)
        assert readable is not message
        assert readable.header is message.header
        np.testing.assert_array_equal(decode_image(readable).rgb, decode_image(message).rgb)
        assert log == []

    def test_what_is_read_in_place_does_not_pass_it(self) -> None:
        made, _ = bridge(None)
        other, _ = bridge(lambda *_: pytest.fail("asked"))
        for name in set(ENCODINGS) - BRIDGED:
            message = Image(encoding=name)
            assert made.readable(message) is message
            assert other.readable(message) is message

    def test_without_one_ours_reads(self) -> None:
        message = sent("bayer_rggb8")
        assert bridge(None)[0].readable(message) is message

    def test_where_it_fails_ours_reads_and_it_is_said_once(self) -> None:
        def fail(message: Any, desired: str) -> Any:
            raise KeyError("an opencv that it does not know")

        made, log = bridge(fail)
        message = sent("uyvy")
        assert made.readable(message) is made.readable(message) is message
        assert len(log) == 1
        assert "cv_bridge does not convert uyvy (KeyError" in log[0]

    def test_a_compressed_image_has_no_encoding(self) -> None:
        message = object()
        assert bridge(stand_in)[0].readable(message) is message


class TestFind:
    def test_one_that_cannot_be_imported_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        broken = ModuleType("cv_bridge")  # has no CvBridge
        monkeypatch.setitem(sys.modules, "cv_bridge", broken)
        message = sent("bayer_rggb8")
        assert ImageBridge.find(Notices(print)).readable(message) is message

    def test_one_that_is_there_converts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if importlib.util.find_spec("cv_bridge") is None:  # else the real one
            module = ModuleType("cv_bridge")
            module.CvBridge = type(  # type: ignore[attr-defined]
                "CvBridge", (), {"imgmsg_to_cv2": lambda self, *given: stand_in(*given)}
            )
            monkeypatch.setitem(sys.modules, "cv_bridge", module)
        log: list[str] = []
        found = ImageBridge.find(Notices(log.append))
        message = sent("bayer_rggb8")
        readable = found.readable(message)
        assert readable.encoding == "bgr8"
        np.testing.assert_array_equal(decode_image(readable).rgb, decode_image(message).rgb)
