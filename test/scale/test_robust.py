from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2, norm

from da_ros.scale import robust
from da_ros.scale.robust import best_factor, best_pair, biweight, huber, reweighted


class TestBestFactor:
    def test_no_other_points_ratio_is_better(self) -> None:
        rng = np.random.default_rng(0)
        x, z = rng.uniform(1, 9, 40), rng.uniform(1, 9, 40)
        tolerance = 0.3 * z
        found = best_factor(x, z, tolerance)
        costs = [np.minimum(((z - f * x) / tolerance) ** 2, 1).sum() for f in z / x]
        assert found == pytest.approx((z / x)[int(np.argmin(costs))])

    def test_of_many_points_a_third_that_agrees_is_found(self) -> None:
        rng = np.random.default_rng(1)
        x = rng.uniform(1, 9, 3000)
        z = 1.2 * x * (1 + 0.02 * rng.standard_normal(3000))
        z[1000:] = x[1000:] * rng.uniform(1.4, 4.0, 2000)
        assert best_factor(x, z, 0.08 * z) == pytest.approx(1.2, rel=0.03)


class TestBestPair:
    def test_no_other_pair_is_better(self) -> None:
        rng = np.random.default_rng(0)
        d, y = np.sort(rng.uniform(0, 1, 25)), rng.uniform(1, 2, 25)
        tolerance = 0.08 * y

        def cost(line: tuple[float, float]) -> float:
            away = (line[0] * d + line[1] - y) / tolerance
            return float(np.minimum(away**2, 1).sum())

        found = best_pair(d, y, tolerance, seed=0, fewest=10)
        assert found is not None
        lines = []
        for i, j in itertools.combinations(range(25), 2):
            scale = (y[j] - y[i]) / (d[j] - d[i])
            lines.append((scale, y[i] - scale * d[i]))
        assert cost((found[0], found[1])) == pytest.approx(min(cost(line) for line in lines))

    def test_one_value_gives_none(self) -> None:
        assert best_pair(np.ones(10), np.arange(10.0), np.ones(10), 0, 10) is None

    def test_random_pairs_find_a_clean_line(self) -> None:
        rng = np.random.default_rng(1)
        d = np.sort(rng.uniform(0, 1, 2000))
        y = 2 * d + 0.3
        y[rng.permutation(2000)[:1000]] = rng.uniform(0.1, 3, 1000)
        found = best_pair(d, y, 0.08 * y, seed=0, fewest=128)
        assert found is not None
        np.testing.assert_allclose(found, [2, 0.3], rtol=1e-6)


class TestConstants:
    def test_the_background_s_integrals(self) -> None:
        cut = robust.CUT

        def weight(u: float) -> float:
            return (1 - (u / cut) ** 2) ** 2

        assert quad(weight, -cut, cut)[0] == pytest.approx(robust._BACKGROUND_WEIGHT)
        square = quad(lambda u: weight(u) * u * u, -cut, cut)[0]
        assert square == pytest.approx(robust._BACKGROUND_SQUARE)

    def test_they_are_those_of_the_normal_distribution(self) -> None:
        cut = robust.CUT

        def mean(function: object) -> float:
            value: float = quad(lambda u: function(u) * norm.pdf(u), -cut, cut)[0]  # type: ignore[operator]
            return value

        def weight(u: float) -> float:
            return (1 - (u / cut) ** 2) ** 2

        def slope(u: float) -> float:
            return (1 - (u / cut) ** 2) * (1 - 5 * (u / cut) ** 2)

        consistency = mean(lambda u: weight(u) * u * u) / mean(weight)
        price = mean(lambda u: (weight(u) * u) ** 2) / mean(slope) ** 2
        assert pytest.approx(consistency, abs=1e-4) == robust._CONSISTENCY
        assert pytest.approx(price, abs=1e-4) == robust.VARIANCE_PRICE

    def test_weights(self) -> None:
        found = biweight(np.array([0.0, 2.0, -2.0, 4.0, 100.0]))
        np.testing.assert_allclose(found, [1, 0.5625, 0.5625, 0, 0])

    def test_hubers_weights(self) -> None:
        np.testing.assert_allclose(huber(np.array([0.0, -1.0, 2.0, -8.0])), [1, 1, 0.5, 0.125])

    def test_the_median_square_is_that_of_one_normal_number(self) -> None:
        assert pytest.approx(chi2.median(1), abs=1e-4) == robust._MEDIAN_SQUARE


class TestModelErrorBesideOutliers:
    @pytest.mark.parametrize(
        ("count", "share"), [(40, 0.0), (400, 0.0), (40, 0.3), (400, 0.3), (400, 0.5)]
    )
    def test_outliers_within_the_cut_do_not_widen_it(self, count: int, share: float) -> None:
        """Mean over many draws; a uniform background hides among the good points."""
        found = []
        for seed in range(120):
            rng = np.random.default_rng([seed, count])
            x = rng.uniform(0.2, 1.0, count)
            y = x * (1.0 + 0.05 * rng.standard_normal(count))
            wrong = rng.random(count) < share
            y[wrong] = x[wrong] * (1.0 + rng.uniform(-1.0, 1.0, int(wrong.sum())))
            fit = reweighted(
                x[:, None], y, np.zeros(count), x, np.array([1.0]), model_error=0.05,
                prior_weight=1e-9,
            )  # fmt: skip
            found.append(fit.model_error**2)
        # As wide as clean points alone say, within what 120 draws can tell.
        assert np.sqrt(np.mean(found)) == pytest.approx(0.05, rel=0.06)
