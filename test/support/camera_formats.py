"""Pictures in every encoding of sensor_msgs/Image, laid out by hand from the encodings' names."""

from __future__ import annotations

import numpy as np

SAMPLES = {
    "rgb8": "rgb", "bgr8": "bgr", "rgba8": "rgba", "bgra8": "bgra", "mono8": "g",
    "rgb16": "rgb", "bgr16": "bgr", "rgba16": "rgba", "bgra16": "bgra", "mono16": "g",
    "8UC1": "g", "8UC3": "bgr", "8UC4": "bgra",
}  # fmt: skip
"""Samples of a pixel, in order."""

BAYER = [f"bayer_{order}{bits}" for order in ("rggb", "bggr", "gbrg", "grbg") for bits in (8, 16)]
YUV_422 = {"yuv422": "uyvy", "uyvy": "uyvy", "yuv422_yuy2": "yuyv", "yuyv": "yuyv"}
YUV_420 = {"nv12": "uv", "nv21": "vu"}
ENCODINGS = (*SAMPLES, *BAYER, *YUV_422, *YUV_420)


def is_wide(encoding: str) -> bool:
    """Whether a sample has 16 bits."""
    return encoding.endswith("16")


def rows_of(rgb: np.ndarray, encoding: str) -> np.ndarray:
    """Rows of samples, (rows in memory, samples), uint8 or uint16.

    Colour is shared by pairs of pixels in YUV: take a picture of even sides whose colours are
    flat there. Grey encodings show the red channel.
    """
    if encoding in YUV_422:
        return yuv_422(rgb, YUV_422[encoding])
    if encoding in YUV_420:
        return yuv_420(rgb, YUV_420[encoding])
    samples = mosaic(rgb, encoding) if encoding in BAYER else named(rgb, SAMPLES[encoding])
    return samples.astype(np.uint16) * 256 + 77 if is_wide(encoding) else samples


def named(rgb: np.ndarray, order: str) -> np.ndarray:
    """Samples in the order of their letters."""
    planes = dict(zip("rgb", np.moveaxis(rgb, -1, 0), strict=True))
    planes |= {"g": rgb[..., 0]} if order == "g" else {"a": np.full(rgb.shape[:2], 7, np.uint8)}
    return np.stack([planes[letter] for letter in order], axis=-1).reshape(rgb.shape[0], -1)


def mosaic(rgb: np.ndarray, encoding: str) -> np.ndarray:
    """One colour per pixel, by the letters of the name."""
    letters = encoding.removeprefix("bayer_")[:4]
    made = np.empty(rgb.shape[:2], np.uint8)
    for place, letter in enumerate(letters):
        y, x = divmod(place, 2)
        made[y::2, x::2] = rgb[y::2, x::2, "rgb".index(letter)]
    return made


def yuv(rgb: np.ndarray) -> np.ndarray:
    """ITU-R BT.601, studio range, of every pixel."""
    weights = np.array(
        [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]
    )
    return np.round(rgb / 255.0 @ weights.T + [16.0, 128.0, 128.0]).astype(np.uint8)


def yuv_422(rgb: np.ndarray, order: str) -> np.ndarray:
    """Two pixels with one colour, in the order of the letters."""
    made = yuv(rgb)
    lumas = iter((made[:, ::2, 0], made[:, 1::2, 0]))
    colours = {"u": made[:, ::2, 1], "v": made[:, ::2, 2]}
    planes = [next(lumas) if letter == "y" else colours[letter] for letter in order]
    return np.stack(planes, axis=-1).reshape(rgb.shape[0], -1)


def yuv_420(rgb: np.ndarray, order: str) -> np.ndarray:
    """The luma, and below it one colour for four pixels."""
    made = yuv(rgb)
    colours = {"u": made[::2, ::2, 1], "v": made[::2, ::2, 2]}
    chroma = np.stack([colours[letter] for letter in order], axis=-1)
    return np.concatenate([made[..., 0], chroma.reshape(rgb.shape[0] // 2, -1)])
