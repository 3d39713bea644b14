"""Convolutions laid out for oneDNN, with what follows them computed in the same pass.

The operators are those that torch.compile emits on a CPU; they are tried once before use.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from da_ros.network.nano import Conv

SIZES_KEPT = 8
"""Input sizes whose layouts are kept; cameras seldom have more than one or two."""

_ATTRIBUTES: dict[str | None, tuple[str, list[float]]] = {
    None: ("none", []),
    "relu": ("relu", []),
    "relu6": ("hardtanh", [0.0, 6.0]),
}


class PackedConv(nn.Module):
    """A convolution with its activation, for CPU inference.

    Args:
        layer: Without a norm; float32 or bfloat16, on the CPU; it can be dropped afterwards.
    """

    def __init__(self, layer: Conv) -> None:
        super().__init__()
        conv = layer.conv
        self.bias = cast("Tensor", conv.bias).detach()
        self.geometry = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        self.attribute, self.scalars = _ATTRIBUTES[layer.activation]
        self._plain = conv.weight.detach()
        self._packed: dict[tuple[int, ...], Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h', w'), channels last."""
        made = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight(x), self.bias, *self.geometry, self.attribute, self.scalars, ""
        )
        return cast("Tensor", made)

    def add(self, x: Tensor, other: Tensor, *, relu: bool = False) -> Tensor:
        """The bare convolution plus ``other``, with a ReLU on the sum if asked."""
        made = torch.ops.mkldnn._convolution_pointwise.binary(
            x, other, self._weight(x), self.bias, *self.geometry,
            "add", 1.0, "relu" if relu else None, [], None,
        )  # fmt: skip
        return cast("Tensor", made)

    def _weight(self, x: Tensor) -> Tensor:
        """The weight in the layout that oneDNN wants for inputs of this size."""
        size = tuple(x.shape)
        packed = self._packed.get(size)
        if packed is None:  # several threads may come here at once: each keeps what it made
            if len(self._packed) >= SIZES_KEPT:
                self._packed.clear()
            packed = torch.ops.aten.mkldnn_reorder_conv2d_weight(
                self._plain.to_mkldnn(), *self.geometry, list(size)
            )
            self._packed[size] = packed
        return packed


@cache
def can_pack_convolutions(dtype: torch.dtype) -> bool:
    """Whether this torch and this processor run packed convolutions of a precision correctly."""
    if dtype not in {torch.float32, torch.bfloat16} or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    from da_ros.network.nano import Conv

    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        layer = Conv(8, 8, 3, activation="relu6").eval().to(dtype)
        x = torch.rand(1, 8, 12, 10).to(dtype).contiguous(memory_format=torch.channels_last)
        try:
            packed = PackedConv(layer)
            made, summed = packed(x), packed.add(x, x, relu=True)
        except (AttributeError, RuntimeError, TypeError):  # an operator of another torch, or none
            return False
        tolerance = 1e-5 if dtype is torch.float32 else 5e-2
        plain = layer.conv(x)
        close = torch.allclose(made, F.relu6(plain), atol=tolerance)
        return close and torch.allclose(summed, F.relu(plain + x), atol=tolerance)
