from __future__ import annotations

import numpy as np
import torch

from da_ros.network.nano import Nano
from da_ros.network.preprocess import prepare
from da_ros.network.spec import NanoSpec, ResizeRule
from da_ros.training.predict import predict


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
