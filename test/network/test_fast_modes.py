"""The fast precision of this machine: close to float32, and without terraces."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scaled_weights import scaled_state

from da_ros.network.build import build_network
from da_ros.network.depth_anything import UNUSED_KEYS
from da_ros.network.estimator import DepthEstimator
from da_ros.network.variants import get_variant
from da_ros.types import ModelInfo

CPU = torch.device("cpu")
VARIANT = get_variant("v2-small")


@cache
def loaded(precision: torch.dtype, input_size: int) -> DepthEstimator:
    network = build_network(VARIANT)
    state = scaled_state(VARIANT)
    network.load_state_dict({k: v for k, v in state.items() if not k.startswith(UNUSED_KEYS)})
    info = ModelInfo(VARIANT.name, "0" * 64, verified=False, kind=VARIANT.kind)
    return DepthEstimator(network, info, VARIANT, CPU, precision, input_size=input_size)


def smooth_ramp() -> np.ndarray:
    rows, columns = np.mgrid[0:480, 0:640]
    channels = (columns * 255 / 639, rows * 255 / 479, (rows + columns) * 255 / 1118)
    return np.stack(channels, axis=-1).astype(np.uint8)


def relative_errors(image: np.ndarray) -> torch.Tensor:
    fine = loaded(torch.float32, 196).estimate(image[None]).values
    fast = loaded(torch.bfloat16, 196).estimate(image[None]).values
    return ((fast - fine).abs() / fine.clamp(min=1e-6)).flatten()


class TestBfloat16:
    def test_stays_close_on_photos(self, real_photos):
        for photo in real_photos[:3]:
            errors = relative_errors(photo)
            assert float(errors.median()) < 0.01
            assert float(errors.quantile(0.99)) < 0.03

    def test_stays_close_on_a_ramp(self):
        errors = relative_errors(smooth_ramp())
        assert float(errors.median()) < 0.01
        assert float(errors.quantile(0.99)) < 0.03

    # At the model's own size this takes a minute where the processor has no bfloat16.
    @pytest.mark.parametrize("input_size", [pytest.param(0, marks=pytest.mark.slow), 252])
    def test_a_smooth_ramp_has_no_terraces(self, input_size):
        values = loaded(torch.bfloat16, input_size).estimate(smooth_ramp()[None]).values
        inverse = F.interpolate(values[None], size=(480, 640), mode="bilinear")
        depth = 1 / inverse.clamp(min=1e-3)
        assert len(torch.unique(depth)) > 10_000
