from __future__ import annotations

import math

import numpy as np
import pytest

from da_ros.scale.alignment import Alignment
from da_ros.scale.filter import Observed, ScaleFilter, ScaleState
from da_ros.scale.options import FilterOptions
from da_ros.types import DepthScale, ScaleShift

SECOND = 1_000_000_000
OPTIONS = FilterOptions(growth=0.02, held_after=1.0, stale_after=5.0, longest_gap=1.0)
SAME = Alignment(1.0, 0.0, np.zeros((2, 2)), 1.0)


def seen(scale: float, shift: float, std: float = 0.05) -> Observed:
    return Observed(np.array([scale, shift]), np.diag([std**2, std**2]), 0.04)


def factor(k: float, std: float = 0.05) -> Observed:
    return Observed(np.array([k]), np.array([[std**2]]), 0.04)


def transform_of(filter_: ScaleFilter) -> ScaleShift:
    found = filter_.estimate().transform
    assert isinstance(found, ScaleShift)
    return found


class TestWander:
    """The line that is right for a frame is not that of the frame before."""

    @pytest.mark.parametrize("wander", [0.0, 3.0, 1e9])
    def test_an_update_is_kalmans(self, wander: float) -> None:
        scale = ScaleFilter(0.0, FilterOptions(growth=0.0, least_share=0.0, wander=wander))
        first, noise = np.diag([0.04, 0.01]), np.array([[0.03, 0.002], [0.002, 0.01]])
        of_model = np.array([[0.02, 0.001], [0.001, 0.004]])
        scale.predict(0, None)
        scale.update(Observed(np.array([2.0, 0.1]), first, 0.04))
        scale.predict(1, SAME)
        scale.update(Observed(np.array([2.2, 0.12]), noise, 0.04, of_model))
        known = np.linalg.inv(first + wander * of_model)
        both = np.linalg.inv(known + np.linalg.inv(noise))
        wanted = both @ (known @ [2.0, 0.1] + np.linalg.inv(noise) @ [2.2, 0.12])
        found = transform_of(scale)
        np.testing.assert_allclose([found.scale, found.shift], wanted, rtol=1e-6)
        told = [both[0, 0], both[0, 1], both[1, 1]]
        np.testing.assert_allclose(found.covariance, told, rtol=1e-6)

    def test_a_sensors_own_noise_is_averaged_and_the_models_error_followed(self) -> None:
        after = {}
        for name, of_model in (("sensor", None), ("model", np.diag([0.0025, 0.0025]))):
            scale = ScaleFilter(0.0, FilterOptions(growth=0.0))
            for step, line in enumerate(([2.0, 0.1], [2.1, 0.1])):
                scale.predict(step, SAME if step else None)
                scale.update(Observed(np.array(line), np.diag([0.0025, 0.0025]), 0.04, of_model))
            after[name] = transform_of(scale).scale
        assert after["sensor"] == pytest.approx(2.05)
        assert after["model"] == pytest.approx(2.08)


class TestWeakerObservations:
    """A saved calibration speaks at every frame, a depth camera at some."""

    def after(self, seconds: float, growth: float) -> DepthScale:
        scale = ScaleFilter(None, FilterOptions(growth=growth))
        scale.predict(0, None)
        scale.update(factor(1.0, std=0.018))
        for step in range(1, round(10 * seconds) + 1):
            scale.predict(step * SECOND // 10, None)
            assert scale.update(factor(1.05, std=0.05)) == ""
        found = scale.estimate()
        assert (found.state, found.age) == (ScaleState.CALIBRATED, 0.0)
        assert isinstance(found.transform, DepthScale)
        return found.transform

    def test_leave_what_is_known_better_alone(self) -> None:
        found = self.after(20.0, growth=0.0)
        assert found.factor == pytest.approx(1.0)
        assert found.variance == pytest.approx(0.018**2)

    def test_count_again_when_that_is_long_ago(self) -> None:
        found = self.after(20.0, growth=0.02)
        assert found.factor == pytest.approx(1.05, abs=0.002)
        assert found.variance == pytest.approx(0.05**2, rel=0.01)

    def test_are_taken_in_the_directions_in_which_they_are_better(self) -> None:
        scale = ScaleFilter(0.0, FilterOptions(growth=0.0))
        scale.predict(0, None)
        scale.update(seen(2.0, 0.1))
        scale.predict(1, SAME)
        scale.update(Observed(np.array([2.4, 0.12]), np.diag([1.0, 1e-6]), 0.04))
        found = transform_of(scale)
        assert found.scale == pytest.approx(2.0)
        assert found.shift == pytest.approx(0.12, abs=1e-4)
        np.testing.assert_allclose(found.covariance, [0.0025, 0.0, 1e-6], rtol=1e-3, atol=1e-12)


class TestStates:
    def test_without_evidence_there_are_no_metres(self) -> None:
        scale = ScaleFilter(0.5, OPTIONS)
        scale.predict(0, None)
        found = scale.estimate()
        assert (found.state, found.transform) == (ScaleState.NONE, None)
        assert math.isnan(found.age)

    @pytest.mark.parametrize(
        ("seconds", "state"),
        [
            (0.0, ScaleState.CALIBRATED),
            (0.9, ScaleState.CALIBRATED),
            (1.0, ScaleState.HELD),
            (4.9, ScaleState.HELD),
            (5.0, ScaleState.STALE),
            (60.0, ScaleState.STALE),
        ],
    )
    def test_held_then_stale_then_silent(self, seconds: float, state: ScaleState) -> None:
        scale = ScaleFilter(0.5, OPTIONS)
        scale.predict(7 * SECOND, None)
        scale.update(seen(2.0, 0.1))
        steps = round(seconds * 10)
        for step in range(1, steps + 1):
            assert scale.predict(7 * SECOND + step * SECOND // 10, SAME) == ""
        found = scale.estimate()
        assert found.state is state
        assert (found.transform is None) == (state is ScaleState.STALE)
        assert found.age == pytest.approx(seconds)

    def test_evidence_makes_a_stale_scale_calibrated_again(self) -> None:
        scale = ScaleFilter(None, OPTIONS)
        scale.predict(0, None)
        scale.update(factor(1.0))
        scale.predict(60 * SECOND, None)
        assert scale.estimate().state is ScaleState.STALE
        scale.update(factor(1.1))
        assert scale.estimate().state is ScaleState.CALIBRATED


class TestPredict:
    def test_the_jump_of_the_network_is_carried(self) -> None:
        # y = 2 d' + 0.1 and d' = 1.25 d - 0.2: y = 2.5 d - 0.3.
        scale = ScaleFilter(0.5, OPTIONS)
        scale.predict(0, None)
        scale.update(seen(2.0, 0.1))
        scale.predict(SECOND // 30, Alignment(1.25, -0.2, np.zeros((2, 2)), 1.0))
        found = transform_of(scale)
        assert (found.scale, found.shift) == (pytest.approx(2.5), pytest.approx(-0.3))

    def test_its_covariance_is_that_of_many_draws(self) -> None:
        rng = np.random.default_rng(0)
        of_line, of_step = np.diag([0.04, 0.01]), np.array([[4e-3, -1e-3], [-1e-3, 2e-3]])
        scale = ScaleFilter(0.5, FilterOptions(growth=0.0))
        scale.predict(0, None)
        scale.update(Observed(np.array([2.0, 0.1]), of_line, 0.04))
        scale.predict(1, Alignment(1.25, -0.2, of_step, 1.0))
        s, t = rng.multivariate_normal([2.0, 0.1], of_line, 200_000).T
        a, b = rng.multivariate_normal([1.25, -0.2], of_step, 200_000).T
        drawn = np.cov(np.stack((s * a, t + s * b)))
        found = transform_of(scale).covariance
        np.testing.assert_allclose(found, [drawn[0, 0], drawn[0, 1], drawn[1, 1]], rtol=0.03)

    def test_uncertainty_grows_unobserved(self) -> None:
        scale = ScaleFilter(0.0, FilterOptions(growth=0.1))
        scale.predict(0, None)
        scale.update(seen(2.0, 0.3, std=1e-6))
        scale.predict(SECOND // 4, SAME)
        variances = transform_of(scale).covariance
        assert variances[0] == pytest.approx(0.01 / 4 * 4.0, rel=1e-6)
        assert variances[2] == pytest.approx(0.01 / 4 * 0.09, rel=1e-6)

    @pytest.mark.parametrize(
        ("stamp", "alignment", "why"),
        [
            (-1, SAME, "stamps went back"),
            (SECOND // 30, None, "the scene was cut"),
            (2 * SECOND, SAME, "no frame for 2.0 s"),
        ],
    )
    def test_what_cannot_be_carried_is_forgotten(
        self, stamp: int, alignment: Alignment | None, why: str
    ) -> None:
        scale = ScaleFilter(0.5, OPTIONS)
        scale.predict(0, None)
        scale.update(seen(2.0, 0.1))
        assert why in scale.predict(stamp, alignment)
        assert scale.estimate().state is ScaleState.NONE
        scale.update(seen(3.0, 0.2))
        assert transform_of(scale).scale == pytest.approx(3.0)

    def test_a_metric_model_needs_no_alignment_but_time_must_go_on(self) -> None:
        scale = ScaleFilter(None, OPTIONS)
        scale.predict(SECOND, None)
        scale.update(factor(1.2))
        assert scale.predict(2 * SECOND, None) == ""
        assert scale.estimate().transform == DepthScale(
            pytest.approx(1.2), pytest.approx(0.0025 + 0.02**2 * 1.44)
        )
        assert "stamps went back" in scale.predict(0, None)
        assert scale.estimate().state is ScaleState.NONE


class TestUpdate:
    def test_the_kalman_filter_of_the_textbook(self) -> None:
        scale = ScaleFilter(0.0, FilterOptions(growth=0.0, least_share=0.0))
        scale.predict(0, None)
        scale.update(seen(2.0, 0.1, std=0.2))
        scale.predict(1, SAME)
        assert scale.update(seen(2.3, 0.0, std=0.1)) == ""
        found = transform_of(scale)
        assert found.scale == pytest.approx((2.0 / 0.04 + 2.3 / 0.01) / 125)
        assert found.shift == pytest.approx((0.1 / 0.04 + 0.0 / 0.01) / 125)
        np.testing.assert_allclose(found.covariance, [1 / 125, 0, 1 / 125], atol=1e-12)

    def test_where_the_reference_lies_plays_no_part_without_growth(self) -> None:
        found = []
        for reference in (0.0, 0.7, 30.0):
            scale = ScaleFilter(reference, FilterOptions(growth=0.0))
            scale.predict(0, None)
            scale.update(seen(2.0, 0.1))
            scale.predict(1, Alignment(1.1, 0.05, np.zeros((2, 2)), 1.0))
            scale.update(seen(2.25, 0.15))
            made = transform_of(scale)
            found.append([made.scale, made.shift, *made.covariance])
        np.testing.assert_allclose(found[1], found[0], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(found[2], found[0], rtol=1e-4, atol=1e-6)

    def test_many_fits_of_one_scene_do_not_make_certainty(self) -> None:
        scale = ScaleFilter(0.5, FilterOptions(growth=0.0, least_share=0.25))
        for step in range(200):
            scale.predict(step, SAME)
            scale.update(seen(2.0, 0.1))
        assert transform_of(scale).covariance[0] == pytest.approx(0.25 * 0.05**2, rel=1e-6)

    def test_the_gate_refuses_one_and_follows_three(self) -> None:
        scale = ScaleFilter(0.5, OPTIONS)
        scale.predict(0, None)
        scale.update(seen(2.0, 0.1))
        for step in (1, 2):
            scale.predict(step, SAME)
            assert "gate" in scale.update(seen(4.0, 0.1))
            assert transform_of(scale).scale == pytest.approx(2.0)
            assert scale.estimate().state is ScaleState.HELD
        scale.predict(3, SAME)
        assert scale.update(seen(4.0, 0.1)) == ""
        assert transform_of(scale).scale == pytest.approx(4.0)

    def test_agreement_between_starts_the_count_anew(self) -> None:
        scale = ScaleFilter(0.5, OPTIONS)
        for step, value in enumerate([2.0, 4.0, 4.0, 2.0, 4.0, 4.0]):
            scale.predict(step, SAME)
            scale.update(seen(value, 0.1))
        assert transform_of(scale).scale == pytest.approx(2.0)

    def test_a_refused_update_makes_it_no_younger(self) -> None:
        scale = ScaleFilter(0.5, OPTIONS)
        scale.predict(0, None)
        scale.update(seen(2.0, 0.1))
        scale.predict(SECOND, SAME)
        scale.update(seen(8.0, 0.1))
        assert scale.estimate().age == pytest.approx(1.0)

    @pytest.mark.parametrize(("chi", "taken"), [(9.1, True), (9.3, False)])
    def test_the_gate_is_where_it_should_be(self, chi: float, taken: bool) -> None:
        scale = ScaleFilter(0.0, FilterOptions(growth=0.0))
        scale.predict(0, None)
        scale.update(seen(2.0, 0.1))
        scale.predict(1, SAME)
        moved = 2.0 + math.sqrt(chi * 2 * 0.05**2)
        assert (scale.update(seen(moved, 0.1)) == "") is taken

    def test_the_scale_stays_positive(self) -> None:
        scale = ScaleFilter(10.0, FilterOptions(growth=0.0, gate=1e9))
        scale.predict(0, None)
        covariance = np.array([[1.0, -0.999], [-0.999, 1.0]])
        scale.update(Observed(np.array([0.01, 1.0]), covariance, 0.04))
        scale.predict(1, SAME)
        scale.update(Observed(np.array([0.02, 30.0]), np.diag([1.0, 1e-6]), 0.04))
        assert transform_of(scale).scale > 0

    def test_an_update_without_a_frame_is_a_mistake(self) -> None:
        with pytest.raises(ValueError, match="update needs predict first"):
            ScaleFilter(0.5, OPTIONS).update(seen(2.0, 0.1))
        scale = ScaleFilter(None, OPTIONS)
        scale.predict(0, None)
        with pytest.raises(ValueError, match="of the filter's kind"):
            scale.update(seen(2.0, 0.1))
