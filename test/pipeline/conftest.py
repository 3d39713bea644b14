"""Estimators and messages for the pipeline's tests."""

from __future__ import annotations

import array
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))


def header(sec: int = 3, nanosec: int = 7, frame_id: str = "cam_optical") -> Any:
    return SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec), frame_id=frame_id)


@pytest.fixture(scope="session")
def image_message() -> Callable[..., Any]:
    """Make an Image message of RGB pixels, in rgb8 or bgr8, with padding."""

    def make(rgb: np.ndarray, encoding: str = "rgb8", padding: int = 0, **head: Any) -> Any:
        pixels = rgb if encoding == "rgb8" else rgb[..., ::-1]
        rows = np.pad(pixels.reshape(rgb.shape[0], -1), ((0, 0), (0, padding)))
        return SimpleNamespace(
            header=header(**head),
            height=rgb.shape[0],
            width=rgb.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=rows.shape[1],
            data=array.array("B", rows.tobytes()),
        )

    return make


@pytest.fixture(scope="session")
def info_message() -> Callable[..., Any]:
    """Make a CameraInfo message of a centred camera."""

    def make(height: int, width: int, d: tuple[float, ...] = (), fx: float = 50.0) -> Any:
        cx, cy = (width - 1) / 2, (height - 1) / 2
        return SimpleNamespace(
            header=header(),
            height=height,
            width=width,
            distortion_model="plumb_bob",
            d=list(d),
            k=[fx, 0.0, cx, 0.0, fx, cy, 0.0, 0.0, 1.0],
            r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            p=[0.9 * fx, 0.0, cx, 0.0, 0.0, 0.9 * fx, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
            binning_x=0,
            binning_y=0,
            roi=SimpleNamespace(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
        )

    return make


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth RGB picture, 48 x 64, all channels different."""
    y, x = np.mgrid[:48, :64]
    return np.stack([40 + 2 * x, 200 - 3 * y, x + y], axis=-1).astype(np.uint8)
