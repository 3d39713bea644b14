from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial.transform import Rotation

from da_ros.errors import ParameterError
from da_ros.geometry.camera import PinholeCamera
from da_ros.scale.calibrator import Calibrator, CalibratorOptions, NetworkFrame
from da_ros.scale.fit import Fit, Refusal
from da_ros.scale.observations.ground_plane import (
    SOURCE,
    GroundOptions,
    downward_from_base,
    downward_from_pitch,
    ground_fit,
    ground_points,
)
from da_ros.scale.options import FitOptions
from da_ros.types import Kind, ModelInfo

CAMERA = PinholeCamera(320, 240, 260.0, 260.0, 159.5, 119.5)
SIZE = (240, 320)
MODEL = ModelInfo("nano", "0" * 64, True, Kind.RELATIVE_INVERSE_DEPTH, None, 0.5)
OPTIONS = GroundOptions(height=0.8, pitch_std=1e-4, roll_std=1e-4, height_std=1e-4)


def ground(downward: np.ndarray, height: float) -> np.ndarray:
    """True inverse depth of a plain under the sky."""
    u, v = np.meshgrid(np.arange(320), np.arange(240))
    rays = np.stack(((u - 159.5) / 260, (v - 119.5) / 260, np.ones((240, 320))), axis=-1)
    return np.asarray(np.maximum(rays @ downward / height, 0.0))


def with_things(y: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Upright boxes that hide the ground: nearer than it everywhere."""
    rng, out = np.random.default_rng(seed), y.copy()
    while (out != y)[120:].mean() < share:
        u, v = rng.integers(0, 300), rng.integers(130, 235)
        w = rng.integers(15, 70)
        out[max(0, v - 120) : v, u : u + w] = np.maximum(
            out[max(0, v - 120) : v, u : u + w], y[v, u]
        )
    return out


def fit_of(y: np.ndarray, downward: np.ndarray, options: GroundOptions = OPTIONS) -> Fit | Refusal:
    frame = NetworkFrame(((y - 0.07) / 3.0).astype(np.float32), 0, SIZE)
    made = CalibratorOptions(by_source={SOURCE: ground_fit(FitOptions(), options)})
    return Calibrator(MODEL, made).fit(frame, ground_points(CAMERA, downward, options))


class TestDownward:
    def test_pitch_down_looks_down(self) -> None:
        np.testing.assert_allclose(downward_from_pitch(0.0), [0, 1, 0], atol=1e-15)
        np.testing.assert_allclose(downward_from_pitch(math.pi / 2), [0, 0, 1], atol=1e-15)

    @given(st.floats(-1.2, 1.2), st.floats(-0.5, 0.5))
    @settings(deadline=None)
    def test_pitch_and_roll_are_those_of_a_rotated_camera(self, pitch: float, roll: float) -> None:
        # From a level camera: first pitch down about its x, then roll about its own z.
        turned = Rotation.from_euler("XZ", [-pitch, roll]).as_matrix()
        wanted = turned.T @ [0, 1, 0]
        np.testing.assert_allclose(downward_from_pitch(pitch, roll), wanted, atol=1e-12)

    def test_from_a_base_frame(self) -> None:
        # T(optical <- base) of a level camera that looks along x.
        matrix = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
        np.testing.assert_allclose(downward_from_base(matrix), [0, 1, 0])


class TestGroundPoints:
    @pytest.mark.parametrize("pitch", [0.0, 0.2, 0.5])
    def test_the_plane_is_met(self, pitch: float) -> None:
        down = downward_from_pitch(pitch, 0.03)
        found = ground_points(CAMERA, down, OPTIONS)
        y = ground(down, 0.8)
        u, v = np.rint(found.pixels).astype(int).T
        exact = np.abs(found.pixels - np.rint(found.pixels)).max(axis=1) < 1e-9
        points = np.stack(((found.pixels - [159.5, 119.5]) / 260 * found.depth[:, None]).T, 1)
        height = np.column_stack((points, found.depth)) @ down
        np.testing.assert_allclose(height, 0.8, rtol=1e-9)
        np.testing.assert_allclose(1 / found.depth[exact], y[v[exact], u[exact]], rtol=1e-9)
        assert found.depth.max() <= 15.0

    def test_a_lens_that_bends_the_rays(self) -> None:
        """Without rectification the picture is that of the lens; OpenCV says where points fall."""
        bent = (-0.3, 0.08, 0.001, -0.002, 0.0)
        camera = replace(CAMERA, distortion_model="plumb_bob", distortion=bent)
        down = downward_from_pitch(0.5, 0.03)
        found = ground_points(camera, down, OPTIONS)
        across = np.random.default_rng(0).uniform(-0.45, 0.45, (400, 2)) * [1.0, 0.8]
        rays = np.column_stack((across, np.ones(400)))
        rays = rays[(0.8 / (rays @ down) > 0.3) & (0.8 / (rays @ down) < 15.0)]
        k = np.array([[260.0, 0, 159.5], [0, 260.0, 119.5], [0, 0, 1]])
        seen = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), k, np.array(bent))[0][:, 0]
        between = LinearNDInterpolator(found.pixels, 1 / found.depth)(seen)
        known = np.isfinite(between)
        assert known.sum() > 200
        np.testing.assert_allclose(between[known], (rays @ down / 0.8)[known], rtol=5e-3)

    def test_a_camera_that_looks_up_sees_none(self) -> None:
        found = ground_points(CAMERA, downward_from_pitch(-0.8), OPTIONS)
        assert found.note == "no pixel looks down far enough to see the ground"

    @pytest.mark.parametrize("height", [0.0, -1.0, math.nan, math.inf])
    def test_the_height_must_be_known(self, height: float) -> None:
        with pytest.raises(ParameterError, match="expected a camera height > 0 m"):
            GroundOptions(height=height)


class TestMetricFit:
    @pytest.mark.parametrize(("pitch", "wall"), [(0.0, 2.8), (0.0, 3.2), (0.2, 2.0)])
    def test_a_wall_over_most_of_it(self, pitch: float, wall: float) -> None:
        """The ground is a third of what is seen, which is enough."""
        down = downward_from_pitch(pitch)
        options = replace(OPTIONS, height=1.0)
        z = 1.0 / np.maximum(ground(down, 1.0), 1.0 / wall)
        made = CalibratorOptions(by_source={SOURCE: ground_fit(FitOptions(), options)})
        metric = replace(MODEL, kind=Kind.METRIC_DEPTH)
        frame = NetworkFrame(z.astype(np.float32), 0, SIZE)
        found = Calibrator(metric, made).fit(frame, ground_points(CAMERA, down, options))
        assert isinstance(found, Fit)
        assert found.coefficients[0] == pytest.approx(1.0, abs=0.02)


class TestFit:
    @given(st.floats(0.0, 0.5), st.floats(-0.1, 0.1))
    @settings(max_examples=15, deadline=None)
    def test_a_plain_gives_scale_and_shift(self, pitch: float, roll: float) -> None:
        down = downward_from_pitch(pitch, roll)
        found = fit_of(ground(down, 0.8), down)
        assert isinstance(found, Fit)
        np.testing.assert_allclose(found.coefficients, [3.0, 0.07], rtol=2e-3, atol=2e-3)

    @pytest.mark.parametrize("seed", range(4))
    def test_things_on_the_ground_are_outliers(self, seed: int) -> None:
        down = downward_from_pitch(0.2)
        found = fit_of(with_things(ground(down, 0.8), 0.45, seed), down)
        assert isinstance(found, Fit)
        np.testing.assert_allclose(found.coefficients, [3.0, 0.07], rtol=0.03, atol=0.03)

    def test_a_wall_is_no_ground(self) -> None:
        found = fit_of(np.full(SIZE, 0.6), downward_from_pitch(0.2))
        assert isinstance(found, Refusal)

    def test_a_ceiling_is_no_ground(self) -> None:
        down = downward_from_pitch(0.2)
        found = fit_of(ground(down, 0.8)[::-1], down)
        assert isinstance(found, Refusal)

    def test_clutter_is_no_ground(self) -> None:
        refused = 0
        for seed in range(10):
            noise = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal(SIZE), (0, 0), 12)
            y = 0.8 + 0.5 * noise / noise.std()
            refused += isinstance(fit_of(np.maximum(y, 0.05), downward_from_pitch(0.2)), Refusal)
        assert refused >= 9

    def test_pitch_std_enters_sigma(self) -> None:
        """The error that a pitch wrong by one standard deviation makes is one of sigma."""
        down, wrong = downward_from_pitch(0.2), downward_from_pitch(0.2 + 0.01)
        options = replace(OPTIONS, pitch_std=0.01)
        found = fit_of(ground(down, 0.8), wrong, options)
        assert isinstance(found, Fit)
        row = np.array([(0.2 - 0.07) / 3.0, 1.0])  # 5 m away
        off = row @ found.coefficients - 0.2
        sigma = math.sqrt(row @ found.covariance @ row)
        assert abs(off) == pytest.approx(sigma, rel=0.35)
        sure = fit_of(ground(down, 0.8), down)
        assert isinstance(sure, Fit)
        assert row @ sure.covariance @ row < 0.5 * sigma**2

    def test_to_15_m_within_3_percent(self) -> None:
        """The bar on exact inverse depth with a smooth error of 3 %."""
        errors = []
        for seed in range(12):
            rng = np.random.default_rng(seed)
            down = downward_from_pitch(rng.uniform(0.05, 0.4))
            true = ground(down, 0.8)
            noise = cv2.GaussianBlur(rng.standard_normal(SIZE), (0, 0), 40)
            y = with_things(true, 0.2, seed) * (1 + 0.03 * noise / np.sqrt((noise**2).mean()))
            found = fit_of(y, down)
            assert isinstance(found, Fit)
            s, t = found.coefficients
            d = (y - 0.07) / 3.0
            on = (true > 1 / 15) & (np.abs(y / np.maximum(true, 1e-9) - 1) < 0.12)
            errors.append(np.mean(np.abs(true[on] / np.maximum(s * d[on] + t, 0.02) - 1)))
        assert np.median(errors) <= 0.03
