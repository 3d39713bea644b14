from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from da_ros.training.scenes.sensor import _blur, _vignette, jpeg, photograph


def radiance(count: int = 3, height: int = 40, width: int = 56) -> Tensor:
    return torch.rand(count, height, width, 3, generator=torch.Generator().manual_seed(1)) * 2


def photo(x: Tensor, seed: int) -> Tensor:
    return photograph(x, torch.Generator().manual_seed(seed))


class TestPhotograph:
    def test_gives_bytes_of_the_same_size(self) -> None:
        picture = photo(radiance(), 1)
        assert picture.shape == (3, 40, 56, 3)
        assert picture.dtype == torch.uint8

    def test_the_same_chance_gives_the_same_picture(self) -> None:
        assert torch.equal(photo(radiance(), 7), photo(radiance(), 7))
        assert not torch.equal(photo(radiance(), 7), photo(radiance(), 8))

    def test_each_picture_of_a_batch_has_its_own_look(self) -> None:
        same = radiance(1).expand(4, -1, -1, -1)
        means = photo(same, 3).float().mean((1, 2))
        assert (means.max(0).values - means.min(0).values).min() > 5

    def test_frames_of_one_camera_share_all_but_the_grain(self) -> None:
        """One look (a noisy one) under other grain: new noise, and the same picture on average."""

        def frame(grain: int) -> Tensor:
            look = torch.Generator().manual_seed(3)
            return photograph(radiance(1), look, torch.Generator().manual_seed(grain)).float()

        assert torch.equal(frame(1), frame(1))
        difference = frame(1) - frame(2)
        assert difference.abs().mean() > 0.2
        assert difference.mean().abs() < 0.2 * difference.abs().mean() + 0.05

    @pytest.mark.parametrize("level", [1e-3, 1.0, 50.0])
    def test_exposes_dark_and_bright_scenes_alike(self, level: float) -> None:
        means = torch.stack([photo(radiance() * level, seed).float().mean() for seed in range(8)])
        assert 30 < means.mean() < 225

    def test_black_stays_dark_and_finite(self) -> None:
        assert photo(torch.zeros(2, 16, 16, 3), 0).float().mean() < 40

    def test_keeps_places(self) -> None:
        """A bright quarter stays where it is, whatever lens and noise do."""
        x = torch.full((6, 48, 64, 3), 0.1)
        x[:, :24, 32:] = 1.0
        picture = photo(x, 2).float().mean(-1)
        inside, outside = picture[:, 4:20, 38:60], picture[:, 30:44, 4:26]
        assert (inside.mean((1, 2)) > outside.mean((1, 2)) + 20).all()


class TestBlur:
    def test_preserves_the_mean_of_what_is_not_at_the_border(self) -> None:
        x = torch.zeros(2, 3, 32, 32)
        x[:, :, 8:24, 8:24] = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
        s = torch.full((2, 1, 1, 1), 1.25)
        blurred = _blur(x, torch.zeros(2, 1, 1, 1), s, s)
        torch.testing.assert_close(blurred.mean((2, 3)), x.mean((2, 3)))
        assert not torch.equal(blurred, x)

    def test_is_a_gaussian_along_each_axis(self) -> None:
        x = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
        sx, sy = (torch.full((1, 1, 1, 1), s) for s in (1.1, 0.6))
        found = _blur(x, torch.zeros(1, 1, 1, 1), sx, sy)
        kernel = [cv2.getGaussianKernel(7, s) for s in (1.1, 0.6)]
        image = np.ascontiguousarray(x[0].permute(1, 2, 0).double().numpy())
        expected = cv2.sepFilter2D(image, -1, *kernel, borderType=cv2.BORDER_REPLICATE)
        np.testing.assert_allclose(found[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)

    def test_half_of_the_chances_leave_the_picture(self) -> None:
        x, s = torch.rand(2, 3, 16, 16), torch.ones(2, 1, 1, 1)
        blurred = _blur(x, torch.tensor([0.49, 0.51]).view(2, 1, 1, 1), s, s)
        assert not torch.equal(blurred[0], x[0])
        assert torch.equal(blurred[1], x[1])


class TestVignette:
    def test_is_one_in_the_middle_and_least_in_the_corners(self) -> None:
        factor = _vignette(torch.zeros(1, 3, 31, 41), torch.full((1, 1, 1, 1), 0.5))[0, 0]
        assert factor[15, 20] == pytest.approx(1.0)
        assert factor.min() == factor[0, 0]
        assert factor[0, 0] == pytest.approx(1 - 0.3 * (1 + (31 / 41) ** 2))


class TestJpeg:
    @pytest.mark.parametrize("size", [(32, 40), (33, 47), (5, 7)])
    def test_with_the_finest_steps_is_the_picture(self, size: tuple[int, int]) -> None:
        x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(3))
        again = jpeg(x, torch.full((2, 1, 1, 1), 1e-4))
        torch.testing.assert_close(again, x, atol=1e-4, rtol=0)

    def test_coarser_steps_lose_more(self) -> None:
        x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(4))
        lost = [(jpeg(x, torch.full((1, 1, 1, 1), c)) - x).abs().mean() for c in (0.1, 0.5, 2.0)]
        assert lost[0] < lost[1] < lost[2]

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 1000), st.floats(0.15, 2.5))
    def test_is_the_literal_quantised_cosine_transform(self, seed: int, coarse: float) -> None:
        x = np.random.default_rng(seed).random((8, 8))
        found = jpeg(torch.from_numpy(x).float()[None, None], torch.full((1, 1, 1, 1), coarse))
        steps = quality_50() * coarse
        levels = cv2.dct(x * 255 - 128) / steps
        assume(np.abs(levels - np.floor(levels) - 0.5).min() > 1e-3)  # no coefficient between two
        expected = (cv2.idct(np.round(levels) * steps) + 128) / 255
        np.testing.assert_allclose(found[0, 0].numpy(), expected.clip(0, 1), atol=1e-4)

    def test_blocks_do_not_touch_each_other(self) -> None:
        x = torch.zeros(1, 1, 16, 16)
        x[..., :8, :8] = torch.rand(8, 8, generator=torch.Generator().manual_seed(5))
        found = jpeg(x, torch.ones(1, 1, 1, 1))
        alone = jpeg(x[..., :8, :8], torch.ones(1, 1, 1, 1))
        torch.testing.assert_close(found[..., :8, :8], alone)
        assert found[..., 8:, :].max() - found[..., 8:, :].min() < 1e-5


def quality_50() -> np.ndarray:
    """The luminance table as OpenCV's encoder writes it at quality 50, read out of the file."""
    _, code = cv2.imencode(".jpg", np.zeros((8, 8), np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 50])
    content = code.tobytes()
    start = content.index(b"\xff\xdb") + 5
    table = np.zeros((8, 8))
    for value, cell in zip(content[start : start + 64], zigzag(), strict=True):
        table[cell] = value
    return table


def zigzag() -> list[tuple[int, int]]:
    cells = [(row, column) for row in range(8) for column in range(8)]
    return sorted(cells, key=lambda c: (sum(c), c[0] if sum(c) % 2 else c[1]))
