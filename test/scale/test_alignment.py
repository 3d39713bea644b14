from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from da_ros.scale.alignment import align

Image = NDArray[np.float32]


def scene(seed: int, height: int = 120, width: int = 160) -> Image:
    """Boxes at random depths on a slope."""
    rng = np.random.default_rng(seed)
    d = np.linspace(0.1, 0.6, height)[:, None] * np.ones((1, width))
    for _ in range(14):
        u, v = rng.integers(0, width - 30), rng.integers(0, height - 30)
        d[v : v + rng.integers(15, 60), u : u + rng.integers(15, 60)] = rng.uniform(0.1, 1.5)
    return d.astype(np.float32)


class TestAlign:
    @pytest.mark.parametrize(("a", "b"), [(1.0, 0.0), (0.7, 0.1), (1.4, -0.04)])
    def test_an_affine_jump_is_found(self, a: float, b: float) -> None:
        now = scene(0)
        found = align((a * now + b).astype(np.float32), now)
        assert found is not None
        assert (found.a, found.b) == (pytest.approx(a, rel=1e-5), pytest.approx(b, abs=1e-5))
        assert found.share == 1.0

    def test_what_moved_is_an_outlier(self) -> None:
        before, now = scene(1), scene(1)
        now[20:80, 30:90] = 2.0
        found = align((1.2 * before + 0.05).astype(np.float32), now)
        assert found is not None
        assert found.a == pytest.approx(1.2, rel=0.02)
        assert 0.6 < found.share < 0.95

    def test_noise_is_within_the_covariance(self) -> None:
        away = []
        for seed in range(60):
            rng = np.random.default_rng(seed)
            now = scene(seed)
            noise = cv2.GaussianBlur(rng.standard_normal(now.shape), (0, 0), 22.0)
            noise *= 0.02 / noise.std()
            found = align((now * (1 + noise)).astype(np.float32), now)
            assert found is not None
            away.append((found.a - 1.0) / found.covariance[0, 0] ** 0.5)
        assert 0.4 < np.std(away) < 1.6

    def test_another_scene_is_a_cut(self) -> None:
        cuts = [align(scene(2 * k), _turned(scene(2 * k + 1))) is None for k in range(20)]
        assert np.mean(cuts) >= 0.9

    def test_another_size_is_a_cut(self) -> None:
        assert align(scene(0), scene(0, 60, 80)) is None

    def test_nothing_finite_is_a_cut(self) -> None:
        assert align(scene(0), np.full((120, 160), np.nan, np.float32)) is None

    def test_holes_do_not_matter(self) -> None:
        now = scene(3)
        before = 1.3 * now
        before[:, :40] = np.nan
        found = align(before, now)
        assert found is not None
        assert found.a == pytest.approx(1.3, rel=1e-5)

    def test_a_wall_gives_the_ratio_and_admits_what_it_cannot_tell(self) -> None:
        now = np.full((120, 160), 0.5, np.float32)
        found = align(1.1 * now, now)
        assert found is not None
        assert found.a * 0.5 + found.b == pytest.approx(0.55)
        assert found.covariance[0, 0] ** 0.5 >= 0.1
        at_the_wall = np.array([0.5, 1.0]) @ found.covariance @ np.array([0.5, 1.0])
        assert at_the_wall < 1e-6


def _turned(d: Image) -> Image:
    """Upside down: another scene may be like this one as far as a slope goes."""
    return np.ascontiguousarray(d[::-1])
