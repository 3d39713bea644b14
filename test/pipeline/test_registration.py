"""Which depth images can lie on the image, and which are refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.rectify import RectificationMap
from da_ros.pipeline.registration import registration_fault
from da_ros.pipeline.stream import View

SIZE = (120, 160)
LENS = (-0.2, 0.05, 0.0, 0.0, 0.0)


def fields(
    fx: float = 120.0, d: tuple[float, ...] = (), p_fx: float | None = None, scale: int = 1
) -> dict[str, Any]:
    height, width = SIZE[0] // scale, SIZE[1] // scale
    cx, cy = (width - 1) / 2, (height - 1) / 2
    f, pf = fx / scale, (p_fx or fx) / scale
    return {
        "height": height,
        "width": width,
        "distortion_model": "plumb_bob",
        "d": d,
        "k": (f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0),
        "r": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        "p": (pf, 0.0, cx, 0.0, 0.0, pf, cy, 0.0, 0.0, 0.0, 1.0, 0.0),
        "binning_x": 0,
        "binning_y": 0,
        "roi": (0, 0, 0, 0),
    }


def straightened(p_fx: float = 100.0) -> View:
    """A raw image that we rectify."""
    lens = RectificationMap.of(PinholeCamera.from_fields(**fields(d=LENS, p_fx=p_fx)))
    return View(lens.rectified, "", lens)


def plain(**given: Any) -> View:
    """An image that stays as it is: undistorted, rectified by others, or rectify: off."""
    camera = PinholeCamera.from_fields(**fields(**given))
    return View(camera if camera.is_distorted else camera.rectified())


class TestFits:
    @pytest.mark.parametrize(
        ("view", "depth", "rectified"),
        [
            (plain(), fields(), False),
            (plain(), fields(scale=2), False),
            (plain(), None, False),
            (straightened(), fields(d=LENS, p_fx=100.0), False),  # both raw
            (straightened(), fields(d=LENS, p_fx=100.0), True),  # both rectified in the end
            (plain(fx=100.0), fields(fx=120.0, d=LENS, p_fx=100.0), True),  # image_rect of both
            (plain(d=LENS), fields(d=LENS), False),  # rectify: off
            (View(None, "no camera_info"), fields(), False),
        ],
    )
    def test_nothing_is_said(self, view: View, depth: Any, rectified: bool) -> None:
        size = SIZE if depth is None else (depth["height"], depth["width"])
        assert registration_fault(size, depth, view, SIZE, rectified=rectified) == ""


class TestFaults:
    @pytest.mark.parametrize(
        ("view", "depth", "rectified", "said"),
        [
            (plain(), fields(fx=90.0), False, "another camera (fx/width 0.562 beside 0.750"),
            (plain(), fields(d=LENS), False, "rectify the depth too"),
            (plain(d=LENS), fields(), True, "the depth image is rectified and the image is not"),
            (straightened(), fields(d=LENS, p_fx=140.0), True, "another camera"),
            (plain(), fields(fx=-1.0), False, "unusable camera_info of the depth image"),
        ],
    )
    def test_is_said_in_words(self, view: View, depth: Any, rectified: bool, said: str) -> None:
        assert said in registration_fault(SIZE, depth, view, SIZE, rectified=rectified)

    @pytest.mark.parametrize("size", [(100, 160), (90, 160), (160, 120)])
    def test_another_shape(self, size: tuple[int, int]) -> None:
        found = registration_fault(size, None, plain(), SIZE, rectified=False)
        assert found.startswith(f"the depth image of {size[1]} x {size[0]} px has another shape")
