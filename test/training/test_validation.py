from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.network.nano import Nano
from da_ros.network.spec import NanoSpec
from da_ros.training.validation import FARTHEST, Validation, ordered_pairs, score


def truth_of(seed: int) -> torch.Tensor:
    return torch.rand(20, 30, generator=torch.Generator().manual_seed(seed)) * 0.8 + 0.05


class TestScore:
    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 999), st.floats(0.1, 10), st.floats(-3, 3))
    def test_any_scale_and_shift_of_the_truth_is_perfect(
        self, seed: int, scale: float, shift: float
    ) -> None:
        found = score(truth_of(seed) * scale + shift, truth_of(seed))
        assert found["absrel"] < 1e-3
        assert found["delta1"] == 1.0
        assert found["ordered"] == 1.0

    def test_is_the_literal_fit_and_error(self) -> None:
        predicted, truth = truth_of(1) + 0.3 * truth_of(2), truth_of(1)
        d, y = predicted.double().numpy().ravel(), truth.double().numpy().ravel()
        (scale, shift), *_ = np.linalg.lstsq(np.stack((d, np.ones_like(d)), 1), y, rcond=None)
        z, z_fit = 1 / y, 1 / np.maximum(scale * d + shift, 1 / FARTHEST)
        found = score(predicted, truth)
        assert found["absrel"] == pytest.approx(np.mean(np.abs(z_fit - z) / z))
        assert found["delta1"] == np.mean(np.maximum(z_fit / z, z / z_fit) < 1.25)

    def test_what_is_too_far_does_not_count(self) -> None:
        predicted, truth = truth_of(1), truth_of(1)
        far = truth.clone()
        far[:5] = 0.5 / FARTHEST
        wrong = predicted.clone()
        wrong[:5] = 7.0
        assert score(wrong, far)["absrel"] < 1e-6


class TestOrderedPairs:
    def pairs(self, predicted: torch.Tensor, truth: torch.Tensor) -> float:
        return ordered_pairs(predicted, truth, torch.Generator().manual_seed(0))

    def test_upside_down_is_never_right(self) -> None:
        truth = truth_of(1).flatten()
        assert self.pairs(truth, truth) == 1.0
        assert self.pairs(-truth, truth) == 0.0

    def test_chance_is_half(self) -> None:
        assert abs(self.pairs(truth_of(2).flatten(), truth_of(1).flatten()) - 0.5) < 0.1

    def test_pairs_that_are_close_do_not_count(self) -> None:
        """The first half is a little nearer than the second one, and predicted the wrong way."""
        truth = torch.cat((torch.full((200,), 1.1), torch.full((200,), 1.0)))
        assert self.pairs(-truth, truth) == 1.0


class TestValidation:
    def test_takes_pictures_from_all_over_the_shard(self, tmp_path: Path) -> None:
        """A shard begins with simple scenes and ends with full ones."""
        rgb = np.arange(10, dtype=np.uint8)[:, None, None, None] + np.zeros(
            (10, 4, 5, 3), np.uint8
        )
        inverse = rgb[..., 0].astype(np.float16)
        np.savez(tmp_path / "shard.npz", rgb=rgb, inverse=inverse)
        for count, places in ((4, [0, 3, 6, 9]), (10, list(range(10))), (64, list(range(10)))):
            loaded = Validation.load(tmp_path / "shard.npz", count)
            assert loaded.rgb[:, 0, 0, 0].tolist() == places
            assert loaded.inverse[:, 0, 0].tolist() == places
            assert loaded.inverse.dtype == torch.float32

    def test_figures_are_means_between_none_and_all(self, validation: Validation) -> None:
        torch.manual_seed(0)
        figures = validation.figures(Nano(NanoSpec(), norm=True).eval())
        assert list(figures) == ["absrel", "delta1", "ordered"]
        assert 0 < figures["absrel"] < 5
        assert 0 < figures["delta1"] < 1
        assert 0 < figures["ordered"] < 1
