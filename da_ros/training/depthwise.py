"""Depthwise convolutions whose gradients do not hold a CPU up.

In bfloat16 oneDNN has no fast code for the gradients of most of them (5x5, or of stride 2): they
take half of a training step. In float32 it has, for both, and they are exact.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _DepthwiseFunction(torch.autograd.Function):
    """A depthwise convolution in whatever autocast asks for, its gradients in float32."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: list[int], pad: list[int]
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias, ctx.stride, ctx.pad = bias is not None, stride, pad
        return F.conv2d(x, weight, bias, stride, pad, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        bias_sizes = [len(weight)] if ctx.has_bias else None
        wanted = [*ctx.needs_input_grad[:2], ctx.has_bias and ctx.needs_input_grad[2]]
        dx, dw, db = torch.ops.aten.convolution_backward(
            grads[0].float(), x.float(), weight.float(), bias_sizes,
            ctx.stride, ctx.pad, [1, 1], False, [0, 0], len(weight), wanted,
        )  # fmt: skip
        return dx.to(x.dtype) if dx is not None else None, dw, db, None, None


class DepthwiseConv2d(nn.Conv2d):
    """As ``nn.Conv2d`` with one filter a channel; under autocast on a CPU, float32 gradients."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, h / stride, w / stride), rounded up."""
        if not (x.device.type == "cpu" and torch.is_autocast_enabled("cpu")):
            return super().forward(x)
        y: Tensor = _DepthwiseFunction.apply(
            x, self.weight, self.bias, list(self.stride), list(self.padding)
        )  # type: ignore[no-untyped-call]
        return y


def quicken_depthwise(network: nn.Module) -> None:
    """Turn all depthwise convolutions of a network into ``DepthwiseConv2d``, in place.

    Their parameters and names stay.

    Args:
        network: Whose depthwise convolutions have zero padding and no dilation.
    """
    for module in network.modules():
        if type(module) is nn.Conv2d and 1 < module.groups == len(module.weight):
            module.__class__ = DepthwiseConv2d
