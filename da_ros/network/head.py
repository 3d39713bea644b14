"""DPT head: four maps of tokens in, one dense map out, under the official parameter names.

Source:
    Ranftl et al., Vision Transformers for Dense Prediction, arXiv 2103.13413; Depth Anything V2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from da_ros.network.spec import DptSpec

LAST_CHANNELS = 32
"""Width of the last hidden layer, the same in every published size."""


def _conv3(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=bias)


class ResidualUnit(nn.Module):
    """Pre-activation residual unit: x + conv(relu(conv(relu(x))))."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = _conv3(features, features)
        self.conv2 = _conv3(features, features)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        inner = F.relu_(self.conv1(F.relu(x)))
        return cast("Tensor", self.conv2(inner)).add_(x)


class FusionStage(nn.Module):
    """Add a finer map to the coarser one, refine, project, and enlarge to the next size.

    Args:
        features: Channels in and out.
        first: Whether this is the coarsest stage, which has nothing to be added to.
    """

    def __init__(self, features: int, *, first: bool = False) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(features, features, kernel_size=1)
        if not first:
            self.resConfUnit1 = ResidualUnit(features)
        self.resConfUnit2 = ResidualUnit(features)

    def forward(self, coarse: Tensor, fine: Tensor | None, size: Sequence[int]) -> Tensor:
        """(B, C, h, w), the same or None -> (B, C, *size)."""
        merged = coarse if fine is None else self.resConfUnit1(fine).add_(coarse)
        # A 1x1 convolution and a bilinear resize commute (the weights of a resize sum to one);
        # the projection on the small side costs a quarter.
        projected = self.out_conv(self.resConfUnit2(merged))
        return enlarge(projected, size)


class Scratch(nn.Module):
    """The part of the head that is trained from scratch; the name is the official one."""

    def __init__(self, spec: DptSpec) -> None:
        super().__init__()
        width = spec.features
        self.layer1_rn = _conv3(spec.out_channels[0], width, bias=False)
        self.layer2_rn = _conv3(spec.out_channels[1], width, bias=False)
        self.layer3_rn = _conv3(spec.out_channels[2], width, bias=False)
        self.layer4_rn = _conv3(spec.out_channels[3], width, bias=False)
        self.refinenet1 = FusionStage(width)
        self.refinenet2 = FusionStage(width)
        self.refinenet3 = FusionStage(width)
        self.refinenet4 = FusionStage(width, first=True)
        self.output_conv1 = _conv3(width, width // 2)
        self.output_conv2 = nn.Sequential(
            _conv3(width // 2, LAST_CHANNELS),
            nn.ReLU(inplace=True),
            nn.Conv2d(LAST_CHANNELS, 1, kernel_size=1),
        )


class DptHead(nn.Module):
    """The head without its last activation.

    The last two convolutions run in float32 whatever the rest does: their inputs are enlarged to
    the full size, and a rounding of bfloat16 after that would show as terraces in the depth.

    Args:
        spec: Sizes.
        dim: Width of the encoder's tokens.
    """

    def __init__(self, spec: DptSpec, dim: int) -> None:
        super().__init__()
        a, b, c, d = spec.out_channels
        self.projects = nn.ModuleList([nn.Conv2d(dim, n, kernel_size=1) for n in (a, b, c, d)])
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(a, a, kernel_size=4, stride=4),
                nn.ConvTranspose2d(b, b, kernel_size=2, stride=2),
                nn.Identity(),
                nn.Conv2d(d, d, kernel_size=3, stride=2, padding=1),
            ]
        )
        self.scratch = Scratch(spec)
        self.planar_tail = False

    def forward(self, tapped: Sequence[Tensor], rows: int, columns: int, patch: int) -> Tensor:
        """Decode tokens.

        Args:
            tapped: Four (B, rows * columns, dim), shallowest first.
            rows: Patches down.
            columns: Patches across.
            patch: Side of a patch [px].

        Returns:
            (B, rows * patch, columns * patch) float32, any sign.
        """
        maps = [self._reassemble(i, tokens, rows, columns) for i, tokens in enumerate(tapped)]
        fused = self._fuse_maps(maps)
        half = self.scratch.output_conv1(fused).float()
        if self.planar_tail:
            half = half.contiguous()
        full = enlarge(half, (rows * patch, columns * patch))
        return cast("Tensor", self.scratch.output_conv2(full)).squeeze(1)

    def _reassemble(self, index: int, tokens: Tensor, rows: int, columns: int) -> Tensor:
        """(B, N, dim) -> (B, features, h, w) at this level's size."""
        image = tokens.view(len(tokens), rows, columns, -1).permute(0, 3, 1, 2)  # channels last
        resized = self.resize_layers[index](self.projects[index](image))
        return cast("Tensor", getattr(self.scratch, f"layer{index + 1}_rn")(resized))

    def _fuse_maps(self, maps: Sequence[Tensor]) -> Tensor:
        """Four (B, features, h, w), finest first -> one at twice the finest size."""
        one, two, three, four = maps
        scratch = self.scratch
        path = scratch.refinenet4(four, None, three.shape[2:])
        path = scratch.refinenet3(path, three, two.shape[2:])
        path = scratch.refinenet2(path, two, one.shape[2:])
        height, width = one.shape[2:]
        return cast("Tensor", scratch.refinenet1(path, one, (2 * height, 2 * width)))

    def float32_tail(self) -> dict[str, Tensor]:
        """Keep the last two convolutions as they are, before a cast of the whole network."""
        state: dict[str, Tensor] = self.scratch.output_conv2.state_dict()
        return {name: value.detach().float().clone() for name, value in state.items()}

    def make_tail_planar(self) -> None:
        """Run the last two convolutions channel by channel: cuDNN's float32 wants it so.

        On an H200 the whole network then takes 0.95 (small) and 0.89 (base) of the time.
        """
        self.planar_tail = True
        tail: nn.Module = self.scratch.output_conv2
        tail.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def put_back(self, tail: Mapping[str, Tensor]) -> None:
        """Put them back after the cast, unrounded."""
        self.scratch.output_conv2.to(torch.float32).load_state_dict(dict(tail))


def enlarge(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize with corners aligned: (B, C, h, w) -> (B, C, *size)."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)
