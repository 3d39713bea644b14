from __future__ import annotations

import numpy as np

from da_ros.scale.correlation import Correlation


class TestProduct:
    def test_independent_errors(self) -> None:
        x = np.random.default_rng(0).normal(size=(30, 2))
        np.testing.assert_allclose(Correlation.independent().product(x), x.T @ x)
        none = Correlation.of_pixels(np.zeros((30, 2)), (10, 10), 0.0)
        np.testing.assert_allclose(none.product(x), x.T @ x)

    def test_cells_are_close_to_the_full_matrix(self) -> None:
        rng = np.random.default_rng(1)
        pixels = rng.uniform(0, 1, (200, 2)) * [640, 480]
        x = rng.normal(size=(200, 2)) + 1.0
        apart = ((pixels[:, None] - pixels[None]) ** 2).sum(-1)
        wanted = x.T @ np.exp(-apart / 2 / 112.0**2) @ x
        found = Correlation.of_pixels(pixels, (480, 640), 0.14).product(x)
        np.testing.assert_allclose(found, wanted, rtol=0.02)

    def test_one_place_is_one_error(self) -> None:
        x = np.ones((50, 1))
        found = Correlation.of_pixels(np.full((50, 2), 7.0), (20, 20), 0.14).product(x)
        np.testing.assert_allclose(found, [[2500.0]])

    def test_pixels_outside_are_taken_to_the_border(self) -> None:
        pixels = np.array([[-5.0, -5.0], [1e6, 1e6]])
        found = Correlation.of_pixels(pixels, (20, 20), 0.14).product(np.eye(2))
        np.testing.assert_allclose(np.diag(found), 1.0)
