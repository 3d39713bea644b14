from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from da_ros.errors import InputError
from da_ros.scale.calibrator import (
    Calibration,
    Calibrator,
    CalibratorOptions,
    NetworkFrame,
    fuse,
)
from da_ros.scale.filter import Observed, ScaleState
from da_ros.scale.observations.points import PixelDepths
from da_ros.types import DepthScale, Kind, ModelInfo, ScaleShift

SIZE = (120, 160)
SECOND = 1_000_000_000
RELATIVE = ModelInfo("nano", "0" * 64, True, Kind.RELATIVE_INVERSE_DEPTH, None, 0.5)
METRIC = ModelInfo("metric-indoor-small", "1" * 64, True, Kind.METRIC_DEPTH, 20.0)


def scene(seed: int) -> NDArray[np.float64]:
    """True inverse depth: boxes on a slope."""
    rng = np.random.default_rng(seed)
    y = np.linspace(0.2, 0.9, SIZE[0])[:, None] * np.ones((1, SIZE[1]))
    for _ in range(12):
        u, v = rng.integers(0, 130), rng.integers(0, 90)
        y[v : v + 40, u : u + 40] = rng.uniform(0.3, 2.0)
    return y


def said(y: NDArray[np.float64], scale: float, shift: float, stamp: int) -> NetworkFrame:
    return NetworkFrame(((y - shift) / scale).astype(np.float32), stamp, SIZE)


def points(y: NDArray[np.float64], seed: int, source: str = "depth_image") -> PixelDepths:
    rng = np.random.default_rng(seed)
    v, u = rng.integers(0, SIZE[0], 60), rng.integers(0, SIZE[1], 60)
    z = 1 / y[v, u] * (1 + 0.01 * rng.standard_normal(60))
    pixels = np.stack((u, v), axis=1).astype(np.float64)
    return PixelDepths(source, pixels, z, 0.01 * z, offered=60)


def relative_error(found: Calibration, frame: NetworkFrame, y: NDArray[np.float64]) -> float:
    made = found.estimate.transform
    assert isinstance(made, ScaleShift)
    z = 1 / (made.scale * frame.values + made.shift)
    return float(np.mean(np.abs(z * y - 1)))


class TestObserve:
    def test_metres_need_evidence(self) -> None:
        y, one = scene(0), Calibrator(RELATIVE, CalibratorOptions())
        found = one.observe(said(y, 2.0, 0.1, 0))
        assert (found.estimate.state, found.estimate.transform) == (ScaleState.NONE, None)
        frame = said(y, 2.0, 0.1, SECOND)
        found = one.observe(frame, [points(y, 0)])
        assert found.estimate.state is ScaleState.CALIBRATED
        assert relative_error(found, frame, y) < 0.01
        report = found.reports[0]
        assert (report.source, report.offered, report.used) == ("depth_image", 60, 60)
        assert report.inliers >= 57
        assert (report.reason, report.message) == ("", "")
        assert 0 < report.residual < 0.02

    def test_jumps_are_carried_between_observations(self) -> None:
        y, one = scene(1), Calibrator(RELATIVE, CalibratorOptions())
        rng = np.random.default_rng(0)
        for step in range(40):
            scale, shift = 2.0 * rng.uniform(0.8, 1.2), 0.1 * rng.uniform(0.8, 1.2)
            frame = said(y, scale, shift, step * SECOND // 10)
            given = [points(y, step)] if step % 5 == 0 else []
            found = one.observe(frame, given)
            assert found.estimate.state is ScaleState.CALIBRATED
            assert relative_error(found, frame, y) < 0.015

    def test_a_cut_is_silent_until_it_is_measured(self) -> None:
        one = Calibrator(RELATIVE, CalibratorOptions())
        one.observe(said(scene(0), 2.0, 0.1, 0), [points(scene(0), 0)])
        other = scene(7)[::-1]
        found = one.observe(said(other, 0.5, 0.3, SECOND // 10))
        assert (found.estimate.state, found.note) == (
            ScaleState.NONE,
            "the scene was cut: this frame shows another",
        )
        frame = said(other, 0.5, 0.3, SECOND // 5)
        found = one.observe(frame, [points(other, 1)])
        assert relative_error(found, frame, other) < 0.01

    def test_a_refusal_is_reported_and_changes_nothing(self) -> None:
        y, one = scene(2), Calibrator(RELATIVE, CalibratorOptions())
        one.observe(said(y, 2.0, 0.1, 0), [points(y, 0)])
        silent = PixelDepths.none("point_cloud", "no transform", offered=900)
        found = one.observe(said(y, 2.0, 0.1, SECOND // 10), [silent])
        assert found.estimate.age == pytest.approx(0.1)
        report = found.reports[0]
        assert (report.reason, report.offered, report.used) == ("too_few_points", 900, 0)
        assert report.message.startswith("no transform; 0 usable points")

    def test_two_sources_are_better_than_one(self) -> None:
        y = scene(3)
        frame = said(y, 2.0, 0.1, 0)
        one, two = (Calibrator(RELATIVE, CalibratorOptions()) for _ in range(2))
        single = one.observe(frame, [points(y, 0)]).estimate.transform
        both = two.observe(frame, [points(y, 0), points(y, 1, "point_cloud")])
        assert isinstance(single, ScaleShift)
        assert isinstance(both.estimate.transform, ScaleShift)
        assert both.estimate.transform.covariance[0] < 0.8 * single.covariance[0]
        assert [report.source for report in both.reports] == ["depth_image", "point_cloud"]

    def test_a_metric_model_gets_a_factor(self) -> None:
        y, one = scene(4), Calibrator(METRIC, CalibratorOptions())
        frame = NetworkFrame((0.8 / y).astype(np.float32), 0, SIZE)
        made = one.observe(frame, [points(y, 0)]).estimate.transform
        assert isinstance(made, DepthScale)
        assert made.factor == pytest.approx(1.25, rel=0.01)
        assert made.variance > 0

    def test_a_saved_calibration_is_evidence(self) -> None:
        y, one = scene(5), Calibrator(METRIC, CalibratorOptions())
        known = Observed(np.array([1.1]), np.array([[0.01]]), 0.05)
        frame = NetworkFrame((1 / y).astype(np.float32), 0, SIZE)
        found = one.observe(frame, known=known)
        assert found.estimate.state is ScaleState.CALIBRATED
        assert found.estimate.transform == DepthScale(pytest.approx(1.1), pytest.approx(0.01))

    def test_reset_forgets(self) -> None:
        y, one = scene(0), Calibrator(RELATIVE, CalibratorOptions())
        one.observe(said(y, 2.0, 0.1, 0), [points(y, 0)])
        one.reset()
        assert one.observe(said(y, 2.0, 0.1, 1)).estimate.state is ScaleState.NONE

    def test_the_same_input_gives_the_same_numbers(self) -> None:
        y = scene(6)
        made = []
        for _ in range(2):
            one = Calibrator(RELATIVE, CalibratorOptions())
            for step in range(6):
                found = one.observe(said(y, 2.0 + step, 0.1, step), [points(y, step)])
            made.append(found.estimate.transform)
        assert made[0] == made[1]

    def test_relative_depth_is_refused(self) -> None:
        model = ModelInfo("other", "2" * 64, False, Kind.RELATIVE_DEPTH)
        with pytest.raises(InputError, match="other gives relative depth"):
            Calibrator(model, CalibratorOptions())


class TestFuse:
    def test_the_weighted_mean(self) -> None:
        a = Observed(np.array([2.0, 0.1]), np.diag([0.04, 0.01]), 0.03)
        b = Observed(np.array([2.1, 0.1]), np.diag([0.01, 0.01]), 0.05)
        found, disagreement = fuse([a, b])
        np.testing.assert_allclose(found.coefficients, [2.08, 0.1])
        np.testing.assert_allclose(found.covariance, np.diag([0.008, 0.005]), atol=1e-12)
        assert disagreement == pytest.approx(0.1)  # 0.1^2 / 0.05, over two numbers

    def test_sources_that_disagree_make_it_wider(self) -> None:
        a = Observed(np.array([2.0, 0.1]), np.diag([0.01, 0.01]), 0.03)
        b = Observed(np.array([3.0, 0.1]), np.diag([0.01, 0.01]), 0.03)
        found, disagreement = fuse([a, b])
        assert disagreement == pytest.approx(25.0)
        assert found.covariance[0, 0] == pytest.approx(0.005 * 25)

    def test_one_is_itself(self) -> None:
        a = Observed(np.array([2.0]), np.array([[0.01]]), 0.03)
        assert fuse([a]) == (a, 0.0)
