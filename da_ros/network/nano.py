"""nano: a small convolutional depth network of our own, made for demos, tests and tiny machines.

An EfficientNet-Lite0 encoder (Tan & Le 2019; Lite has ReLU6 and no squeeze-and-excite), two
transformer blocks over the 1/32 grid so that every pixel sees the whole picture, and a
convolutional decoder up to half of the input. Batch norms exist only while training; what ships is
plain convolutions, with their batch norms folded in.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from da_ros.network.packed_conv import PackedConv, can_pack_convolutions
from da_ros.network.rounding import round_keeping_sums
from da_ros.network.spec import NanoSpec


@dataclass(frozen=True)
class BlockSpec:
    """One inverted residual block of the encoder.

    Attributes:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Side of the depthwise kernel [px].
        stride: 1 or 2.
        expand: Hidden channels per channel in.
    """

    inputs: int
    outputs: int
    kernel: int
    stride: int
    expand: int


def _stage(
    inputs: int, outputs: int, kernel: int, stride: int, expand: int, repeats: int
) -> list[BlockSpec]:
    first = BlockSpec(inputs, outputs, kernel, stride, expand)
    return [first] + [BlockSpec(outputs, outputs, kernel, 1, expand)] * (repeats - 1)


STEM_CHANNELS = 32
ENCODER_BLOCKS: tuple[BlockSpec, ...] = tuple(
    _stage(32, 16, 3, 1, 1, 1)
    + _stage(16, 24, 3, 2, 6, 2)
    + _stage(24, 40, 5, 2, 6, 2)
    + _stage(40, 80, 3, 2, 6, 3)
    + _stage(80, 112, 5, 1, 6, 3)
    + _stage(112, 192, 5, 2, 6, 4)
    + _stage(192, 320, 3, 1, 6, 1)
)
# The last block of each resolution: 1/2, 1/4, 1/8, 1/16, 1/32 of the input.
TAPS = (0, 2, 4, 10, 15)
TAP_CHANNELS = tuple(ENCODER_BLOCKS[i].outputs for i in TAPS)


class Conv(nn.Module):
    """A convolution with bias, an optional batch norm while training, and an optional activation.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Side of the kernel [px]; the padding keeps the size at stride 1.
        stride: 1 or 2.
        groups: As in torch.
        activation: ``relu6``, ``relu`` or None.
        norm: Whether a batch norm stands between convolution and activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: str | None = "relu",
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=not norm
        )
        self.norm = nn.BatchNorm2d(outputs) if norm else None
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h / stride, w / stride), rounded up."""
        y: Tensor = self.conv(x)
        if self.norm is not None:
            y = self.norm(y)
        # In place, since neither a convolution nor a norm needs its output to go back.
        if self.activation == "relu6":
            return F.relu6(y, inplace=True)
        return F.relu(y, inplace=True) if self.activation == "relu" else y

    def add(self, x: Tensor, other: Tensor, *, relu: bool = False) -> Tensor:
        """Return the bare convolution plus ``other``, with a ReLU on the sum if asked."""
        y: Tensor = self.conv(x)
        total = other + (y if self.norm is None else self.norm(y))
        return F.relu(total) if relu else total


class InvertedResidual(nn.Module):
    """Expand, filter per channel, project; with a skip where sizes agree."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        hidden = spec.inputs * spec.expand
        self.expand = Conv(spec.inputs, hidden, activation="relu6") if spec.expand > 1 else None
        self.filter = Conv(hidden, hidden, spec.kernel, spec.stride, hidden, "relu6")
        self.project = Conv(hidden, spec.outputs, activation=None)
        self.skip = spec.stride == 1 and spec.inputs == spec.outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h / stride, w / stride), rounded up."""
        hidden = self.filter(self.expand(x) if self.expand is not None else x)
        y: Tensor = self.project.add(hidden, x) if self.skip else self.project(hidden)
        return y


class Encoder(nn.Module):
    """EfficientNet-Lite0 without its classifier; gives five feature maps, 1/2 to 1/32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, STEM_CHANNELS, 3, 2, activation="relu6")
        self.blocks = nn.ModuleList(InvertedResidual(spec) for spec in ENCODER_BLOCKS)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map (B, 3, h, w) to the maps of TAPS, the finest (1/2) first."""
        x, features = self.stem(x), []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in TAPS:
                features.append(x)
        return features


class GlobalBlock(nn.Module):
    """Pre-norm attention and MLP over the coarsest grid; a convolution tells the places apart."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.position = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Mix a map (B, width, h, w) over all its places."""
        x = x + self.position(x)
        batch, width, height, columns = x.shape
        tokens: Tensor = x.flatten(2).transpose(1, 2)  # (B, N, width)
        qkv = self.qkv(self.norm1(tokens)).view(batch, -1, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, N, width / heads)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.proj(mixed)
        tokens = tokens + self.fc2(F.gelu(self.fc1(self.norm2(tokens))))
        return tokens.transpose(1, 2).reshape(batch, width, height, columns)


class Fusion(nn.Module):
    """Add a finer feature map to the upsampled coarser one and refine the sum."""

    def __init__(self, coarse: int, lateral: int, width: int, norm: bool) -> None:
        super().__init__()
        self.narrow = Conv(coarse, width, activation=None, norm=norm)
        self.lateral = Conv(lateral, width, activation=None, norm=norm)
        self.refine1 = Conv(width, width, 3, norm=norm)
        self.refine2 = Conv(width, width, 3, norm=norm)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Join (B, coarse, h, w) and (B, lateral, 2 h, 2 w) to (B, width, 2 h, 2 w)."""
        up = F.interpolate(
            self.narrow(coarse), size=fine.shape[-2:], mode="bilinear", align_corners=False
        )
        x = self.lateral.add(fine, up, relu=True)
        y: Tensor = self.refine2(self.refine1(x))
        return x + y


class Nano(nn.Module):
    """Image to relative inverse depth.

    Args:
        spec: Widths of the decoder.
        norm: True for training; the shipped network has its batch norms folded (``fold_norms``).
    """

    def __init__(self, spec: NanoSpec, norm: bool = False) -> None:
        super().__init__()
        coarse, *widths = spec.widths
        self.encoder = Encoder()
        self.reduce = Conv(TAP_CHANNELS[-1], coarse, activation=None, norm=norm)
        self.context = nn.Sequential(
            *(GlobalBlock(coarse, spec.heads) for _ in range(spec.context_blocks))
        )
        inputs = (coarse, *widths[:-1])
        laterals = TAP_CHANNELS[-2::-1]
        self.fusions = nn.ModuleList(
            Fusion(i, lateral, w, norm)
            for i, lateral, w in zip(inputs, laterals, widths, strict=True)
        )
        self.head1 = Conv(widths[-1], widths[-1], 3)
        self.head2 = nn.Conv2d(widths[-1], 1, 1)
        self._dtype = torch.float32

    def for_inference(self, device: torch.device, dtype: torch.dtype, *, packed: bool) -> None:
        """Move to a device and lay the weights out for speed; results stay, up to rounding.

        Call once, after ``load_state_dict``; afterwards there are no weights left to save.

        Args:
            device: Where it will run.
            dtype: Precision of everything but the last two convolutions.
            packed: On a CPU, use oneDNN's layouts (torch.compile makes its own).
        """
        tail = [(last, deepcopy(last.state_dict())) for last in (self.head1, self.head2)]
        with torch.no_grad():
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d):
                    layer.weight.copy_(round_keeping_sums(layer.weight, dtype))
        self.to(device=device, dtype=dtype)
        for last, unrounded in tail:
            last.float().load_state_dict(unrounded)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._dtype = dtype
        if packed and device.type == "cpu" and can_pack_convolutions(dtype):
            for name, layer in list(self.named_modules()):
                if isinstance(layer, Conv) and layer is not self.head1:
                    parent, _, leaf = name.rpartition(".")  # torch has set_submodule since 2.5
                    setattr(self.get_submodule(parent), leaf, PackedConv(layer))

    def forward(self, x: Tensor) -> Tensor:
        """Predict relative inverse depth.

        Args:
            x: Normalised RGB, (B, 3, h, w), h and w multiples of 32.

        Returns:
            Relative inverse depth >= 0, (B, h / 2, w / 2) float32; 0 is farthest.
        """
        return F.relu(self.raw(x))

    def raw(self, x: Tensor) -> Tensor:
        """As ``forward``, before the last ReLU: training needs a gradient everywhere.

        The last two convolutions run in float32 at any precision, so that depth shows no terraces.
        """
        *finer, coarsest = self.encoder(x.to(self._dtype))
        y = self.context(self.reduce(coarsest))
        for fusion, feature in zip(self.fusions, reversed(finer), strict=True):
            y = fusion(y, feature)
        with torch.autocast(x.device.type, enabled=False):
            y = F.relu(_convolve_float32(self.head1.conv, y))
            return _convolve_float32(self.head2, y)[:, 0]


def _convolve_float32(conv: nn.Conv2d, x: Tensor) -> Tensor:
    bias = None if conv.bias is None else conv.bias.float()
    return F.conv2d(x.float(), conv.weight.float(), bias, conv.stride, conv.padding)


def fold_norms(network: Nano) -> Nano:
    """Fold every batch norm into the convolution before it.

    Args:
        network: A network made with ``norm=True``; it is left as it was.

    Returns:
        The same function in evaluation mode, without batch norms.
    """
    folded = deepcopy(network).eval()
    for module in folded.modules():
        if isinstance(module, Conv) and module.norm is not None:
            module.conv = nn.utils.fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = None
    return folded
