"""The network as training and validation call it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from da_ros.network.nano import Nano
from da_ros.network.preprocess import DEVIATION, MEAN


def predict(network: Nano, x: Tensor) -> Tensor:
    """Raw inverse depth at the size of the picture.

    Args:
        network: In training or evaluation mode.
        x: (B, 3, H, W) in [0, 1].

    Returns:
        (B, H, W) float32, before the last ReLU.
    """
    mean = torch.tensor(MEAN, device=x.device).view(1, 3, 1, 1)
    std = torch.tensor(DEVIATION, device=x.device).view(1, 3, 1, 1)
    x = ((x - mean) / std).contiguous(memory_format=torch.channels_last)
    with torch.autocast(x.device.type, torch.bfloat16, enabled=has_fast_bfloat16(x.device)):
        out = network.raw(x)
    return F.interpolate(
        out.float()[:, None], size=x.shape[-2:], mode="bilinear", align_corners=False
    )[:, 0]


_MULTIPLY_BFLOAT16 = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether mixed precision saves time: on a GPU, and on CPUs that multiply bfloat16.

    Elsewhere bfloat16 is emulated: on AVX2 a step takes eight times as long as in float32.
    """
    if device.type != "cpu":
        return True
    known = (getattr(torch.cpu, name, None) for name in _MULTIPLY_BFLOAT16)
    return any(asked() for asked in known if asked is not None)  # an older torch cannot tell
