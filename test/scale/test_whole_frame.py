from __future__ import annotations

import numpy as np

from da_ros.scale.fit import Fit, Pairs, fit_scale_shift
from da_ros.scale.options import FitOptions
from da_ros.scale.whole_frame import FrameSample

SIZE = (480, 640)


def scene(count: int, crowded: int, seed: int) -> tuple[Pairs, FrameSample, np.ndarray]:
    """A slope whose left half the network sees 5 % too near; most points lie on the left."""
    rng = np.random.default_rng(seed)
    u = np.concatenate((rng.uniform(0, 200, crowded), rng.uniform(0, 639, count - crowded)))
    pixels = np.stack((u, rng.uniform(0, 479, count)), axis=1)
    grid = np.stack(
        [g.ravel() for g in np.meshgrid(np.arange(16, 640, 32), np.arange(16, 480, 32))], 1
    )

    def network(at: np.ndarray) -> np.ndarray:
        y = 0.3 + at[:, 1] / 480
        return np.asarray(y * (1 + 0.05 * np.cos(at[:, 0] / 640 * np.pi)) / 2)

    z = 1 / (0.3 + pixels[:, 1] / 480)
    pairs = Pairs(network(pixels), z, 0.001 * z, pixels, SIZE)
    truth = 0.3 + grid[:, 1] / 480
    return pairs, FrameSample(network(grid), grid.astype(np.float64)), truth


class TestLineOfFrame:
    def test_crowded_points_do_not_outvote_the_frame(self) -> None:
        plain, whole = [], []
        for seed in range(10):
            pairs, frame, truth = scene(30, 24, seed)
            given = Pairs(
                *(getattr(pairs, n) for n in ("network", "depth", "sigma", "pixels", "size")),
                frame=frame,
            )
            for found, errors in (
                (fit_scale_shift(pairs, FitOptions()), plain),
                (fit_scale_shift(given, FitOptions()), whole),
            ):
                assert isinstance(found, Fit)
                told = found.coefficients[0] * frame.network + found.coefficients[1]
                errors.append(np.mean(np.abs(told / truth - 1)))
        assert np.mean(whole) < 0.93 * np.mean(plain)

    def test_exact_points_stay_exact(self) -> None:
        rng = np.random.default_rng(0)
        pixels = rng.uniform(0, 400, (20, 2))
        z = rng.uniform(1, 5, 20)
        frame = FrameSample((1 / rng.uniform(1, 5, 300) - 0.1) / 2, rng.uniform(0, 400, (300, 2)))
        found = fit_scale_shift(
            Pairs((1 / z - 0.1) / 2, z, 0.01 * z, pixels, SIZE, frame=frame), FitOptions()
        )
        assert isinstance(found, Fit)
        np.testing.assert_allclose(found.coefficients, [2, 0.1], rtol=1e-6)

    def test_the_sky_has_no_say(self) -> None:
        pairs, frame, _ = scene(30, 24, 1)
        sky = FrameSample(
            np.concatenate((frame.network, np.zeros(500))),
            np.concatenate((frame.pixels, np.random.default_rng(0).uniform(0, 400, (500, 2)))),
        )
        args = (pairs.network, pairs.depth, pairs.sigma, pairs.pixels, SIZE)
        one = fit_scale_shift(Pairs(*args, frame=frame), FitOptions())
        other = fit_scale_shift(Pairs(*args, frame=sky), FitOptions())
        assert isinstance(one, Fit)
        assert isinstance(other, Fit)
        np.testing.assert_array_equal(one.coefficients, other.coefficients)
