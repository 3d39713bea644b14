from __future__ import annotations

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from da_ros.network.rounding import round_keeping_sums

KERNELS = arrays.arrays(
    np.float32, (2, 1, 3, 3), elements=st.floats(-50.0, 50.0, width=32, allow_subnormal=False)
)


def sums(weight: torch.Tensor) -> torch.Tensor:
    return weight.double().sum((2, 3))


class TestRoundKeepingSums:
    def test_a_difference_of_neighbours_stays_blind_to_a_plain_surface(self) -> None:
        kernel = torch.tensor(
            [[-10.03, 30.07, -10.03], [-0.003, -0.004, -0.003], [-5.0, 0.0, -5.0]]
        )
        weight = kernel[None, None]
        plain = float(sums(weight.bfloat16()))
        kept = float(sums(round_keeping_sums(weight, torch.bfloat16)))
        assert float(sums(weight)) == pytest.approx(0.0, abs=1e-5)
        assert abs(plain) > 0.02
        assert abs(kept) < 1e-3

    @given(KERNELS)
    def test_one_tap_takes_what_rounding_took(self, kernels: np.ndarray) -> None:
        weight = torch.from_numpy(kernels)
        made = round_keeping_sums(weight, torch.bfloat16)
        assert made.dtype == torch.bfloat16
        other = (made != weight.bfloat16()).sum((1, 2, 3))
        assert bool((other <= 1).all()), "all taps but one as ever"
        residue = (weight.double() - weight.bfloat16().double()).sum((2, 3)).abs()
        finest = weight.flatten(2).abs().amin(2).double()
        # bfloat16 has eight bits: half a step of the one tap is what is left.
        assert bool(((sums(made) - sums(weight)).abs() <= (finest + residue) / 256 + 1e-30).all())

    @given(KERNELS)
    def test_exact_taps_stay(self, kernels: np.ndarray) -> None:
        weight = torch.from_numpy(kernels)
        assert torch.equal(round_keeping_sums(weight, torch.float32), weight)
        short = weight.bfloat16()
        assert torch.equal(round_keeping_sums(short.float(), torch.bfloat16), short)

    def test_a_kernel_of_one_tap_is_rounded(self) -> None:
        weight = torch.randn(4, 3, 1, 1)
        assert torch.equal(round_keeping_sums(weight, torch.bfloat16), weight.bfloat16())
