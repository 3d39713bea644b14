"""Cameras: read as image_geometry reads them, changed together with their image."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.errors import CameraError
from da_ros.geometry.camera import PinholeCamera, RegionOfInterest
from da_ros.geometry.unproject import project

K = (500.0, 0.0, 320.5, 0.0, 510.0, 240.25, 0.0, 0.0, 1.0)
P = (480.0, 0.0, 318.0, -57.6, 0.0, 490.0, 238.0, 4.9, 0.0, 0.0, 1.0, 0.0)
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
LENS = (-0.3, 0.1, 0.001, -0.002, 0.01)


def info(**changes: Any) -> dict[str, Any]:
    """Fields of a CameraInfo."""
    fields = {
        "height": 480,
        "width": 640,
        "distortion_model": "plumb_bob",
        "d": LENS,
        "k": K,
        "r": IDENTITY,
        "p": P,
        "binning_x": 0,
        "binning_y": 0,
        "roi": None,
    }
    return fields | changes


class TestFromFields:
    def test_plain(self) -> None:
        camera = PinholeCamera.from_fields(**info())
        assert (camera.width, camera.height) == (640, 480)
        assert camera.k == K
        assert camera.p == P
        assert camera.distortion == LENS
        assert camera.is_distorted

    @settings(deadline=None)
    @given(
        x=st.integers(0, 300),
        y=st.integers(0, 200),
        width=st.integers(8, 340),
        height=st.integers(8, 280),
        binning_x=st.integers(0, 4),
        binning_y=st.integers(0, 4),
    )
    def test_region_and_binning_as_image_geometry(
        self, x: int, y: int, width: int, height: int, binning_x: int, binning_y: int
    ) -> None:
        """Offset first, then binning, in the order and form of fromCameraInfo."""
        camera = PinholeCamera.from_fields(
            **info(roi=(x, y, width, height), binning_x=binning_x, binning_y=binning_y)
        )
        bx, by = binning_x or 1, binning_y or 1
        k, p = list(K), list(P)
        k[2], k[5], p[2], p[6] = k[2] - x, k[5] - y, p[2] - x, p[6] - y
        for i in (0, 2):
            k[i] /= bx
        for i in (4, 5):
            k[i] /= by
        for i in (0, 2, 3):
            p[i] /= bx
        for i in (5, 6, 7):
            p[i] /= by
        assert camera.k == pytest.approx(k)
        assert camera.p == pytest.approx(p)
        assert (camera.width, camera.height) == (width // bx, height // by)
        assert camera.distortion == LENS

    @pytest.mark.parametrize("roi", [None, (0, 0, 0, 0), RegionOfInterest(), (0, 0, 640, 480)])
    def test_whole_image(self, roi: tuple[int, int, int, int] | None) -> None:
        plain = PinholeCamera.from_fields(**info())
        assert PinholeCamera.from_fields(**info(roi=roi, binning_x=1)) == plain

    def test_no_projection_means_k(self) -> None:
        camera = PinholeCamera.from_fields(**info(p=(0.0,) * 12))
        assert camera.projection is None
        assert camera.p == (500.0, 0, 320.5, 0, 0, 510.0, 240.25, 0, 0, 0, 1, 0)
        assert camera.rectified().k == K

    def test_no_rotation_means_identity(self) -> None:
        assert PinholeCamera.from_fields(**info(r=(0.0,) * 9)).rectification == IDENTITY

    @pytest.mark.parametrize("model", ["", "plumb_bob", "rational_polynomial", "ftheta"])
    @pytest.mark.parametrize("d", [(), (0.0,) * 4, (0.0,) * 5, (0.0,) * 7])
    def test_no_distortion_in_any_model(self, model: str, d: tuple[float, ...]) -> None:
        assert not PinholeCamera.from_fields(**info(distortion_model=model, d=d)).is_distorted

    @pytest.mark.parametrize(
        ("model", "count"),
        [("plumb_bob", 4), ("plumb_bob", 5), ("equidistant", 4)]
        + [("rational_polynomial", count) for count in (5, 8, 12, 14)],
    )
    def test_models(self, model: str, count: int) -> None:
        fields = info(distortion_model=model, d=(0.01,) * count)
        assert PinholeCamera.from_fields(**fields).is_distorted

    def test_numpy_and_rounded_rotation(self) -> None:
        rotation = np.round(cv2.Rodrigues(np.array([0.1, 0.2, -0.1]))[0], 4)
        camera = PinholeCamera.from_fields(**info(k=np.array(K), r=rotation.ravel()))
        assert type(camera.fx) is float
        assert hash(camera) == hash(dataclasses.replace(camera))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"k": (0.0,) * 9}, "K is zero, which says that the camera is not calibrated"),
            ({"k": (math.nan, *K[1:])}, "finite K with positive focal lengths, got fx nan"),
            ({"k": (*K[:4], 0.0, *K[5:])}, "positive focal lengths, got fx 500.0, fy 0.0"),
            ({"k": (-500.0, *K[1:])}, "positive focal lengths, got fx -500.0"),
            ({"k": (*K[:2], math.inf, *K[3:])}, "finite K .* cx inf"),
            ({"k": (500.0, 2.0, *K[2:])}, r"skewed pixels are not supported, got K\[1\] = 2.0"),
            ({"k": K[:8]}, "expected 9 numbers in K, got 8"),
            ({"r": IDENTITY[:8]}, "expected 9 numbers in R, got 8"),
            ({"p": P[:9]}, "expected 12 numbers in P, got 9"),
            ({"r": (2.0, *IDENTITY[1:])}, "expected a rotation matrix in R"),
            ({"r": (-1.0, *IDENTITY[1:])}, "expected a rotation matrix in R"),
            ({"r": (math.nan, *IDENTITY[1:])}, "expected a rotation matrix in R"),
            ({"p": (math.nan, *P[1:])}, "finite P with positive focal lengths"),
            ({"p": (*P[:5], 0.0, *P[6:])}, "finite P with positive .* fy 0.0"),
            ({"p": (*P[:3], math.nan, *P[4:])}, "expected finite P, got"),
            ({"p": (480.0, 1.0, *P[2:])}, r"skewed pixels are not supported, got P\[1\]"),
            ({"d": (math.nan,) * 5}, "expected finite D"),
            ({"d": (0.1,) * 6}, "0, 4, 5, 8, 12, 14 coefficients in D for plumb_bob, got 6"),
            (
                {"d": (0.1,) * 5, "distortion_model": "equidistant"},
                "0, 4 coefficients in D for eq",
            ),
            ({"distortion_model": ""}, "distortion model of plumb_bob, .* got '' with 5"),
            ({"distortion_model": "ftheta"}, "expected a distortion model .* got 'ftheta'"),
            ({"width": 0}, "at least 1x1 px, got 0x480"),
            ({"roi": (600, 0, 100, 100)}, r"100x100 px window at \(600, 0\) is not within"),
            ({"roi": (5, 5, 0, 0)}, "0x0 px window"),
            ({"binning_x": 1000}, "at least 1x1 px, got 0x480"),
        ],
    )
    def test_refused(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(CameraError, match=message):
            PinholeCamera.from_fields(**info(**changes))


class TestFromFov:
    @pytest.mark.parametrize(("width", "fov"), [(640, 60.0), (641, 90.0), (1, 120.0)])
    def test_edges_of_the_image(self, width: int, fov: float) -> None:
        """The outer edges of the border pixels, at -1/2 and w - 1/2, are fov apart."""
        camera = PinholeCamera.from_fov(width, 480, fov)
        left = math.atan((-0.5 - camera.cx) / camera.fx)
        right = math.atan((width - 0.5 - camera.cx) / camera.fx)
        assert math.degrees(right) == pytest.approx(fov / 2)
        assert math.degrees(left) == pytest.approx(-fov / 2)
        assert camera.fx == camera.fy
        assert camera.cy == 239.5

    @pytest.mark.parametrize("fov", [0.0, -1.0, 180.0, math.nan])
    def test_refused(self, fov: float) -> None:
        with pytest.raises(CameraError, match="between 0 and 180 degrees, got"):
            PinholeCamera.from_fov(640, 480, fov)


class TestFields:
    def test_round_trip(self, camera: PinholeCamera) -> None:
        assert PinholeCamera.from_fields(**camera.fields()).fields() == camera.fields()

    def test_nothing_is_left_of_region_and_binning(self) -> None:
        camera = PinholeCamera.from_fields(**info(roi=(100, 50, 200, 100), binning_x=2))
        fields = camera.fields()
        assert (fields["width"], fields["height"]) == (100, 100)
        assert fields["roi"] == (0, 0, 0, 0)
        assert (fields["binning_x"], fields["binning_y"]) == (0, 0)
        assert fields["k"][2] == (320.5 - 100) / 2

    def test_undistorted_is_plain_plumb_bob(self) -> None:
        fields = PinholeCamera.from_fields(**info(distortion_model="x", d=())).fields()
        assert (fields["distortion_model"], fields["d"]) == ("plumb_bob", (0.0,) * 5)


class TestRectified:
    def test_stands_alone(self, camera: PinholeCamera) -> None:
        fields = camera.rectified().fields()
        p = camera.p
        assert fields["k"] == (p[0], 0, p[2], 0, p[5], p[6], 0, 0, 1)
        assert fields["r"] == IDENTITY
        assert fields["d"] == (0.0,) * 5
        assert fields["p"] == p
        assert camera.rectified().rectified() == camera.rectified()

    def test_baseline_stays_consistent(self) -> None:
        """Tx = -fx' B: the baseline is the same after every change of the image."""
        camera = PinholeCamera.from_fields(**info()).rectified()
        baseline = -camera.p[3] / camera.p[0]
        changed = camera.resized(200, 100).cropped(10, 20, 100, 50).strided(3)
        assert -changed.p[3] / changed.p[0] == pytest.approx(baseline)
        turned = camera.rotated_180()
        assert -turned.p[3] / turned.p[0] == pytest.approx(-baseline)


def in_view(camera: PinholeCamera, count: int = 50) -> np.ndarray:
    """Points in front of a camera, (N, 3)."""
    rng = np.random.default_rng(3)
    z = rng.uniform(0.5, 5.0, count)
    x, y = rng.uniform(-0.5, 0.5, count) * z, rng.uniform(-0.4, 0.4, count) * z
    return np.stack((x, y, z), axis=-1)


def both(camera: PinholeCamera) -> list[PinholeCamera]:
    """The raw camera and the rectified one: K and P must change alike."""
    return [camera, camera.rectified()]


class TestResized:
    @pytest.mark.parametrize("size", [(320, 240), (639, 481), (1, 1), (1280, 100)])
    def test_moves_with_the_pixels(self, camera: PinholeCamera, size: tuple[int, int]) -> None:
        scale = np.array(size) / (640, 480)
        for old in both(camera):
            new = old.resized(*size)
            expected = (project(in_view(old), old) + 0.5) * scale - 0.5
            assert np.allclose(project(in_view(old), new), expected, atol=1e-9)
            assert (new.width, new.height) == size

    def test_where_opencv_puts_a_dot(self) -> None:
        """The centroid of a soft dot, resized by OpenCV, lands where the new camera says."""
        camera = PinholeCamera(64, 48, 50.0, 50.0, 30.0, 20.0)
        point = np.array([[0.1, -0.12, 1.0]])
        (u, v), new = project(point, camera)[0], camera.resized(150, 70)
        grid_u, grid_v = np.meshgrid(np.arange(64), np.arange(48))
        dot = np.exp(-((grid_u - u) ** 2 + (grid_v - v) ** 2) / 18)
        small = cv2.resize(dot, (150, 70), interpolation=cv2.INTER_LINEAR)
        new_u, new_v = np.meshgrid(np.arange(150), np.arange(70))
        centroid = [(small * new_u).sum() / small.sum(), (small * new_v).sum() / small.sum()]
        assert np.allclose(centroid, project(point, new)[0], atol=0.02)

    def test_there_and_back(self, camera: PinholeCamera) -> None:
        back = camera.resized(317, 211).resized(640, 480)
        assert back.k == pytest.approx(camera.k)
        assert back.p == pytest.approx(camera.p)


class TestCropped:
    def test_moves_with_the_pixels(self, camera: PinholeCamera) -> None:
        for old in both(camera):
            new = old.cropped(100, 37, 211, 300)
            expected = project(in_view(old), old) - (100, 37)
            assert np.allclose(project(in_view(old), new), expected, atol=1e-9)
            assert (new.width, new.height) == (211, 300)

    @pytest.mark.parametrize(
        "window",
        [
            (-1, 0, 5, 5),
            (0, -1, 5, 5),
            (636, 0, 5, 5),
            (0, 476, 5, 5),
            (0, 0, 0, 5),
            (9, 9, 5, -5),
        ],
    )
    def test_refused(self, window: tuple[int, int, int, int]) -> None:
        with pytest.raises(CameraError, match=r"window at .* is not within the 640x480 px image"):
            PinholeCamera.from_fov(640, 480, 60).cropped(*window)


class TestStrided:
    @settings(max_examples=30, deadline=None)
    @given(n=st.integers(1, 50), width=st.integers(1, 700), height=st.integers(1, 500))
    def test_same_pixels(self, n: int, width: int, height: int) -> None:
        """Pixel (i, j) of image[::n, ::n] is pixel (n i, n j), and so are their rays."""
        camera = PinholeCamera(width, height, 400.0, 410.0, width / 3, height / 2)
        new = camera.strided(n)
        image = np.empty((height, width), np.uint8)
        assert (new.height, new.width) == image[::n, ::n].shape
        i, j = new.width - 1, new.height - 1
        assert (i - new.cx) / new.fx == pytest.approx((n * i - camera.cx) / camera.fx)
        assert (j - new.cy) / new.fy == pytest.approx((n * j - camera.cy) / camera.fy)

    def test_moves_with_the_pixels(self, camera: PinholeCamera) -> None:
        for old in both(camera):
            expected = project(in_view(old), old) / 3
            assert np.allclose(project(in_view(old), old.strided(3)), expected, atol=1e-9)

    def test_refused(self) -> None:
        with pytest.raises(CameraError, match="stride of 1 or more, got 0"):
            PinholeCamera.from_fov(640, 480, 60).strided(0)


class TestRotated180:
    def test_moves_with_the_pixels(self, camera: PinholeCamera) -> None:
        """The frame turns too: a point (x, y, z) is (-x, -y, z) in the new one."""
        for old in both(camera):
            new = old.rotated_180()
            expected = (639, 479) - project(in_view(old), old)
            turned = in_view(old) * (-1, -1, 1)
            assert np.allclose(project(turned, new), expected, atol=1e-9)

    def test_rotation_turns_too(self, camera: PinholeCamera) -> None:
        half = np.diag([-1.0, -1.0, 1.0])
        expected = half @ np.reshape(camera.rectification, (3, 3)) @ half
        assert np.allclose(np.reshape(camera.rotated_180().rectification, (3, 3)), expected)

    def test_twice_is_nothing(self, camera: PinholeCamera) -> None:
        twice = camera.rotated_180().rotated_180()
        assert twice.k == pytest.approx(camera.k)
        assert twice.p == pytest.approx(camera.p)
        assert twice.distortion == camera.distortion
        assert twice.rectification == camera.rectification
