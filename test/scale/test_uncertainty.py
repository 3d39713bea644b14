from __future__ import annotations

import numpy as np
import pytest
import torch

from da_ros.errors import ShapeError
from da_ros.scale.uncertainty import depth_std
from da_ros.types import DepthScale, ScaleShift


class TestDepthStd:
    def test_the_formula_pixel_by_pixel(self) -> None:
        rng = np.random.default_rng(0)
        d = rng.uniform(0.1, 1.0, (6, 7)).astype(np.float32)
        covariance = np.array([[0.04, -0.01], [-0.01, 0.006]])
        made = ScaleShift(2.0, 0.1, (0.04, -0.01, 0.006))
        depth = torch.from_numpy(1 / (2.0 * d + 0.1))
        found = depth_std(depth, torch.from_numpy(d), made, 0.05)
        for (v, u), value in np.ndenumerate(d):
            row, y = np.array([value, 1.0]), 2.0 * value + 0.1
            wanted = (1 / y**2) * np.sqrt(row @ covariance @ row + (0.05 * y) ** 2)
            assert found[v, u].item() == pytest.approx(wanted, rel=1e-4)

    def test_it_is_what_draws_scatter_by(self) -> None:
        rng = np.random.default_rng(1)
        covariance = np.array([[4e-4, -1e-4], [-1e-4, 1e-4]])
        s, t = rng.multivariate_normal([2.0, 0.1], covariance, 100_000).T
        y = (s * 0.5 + t) * (1 + 0.03 * rng.standard_normal(100_000))
        made = ScaleShift(2.0, 0.1, (4e-4, -1e-4, 1e-4))
        found = depth_std(torch.tensor([[1 / 1.1]]), torch.tensor([[0.5]]), made, 0.03)
        assert found.item() == pytest.approx(np.std(1 / y), rel=0.02)

    def test_a_factor(self) -> None:
        depth = torch.tensor([[2.0, torch.inf, -torch.inf, torch.nan]])
        found = depth_std(depth, depth / 1.5, DepthScale(1.5, 0.0225), 0.0)
        np.testing.assert_allclose(found, [[0.2, np.nan, np.nan, np.nan]], rtol=1e-6)

    def test_no_number_without_depth(self) -> None:
        depth = torch.tensor([[2.0, torch.inf, -torch.inf, torch.nan]])
        d = torch.tensor([[0.2, 0.0, 9.0, torch.nan]])
        found = depth_std(depth, d, ScaleShift(2.0, 0.1, (0.01, 0.0, 0.01)), 0.05)
        assert torch.isfinite(found).tolist() == [[True, False, False, False]]

    def test_two_shapes_are_refused(self) -> None:
        with pytest.raises(ShapeError, match=r"one shape, got \(2, 3\) and \(3, 2\)"):
            depth_std(torch.ones(2, 3), torch.ones(3, 2), DepthScale(), 0.05)
