"""What makes a transformer fast on a CPU: weights laid out for oneDNN, attention in slices.

On machines whose BLAS is slower than oneDNN (AMD ones), packed products save a tenth in float32;
with AVX-512 they take the GELU into the product. The operators are those that torch.compile itself
emits, and they are tried once before use.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import product
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from da_ros.network.device import cpu_features

SLICE_BYTES = 8 << 20
"""Scores of one slice of queries at most, so that they stay in the shared cache between passes."""

PACK_ROWS = 2048
"""Tokens that the weights' layout is chosen for; others compute the same, perhaps slower."""


class PackedLinear(nn.Module):
    """A linear layer for CPU inference, with its weight in the layout that oneDNN wants.

    Args:
        layer: An ``nn.Linear`` on the CPU, float32 or bfloat16; it can be dropped afterwards.
        gelu: Whether the exact GELU follows.
    """

    def __init__(self, layer: nn.Module, *, gelu: bool = False) -> None:
        super().__init__()
        linear = cast("nn.Linear", layer)
        self.bias = linear.bias.detach()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), PACK_ROWS)
        # With AVX-512 it is computed while the result is in registers. oneDNN's AVX2 code for it
        # takes four times as long as torch's pass of its own (Zen 3: 14 ms against 3.5 of a
        # product's 30), and the numbers are the same.
        fused = gelu and cpu_features().avx512f
        self.attr = "gelu" if fused else "none"
        self.gelu_after = gelu and not fused

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        made = torch.ops.mkldnn._linear_pointwise(
            x, self.weight, self.bias, self.attr, [], "none" if self.attr == "gelu" else ""
        )
        return F.gelu(made) if self.gelu_after else cast("Tensor", made)


@cache
def can_pack(dtype: torch.dtype) -> bool:
    """Whether this torch and this processor multiply packed weights of a precision correctly."""
    if dtype not in {torch.float32, torch.bfloat16} or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        linear = nn.Linear(64, 32).to(dtype)
        x = torch.rand(8, 64).to(dtype)
        try:
            packed = PackedLinear(linear, gelu=True)(x)
        except (AttributeError, RuntimeError):  # an operator of another torch, or none at all
            return False
        tolerance = 1e-5 if dtype is torch.float32 else 2e-2
        return torch.allclose(packed, F.gelu(linear(x)), atol=tolerance)


def sliced_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax attention, a head at a time, and of long sequences a slice of its queries.

    With bfloat16 on CPUs without AMX this takes 0.6 of the time of torch's flash kernel: oneDNN's
    products run at twice the float32 rate, the more so the larger they are.

    Args:
        query: (B, heads, N, width).
        key: The same.
        value: The same.

    Returns:
        (B, heads, N, width), a view of contiguous (B, N, heads, width) memory.
    """
    batch, heads, count, width = query.shape
    mixed = query.new_empty(batch, count, heads, width).transpose(1, 2)
    slices = math.ceil(count * count * query.element_size() / SLICE_BYTES)
    rows = math.ceil(count / slices)
    scores = query.new_empty(rows, count)
    scaled = query * width**-0.5
    for one, head in product(range(batch), range(heads)):
        keys, values = key[one, head].T, value[one, head]
        for start in range(0, count, rows):
            part = scaled[one, head, start : start + rows]
            score = scores[: len(part)]
            torch.mm(part, keys, out=score)
            torch.softmax(score, -1, out=score)
            torch.mm(score, values, out=mixed[one, head, start : start + rows])
    return mixed
