"""Is the truth where the covariance says? Seeded trials of the stated noise."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.scale_bars.honesty import coverage


class TestCoverage:
    @pytest.mark.slow
    @pytest.mark.parametrize(("outliers", "margin"), [(0.0, 0.03), (0.3, 0.06)])
    def test_of_5000_trials(self, outliers: float, margin: float) -> None:
        away, refused = coverage(5000, outliers)
        assert refused < 150
        inner, outer = (away < 1).mean(axis=0), (away < 1.96).mean(axis=0)
        np.testing.assert_allclose(inner, 0.683, atol=margin)
        np.testing.assert_allclose(outer, 0.95, atol=margin)

    def test_of_a_few(self) -> None:
        away, refused = coverage(200, 0.0)
        assert refused == 0
        np.testing.assert_allclose((away < 1).mean(axis=0), 0.683, atol=0.12)
        np.testing.assert_allclose((away < 1.96).mean(axis=0), 0.95, atol=0.06)
