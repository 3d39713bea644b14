"""Lens maths against OpenCV and against itself there and back."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.geometry.distortion import distort, radial_limit, undistort

Lens = tuple[str, tuple[float, ...]]
IDENTITY = np.eye(3)


def grid(reach_x: float, reach_y: float, count: int = 41) -> tuple[np.ndarray, np.ndarray]:
    """Normalised coordinates of a picture's field of view."""
    return np.meshgrid(
        np.linspace(-reach_x, reach_x, count), np.linspace(-reach_y, reach_y, count)
    )


def opencv_distort(x: np.ndarray, y: np.ndarray, lens: Lens) -> np.ndarray:
    """Distorted coordinates, (N, 2)."""
    model, d = lens
    if model == "equidistant":
        undistorted = np.stack((x, y), axis=-1).reshape(-1, 1, 2)
        return cv2.fisheye.distortPoints(undistorted, IDENTITY, np.array(d)).reshape(-1, 2)
    points = np.stack((x, y, np.ones_like(x)), axis=-1).reshape(-1, 1, 3)
    none = np.zeros(3)
    return cv2.projectPoints(points, none, none, IDENTITY, np.array(d))[0].reshape(-1, 2)


class TestDistort:
    def test_as_opencv(self, lens: Lens) -> None:
        x, y = grid(0.6, 0.45)
        ours = np.stack(distort(x, y, *lens), axis=-1).reshape(-1, 2)
        assert np.abs(ours - opencv_distort(x, y, lens)).max() < 1e-12

    @pytest.mark.parametrize("coefficients", [(), (0.0,) * 5])
    def test_none(self, coefficients: tuple[float, ...]) -> None:
        x, y = grid(3.0, 2.0)
        assert np.array_equal(distort(x, y, "plumb_bob", coefficients), (x, y))

    def test_axis_of_a_fisheye(self) -> None:
        zero = np.zeros(1)
        assert np.array_equal(distort(zero, zero, "equidistant", (0.1, 0, 0, 0)), (zero, zero))


class TestUndistort:
    def test_as_opencv(self, lens: Lens) -> None:
        model, d = lens
        # A point well within the picture: OpenCV's fixed-point iteration creeps at the border.
        x, y = grid(0.3, 0.25)
        seen = np.stack((x, y), axis=-1).reshape(-1, 1, 2)
        if model == "equidistant":
            theirs = cv2.fisheye.undistortPoints(seen, IDENTITY, np.array(d))
        else:
            until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 500, 1e-15)
            theirs = cv2.undistortPointsIter(seen, IDENTITY, np.array(d), None, None, until)
        ours = np.stack(undistort(x, y, *lens), axis=-1).reshape(-1, 2)
        assert np.abs(ours - theirs.reshape(-1, 2)).max() < 1e-8

    def test_round_trip_over_the_whole_picture(self, lens: Lens) -> None:
        x, y = grid(0.62, 0.5)
        back = undistort(*distort(x, y, *lens), *lens)
        assert np.abs(np.subtract(back, (x, y))).max() < 1e-9

    @settings(deadline=None)
    @given(
        k1=st.floats(-0.4, 0.4),
        k2=st.floats(-0.1, 0.1),
        p=st.tuples(st.floats(-0.005, 0.005), st.floats(-0.005, 0.005)),
        x=st.floats(-1.2, 1.2),
        y=st.floats(-1.2, 1.2),
    )
    def test_round_trip_or_nan(
        self, k1: float, k2: float, p: tuple[float, float], x: float, y: float
    ) -> None:
        """Whatever the lens: a ray on the invertible branch comes back, no other ray does."""
        lens = ("plumb_bob", (k1, k2, *p))
        seen = distort(np.array([x]), np.array([y]), *lens)
        u, v = undistort(*seen, *lens)
        if math.hypot(x, y) < 0.85 * radial_limit(*lens):
            assert abs(u[0] - x) < 1e-7
            assert abs(v[0] - y) < 1e-7
        elif not np.isnan(u[0]):
            assert np.abs(np.subtract(distort(u, v, *lens), seen)).max() < 1e-8
            assert math.hypot(u[0], v[0]) <= radial_limit(*lens)

    @settings(deadline=None)
    @given(k=st.tuples(*[st.floats(-0.05, 0.05)] * 4), angle=st.floats(0.0, 1.5))
    def test_fisheye_round_trip(self, k: tuple[float, ...], angle: float) -> None:
        lens = ("equidistant", k)
        limit = math.atan(radial_limit(*lens))
        if angle > 0.95 * limit:
            angle = 0.95 * limit
        x = np.array([math.tan(angle)])
        back, _ = undistort(*distort(x, 0 * x, *lens), *lens)
        assert math.atan(back[0]) == pytest.approx(angle, abs=1e-7)

    def test_past_the_fold_is_nan(self) -> None:
        """r - r^3/3 never exceeds 2/3: nothing is seen there."""
        lens = ("plumb_bob", (-1 / 3, 0.0, 0.0, 0.0))
        x, _ = undistort(np.array([0.6666, 0.6667]), np.zeros(2), *lens)
        assert x[0] == pytest.approx(1.0, abs=0.02)
        assert np.isnan(x[1])

    def test_ninety_degrees_is_nan(self) -> None:
        lens = ("equidistant", (1e-9, 0.0, 0.0, 0.0))
        x, y = undistort(np.array([1.5, math.pi / 2 + 0.01]), np.zeros(2), *lens)
        assert x[0] == pytest.approx(math.tan(1.5), rel=1e-6)
        assert np.isnan([x[1], y[1]]).all()


class TestRadialLimit:
    def test_cubic(self) -> None:
        """r + k r^3 stops growing at r^2 = -1 / (3 k)."""
        assert radial_limit("plumb_bob", (-0.3, 0, 0, 0)) == pytest.approx(math.sqrt(1 / 0.9))

    def test_pole(self) -> None:
        """r / (1 - r^2/4) grows up to its pole at r = 2."""
        d = (0.0, 0.0, 0.0, 0.0, 0.0, -0.25, 0.0, 0.0)
        assert radial_limit("rational_polynomial", d) == pytest.approx(2.0)

    def test_angle(self) -> None:
        """theta - theta^3/3 stops growing at 1 rad."""
        d = (-1 / 3, 0.0, 0.0, 0.0)
        assert radial_limit("equidistant", d) == pytest.approx(math.tan(1.0))

    @pytest.mark.parametrize("d", [(), (0.0,) * 5, (0.2, 0.1, 0.0, 0.0)])
    def test_none(self, d: tuple[float, ...]) -> None:
        assert radial_limit("plumb_bob", d) == math.inf

    @settings(deadline=None)
    @given(k1=st.floats(-1.0, 1.0), k2=st.floats(-1.0, 1.0), k3=st.floats(-1.0, 1.0))
    def test_grows_up_to_the_limit(self, k1: float, k2: float, k3: float) -> None:
        lens = ("plumb_bob", (k1, k2, 0.0, 0.0, k3))
        r = np.linspace(0.0, min(radial_limit(*lens), 5.0), 500)
        seen, _ = distort(r, 0 * r, *lens)
        assert (np.diff(seen) > -1e-9).all()
