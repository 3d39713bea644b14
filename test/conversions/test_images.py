"""Image messages of every encoding against slow literal loops, OpenCV, rosbags-image."""

from __future__ import annotations

import array
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.conversions import ENCODINGS, decode_image, image_to_rgb
from da_ros.conversions.images import MAX_PIXELS, bytes_of
from da_ros.errors import DaRosError, InputError

SAMPLES = {
    "rgb8": "rgb", "bgr8": "bgr", "rgba8": "rgba", "bgra8": "bgra", "mono8": "g",
    "rgb16": "rgb", "bgr16": "bgr", "rgba16": "rgba", "bgra16": "bgra", "mono16": "g",
    "8UC1": "g", "8UC3": "bgr", "8UC4": "bgra",
}  # fmt: skip
"""Samples of a pixel, in order, written down once more by hand: the oracle's own table."""

BAYER = [f"bayer_{order}{bits}" for order in ("rggb", "bggr", "gbrg", "grbg") for bits in (8, 16)]
YUV_422 = {"yuv422": "uyvy", "uyvy": "uyvy", "yuv422_yuy2": "yuyv", "yuyv": "yuyv"}
YUV_420 = {"nv12": "uv", "nv21": "vu"}


def message(
    encoding: str, height: int, width: int, data: bytes, step: int, big: bool = False
) -> Any:
    return SimpleNamespace(
        encoding=encoding, height=height, width=width, step=step, is_bigendian=big,
        data=array.array("B", data),
    )  # fmt: skip


def packed(encoding: str, rows: np.ndarray, padding: int, big: bool) -> Any:
    """Message of rows of samples (uint8 or uint16, rows in memory x samples), padded with 0xA5."""
    height, width = rows.shape[0], rows.shape[1] // ENCODINGS[encoding].samples
    if encoding in YUV_420:
        height = height * 2 // 3
    raw = rows.astype(rows.dtype.newbyteorder(">" if big else "<")).view(np.uint8)
    raw = np.pad(raw, ((0, 0), (0, padding)), constant_values=0xA5)
    return message(encoding, height, width, raw.tobytes(), raw.shape[1], big)


def random_rows(encoding: str, height: int, width: int, seed: int = 0) -> np.ndarray:
    entry = ENCODINGS[encoding]
    dtype = np.uint8 if entry.sample_bytes == 1 else np.uint16
    rows = height * 3 // 2 if encoding in YUV_420 else height
    generator = np.random.default_rng(seed)
    return generator.integers(0, np.iinfo(dtype).max + 1, (rows, width * entry.samples), dtype)


def literal_rgb(encoding: str, rows: np.ndarray) -> np.ndarray:
    """What the encoding's name says, one sample at a time."""
    order = SAMPLES[encoding]
    height, width = rows.shape[0], rows.shape[1] // len(order)
    rgb = np.zeros((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            for channel, letter in enumerate("rgb"):
                at = x * len(order) + (0 if order == "g" else order.index(letter))
                value = int(rows[y, at])
                rgb[y, x, channel] = value // 256 if rows.dtype == np.uint16 else value
    return rgb


def literal_yuv(y: int, u: int, v: int) -> tuple[float, float, float]:
    """ITU-R BT.601, studio range."""
    luma = 255 / 219 * (y - 16)
    red = luma + 1.402 * 255 / 224 * (v - 128)
    blue = luma + 1.772 * 255 / 224 * (u - 128)
    green = (
        luma
        - (0.299 * 1.402 * 255 / 224 * (v - 128) + 0.114 * 1.772 * 255 / 224 * (u - 128)) / 0.587
    )
    return red, green, blue


class TestEncodings:
    def test_the_issue_s_list_is_read(self) -> None:
        wanted = {*SAMPLES, *BAYER, *YUV_422, *YUV_420}
        assert set(ENCODINGS) == wanted


class TestPlainEncodings:
    @pytest.mark.parametrize("encoding", SAMPLES)
    @pytest.mark.parametrize("big", [False, True])
    @pytest.mark.parametrize("padding", [0, 5])
    def test_equals_the_literal_loop(self, encoding: str, big: bool, padding: int) -> None:
        rows = random_rows(encoding, 5, 7)
        rgb = image_to_rgb(packed(encoding, rows, padding, big))
        assert rgb.dtype == np.uint8
        np.testing.assert_array_equal(rgb, literal_rgb(encoding, rows))

    @settings(deadline=None)
    @given(
        encoding=st.sampled_from(sorted(SAMPLES)),
        height=st.integers(1, 9),
        width=st.integers(1, 9),
        padding=st.integers(0, 9),
        big=st.booleans(),
        seed=st.integers(0, 2**31),
    )
    def test_any_size_padding_and_endianness(
        self, encoding: str, height: int, width: int, padding: int, big: bool, seed: int
    ) -> None:
        rows = random_rows(encoding, height, width, seed)
        rgb = image_to_rgb(packed(encoding, rows, padding, big))
        np.testing.assert_array_equal(rgb, literal_rgb(encoding, rows))

    def test_red_and_blue(self) -> None:
        for encoding, pixel in (("rgb8", b"\xff\x00\x00"), ("bgr8", b"\x00\x00\xff")):
            rgb = image_to_rgb(message(encoding, 1, 1, pixel, 3))
            assert rgb.tolist() == [[[255, 0, 0]]]

    @pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "8UC3"])
    def test_the_common_ones_are_views(self, encoding: str) -> None:
        image = packed(encoding, random_rows(encoding, 4, 6), 3, False)
        decoded = decode_image(image)
        assert np.shares_memory(decoded.pixels, np.frombuffer(image.data, np.uint8))
        assert decoded.bgr is (encoding != "rgb8")
        assert (decoded.height, decoded.width) == (4, 6)

    def test_the_last_row_may_lack_its_padding(self) -> None:
        rows = random_rows("rgb8", 3, 4)
        whole = packed("rgb8", rows, 4, False)
        whole.data = whole.data[:-4]
        np.testing.assert_array_equal(image_to_rgb(whole), literal_rgb("rgb8", rows))


class TestBayer:
    @pytest.mark.parametrize("encoding", BAYER)
    @pytest.mark.parametrize("big", [False, True])
    def test_flat_red_green_and_blue_come_back(self, encoding: str, big: bool) -> None:
        """The mosaic of a flat colour, laid out by the encoding's own letters."""
        order = encoding.removeprefix("bayer_").rstrip("168")
        colour = {"r": 200, "g": 120, "b": 40}
        dtype, factor = (np.uint16, 256) if encoding.endswith("16") else (np.uint8, 1)
        tile = np.array([colour[letter] * factor for letter in order], dtype).reshape(2, 2)
        rgb = image_to_rgb(packed(encoding, np.tile(tile, (4, 5)), 3, big))
        assert rgb.shape == (8, 10, 3)
        assert (rgb == [200, 120, 40]).all()

    @pytest.mark.parametrize("order", ["rggb", "bggr", "gbrg", "grbg"])
    def test_inner_pixels_are_bilinear_means(self, order: str) -> None:
        rows = random_rows(f"bayer_{order}8", 6, 8)
        rgb = image_to_rgb(packed(f"bayer_{order}8", rows, 0, False)).astype(int)
        letters = np.tile(np.array(list(order)).reshape(2, 2), (3, 4))
        for y in range(1, 5):
            for x in range(1, 7):
                around = [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
                for channel, letter in enumerate("rgb"):
                    if letters[y, x] == letter:
                        expected = float(rows[y, x])
                    else:
                        same = [float(rows[at]) for at in around if letters[at] == letter]
                        expected = sum(same) / len(same)
                    assert abs(rgb[y, x, channel] - expected) <= 0.5

    def test_sixteen_bit_is_shifted_before_the_demosaicing(self) -> None:
        rows = random_rows("bayer_rggb16", 6, 8)
        low = image_to_rgb(packed("bayer_rggb8", (rows >> 8).astype(np.uint8), 0, False))
        np.testing.assert_array_equal(image_to_rgb(packed("bayer_rggb16", rows, 0, False)), low)

    def test_too_small_to_interpolate(self) -> None:
        with pytest.raises(InputError, match="demosaicing needs at least 3 x 3"):
            decode_image(packed("bayer_rggb8", random_rows("bayer_rggb8", 2, 8), 0, False))


class TestYuv:
    @pytest.mark.parametrize("encoding", YUV_422)
    @pytest.mark.parametrize("padding", [0, 6])
    def test_422_is_bt601(self, encoding: str, padding: int) -> None:
        rows = random_rows(encoding, 4, 6)
        rgb = image_to_rgb(packed(encoding, rows, padding, False)).astype(float)
        order = YUV_422[encoding]
        for y in range(4):
            for x in range(6):
                pair = rows[y, (x // 2) * 4 : (x // 2) * 4 + 4].tolist()
                u, v = pair[order.index("u")], pair[order.index("v")]
                luma = [pair[at] for at, letter in enumerate(order) if letter == "y"][x % 2]
                expected = np.clip(literal_yuv(max(luma, 16), u, v), 0, 255)
                assert np.abs(rgb[y, x] - expected).max() <= 1.5

    @pytest.mark.parametrize("encoding", YUV_420)
    @pytest.mark.parametrize("padding", [0, 6])
    def test_420_is_bt601(self, encoding: str, padding: int) -> None:
        rows = random_rows(encoding, 4, 6)
        rgb = image_to_rgb(packed(encoding, rows, padding, False)).astype(float)
        order = YUV_420[encoding]
        for y in range(4):
            for x in range(6):
                chroma = rows[4 + y // 2, (x // 2) * 2 : (x // 2) * 2 + 2].tolist()
                u, v = chroma[order.index("u")], chroma[order.index("v")]
                expected = np.clip(literal_yuv(max(int(rows[y, x]), 16), u, v), 0, 255)
                assert np.abs(rgb[y, x] - expected).max() <= 1.5

    @pytest.mark.parametrize("encoding", [*YUV_422, *YUV_420])
    def test_odd_width_is_refused(self, encoding: str) -> None:
        with pytest.raises(InputError, match="needs even sides"):
            decode_image(message(encoding, 4, 5, bytes(200), 10))

    @pytest.mark.parametrize("encoding", YUV_420)
    def test_odd_height_is_refused(self, encoding: str) -> None:
        with pytest.raises(InputError, match="needs even sides"):
            decode_image(message(encoding, 5, 4, bytes(200), 4))


class TestRosbagsImage:
    """The other implementation, where the two agree on what is meant: no padding, 8 bit."""

    @pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8", "mono8", *YUV_422])
    def test_same_pixels(self, encoding: str) -> None:
        image = pytest.importorskip("rosbags.image")
        sent = packed(encoding, random_rows(encoding, 6, 8), 0, False)
        theirs = image.message_to_cvimage(sent, "rgb8")
        np.testing.assert_array_equal(image_to_rgb(sent), theirs)

    @pytest.mark.parametrize("order", ["rggb", "bggr", "gbrg", "grbg"])
    def test_same_bayer_order(self, order: str) -> None:
        image = pytest.importorskip("rosbags.image")
        sent = packed(f"bayer_{order}8", random_rows(f"bayer_{order}8", 6, 8), 0, False)
        theirs = image.message_to_cvimage(sent, "rgb8")
        np.testing.assert_array_equal(image_to_rgb(sent), theirs)


class TestCvBridge:
    @pytest.mark.parametrize(
        "encoding",
        [
            *("rgb8", "bgr8", "rgba8", "bgra8", "mono8", *YUV_422),
            *(f"bayer_{order}8" for order in ("rggb", "bggr", "gbrg", "grbg")),
        ],
    )
    def test_same_pixels(self, encoding: str) -> None:
        cv_bridge = pytest.importorskip("cv_bridge")
        sensor_msgs = pytest.importorskip("sensor_msgs.msg")
        made = packed(encoding, random_rows(encoding, 6, 8), 0, False)
        sent = sensor_msgs.Image(
            height=made.height, width=made.width, encoding=encoding, step=made.step, data=made.data
        )
        theirs = cv_bridge.CvBridge().imgmsg_to_cv2(sent, "rgb8")
        np.testing.assert_array_equal(image_to_rgb(sent), theirs)


class TestMessagesOfBothWorlds:
    def test_rosbags(self) -> None:
        typesys = pytest.importorskip("rosbags.typesys")
        store = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
        time = store.types["builtin_interfaces/msg/Time"](sec=1, nanosec=2)
        header = store.types["std_msgs/msg/Header"](stamp=time, frame_id="cam")
        rows = random_rows("bgr8", 4, 6)
        sent = store.types["sensor_msgs/msg/Image"](
            header=header, height=4, width=6, encoding="bgr8", is_bigendian=0, step=18,
            data=rows.reshape(-1),
        )  # fmt: skip
        raw = store.serialize_cdr(sent, "sensor_msgs/msg/Image")
        back = store.deserialize_cdr(raw, "sensor_msgs/msg/Image")
        np.testing.assert_array_equal(image_to_rgb(back), literal_rgb("bgr8", rows))

    def test_rclpy(self) -> None:
        sensor_msgs = pytest.importorskip("sensor_msgs.msg")
        rows = random_rows("mono16", 4, 6)
        made = packed("mono16", rows, 4, True)
        sent = sensor_msgs.Image(
            height=4, width=6, encoding="mono16", is_bigendian=1, step=made.step, data=made.data
        )
        np.testing.assert_array_equal(image_to_rgb(sent), literal_rgb("mono16", rows))


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"encoding": "rgb9"}, r"encoding 'rgb9' is not supported; supported: rgb8, rgb16"),
            ({"encoding": "16UC1"}, r"'16UC1' is not supported \(that is a depth image"),
            ({"encoding": ""}, r"encoding '' is not supported"),
            ({"height": 0}, r"image of 4 x 0 px: expected at least 1 x 1"),
            ({"width": 0}, r"image of 0 x 3 px"),
            ({"width": MAX_PIXELS, "height": 2}, r"at most 268435456 px"),
            ({"step": 11}, r"expected step >= 12 bytes per row, got 11"),
            ({"step": 0}, r"expected step >= 12 bytes per row, got 0"),
            ({"step": 100}, r"expected 300 bytes of data, got 36; the message was cut short"),
            ({"data": array.array("B", bytes(35))}, r"expected 36 bytes of data, got 35"),
            ({"data": b""}, r"expected 36 bytes of data, got 0"),
            ({"data": 5}, r"image data: expected bytes, got int"),
            ({"data": [1, 2]}, r"image data: expected bytes, got list"),
        ],
    )
    def test_says_what_expected_and_got(self, changes: dict[str, object], reason: str) -> None:
        sent = message("rgb8", 3, 4, bytes(36), 12)
        for name, value in changes.items():
            setattr(sent, name, value)
        with pytest.raises(InputError, match=reason):
            decode_image(sent)

    @settings(deadline=None, max_examples=300)
    @given(
        encoding=st.sampled_from([*sorted(ENCODINGS), "rgb9"]),
        height=st.integers(0, 12),
        width=st.integers(0, 12),
        step=st.integers(0, 100),
        big=st.booleans(),
        data=st.binary(max_size=600),
    )
    def test_anything_gives_a_picture_or_an_error(
        self, encoding: str, height: int, width: int, step: int, big: bool, data: bytes
    ) -> None:
        try:
            rgb = image_to_rgb(message(encoding, height, width, data, step, big))
        except DaRosError:
            return
        assert rgb.shape == (height, width, 3)
        assert rgb.dtype == np.uint8
        assert len(data) >= step * (height - 1)


class TestBytesOf:
    @pytest.mark.parametrize(
        "data", [b"\x01\x02", bytearray(b"\x01\x02"), array.array("B", [1, 2]), np.uint8([1, 2])]
    )
    def test_every_buffer(self, data: object) -> None:
        assert bytes_of(data).tolist() == [1, 2]


def test_opencv_agrees_on_colour_order() -> None:
    """The fixture above and OpenCV mean the same by BGR."""
    picture = np.zeros((1, 1, 3), np.uint8)
    picture[..., 2] = 255
    assert cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)[0, 0].tolist() == [255, 0, 0]
