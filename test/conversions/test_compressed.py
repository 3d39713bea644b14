"""JPEG and PNG messages: every spelling, every refusal, damage at any byte."""

from __future__ import annotations

import struct
import zlib
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.conversions import compressed_image_to_rgb, decode_compressed
from da_ros.errors import DaRosError, InputError

JPEG_SPELLINGS = [
    "jpeg",
    "jpg",
    "JPEG",
    "bgr8; jpeg compressed bgr8",
    "rgb8; jpeg compressed bgr8",
    "",
]
PNG_SPELLINGS = ["png", "PNG", "bgr8; png compressed bgr8", "rgb8; png compressed ", "rgb8;png"]


def picture(height: int = 32, width: int = 48) -> np.ndarray:
    """A smooth RGB picture with all three channels different."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y * 7 % 256, x * 5 % 256, (x + y) * 2 % 256], axis=-1).astype(np.uint8)


def encoded(rgb: np.ndarray, extension: str, *options: int) -> bytes:
    bgr = rgb[..., ::-1] if rgb.ndim == 3 else rgb
    done, data = cv2.imencode(extension, np.ascontiguousarray(bgr), list(options))
    assert done
    return bytes(data)


def message(data: bytes, spelling: str) -> Any:
    return SimpleNamespace(format=spelling, data=data)


class TestDecodeCompressed:
    @pytest.mark.parametrize("spelling", PNG_SPELLINGS)
    def test_png_comes_back_exactly(self, spelling: str) -> None:
        rgb = compressed_image_to_rgb(message(encoded(picture(), ".png"), spelling))
        np.testing.assert_array_equal(rgb, picture())

    @pytest.mark.parametrize("spelling", JPEG_SPELLINGS)
    def test_jpeg_comes_back_nearly(self, spelling: str) -> None:
        smooth = cv2.GaussianBlur(picture(), (0, 0), 5)
        data = encoded(smooth, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100)
        rgb = compressed_image_to_rgb(message(data, spelling))
        assert np.abs(rgb.astype(int) - smooth).mean() < 2.0

    def test_pixels_stay_in_the_decoder_s_order(self) -> None:
        decoded = decode_compressed(message(encoded(picture(), ".png"), "png"))
        assert decoded.bgr
        np.testing.assert_array_equal(decoded.pixels[..., ::-1], picture())

    def test_a_publisher_that_names_rgb_gave_rgb_to_the_encoder(self) -> None:
        swapped = encoded(picture()[..., ::-1], ".png")
        rgb = compressed_image_to_rgb(message(swapped, "rgb8; png compressed rgb8"))
        np.testing.assert_array_equal(rgb, picture())

    def test_gray_becomes_three_equal_channels(self) -> None:
        gray = picture()[..., 0]
        rgb = compressed_image_to_rgb(message(encoded(gray, ".png"), "mono8; png compressed "))
        np.testing.assert_array_equal(rgb, np.repeat(gray[..., None], 3, axis=-1))

    def test_alpha_is_dropped(self) -> None:
        rgba = np.dstack([picture(), np.full((32, 48), 7, np.uint8)])
        data = bytes(cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))[1])
        np.testing.assert_array_equal(compressed_image_to_rgb(message(data, "png")), picture())

    def test_a_mosaic_is_interpolated(self) -> None:
        tile = np.uint8([[200, 120], [120, 40]])
        data = encoded(np.tile(tile, (4, 5)), ".png")
        rgb = compressed_image_to_rgb(message(data, "bayer_rggb8; png compressed "))
        assert (rgb == [200, 120, 40]).all()

    def test_an_orientation_tag_is_not_followed(self) -> None:
        data = encoded(picture(16, 48), ".jpg")
        tag = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
        turned = data[:2] + b"\xff\xe1" + struct.pack(">H", len(tag) + 2) + tag + data[2:]
        followed = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
        assert followed.shape == (48, 16, 3)  # the tag is a real one
        assert compressed_image_to_rgb(message(turned, "jpeg")).shape == (16, 48, 3)

    def test_bytes_behind_the_end_are_allowed(self) -> None:
        data = encoded(picture(), ".jpg") + bytes(16)
        assert compressed_image_to_rgb(message(data, "jpeg")).shape == (32, 48, 3)

    def test_messages_of_both_worlds(self) -> None:
        sensor_msgs = pytest.importorskip("sensor_msgs.msg")
        sent = sensor_msgs.CompressedImage(format="png")
        sent.data.frombytes(encoded(picture(), ".png"))
        np.testing.assert_array_equal(compressed_image_to_rgb(sent), picture())


class TestRefusals:
    @pytest.mark.parametrize(
        "spelling",
        ["16UC1; compressedDepth", "16UC1; compressedDepth png", "32FC1; compresseddepth rvl"],
    )
    def test_compressed_depth(self, spelling: str) -> None:
        with pytest.raises(InputError, match="is depth, not a camera's picture"):
            decode_compressed(message(bytes(12) + encoded(picture(), ".png"), spelling))

    def test_sixteen_bit_png(self) -> None:
        data = encoded(np.zeros((4, 4), np.uint16), ".png")
        with pytest.raises(InputError, match="16-bit PNG: that is raw depth or raw sensor counts"):
            decode_compressed(message(data, "mono16; png compressed "))

    @pytest.mark.parametrize("data", [b"", b"\xff", b"GIF89a" + bytes(90)])
    def test_other_data(self, data: bytes) -> None:
        with pytest.raises(InputError, match="expected JPEG or PNG data, got"):
            decode_compressed(message(data, "jpeg"))

    def test_a_jpeg_of_absurd_size(self) -> None:
        data = bytearray(encoded(picture(), ".jpg"))
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", 65000, 65000)
        with pytest.raises(InputError, match="image of 65000 x 65000 px"):
            decode_compressed(message(bytes(data), "jpeg"))

    def test_a_png_of_absurd_size(self) -> None:
        data = bytearray(encoded(picture(), ".png"))
        data[16:24] = struct.pack(">II", 100_000, 100_000)
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
        with pytest.raises(InputError, match="image of 100000 x 100000 px"):
            decode_compressed(message(bytes(data), "png"))

    @pytest.mark.parametrize("extension", [".jpg", ".png"])
    @settings(deadline=None)
    @given(share=st.floats(0.0, 0.999))
    def test_cut_anywhere(self, extension: str, share: float) -> None:
        data = encoded(picture(), extension)
        with pytest.raises(InputError):
            decode_compressed(message(data[: int(share * len(data))], "jpeg"))

    @settings(deadline=None)
    @given(share=st.floats(0.0, 0.999), flip=st.integers(1, 255))
    def test_one_wrong_byte_of_a_png_is_found(self, share: float, flip: int) -> None:
        data = bytearray(encoded(picture(), ".png"))
        data[int(share * len(data))] ^= flip
        try:
            rgb = compressed_image_to_rgb(message(bytes(data), "png"))
        except InputError:
            return
        np.testing.assert_array_equal(rgb, picture())

    @settings(deadline=None)
    @given(share=st.floats(0.0, 0.999), flip=st.integers(1, 255))
    def test_one_wrong_byte_of_a_jpeg_gives_a_picture_or_an_error(
        self, share: float, flip: int
    ) -> None:
        data = bytearray(encoded(picture(), ".jpg"))
        data[int(share * len(data))] ^= flip
        try:
            rgb = compressed_image_to_rgb(message(bytes(data), "jpeg"))
        except DaRosError:
            return
        assert rgb.dtype == np.uint8
        assert rgb.shape[2] == 3

    @settings(deadline=None)
    @given(st.binary(max_size=200), st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b""]))
    def test_any_bytes(self, data: bytes, magic: bytes) -> None:
        with pytest.raises(InputError):
            decode_compressed(message(magic + data, "jpeg"))
