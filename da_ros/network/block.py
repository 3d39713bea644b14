"""One transformer block of DINOv2, under the official parameter names."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import nn

from da_ros.network.packed import PackedLinear, sliced_attention

if TYPE_CHECKING:
    from torch import Tensor

    from da_ros.network.spec import DinoV2Spec


class Attention(nn.Module):
    """Multi-head self-attention with one fused projection; its rows are q, then k, then v."""

    def __init__(self, spec: DinoV2Spec) -> None:
        super().__init__()
        self.heads = spec.heads
        self.qkv: nn.Module = nn.Linear(spec.dim, 3 * spec.dim)
        self.proj: nn.Module = nn.Linear(spec.dim, spec.dim)
        self.sliced = False

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, dim) -> (B, N, dim)."""
        batch, count, dim = tokens.shape
        qkv = self.qkv(tokens).view(batch, count, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, N, dim / heads)
        if self.sliced:
            mixed = sliced_attention(query, key, value)
        else:
            mixed = F.scaled_dot_product_attention(query, key, value)
        return cast("Tensor", self.proj(mixed.transpose(1, 2).reshape(batch, count, dim)))

    def pack(self, *, sliced: bool) -> None:
        """Rewrite for inference on a CPU; see ``Block.pack``."""
        self.qkv, self.proj = PackedLinear(self.qkv), PackedLinear(self.proj)
        self.sliced = sliced


class Mlp(nn.Module):
    """Two linear layers around the exact (erf) GELU."""

    def __init__(self, spec: DinoV2Spec) -> None:
        super().__init__()
        self.fc1: nn.Module = nn.Linear(spec.dim, spec.ffn_hidden)
        self.fc2: nn.Module = nn.Linear(spec.ffn_hidden, spec.dim)
        self.act: nn.Module = nn.GELU()

    @property
    def last(self) -> nn.Module:
        """The layer whose output leaves the feed-forward."""
        return self.fc2

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, dim) -> (B, N, dim)."""
        return cast("Tensor", self.fc2(self.act(self.fc1(tokens))))

    def pack(self) -> None:
        """Rewrite for inference on a CPU; the GELU becomes part of the first product."""
        self.fc1, self.fc2 = PackedLinear(self.fc1, gelu=True), PackedLinear(self.fc2)
        self.act = nn.Identity()


class SwiGlu(nn.Module):
    """Gated feed-forward of the giant encoder: w3(silu(x1) * x2), x1 and x2 the halves of w12."""

    def __init__(self, spec: DinoV2Spec) -> None:
        super().__init__()
        self.w12: nn.Module = nn.Linear(spec.dim, 2 * spec.ffn_hidden)
        self.w3: nn.Module = nn.Linear(spec.ffn_hidden, spec.dim)

    @property
    def last(self) -> nn.Module:
        """The layer whose output leaves the feed-forward."""
        return self.w3

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, dim) -> (B, N, dim)."""
        gate, value = self.w12(tokens).chunk(2, dim=-1)
        return cast("Tensor", self.w3(F.silu(gate) * value))

    def pack(self) -> None:
        """Rewrite for inference on a CPU."""
        self.w12, self.w3 = PackedLinear(self.w12), PackedLinear(self.w3)


class LayerScale(nn.Module):
    """A learnt factor per channel on the way back into the residual stream."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., dim) -> (..., dim)."""
        return tokens * self.gamma


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, spec: DinoV2Spec) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(spec.dim, eps=spec.norm_eps)
        self.attn = Attention(spec)
        self.ls1: nn.Module = LayerScale(spec.dim)
        self.norm2 = nn.LayerNorm(spec.dim, eps=spec.norm_eps)
        self.mlp: Mlp | SwiGlu = Mlp(spec) if spec.ffn == "mlp" else SwiGlu(spec)
        self.ls2: nn.Module = LayerScale(spec.dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, dim) -> (B, N, dim)."""
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        return cast("Tensor", tokens + self.ls2(self.mlp(self.norm2(tokens))))

    def fold_scales(self) -> None:
        """Multiply each LayerScale into the layer before it, which saves two passes."""
        self.ls1 = _fold(self.ls1, self.attn.proj)
        self.ls2 = _fold(self.ls2, self.mlp.last)

    def pack(self, *, sliced: bool) -> None:
        """Lay the weights out for a CPU; the block can no longer train, save or load.

        Args:
            sliced: Use ``sliced_attention``, the faster one in bfloat16 without AMX.
        """
        self.attn.pack(sliced=sliced)
        self.mlp.pack()


@torch.no_grad()
def _fold(scale: nn.Module, layer: nn.Module) -> nn.Module:
    """Multiply the factors into the layer before, and return what takes the scale's place."""
    if isinstance(scale, LayerScale) and isinstance(layer, nn.Linear):
        layer.weight.mul_(scale.gamma[:, None])
        layer.bias.mul_(scale.gamma)
    return nn.Identity()
