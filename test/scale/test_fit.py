"""Scale and shift from points: values, order, outliers and every refusal."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scale_simulation import abs_rel, depths, measure, oracle, relative_frame
from scipy.optimize import least_squares
from scipy.stats import chi2

from da_ros.evaluation.samples import folder_samples
from da_ros.network.estimator import DepthEstimator
from da_ros.scale.fit import Fit, Pairs, Reason, Refusal, fit_factor, fit_scale_shift
from da_ros.scale.observations.points import sample_bilinear
from da_ros.scale.options import FitOptions

Floats = NDArray[np.float64]
OPTIONS = FitOptions()


@cache
def nano() -> DepthEstimator:
    return DepthEstimator.load("nano")


def exact(count: int, scale: float, shift: float, seed: int = 0) -> Pairs:
    rng = np.random.default_rng(seed)
    z = np.exp(rng.uniform(np.log(0.5), np.log(8.0), count))
    return Pairs((1 / z - shift) / scale, z, 0.01 * z)


def noisy(count: int, seed: int, outliers: float = 0.0, error: float = 0.05) -> Pairs:
    rng = np.random.default_rng(seed)
    z = np.exp(rng.uniform(np.log(0.5), np.log(8.0), count))
    d = ((1 + error * rng.standard_normal(count)) / z - 0.1) / 2.0
    z = z * (1 + 0.01 * rng.standard_normal(count))
    wrong = rng.permutation(count) < round(outliers * count)
    z[wrong] = rng.uniform(0.3, 16.0, int(wrong.sum()))
    return Pairs(d, z, 0.01 * z)


def fitted(pairs: Pairs, options: FitOptions = OPTIONS) -> Fit:
    found = fit_scale_shift(pairs, options)
    assert isinstance(found, Fit), found
    return found


def refused(pairs: Pairs, options: FitOptions = OPTIONS) -> Refusal:
    found = fit_scale_shift(pairs, options)
    assert isinstance(found, Refusal), found
    return found


class TestValues:
    @given(
        scale=st.floats(0.01, 100.0),
        shift=st.floats(-0.05, 0.3),
        seed=st.integers(0, 1000),
        count=st.integers(8, 120),
    )
    @settings(max_examples=60, deadline=None)
    def test_noiseless_data_are_met_exactly(
        self, scale: float, shift: float, seed: int, count: int
    ) -> None:
        found = fitted(exact(count, scale, shift, seed), replace(OPTIONS, smallest_spread=0.01))
        np.testing.assert_allclose(found.coefficients[0], scale, rtol=1e-6)
        np.testing.assert_allclose(found.coefficients[1], shift, atol=1e-6)
        assert found.inliers == count

    def test_exact_among_forty_percent_outliers(self) -> None:
        pairs = exact(50, 3.0, 0.2)
        z = pairs.depth.copy()
        z[:20] = np.linspace(0.1, 30.0, 20)
        found = fitted(replace(pairs, depth=z, sigma=1e-9 * z))
        clean = np.abs(z - pairs.depth) < 0.01
        design = np.stack((pairs.network, np.ones(50)), axis=1)[clean]
        wanted = np.linalg.lstsq(design, 1 / z[clean], rcond=None)[0]
        np.testing.assert_allclose(found.coefficients, wanted, rtol=0.02)

    def test_small_noise_gives_the_weighted_least_squares_of_numpy(self) -> None:
        # Noise far below the error assumed leaves all robust weights at 1.
        pairs = noisy(200, seed=3, error=0.002)
        pairs = replace(pairs, sigma=0.03 * pairs.depth**1.5)
        found = fitted(pairs, replace(OPTIONS, model_error_weight=1e9))
        y = 1 / pairs.depth
        size = np.hypot(pairs.sigma * y**2, 0.05 * y)
        design = np.stack((pairs.network, np.ones(200)), axis=1) / size[:, None]
        wanted = np.linalg.lstsq(design, y / size, rcond=None)[0]
        np.testing.assert_allclose(found.coefficients, wanted, rtol=1e-3)

    def test_the_fixed_point_is_that_of_scipy(self) -> None:
        # Minimise Tukey's rho directly, at the error that our fit has found.
        pairs = noisy(120, seed=5, outliers=0.2)
        found = fitted(pairs, replace(OPTIONS, model_error_weight=1e9))
        y = 1 / pairs.depth
        sigma = np.hypot(0.01 * y, 0.05 * y)

        def root_rho(line: Floats) -> Floats:
            u = np.clip(np.abs(line[0] * pairs.network + line[1] - y) / sigma / 4.0, 0, 1)
            return np.asarray(np.sqrt(1 - (1 - u**2) ** 3))

        start = found.coefficients * 1.01
        other = least_squares(root_rho, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
        np.testing.assert_allclose(found.coefficients, other.x, rtol=1e-4, atol=1e-5)

    def test_the_models_own_error_is_found(self) -> None:
        errors = [fitted(noisy(300, seed, error=0.09)).model_error for seed in range(10)]
        assert np.mean(errors) == pytest.approx(0.09, rel=0.1)

    def test_the_sensors_noise_weighs(self) -> None:
        pairs = noisy(60, seed=2)
        sigma = pairs.sigma.copy()
        bad = np.arange(60) % 2 == 0
        sigma[bad] = 10.0
        z = np.where(bad, pairs.depth * 1.05, pairs.depth)
        found = fitted(replace(pairs, depth=z, sigma=sigma))
        good = Pairs(pairs.network[~bad], z[~bad], sigma[~bad])
        np.testing.assert_allclose(found.coefficients, fitted(good).coefficients, rtol=0.01)


class TestOrder:
    @given(seed=st.integers(0, 10_000), count=st.sampled_from([12, 64, 65, 300]))
    @settings(max_examples=20, deadline=None)
    def test_order_plays_no_part(self, seed: int, count: int) -> None:
        pairs = noisy(count, seed, outliers=0.2)
        order = np.random.default_rng(seed).permutation(count)
        moved = Pairs(pairs.network[order], pairs.depth[order], pairs.sigma[order])
        one, other = fit_scale_shift(pairs, OPTIONS), fit_scale_shift(moved, OPTIONS)
        assert type(one) is type(other)
        if isinstance(one, Fit) and isinstance(other, Fit):
            np.testing.assert_array_equal(one.coefficients, other.coefficients)
            np.testing.assert_array_equal(one.covariance, other.covariance)
            np.testing.assert_array_equal(one.inlier[order], other.inlier)

    def test_the_same_seed_gives_the_same_fit(self) -> None:
        pairs = noisy(500, seed=1, outliers=0.4)
        one, other = fitted(pairs), fitted(pairs)
        np.testing.assert_array_equal(one.coefficients, other.coefficients)
        np.testing.assert_array_equal(one.covariance, other.covariance)

    def test_units_play_no_part(self) -> None:
        pairs = noisy(100, seed=8, outliers=0.2)
        one = fitted(pairs)
        other = fitted(replace(pairs, network=pairs.network * 1000.0))
        np.testing.assert_allclose(other.coefficients[0], one.coefficients[0] / 1000, rtol=1e-9)
        np.testing.assert_allclose(other.coefficients[1], one.coefficients[1], rtol=1e-9)


class TestRefusals:
    def test_too_few_points(self) -> None:
        found = refused(exact(7, 2.0, 0.1))
        assert (found.reason, found.offered, found.used) == (Reason.TOO_FEW_POINTS, 7, 7)
        assert "7 usable points of 7 (needed: 8)" in found.message

    def test_unusable_points_do_not_count(self) -> None:
        pairs = exact(12, 2.0, 0.1)
        z, d, sigma = pairs.depth.copy(), pairs.network.copy(), pairs.sigma.copy()
        z[:4], d[4], sigma[5] = [np.nan, np.inf, 0.0, -1.0], np.nan, -1.0
        found = refused(Pairs(d, z, sigma))
        assert (found.reason, found.offered, found.used) == (Reason.TOO_FEW_POINTS, 12, 6)

    def test_no_points_at_all(self) -> None:
        nothing = np.zeros(0)
        assert refused(Pairs(nothing, nothing, nothing)).reason is Reason.TOO_FEW_POINTS

    def test_a_wall_of_one_value(self) -> None:
        z = np.full(50, 3.0)
        found = refused(Pairs(np.full(50, 0.4), z, 0.01 * z))
        assert found.reason is Reason.TOO_LITTLE_SPREAD
        assert "wall" in found.message

    def test_a_noisy_wall(self) -> None:
        rng = np.random.default_rng(0)
        z = 3.0 * (1 + 0.01 * rng.standard_normal(100))
        found = refused(Pairs(0.4 + 0.01 * rng.standard_normal(100), z, 0.01 * z))
        assert found.reason is Reason.TOO_LITTLE_SPREAD

    def test_a_falling_line(self) -> None:
        pairs = exact(60, 2.0, 0.1)
        found = refused(replace(pairs, network=-pairs.network))
        assert found.reason is Reason.NEGATIVE_SCALE
        assert "not of this image" in found.message

    @pytest.mark.parametrize("count", [20, 50, 200, 1000])
    def test_measurements_of_something_else(self, count: int) -> None:
        # Nothing to do with each other: a line must not be read into most of such clouds.
        passed = 0
        for seed in range(40):
            rng = np.random.default_rng([count, seed])
            z = rng.uniform(0.3, 10.0, count)
            found = fit_scale_shift(Pairs(rng.uniform(0, 1, count), z, 0.01 * z), OPTIONS)
            passed += isinstance(found, Fit)
        assert passed <= 2

    def test_low_inlier_ratio_says_so(self) -> None:
        rng = np.random.default_rng(4)
        pairs = exact(100, 2.0, 0.1)
        z = pairs.depth.copy()
        z[:80] = rng.uniform(0.3, 10.0, 80)
        found = refused(replace(pairs, depth=z))
        assert found.reason is Reason.LOW_INLIER_RATIO
        assert 0 < found.inliers < 40
        assert "of 100 points agree" in found.message

    def test_ill_conditioned(self) -> None:
        # A narrow band of depth with an error as wide as the band.
        rng = np.random.default_rng(1)
        z = rng.uniform(2.0, 2.8, 9)
        d = (1 / z) * (1 + 0.02 * rng.standard_normal(9))
        found = refused(Pairs(d, z, 0.05 * z), replace(OPTIONS, largest_scale_error=0.2))
        assert found.reason is Reason.ILL_CONDITIONED
        assert "needed: 20%" in found.message

    @given(
        st.lists(
            st.tuples(*[st.floats(allow_nan=True, allow_infinity=True, width=32)] * 3), max_size=30
        )
    )
    @settings(max_examples=200, deadline=None)
    def test_any_numbers_give_a_positive_scale_or_a_reason(
        self, rows: list[tuple[float, float, float]]
    ) -> None:
        table = np.array(rows, np.float64).reshape(-1, 3)
        with np.errstate(all="ignore"):
            found = fit_scale_shift(Pairs(table[:, 0], table[:, 1], table[:, 2]), OPTIONS)
        if isinstance(found, Fit):
            assert found.coefficients[0] > 0
            assert np.all(np.isfinite(found.coefficients))
            assert np.all(np.isfinite(found.covariance))


def at_the_middle(pairs: Pairs, covariance: Floats) -> float:
    """Variance of the line where noise in d does not turn it: at the weighted mean of d."""
    row = np.array([np.average(pairs.network, weights=pairs.depth**2), 1.0])
    return float(row @ covariance @ row)


class TestCovariance:
    def test_independent_errors_give_the_formula(self) -> None:
        pairs = noisy(400, seed=6)
        found = fitted(pairs)
        y = 1 / pairs.depth
        size = np.hypot(0.01 * y, 0.05 * y)
        design = np.stack((pairs.network, np.ones(400)), axis=1) / size[:, None]
        wanted = at_the_middle(pairs, np.linalg.inv(design.T @ design))
        assert at_the_middle(pairs, found.covariance) == pytest.approx(wanted, rel=0.3)

    def test_it_covers_that_noise_in_d_flattens_the_line(self) -> None:
        fits = [fitted(noisy(400, seed)) for seed in range(60)]
        bias = np.mean([fit.coefficients[0] for fit in fits]) - 2.0
        scatter = np.std([fit.coefficients[0] for fit in fits])
        assert bias < -scatter / 5  # It is there,
        told = np.mean([fit.covariance[0, 0] for fit in fits])
        assert bias**2 + scatter**2 < 1.5 * told < 6 * (bias**2 + scatter**2)  # and is told.

    def test_correlated_errors_widen_it(self) -> None:
        pairs = noisy(200, seed=7)
        pixels = np.random.default_rng(0).uniform(0, 400, (200, 2))
        placed = replace(pairs, pixels=pixels, size=(400, 400))
        plain, wide = fitted(pairs), fitted(placed)
        np.testing.assert_array_equal(plain.coefficients, wide.coefficients)
        wider = at_the_middle(pairs, wide.covariance) / at_the_middle(pairs, plain.covariance)
        assert wider > 4
        apart = fitted(placed, replace(OPTIONS, correlation_length=0.0))
        np.testing.assert_array_equal(apart.covariance, plain.covariance)

    def test_an_error_that_all_points_share_stays(self) -> None:
        # 2 % too high a camera makes every y 2 % too small: s and t are 2 % off, however many.
        pairs = noisy(400, seed=9)
        shared = replace(pairs, common=0.02 / pairs.depth[:, None])
        more = fitted(shared).covariance - fitted(pairs).covariance
        line = fitted(pairs).coefficients
        np.testing.assert_allclose(more, 0.02**2 * np.outer(line, line), rtol=0.15, atol=1e-6)


class TestTrusted:
    """Where what disagrees is the model's fault."""

    OPTIONS = FitOptions(trusted=True)

    def test_noiseless_data_are_met_exactly(self) -> None:
        found = fitted(exact(50, 2.0, 0.1), self.OPTIONS)
        np.testing.assert_allclose(found.coefficients, [2.0, 0.1], rtol=1e-6)

    def test_the_fixed_point_is_that_of_the_sums(self) -> None:
        """Huber's equations at the solution, with errors relative to the larger of the two."""
        pairs = noisy(300, seed=4, outliers=0.1)
        found = fitted(pairs, self.OPTIONS)
        y, d = 1 / pairs.depth, pairs.network
        line = found.coefficients[0] * d + found.coefficients[1]
        size = np.maximum(y, line)
        relative = (y - line) / size
        # The scale of the loss: the median's, pooled with the four points of the start.
        middle = max(
            np.median(relative**2) / chi2.median(1) - np.median((0.01 * y / size) ** 2), 0
        )
        error = (4 * 0.05**2 + 298 * middle) / 302
        sigma = np.sqrt(error + (0.01 * y / size) ** 2)
        pull = np.clip(relative / sigma, -1, 1) / (sigma * size)
        assert abs(np.sum(pull * d)) < 1e-3 * np.sum(np.abs(pull * d))
        assert abs(np.sum(pull)) < 1e-3 * np.sum(np.abs(pull))

    @pytest.mark.parametrize(("outliers", "most"), [(0.1, 0.02), (0.3, 0.08)])
    def test_what_is_the_sensors_fault_after_all_does_little(
        self, outliers: float, most: float
    ) -> None:
        scales = [fitted(noisy(300, s, outliers), self.OPTIONS).coefficients[0] for s in range(20)]
        clean = [fitted(noisy(300, s), self.OPTIONS).coefficients[0] for s in range(20)]
        assert abs(np.mean(scales) / np.mean(clean) - 1) < most

    def test_metric_models_too(self) -> None:
        rng = np.random.default_rng(0)
        z = rng.uniform(0.5, 8.0, 400)
        pairs = Pairs(z / 1.2 * (1 + 0.05 * rng.standard_normal(400)), z, 0.01 * z)
        found = fit_factor(pairs, self.OPTIONS)
        assert isinstance(found, Fit)
        assert found.coefficients[0] == pytest.approx(1.2, rel=0.01)

    def test_a_tail_of_the_model_counts_in_a_pixels_error(self) -> None:
        """A model right to 2 % but for a fifth of the frame, where it is 15 % off."""
        rng = np.random.default_rng(1)
        z = np.exp(rng.uniform(np.log(0.5), np.log(8.0), 300))
        off = np.where(rng.random(300) < 0.2, 0.15, 0.02) * rng.standard_normal(300)
        pairs = Pairs(((1 + off) / z - 0.1) / 2.0, z, 0.005 * z)
        plain, trusted = fitted(pairs), fitted(pairs, self.OPTIONS)
        inside = {}
        for name, found in (("plain", plain), ("trusted", trusted)):
            told = np.abs(1 - z * (pairs.network * found.coefficients[0] + found.coefficients[1]))
            inside[name] = (told < 2 * found.frame_error).mean()
        assert inside["plain"] < 0.91
        assert 0.92 < inside["trusted"] < 0.98

    @pytest.mark.parametrize("group", ["tum", "mosd"])
    def test_as_good_as_least_squares_through_every_pixel(
        self, shared_data: Path, group: str
    ) -> None:
        """Of nano on real photos: AbsRel of 300 points' line over that of all pixels' line."""
        ratios = []
        for sample in folder_samples(shared_data / "rgbd"):
            if sample.group != group:
                continue
            values = nano().estimate(sample.rgb[None]).values[0].numpy()
            rng = np.random.default_rng(0)
            rows, columns = np.nonzero(np.isfinite(sample.depth) & (sample.depth > 0))
            where = np.stack((columns, rows), axis=1).astype(np.float64)
            d = sample_bilinear(values, where, sample.depth.shape)
            z = sample.depth[rows, columns].astype(np.float64)
            few = rng.choice(len(z), 300, replace=False)
            found = fit_scale_shift(
                Pairs(d[few], z[few], 0.01 * z[few], where[few], sample.depth.shape), self.OPTIONS
            )
            if not isinstance(found, Fit):
                assert found.reason is Reason.ILL_CONDITIONED
                continue
            design = np.stack((d, np.ones_like(d)), axis=1)
            best = np.linalg.lstsq(design, 1 / z, rcond=None)[0]
            ours, theirs = (
                np.mean(np.abs(1 / np.maximum(design @ line, 0.05) / z - 1))
                for line in (found.coefficients, best)
            )
            ratios.append(ours / theirs)
        assert len(ratios) >= 5
        assert np.mean(ratios) < 1.0
        assert max(ratios) < 1.1


class TestFactor:
    def test_exact(self) -> None:
        z = np.linspace(1, 9, 30)
        found = fit_factor(Pairs(z / 1.17, z, 0.01 * z), OPTIONS)
        assert isinstance(found, Fit)
        np.testing.assert_allclose(found.coefficients, [1.17], rtol=1e-9)

    def test_outliers(self) -> None:
        rng = np.random.default_rng(0)
        z = rng.uniform(1, 9, 100)
        network = z / 0.8 * (1 + 0.05 * rng.standard_normal(100))
        z[:30] = rng.uniform(0.3, 20, 30)
        found = fit_factor(Pairs(network, z, 0.01 * z), OPTIONS)
        assert isinstance(found, Fit)
        assert found.coefficients[0] == pytest.approx(0.8, rel=0.02)
        assert abs(found.coefficients[0] - 0.8) < 3 * found.covariance[0, 0] ** 0.5

    def test_a_wall_is_enough(self) -> None:
        z = np.full(20, 3.0)
        found = fit_factor(Pairs(z / 1.1, z, 0.01 * z), OPTIONS)
        assert isinstance(found, Fit)
        np.testing.assert_allclose(found.coefficients, [1.1], rtol=1e-9)

    def test_depth_that_is_not_positive_does_not_count(self) -> None:
        z = np.linspace(1, 9, 10)
        network = np.where(np.arange(10) < 5, z, -z)
        found = fit_factor(Pairs(network, z, 0.01 * z), OPTIONS)
        assert isinstance(found, Refusal)
        assert (found.reason, found.used) == (Reason.TOO_FEW_POINTS, 5)

    def test_measurements_of_something_else(self) -> None:
        rng = np.random.default_rng(0)
        z = np.exp(rng.uniform(np.log(0.3), np.log(60), 100))
        found = fit_factor(Pairs(rng.permutation(z), z, 0.01 * z), OPTIONS)
        assert isinstance(found, Refusal)
        assert found.reason is Reason.LOW_INLIER_RATIO

    def test_shared_error_of_inverse_depth(self) -> None:
        z = np.linspace(1, 9, 30)
        common = 0.02 / z[:, None]
        found = fit_factor(Pairs(z, z, 1e-6 * z, common=common), OPTIONS)
        bare = fit_factor(Pairs(z, z, 1e-6 * z), OPTIONS)
        assert isinstance(found, Fit)
        assert isinstance(bare, Fit)
        more = found.covariance[0, 0] - bare.covariance[0, 0]
        assert more == pytest.approx(0.02**2, rel=1e-6)


class TestOnRealDepth:
    @pytest.mark.parametrize(
        ("count", "outliers", "bar"), [(20, 0.3, 1.12), (50, 0.5, 1.12), (150, 0.3, 1.04)]
    )
    def test_close_to_all_clean_pixels(
        self, shared_data: Path, count: int, outliers: float, bar: float
    ) -> None:
        """A taste of benchmarks/scale.py: 5 frames, 4 seeds, hence looser."""
        ours, best = [], []
        for number, depth in enumerate(depths(shared_data / "rgbd")[::4]):
            for seed in range(4):
                rng = np.random.default_rng([number, seed])
                frame = relative_frame(depth, rng)
                found = fit_scale_shift(measure(frame, count, outliers, rng), OPTIONS)
                assert isinstance(found, Fit)
                ours.append(abs_rel(frame, *found.coefficients, step=7))
                best.append(abs_rel(frame, *oracle(frame), step=7))
        assert np.median(ours) <= bar * np.median(best)
