from __future__ import annotations

import cv2
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.geometry.depth import resize_prediction
from da_ros.scale.observations.points import sample_bilinear, spread_over_depth


class TestSampleBilinear:
    def test_it_reads_what_the_resize_makes(self) -> None:
        # The same half-pixel convention as the published depth image.
        values = np.random.default_rng(0).uniform(0, 1, (28, 40)).astype(np.float32)
        whole = resize_prediction(torch.from_numpy(values)[None], 96, 131)[0].numpy()
        v, u = (grid.ravel() for grid in np.mgrid[0:96:5, 0:131:7])
        found = sample_bilinear(values, np.stack((u, v), 1).astype(float), (96, 131))
        np.testing.assert_allclose(found, whole[v, u], atol=1e-4)

    def test_between_pixels_as_opencv(self) -> None:
        values = np.random.default_rng(1).uniform(0, 1, (30, 40)).astype(np.float32)
        pixels = np.random.default_rng(2).uniform(0, 29, (50, 2))
        grid = pixels.astype(np.float32)
        wanted = cv2.remap(values, grid[:, :1], grid[:, 1:], cv2.INTER_LINEAR)[:, 0]
        found = sample_bilinear(values, pixels, (30, 40))
        np.testing.assert_allclose(found, wanted, atol=0.02)  # remap has steps of 1/32 px

    @given(st.lists(st.tuples(*[st.floats(width=32)] * 2), min_size=1, max_size=20))
    @settings(deadline=None)
    def test_nan_outside_and_only_there(self, places: list[tuple[float, float]]) -> None:
        pixels = np.array(places)
        found = sample_bilinear(np.ones((6, 8)), pixels, (12, 16))
        inside = (np.abs(pixels - [7.5, 5.5]) <= [8, 6]).all(axis=1)
        np.testing.assert_array_equal(np.isfinite(found), inside)


class TestSpreadOverDepth:
    def test_every_distance_is_there(self) -> None:
        rng = np.random.default_rng(0)
        depth = np.concatenate((rng.uniform(1.0, 1.05, 9990), np.geomspace(2, 10, 10)))
        found = spread_over_depth(depth, 100, rng)
        assert len(found) == 100
        assert np.isin(np.arange(9990, 10000), found).all()

    @given(st.integers(1, 300), st.integers(1, 100), st.integers(0, 99))
    @settings(deadline=None)
    def test_it_is_a_choice(self, count: int, most: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        found = spread_over_depth(rng.uniform(0.5, 9, count), most, rng)
        assert len(found) == min(count, most)
        assert np.all(np.diff(found) > 0)

    def test_one_distance(self) -> None:
        found = spread_over_depth(np.full(50, 2.0), 10, np.random.default_rng(0))
        assert len(found) == 10
