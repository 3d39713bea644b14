"""Sizes and pixels of the network's input, against OpenCV and the published rule."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from da_ros.errors import ParameterError, ShapeError
from da_ros.network.preprocess import (
    DEVIATION,
    MEAN,
    cubic_taps,
    network_size,
    prepare,
    prepare_with_cv2,
    prepare_with_torch,
    resize_matrix,
)
from da_ros.network.spec import ResizeRule

CUBIC = ResizeRule(518, 14)
AREA = ResizeRule(256, 32, "area")
CPU = torch.device("cpu")


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def unit_range(prepared: torch.Tensor) -> np.ndarray:
    """Back to RGB in [0, 1], (B, h, w, 3)."""
    return prepared.numpy().transpose(0, 2, 3, 1) * np.array(DEVIATION) + np.array(MEAN)


class TestNetworkSize:
    @pytest.mark.parametrize(
        ("width", "height", "expected"),
        [
            (640, 480, (686, 518)),
            (1280, 720, (924, 518)),
            (1920, 1080, (924, 518)),
            (640, 360, (924, 518)),
            (848, 480, (910, 518)),
            (752, 480, (812, 518)),
            (1242, 375, (1722, 518)),
            (320, 240, (686, 518)),
            (480, 640, (518, 686)),
            (518, 518, (518, 518)),
        ],
    )
    def test_the_published_table(self, width, height, expected):
        assert network_size(height, width, CUBIC) == expected[::-1]

    @given(height=st.integers(1, 4000), width=st.integers(1, 4000), target=st.integers(28, 1200))
    def test_covers_the_target_in_whole_patches(self, height, width, target):
        assume(max(height, width) <= 16 * min(height, width))
        rows, columns = network_size(height, width, CUBIC, target)
        assert rows % 14 == columns % 14 == 0
        assert target <= min(rows, columns) < target + 14
        assert abs(rows - height * max(target / height, target / width)) <= 14
        assert abs(columns - width * max(target / height, target / width)) <= 14

    def test_rounds_half_to_even(self):
        rule = ResizeRule(100, 100)  # 250 lies between 200 and 300, 350 between 300 and 400
        assert network_size(100, 250, rule) == (100, 200)
        assert network_size(100, 350, rule) == (100, 400)

    def test_rounds_up_where_it_would_fall_short(self):
        assert network_size(480, 640, CUBIC, 400) == (406, 532)

    @pytest.mark.parametrize("unset", [None, 0])
    def test_no_input_size_keeps_the_target(self, unset):
        assert network_size(480, 640, CUBIC, unset) == (518, 686)

    @pytest.mark.parametrize("size", [(0, 5), (5, 0), (100, 1601), (1601, 100)])
    def test_refuses_empty_and_endless_images(self, size):
        with pytest.raises(ShapeError, match="aspect of at most 16:1; crop it"):
            network_size(*size, CUBIC)

    def test_refuses_an_input_size_below_one_patch(self):
        with pytest.raises(ParameterError, match="input_size 13: expected at least 14 px"):
            network_size(480, 640, CUBIC, 13)


class TestPrepare:
    def test_equals_opencv_on_photos(self, real_photos):
        for photo in real_photos:
            size = network_size(*photo.shape[:2], CUBIC)
            scaled = photo.astype(np.float64) / 255
            expected = cv2.resize(scaled, size[::-1], interpolation=cv2.INTER_CUBIC)
            on_cpu = prepare([photo], size, CUBIC, CPU)
            on_gpu = prepare_with_torch([torch.from_numpy(photo)[None]], size, CUBIC, bgr=False)
            assert np.abs(unit_range(on_cpu)[0] - expected).max() < 1e-4
            assert np.abs(unit_range(on_gpu)[0] - expected).max() < 1e-4

    def test_keeps_the_overshoot_of_an_edge(self):
        image = np.zeros((60, 60, 3), np.uint8)
        image[:, 30:] = 255
        made = unit_range(prepare([image], (126, 126), CUBIC, CPU))
        assert made.min() < -0.03
        assert made.max() > 1.03

    def test_normalises_a_flat_colour(self):
        image = np.full((20, 30, 3), (10, 128, 250), np.uint8)
        made = prepare([image], (28, 42), CUBIC, CPU)
        expected = (np.array([10, 128, 250]) / 255 - MEAN) / DEVIATION
        assert made.shape == (1, 3, 28, 42)
        assert made.dtype is torch.float32
        np.testing.assert_allclose(made[0].mean((1, 2)), expected, rtol=1e-5)
        np.testing.assert_allclose(made[0].std((1, 2)), 0, atol=1e-5)

    @pytest.mark.parametrize("rule", [CUBIC, AREA], ids=["bicubic", "area"])
    def test_bgr_swaps_the_channels(self, rule):
        image, size = noise(50, 70), (64, 96)
        swapped = np.ascontiguousarray(image[..., ::-1])
        expected = prepare([image], size, rule, CPU)
        assert torch.equal(prepare([swapped], size, rule, CPU, bgr=True), expected)
        given_back = prepare_with_torch([torch.from_numpy(swapped)[None]], size, rule, bgr=True)
        torch.testing.assert_close(given_back, expected, rtol=1e-4, atol=1e-3)

    @pytest.mark.parametrize("rule", [CUBIC, AREA], ids=["bicubic", "area"])
    @pytest.mark.parametrize(
        "size",
        [(64, 96), (480, 640), (240, 320), (518, 686), (480, 320), (600, 320), (256, 352)],
    )
    def test_both_bodies_agree(self, rule, size):
        images = [noise(480, 640), noise(480, 640, seed=1)]
        on_cpu = prepare_with_cv2(images, size, rule, bgr=False)
        stacked = torch.from_numpy(np.stack(images))
        on_gpu = prepare_with_torch([stacked], size, rule, bgr=False)
        difference = np.abs(unit_range(on_cpu) - unit_range(on_gpu)).max()
        assert difference < (1e-4 if rule is CUBIC else 1e-5)

    def test_bodies_agree_on_photos_of_several_sizes(self, real_photos):
        for rule in (CUBIC, AREA):
            on_cpu = prepare_with_cv2(real_photos, (256, 352), rule, bgr=False)
            apart = [torch.from_numpy(photo)[None] for photo in real_photos]
            on_gpu = prepare_with_torch(apart, (256, 352), rule, bgr=False)
            assert np.abs(unit_range(on_cpu) - unit_range(on_gpu)).max() < 1e-4

    @pytest.mark.parametrize("rule", [CUBIC, AREA], ids=["bicubic", "area"])
    def test_the_same_size_is_left_alone(self, rule):
        image = noise(64, 96)
        made = unit_range(prepare([image], (64, 96), rule, CPU))
        np.testing.assert_allclose(made[0], image / 255, atol=1e-6)

    def test_takes_arrays_tensors_and_views(self):
        images = np.stack([noise(30, 40), noise(30, 40, seed=1)])
        expected = prepare(images, (28, 42), CUBIC, CPU)
        padded = np.zeros((2, 30, 48, 3), np.uint8)
        padded[:, :, :40] = images
        for same in (
            torch.from_numpy(images),
            list(images),
            [torch.from_numpy(image) for image in images],
            padded[:, :, :40],
            images[:, :, ::-1][:, :, ::-1],
        ):
            assert torch.equal(prepare(same, (28, 42), CUBIC, CPU), expected)

    @pytest.mark.parametrize(
        "image",
        [
            np.zeros((4, 4, 3), np.float32),
            np.zeros((4, 4, 4), np.uint8),
            np.zeros((4, 4), np.uint8),
            torch.zeros(4, 4, 3),
        ],
    )
    def test_refuses_what_is_no_image(self, image):
        with pytest.raises(ShapeError, match=r"expected uint8 images of shape \(H, W, 3\)"):
            prepare([image], (28, 28), CUBIC, CPU)

    def test_refuses_an_empty_batch(self):
        with pytest.raises(ShapeError, match="at least one image"):
            prepare([], (28, 28), CUBIC, CPU)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_on_a_gpu(self):
        image = noise(480, 640)
        made = prepare([image], (518, 686), CUBIC, torch.device("cuda"))
        expected = prepare([image], (518, 686), CUBIC, CPU)
        assert np.abs(unit_range(made.cpu()) - unit_range(expected)).max() < 1e-4


class TestCubicTaps:
    @pytest.mark.parametrize(("length", "wanted"), [(7, 7), (9, 20), (64, 50), (3, 11)])
    def test_equal_those_of_torch(self, length, wanted):
        """Each column of the identity is one sample's weight in every resized one."""
        indices, weights = cubic_taps(length, wanted, CPU)
        dense = torch.zeros(wanted, length).index_put(
            (torch.arange(wanted).expand(4, -1), indices), weights, accumulate=True
        )
        basis = torch.eye(length)[None, None].expand(1, 1, length, length)
        expected = F.interpolate(basis, size=(length, wanted), mode="bicubic")[0, 0].T
        torch.testing.assert_close(dense, expected, rtol=1e-4, atol=1e-5)


class TestResizeMatrix:
    @settings(deadline=None)
    @given(length=st.integers(1, 60), wanted=st.integers(1, 60))
    def test_rows_sum_to_one(self, length, wanted):
        weights = resize_matrix(length, wanted, CPU)
        assert weights.shape == (wanted, length)
        assert float(weights.min()) >= 0
        torch.testing.assert_close(weights.sum(1), torch.ones(wanted))

    def test_shrinking_averages_boxes(self):
        """Five samples to two: the middle one is shared."""
        expected = torch.tensor([[0.4, 0.4, 0.2, 0, 0], [0, 0, 0.2, 0.4, 0.4]])
        torch.testing.assert_close(resize_matrix(5, 2, CPU), expected)

    def test_growing_is_half_pixel_bilinear(self):
        expected = torch.tensor([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
        torch.testing.assert_close(resize_matrix(2, 4, CPU), expected)
