from __future__ import annotations

import pytest
import torch
from torch import Tensor

from da_ros.training.augment import _windows, augment, crop, restyle

HEIGHT, WIDTH = 48, 64


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def coded(count: int) -> tuple[Tensor, Tensor]:
    """Smooth inverse depth, and pictures: red is that number, green the column."""
    v = torch.linspace(0, 1, HEIGHT)[:, None]
    u = torch.linspace(0, 1, WIDTH)[None]
    inverse = (0.2 + 0.3 * v + 0.4 * u * v).expand(count, -1, -1)
    column = u.expand(HEIGHT, -1).expand(count, -1, -1)
    rgb = torch.stack((inverse, column, torch.zeros_like(inverse)), -1) * 255
    return rgb.round().to(torch.uint8), inverse.half()


class TestCrop:
    @pytest.mark.parametrize("seed", range(4))
    def test_colour_and_inverse_depth_stay_together(self, seed: int) -> None:
        x, y = crop(*coded(8), 32, 48, generator(seed))
        assert x.shape == (8, 3, 32, 48)
        assert y.shape == (8, 32, 48)
        # Nearest against bilinear: half a pixel of the steepest slope, and a byte.
        torch.testing.assert_close(x[:, 0], y, atol=0.7 / HEIGHT * 0.7 + 1 / 255, rtol=0)

    def test_half_of_the_pictures_are_mirrored(self) -> None:
        x, _ = crop(*coded(400), 16, 16, generator(1))
        mirrored = (x[:, 1, 8, 0] > x[:, 1, 8, -1]).float().mean()
        assert 0.42 < mirrored < 0.58

    def test_windows_are_between_nearly_half_and_all_of_a_side(self) -> None:
        x, _ = crop(*coded(400), 16, 16, generator(2))
        shown = (x[:, 1, 8, 0] - x[:, 1, 8, -1]).abs() * 16 / 15
        assert 0.36 < shown.min() < 0.5
        assert 0.95 < shown.max() < 1.06
        assert (shown > 0.9).float().mean() > 0.25

    def test_stays_within_the_picture_but_for_the_turn(self) -> None:
        grid = _windows(torch.zeros(300, 3, HEIGHT, WIDTH), 32, 32, generator(3))
        assert grid.abs().max() < 1.07


class TestRestyle:
    def test_keeps_shape_and_range(self) -> None:
        x = torch.rand(6, 3, 24, 32, generator=generator(0))
        styled = restyle(x, generator(1))
        assert styled.shape == x.shape
        assert styled.min() >= 0
        assert styled.max() <= 1

    def test_keeps_places(self) -> None:
        """A bright square on black stays where it is and brighter, in nearly every style."""
        x = torch.zeros(64, 3, 32, 32)
        x[:, :, 8:24, 8:24] = 0.9
        styled = restyle(x, generator(2)).mean(1)
        inside, corner = styled[:, 12:20, 12:20].mean((1, 2)), styled[:, :4, :4].mean((1, 2))
        assert (inside > corner).float().mean() > 0.95

    def test_every_picture_gets_its_own(self) -> None:
        same = torch.rand(1, 3, 16, 16, generator=generator(4)).expand(8, -1, -1, -1)
        means = restyle(same, generator(5)).mean((1, 2, 3))
        assert means.unique().numel() == 8

    def test_leaves_its_input_alone(self) -> None:
        x = torch.rand(2, 3, 16, 16, generator=generator(4))
        before = x.clone()
        restyle(x, generator(5))
        assert torch.equal(x, before)


class TestAugment:
    def test_the_same_chance_gives_the_same_batch(self) -> None:
        one, again, other = (augment(*coded(4), 32, 32, generator(s)) for s in (5, 5, 6))
        assert torch.equal(one[0], again[0])
        assert torch.equal(one[1], again[1])
        assert not torch.equal(one[0], other[0])

    def test_is_the_crop_restyled(self) -> None:
        shared, alone = generator(7), generator(7)
        x, y = augment(*coded(4), 32, 32, shared)
        cropped, truth = crop(*coded(4), 32, 32, alone)
        assert torch.equal(y, truth)
        assert torch.equal(x, restyle(cropped, alone))
        assert x.dtype == y.dtype == torch.float32

    def test_depths_are_those_that_were_there(self) -> None:
        """Nearest: no depth between two surfaces is made up."""
        rgb, _ = coded(8)
        steps = (torch.arange(WIDTH) // 8 / 8).expand(8, HEIGHT, -1).half()
        _, y = augment(rgb, steps, 32, 32, generator(8))
        assert set(y.unique().tolist()) <= set(steps.float().unique().tolist())
