"""Every encoding over DDS, into one node; what comes out is worked out by hand."""

from __future__ import annotations

import array
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from camera_formats import BAYER, ENCODINGS, SAMPLES, is_wide, rows_of
from robot import HEIGHT, WIDTH, Listener, NodeProcess, Robot, pixels_of
from sensor_msgs.msg import Image

LEFT, RIGHT = (220, 90, 40), (30, 110, 200)
ACCURACY = 0.03
"""In metres of the ramp network, where one step of red is 0.0086: YUV's rounding is two."""

JPEG_SPELLINGS = [
    "jpeg", "jpg", "JPEG", "", "bgr8; jpeg compressed bgr8", "rgb8; jpeg compressed bgr8",
    "bgr8; jpeg compressed ", "yuv422_yuy2; jpeg compressed bgr8",
]  # fmt: skip
PNG_SPELLINGS = [
    "png", "PNG", "bgr8; png compressed bgr8", "rgb8; PNG compressed bgr8", "rgb8;png",
    "rgb8; png compressed ",
]  # fmt: skip


def two_tone() -> np.ndarray:
    rgb = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:, : WIDTH // 2], rgb[:, WIDTH // 2 :] = LEFT, RIGHT
    return rgb


def ramp() -> tuple[np.ndarray, np.ndarray]:
    """Depth by the ramp network's formula, per row, on the left and on the right."""
    rows = np.linspace(0.0, 1.0, 2 * HEIGHT)  # as seen by the network; only the middle is compared
    rows = rows.reshape(HEIGHT, 2).mean(axis=1)
    left, right = (2.0 + rows + 0.5 * (c[0] / 255.0 - 0.485) / 0.229 for c in (LEFT, RIGHT))
    return left, right


def held_to_the_ramp(depth: np.ndarray) -> None:
    """Compare away from the edge between the colours and from the borders."""
    middle = slice(HEIGHT // 4, 3 * HEIGHT // 4)
    for expected, columns in zip(ramp(), (slice(8, 24), slice(40, 56)), strict=True):
        off = depth[middle, columns] - expected[middle, None]
        assert np.abs(off).max() < ACCURACY


class Sender:
    """Sends one picture at a time and returns the depth of that very one."""

    def __init__(self, robot: Robot, listener: Listener) -> None:
        self._robot, self._listener = robot, listener

    def depth(self, make: Callable[[], Any]) -> np.ndarray:
        return pixels_of(self._robot.output_of(self._listener, lambda: (make(), None)))

    def message(self, encoding: str, padding: int, big: bool) -> Image:
        rows = rows_of(two_tone(), encoding)
        raw = rows.astype(rows.dtype.newbyteorder(">" if big else "<")).view(np.uint8)
        raw = np.pad(raw, ((0, 0), (0, padding)), constant_values=0xA5)
        return self._robot.stamped(
            Image(
                height=HEIGHT, width=WIDTH, encoding=encoding, is_bigendian=int(big),
                step=raw.shape[1], data=array.array("B", raw.tobytes()),
            )
        )  # fmt: skip


@pytest.fixture(scope="module")
def raw(robot: Robot, start_node: Callable[..., NodeProcess]) -> Iterator[Sender]:
    start_node()
    robot.until_state("active")
    with robot.listen(Image, "/da_ros/depth/image") as listener:
        yield Sender(robot, listener)


@pytest.fixture(scope="module")
def zipped(robot: Robot, start_node: Callable[..., NodeProcess]) -> Iterator[Sender]:
    start_node("-r", "__ns:=/zip", "-p", "image_transport:=compressed")
    with robot.listen(Image, "/zip/da_ros/depth/image") as listener:
        yield Sender(robot, listener)


class TestRaw:
    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_it_is_read_padded_and_in_either_byte_order(self, raw: Sender, encoding: str) -> None:
        plain = raw.depth(lambda: raw.message(encoding, 0, big=False))
        held_to_the_ramp(plain)
        padded = raw.depth(lambda: raw.message(encoding, 14, big=is_wide(encoding)))
        assert np.array_equal(plain, padded)

    def test_the_picture_can_tell_encodings_apart(self) -> None:
        """Else the test above could not fail: swapped red and blue, or another mosaic."""
        assert abs(ramp()[0] - ramp()[1]).min() > 10 * ACCURACY
        made = {e: rows_of(two_tone(), e).tobytes() for e in (*BAYER, "rgb8", "bgr8")}
        assert len(set(made.values())) == len(made)
        assert set(SAMPLES) <= set(ENCODINGS)


class TestCompressed:
    @pytest.mark.parametrize("spelling", JPEG_SPELLINGS)
    def test_jpeg(self, robot: Robot, zipped: Sender, spelling: str) -> None:
        bgr = np.ascontiguousarray(two_tone()[..., ::-1])
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
        held_to_the_ramp(zipped.depth(lambda: robot.compressed(data, spelling)))

    @pytest.mark.parametrize("spelling", PNG_SPELLINGS)
    def test_png(self, robot: Robot, zipped: Sender, spelling: str) -> None:
        bgr = np.ascontiguousarray(two_tone()[..., ::-1])
        data = cv2.imencode(".png", bgr)[1].tobytes()
        held_to_the_ramp(zipped.depth(lambda: robot.compressed(data, spelling)))

    def test_png_that_names_rgb_as_the_encoders_order(self, robot: Robot, zipped: Sender) -> None:
        data = cv2.imencode(".png", two_tone())[1].tobytes()
        spelling = "rgb8; png compressed rgb8"
        held_to_the_ramp(zipped.depth(lambda: robot.compressed(data, spelling)))

    def test_gray_png(self, robot: Robot, zipped: Sender) -> None:
        data = cv2.imencode(".png", two_tone()[..., 0])[1].tobytes()
        spelling = "mono8; png compressed mono8"
        held_to_the_ramp(zipped.depth(lambda: robot.compressed(data, spelling)))
