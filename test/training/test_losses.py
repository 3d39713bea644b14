from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from da_ros.training.losses import (
    FLOOR,
    affine_invariant,
    depth_loss,
    gradient_matching,
    log_ratio,
    negativity,
    normalise,
)

scales = st.floats(0.1, 20.0)
shifts = st.floats(-5.0, 5.0)
seeds = st.integers(0, 10_000)


def maps(seed: int, batch: int = 2, height: int = 17, width: int = 24) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.rand(batch, height, width, generator=g) + 0.05


def literal_normalise(d: np.ndarray) -> np.ndarray:
    """One picture; the median is the lower of the two middle values."""
    values = sorted(d.flatten().tolist())
    median = values[(len(values) - 1) // 2]
    deviation = sum(abs(v - median) for v in values) / len(values)
    return (d - median) / deviation


class TestNormalise:
    @settings(max_examples=25, deadline=None)
    @given(seeds)
    def test_is_the_literal_one(self, seed: int) -> None:
        d = maps(seed)
        for found, given_ in zip(normalise(d), d, strict=True):
            expected = literal_normalise(given_.double().numpy())
            np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)

    def test_of_a_constant_is_zero(self) -> None:
        assert torch.equal(normalise(torch.full((1, 4, 5), 3.0)), torch.zeros(1, 4, 5))


class TestAffineInvariant:
    @settings(max_examples=25, deadline=None)
    @given(seeds, scales, shifts)
    def test_scale_and_shift_of_the_prediction_do_not_count(
        self, seed: int, scale: float, shift: float
    ) -> None:
        predicted, truth = maps(seed), maps(seed + 1)
        plain = affine_invariant(predicted, truth)
        moved = affine_invariant(predicted * scale + shift, truth)
        torch.testing.assert_close(moved, plain, rtol=1e-3, atol=1e-3)

    @settings(max_examples=25, deadline=None)
    @given(seeds, scales, shifts)
    def test_nothing_is_lost_where_only_they_differ(
        self, seed: int, scale: float, shift: float
    ) -> None:
        truth = maps(seed)
        assert affine_invariant(truth * scale + shift, truth) < 1e-3

    def test_upside_down_is_not_the_same(self) -> None:
        assert affine_invariant(-maps(1), maps(1)) > 1.0

    def test_is_the_literal_one(self) -> None:
        predicted, truth = maps(3, 1), maps(4, 1)
        a, b = (literal_normalise(x[0].double().numpy()) for x in (predicted, truth))
        expected = np.abs(a - b).mean()
        assert float(affine_invariant(predicted, truth)) == pytest.approx(expected, rel=1e-4)


class TestGradientMatching:
    def test_is_the_literal_one(self) -> None:
        predicted, truth = maps(5, 1), maps(6, 1)
        a, b = (literal_normalise(x[0].double().numpy()) for x in (predicted, truth))
        total = 0.0
        for k in range(4):
            d = (a - b)[:: 2**k, :: 2**k]
            rows, columns = d.shape
            across = [abs(d[i, j + 1] - d[i, j]) for i in range(rows) for j in range(columns - 1)]
            down = [abs(d[i + 1, j] - d[i, j]) for i in range(rows - 1) for j in range(columns)]
            total += sum(across) / len(across) + sum(down) / len(down)
        assert float(gradient_matching(predicted, truth)) == pytest.approx(total, rel=1e-4)

    def test_punishes_a_blurred_edge_more_than_a_shifted_level(self) -> None:
        truth = torch.zeros(1, 16, 32)
        truth[..., 16:] = 1.0
        ramp = torch.linspace(0, 1, 32).expand(1, 16, -1)
        assert gradient_matching(ramp, truth) > 0.1
        assert gradient_matching(truth * 2 + 1, truth) == 0.0


class TestLogRatio:
    @settings(max_examples=25, deadline=None)
    @given(seeds, scales)
    def test_the_scale_of_the_prediction_does_not_count(self, seed: int, scale: float) -> None:
        predicted, truth = maps(seed), maps(seed + 1)
        plain, scaled = log_ratio(predicted, truth), log_ratio(predicted * scale, truth)
        torch.testing.assert_close(scaled, plain, rtol=1e-4, atol=1e-5)

    def test_the_shift_does(self) -> None:
        truth = maps(1)
        assert log_ratio(truth, truth) == 0.0
        assert log_ratio(truth + 0.5, truth) > 0.1

    def test_is_the_literal_one(self) -> None:
        predicted, truth = maps(7, 1) - 0.3, maps(8, 1)
        p, t = predicted[0].double().numpy().clip(0), truth[0].double().numpy()
        terms = np.log(p / p.mean() + FLOOR) - np.log(t / t.mean() + FLOOR)
        found = float(log_ratio(predicted, truth))
        assert found == pytest.approx(np.abs(terms).mean(), rel=1e-4)


class TestNegativity:
    def test_only_what_is_below_zero_costs(self) -> None:
        assert negativity(maps(1)) == 0.0
        assert float(negativity(torch.tensor([[[1.0, -3.0]]]))) == pytest.approx(3 / 2 / 2)

    def test_pushes_up(self) -> None:
        predicted = torch.tensor([[[1.0, -3.0]]], requires_grad=True)
        negativity(predicted).backward()
        assert predicted.grad is not None
        assert predicted.grad[0, 0, 0] == 0
        assert predicted.grad[0, 0, 1] < 0


class TestDepthLoss:
    def test_a_perfect_prediction_costs_nothing(self) -> None:
        truth = maps(2)
        assert depth_loss(truth * 3, truth) < 1e-5

    def test_any_other_one_does(self) -> None:
        assert depth_loss(maps(1), maps(2)) > 1.0

    def test_gradients_reach_every_pixel_and_are_finite(self) -> None:
        truth = maps(3, height=32, width=32)
        truth[:, :8] = 0  # sky
        predicted = (maps(4, height=32, width=32) - 0.3).requires_grad_()
        depth_loss(predicted, truth).backward()
        assert predicted.grad is not None
        assert predicted.grad.isfinite().all()
        assert (predicted.grad != 0).float().mean() > 0.9

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_a_constant_prediction_gives_no_nan(self, value: float) -> None:
        predicted = torch.full((1, 32, 32), value, requires_grad=True)
        loss = depth_loss(predicted, maps(1, 1, 32, 32))
        loss.backward()
        assert predicted.grad is not None
        assert loss.isfinite()
        assert predicted.grad.isfinite().all()

    def test_descending_it_finds_the_truth_up_to_scale(self) -> None:
        truth = maps(5, 1, 16, 16)
        guess = maps(6, 1, 16, 16).requires_grad_()
        optimiser = torch.optim.Adam([guess], 0.02)
        for _ in range(300):
            optimiser.zero_grad()
            loss = depth_loss(guess, truth)
            loss.backward()
            optimiser.step()
        both = torch.stack((guess.detach().flatten(), truth.flatten()))
        assert torch.corrcoef(both)[0, 1] > 0.99
