from __future__ import annotations

import numpy as np
import pytest

from da_ros.evaluation import ordering


def ramp() -> tuple[np.ndarray, np.ndarray]:
    """Depths from 1 to 10 m, all valid."""
    truth = np.geomspace(1.0, 10.0, 40 * 50).reshape(40, 50)
    return truth, np.ones(truth.shape, bool)


class TestOrdering:
    def test_any_falling_function_of_depth_is_perfect(self) -> None:
        truth, valid = ramp()
        assert ordering(1.0 / truth, truth, valid) == 1.0
        assert ordering(7.0 - np.log(truth), truth, valid) == 1.0

    def test_depth_itself_is_all_wrong(self) -> None:
        truth, valid = ramp()
        assert ordering(truth, truth, valid) == 0.0

    def test_ties_are_wrong(self) -> None:
        truth, valid = ramp()
        assert ordering(np.ones_like(truth), truth, valid) == 0.0

    def test_noise_is_a_coin(self) -> None:
        truth, valid = ramp()
        noise = np.random.default_rng(4).random(truth.shape)
        assert ordering(noise, truth, valid) == pytest.approx(0.5, abs=0.08)

    def test_half_of_the_pairs(self) -> None:
        """Two depths, and a prediction that is right in the left half and blind in the right."""
        truth = np.ones((10, 40))
        truth[5:] = 3.0
        nearness = 1.0 / truth
        nearness[:, 20:] = 0.5
        # Right: left-left pairs, and the near left (1) or the far left (1/3) against 0.5.
        got = ordering(nearness, truth, np.ones_like(truth, bool), pairs=4000)
        assert got == pytest.approx(0.75, abs=0.03)

    def test_close_depths_are_not_asked(self) -> None:
        truth = np.full((10, 10), 1.0)
        truth[:5] = 1.19
        assert ordering(truth, truth, np.ones_like(truth, bool)) is None
        truth[:5] = 1.21
        assert ordering(truth, truth, np.ones_like(truth, bool)) == 0.0

    def test_only_valid_pixels_count(self) -> None:
        truth, valid = ramp()
        nearness = 1.0 / truth
        nearness[:10] = np.nan
        truth[:10] = np.nan
        valid[:10] = False
        assert ordering(nearness, truth, valid) == 1.0

    def test_nothing_valid(self) -> None:
        truth, valid = ramp()
        assert ordering(truth, truth, ~valid) is None

    def test_same_seed_same_pairs(self) -> None:
        truth, valid = ramp()
        noise = np.random.default_rng(4).random(truth.shape)
        assert ordering(noise, truth, valid, 3) == ordering(noise, truth, valid, 3)
        assert ordering(noise, truth, valid, 3) != ordering(noise, truth, valid, 4)
