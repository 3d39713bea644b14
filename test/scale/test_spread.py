"""The spread of a mixture: against numbers drawn from one, and against a slow likelihood."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, stats

from da_ros.scale.robust import LARGEST_ERROR
from da_ros.scale.spread import spread, spread_of_all

Floats = NDArray[np.float64]


def drawn(
    count: int, error: float, outliers: float, noise: float, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Relative residuals of depths in 0.3 to 10 m: (residual, sensor, reach)."""
    rng = np.random.default_rng(seed)
    true = np.exp(rng.uniform(np.log(0.5), np.log(5.0), count))
    model = true / (1.0 + error * rng.standard_normal(count))
    measured = true * (1.0 + noise * rng.standard_normal(count))
    wrong = rng.permutation(count) < round(outliers * count)
    measured[wrong] = rng.uniform(0.3, 10.0, int(wrong.sum()))
    residual = 1.0 - measured / model  # (1/z - 1/z_model) / (1/z)
    return residual, np.full(count, noise), measured / measured.max()


class TestSpread:
    @pytest.mark.parametrize("error", [0.02, 0.05, 0.12])
    @pytest.mark.parametrize("outliers", [0.0, 0.3, 0.5])
    def test_finds_what_was_drawn(self, error: float, outliers: float) -> None:
        found = [spread(*drawn(400, error, outliers, 0.01, seed), 0.05) for seed in range(20)]
        errors, kept = np.array(found).T
        assert np.median(errors) == pytest.approx(error, rel=0.06)
        assert np.median(kept) / 400 == pytest.approx(1.0 - outliers, abs=0.06)

    def test_is_the_most_likely_one(self) -> None:
        residual, sensor, reach = drawn(200, 0.06, 0.25, 0.01, 3)

        def cost(numbers: Floats) -> float:
            error, share = np.exp(numbers[0]), 1.0 / (1.0 + np.exp(-numbers[1]))
            of_model = stats.norm.pdf(residual, scale=np.hypot(error, sensor))
            prior = np.log(share) + np.log(1.0 - share)  # one of each kind, seen before
            return -float(np.log((1 - share) * of_model + share * reach).sum() + prior)

        best = optimize.minimize(cost, [np.log(0.05), -2.0], method="Nelder-Mead")
        error, kept = spread(residual, sensor, reach, 0.05)
        assert error == pytest.approx(float(np.exp(best.x[0])), rel=5e-3)
        share = 1.0 / (1.0 + np.exp(-best.x[1]))
        assert kept / 200 == pytest.approx(1.0 - share, abs=0.01)

    def test_a_tail_of_the_model_is_not_cut_off(self) -> None:
        """Of Student's distribution a robust fit keeps the middle alone."""
        rng = np.random.default_rng(0)
        residual = 0.05 * rng.standard_t(3, 2000)
        error, kept = spread(residual, np.zeros(2000), np.full(2000, 0.5), 0.05)
        middle = residual[np.abs(residual) < 0.15]
        assert error > 1.05 * middle.std()
        assert kept > 1900

    def test_many_points_tell_what_all_would(self) -> None:
        few = spread(*drawn(400, 0.05, 0.3, 0.01, 1), 0.05)
        many = spread(*drawn(40_000, 0.05, 0.3, 0.01, 1), 0.05)
        assert many[0] == pytest.approx(few[0], rel=0.15)
        assert many[1] / 40_000 == pytest.approx(0.7, abs=0.05)

    @settings(max_examples=100, deadline=None)
    @given(
        residual=st.lists(st.floats(-50.0, 50.0), min_size=2, max_size=60),
        sensor=st.floats(0.0, 0.5),
        start=st.floats(0.0, LARGEST_ERROR),
    )
    def test_is_finite_and_within_its_limits(
        self, residual: list[float], sensor: float, start: float
    ) -> None:
        values = np.array(residual)
        error, kept = spread(values, np.full(len(values), sensor), np.ones(len(values)), start)
        assert 0.0 < error <= LARGEST_ERROR
        assert 0.0 <= kept <= len(values) * (1 + 1e-12)


class TestSpreadOfAll:
    def test_is_the_deviation_of_normal_errors(self) -> None:
        residual = 0.07 * np.random.default_rng(0).standard_normal(20_000)
        assert spread_of_all(residual) == pytest.approx(0.07, rel=0.02)

    def test_says_more_than_the_middle_of_long_tails(self) -> None:
        residual = 0.02 * np.random.default_rng(0).standard_t(2, 20_000)
        found = spread_of_all(residual)
        inside = [float((np.abs(residual) < k * found).mean()) for k in (1, 2)]
        assert inside[0] > 0.683
        assert 0.90 < inside[1] < 0.954

    def test_has_a_limit(self) -> None:
        assert spread_of_all(np.array([9.0, -3.0, 4.0])) == LARGEST_ERROR
