from __future__ import annotations

import numpy as np
import pytest
import torch

from da_ros.network.nano import Nano
from da_ros.network.preprocess import prepare
from da_ros.network.spec import NanoSpec, ResizeRule
from da_ros.training.predict import has_fast_bfloat16, predict


class TestPredict:
    def test_sees_what_the_product_shows_the_network(self) -> None:
        """Normalised as ``prepare`` does, in mixed precision, back at the picture's own size."""
        torch.manual_seed(1)
        network = Nano(NanoSpec(), norm=True).eval()
        picture = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
        rule = ResizeRule(target=64, multiple=32, interpolation="area")
        with torch.no_grad():
            x = prepare(picture, (64, 96), rule, torch.device("cpu"))
            half = network.raw(x)
            expected = torch.nn.functional.interpolate(
                half[:, None], scale_factor=2, mode="bilinear"
            )
            given = torch.from_numpy(picture).permute(0, 3, 1, 2).float() / 255
            found = predict(network, given)
        assert found.shape == (1, 64, 96)
        assert found.dtype == torch.float32
        spread = float(expected.std())
        torch.testing.assert_close(found, expected[:, 0], atol=0.05 * spread, rtol=0)

    @pytest.mark.parametrize("fast", [False, True])
    def test_mixes_precision_where_that_is_fast(
        self, fast: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("da_ros.training.predict.has_fast_bfloat16", lambda device: fast)
        network = Nano(NanoSpec(), norm=True).eval()
        seen = []
        network.reduce.register_forward_hook(lambda module, x, y: seen.append(y.dtype))
        with torch.no_grad():
            predict(network, torch.rand(1, 3, 32, 32))
        assert seen == [torch.bfloat16 if fast else torch.float32]


class TestHasFastBfloat16:
    @pytest.mark.parametrize(
        ("avx512", "amx", "fast"),
        [(False, False, False), (True, False, True), (False, True, True)],
    )
    def test_on_a_cpu_as_its_instructions_say(
        self, avx512: bool, amx: bool, fast: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
        assert has_fast_bfloat16(torch.device("cpu")) == fast

    def test_on_any_gpu(self) -> None:
        assert has_fast_bfloat16(torch.device("cuda"))
