"""A textured picture that moves three pixels, with inverse depth that moves along or flickers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.steadiness import change_between

HEIGHT, WIDTH, SHIFT = 96, 128, 3


def noise(seed: int, softness: float) -> np.ndarray:
    """Smooth noise, zero mean, unit deviation, wider than the picture by the shift."""
    field = np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH + SHIFT))
    field = cv2.GaussianBlur(field, (0, 0), softness)
    return (field - field.mean()) / field.std()


def two_frames() -> tuple[np.ndarray, np.ndarray]:
    grey = np.clip(128 + 50 * noise(0, 2.0), 0, 255).astype(np.uint8)
    picture = np.repeat(grey[..., None], 3, axis=2)
    return picture[:, SHIFT:], picture[:, :-SHIFT]


def two_depths() -> tuple[np.ndarray, np.ndarray]:
    inverse = (1.0 + 0.2 * noise(1, 8.0)).astype(np.float32)
    return inverse[:, SHIFT:], inverse[:, :-SHIFT]


class TestChangeBetween:
    def test_is_nothing_where_depth_moves_with_the_picture(self) -> None:
        """Whatever scale and shift the second frame has."""
        one, other = two_depths()
        change, compared = change_between(*two_frames(), one, 2.0 * other + 0.3)
        assert change < 2e-3
        assert compared > 0.8

    def test_is_what_flickers(self) -> None:
        one, other = two_depths()
        flicker = 0.05 * noise(2, 6.0)[:, SHIFT:].astype(np.float32)
        change, _ = change_between(*two_frames(), one, other * (1 + flicker))
        assert change == pytest.approx(np.median(np.abs(flicker)), rel=0.35)

    def test_notices_depth_that_stands_still(self) -> None:
        one, _ = two_depths()
        change, _ = change_between(*two_frames(), one, one)
        assert change > 0.01
