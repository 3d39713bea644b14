"""What an architecture is, as data: sizes of the encoder and the head, and the resize rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FeedForward = Literal["mlp", "swiglu"]
Interpolation = Literal["bicubic", "area"]
PositionRule = Literal["official", "huggingface"]


@dataclass(frozen=True)
class DinoV2Spec:
    """Sizes of a DINOv2 vision transformer without registers.

    Attributes:
        dim: Width of a token.
        depth: Number of blocks.
        heads: Attention heads; ``dim / heads`` is 64 in every published size.
        ffn: Feed-forward of a block: GELU ``mlp`` (S, B, L) or ``swiglu`` (G).
        patch: Side of a square patch [px].
        grid: Side of the patch grid that the positional embedding was trained on.
        norm_eps: Of every LayerNorm.
    """

    dim: int
    depth: int
    heads: int
    ffn: FeedForward = "mlp"
    patch: int = 14
    grid: int = 37
    norm_eps: float = 1e-6

    @property
    def ffn_hidden(self) -> int:
        """Width inside the feed-forward; SwiGLU takes 2/3 of it, rounded up to a multiple of 8."""
        hidden = 4 * self.dim
        if self.ffn == "mlp":
            return hidden
        return (int(hidden * 2 / 3) + 7) // 8 * 8


@dataclass(frozen=True)
class DptSpec:
    """Sizes of a DPT head.

    Attributes:
        features: Channels of the fusion stages.
        out_channels: Channels of the four reassembled maps, finest first.
    """

    features: int
    out_channels: tuple[int, int, int, int]


@dataclass(frozen=True)
class DepthAnythingSpec:
    """A DINOv2 encoder under a DPT head; what ``Variant.architecture`` is for Depth Anything.

    Attributes:
        encoder: Sizes of the encoder.
        head: Sizes of the head.
    """

    encoder: DinoV2Spec
    head: DptSpec


@dataclass(frozen=True)
class NanoSpec:
    """Sizes of ``nano``, the shipped model.

    Attributes:
        widths: Channels of the decoder at 1/32, 1/16, 1/8, 1/4 and 1/2 of the input.
        context_blocks: Transformer blocks over the 1/32 grid.
        heads: Attention heads of those blocks; they divide ``widths[0]``.
    """

    widths: tuple[int, int, int, int, int] = (160, 96, 64, 48, 32)
    context_blocks: int = 2
    heads: int = 5


@dataclass(frozen=True)
class ResizeRule:
    """How an image becomes the network's input size.

    Attributes:
        target: What both sides must at least measure [px]; the shorter one does so exactly,
            up to rounding.
        multiple: Both sides are multiples of this [px].
        interpolation: ``bicubic`` (a = -0.75, overshoot kept) or ``area`` (bilinear to enlarge).
        mode: ``cover``: the scale is the larger of the two that bring a side to ``target``.
    """

    target: int
    multiple: int
    interpolation: Interpolation = "bicubic"
    mode: Literal["cover"] = "cover"
