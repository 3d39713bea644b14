"""Depth Anything V1 and V2: a DINOv2 encoder, a DPT head, and the last activation.

Source:
    Yang et al., Depth Anything, arXiv 2401.10891; Depth Anything V2, arXiv 2406.09414.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from da_ros.errors import ParameterError
from da_ros.network.device import cpu_features
from da_ros.network.encoder import DinoV2
from da_ros.network.head import DptHead
from da_ros.network.packed import can_pack
from da_ros.network.spec import DepthAnythingSpec
from da_ros.types import Kind

if TYPE_CHECKING:
    from torch import Tensor

    from da_ros.network.spec import PositionRule
    from da_ros.network.variants import Variant

UNUSED_KEYS = ("pretrained.mask_token", "depth_head.scratch.refinenet4.resConfUnit1.")
"""Prefixes of weights that the official files hold and no forward pass ever reads."""


class DepthAnything(nn.Module):
    """The whole network, unweighted; its ``state_dict`` has the official names.

    Args:
        variant: A registry row whose architecture is a ``DepthAnythingSpec``.
        position_rule: ``official``, or ``huggingface`` to match transformers to the last digit.

    Raises:
        ParameterError: If the variant has another architecture, or is metric without a max_depth.
    """

    def __init__(self, variant: Variant, position_rule: PositionRule = "official") -> None:
        super().__init__()
        spec = variant.architecture
        if not isinstance(spec, DepthAnythingSpec):
            raise ParameterError(
                f"variant {variant.name}: expected a DepthAnythingSpec, got {spec}"
            )
        if variant.kind is Kind.METRIC_DEPTH and variant.max_depth is None:
            raise ParameterError(f"variant {variant.name}: a metric model needs its max_depth")
        self.patch = spec.encoder.patch
        self.max_depth = variant.max_depth if variant.kind is Kind.METRIC_DEPTH else None
        self.pretrained = DinoV2(spec.encoder, variant.taps, position_rule)
        self.depth_head = DptHead(spec.head, spec.encoder.dim)

    def forward(self, image: Tensor) -> Tensor:
        """Run the network.

        Args:
            image: (B, 3, h, w) normalised, both sides multiples of the patch; any float precision.

        Returns:
            (B, h, w) float32: relative inverse depth >= 0, or metric depth [m].

        Raises:
            ShapeError: If a side is no multiple of the patch.
        """
        return self.activate(self.forward_raw(image))

    def activate(self, raw: Tensor) -> Tensor:
        """The last activation: ReLU, or for a metric model a sigmoid times max_depth."""
        if self.max_depth is None:
            return torch.relu(raw)
        return torch.sigmoid(raw) * self.max_depth

    def forward_raw(self, image: Tensor) -> Tensor:
        """Like ``forward``, before the last activation: (B, h, w) float32, any sign."""
        height, width = map(int, image.shape[-2:])
        tapped = self.pretrained(image.to(self.dtype))
        rows, columns = height // self.patch, width // self.patch
        return cast("Tensor", self.depth_head(tapped, rows, columns, self.patch))

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the encoder and of most of the head."""
        return self.pretrained.cls_token.dtype

    def for_inference(self, device: torch.device, dtype: torch.dtype, *, packed: bool) -> None:
        """Move to a device and rewrite loaded weights for speed; results stay, up to rounding.

        Call once, after ``load_state_dict``; afterwards the network no longer has the official
        weights to save. The last two convolutions stay float32.

        Args:
            device: Where it will run.
            dtype: Precision of everything else.
            packed: On a CPU, use oneDNN's layouts (torch.compile makes its own).
        """
        self.pretrained.fold_scales()
        tail = self.depth_head.float32_tail()
        self.to(device=device, dtype=dtype)
        self.depth_head.put_back(tail)
        self.depth_head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if device.type == "cuda":
            self.depth_head.make_tail_planar()
        if packed and device.type == "cpu" and can_pack(dtype):
            self.pretrained.pack(sliced=dtype is torch.bfloat16 and not cpu_features().amx_bf16)
