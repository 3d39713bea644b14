"""From what a network predicts to depth in metres, with REP 117's values for what is no number.

NaN is unknown, +Inf is farther than ``far``, -Inf is nearer than ``near``; every finite value is
a depth along the optical axis in [near, far].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from da_ros.errors import ParameterError
from da_ros.types import DepthRange, DepthScale, ScaleShift

_LARGEST_MILLIMETRES = 65535

# Torch splits a pass over 32,768 numbers and more between threads. These passes last microseconds;
# waiting for another thread on a robot whose cores are all busy lasts milliseconds.
_UNSPLIT = 32_000


def resize_prediction(values: Tensor, height: int, width: int) -> Tensor:
    """Bring predictions from the network's grid to the image's, before any conversion.

    Relative models are resized in inverse depth, where a plane is linear in the pixels.
    Bilinear with half-pixel centres (align_corners=False), the inverse of the input's resize.

    Args:
        values: (B, h, w) float32, any unit.
        height: Of the image [px].
        width: Of the image [px].

    Returns:
        (B, height, width) float32 on the same device; ``values`` itself if the size is the same.
    """
    if tuple(values.shape[-2:]) == (height, width):
        return values
    if values.device.type == "cpu":
        return _resize_cv2(values, height, width)
    return _resize_torch(values, height, width)


def inverse_depth_to_depth(
    inverse_depth: Tensor, scale_shift: ScaleShift, depth_range: DepthRange
) -> Tensor:
    """Turn relative inverse depth into metres: z = 1 / (s d + t).

    Args:
        inverse_depth: d, any shape, float32, in the checkpoint's own unit.
        scale_shift: s > 0 and t.
        depth_range: +Inf where s d + t <= 1/far, -Inf where z < near.

    Returns:
        Depth [m], same shape, float32; NaN where d is not finite.

    Raises:
        ParameterError: If the scale is not positive, or a number is not finite.
    """
    scale, shift = scale_shift.scale, scale_shift.shift
    if not (0.0 < scale < math.inf and math.isfinite(shift)):
        raise ParameterError(
            f"scale: expected a finite scale > 0 and a finite shift, got {scale} and {shift}"
        )

    def convert(values: Tensor, out: Tensor) -> None:
        _affine(values, scale, shift, out)
        # threshold keeps NaN, and 1/0 is +Inf: one pass each, not a mask and a masked write.
        functional.threshold(out, 1.0 / depth_range.far, 0.0, inplace=True)
        _strike_out_near(out.reciprocal_(), depth_range.near)
        _strike_out_non_finite(out, values)

    return _piecewise(convert, inverse_depth)


def metric_to_depth(values: Tensor, depth_scale: DepthScale, depth_range: DepthRange) -> Tensor:
    """Correct and limit the depth of a metric model: z = k z_net.

    Args:
        values: z_net [m], any shape, float32.
        depth_scale: k > 0.
        depth_range: +Inf where z >= far, -Inf where z < near.

    Returns:
        Depth [m], same shape, float32; NaN where z_net is not finite.

    Raises:
        ParameterError: If k is not a finite number > 0.
    """
    factor = depth_scale.factor
    if not 0.0 < factor < math.inf:
        raise ParameterError(f"scale: expected a finite factor > 0, got {factor}")

    def convert(z_net: Tensor, out: Tensor) -> None:
        # Negated, z >= far is -z <= -far, which threshold strikes out to -Inf in one pass.
        torch.mul(z_net, -factor, out=out)
        functional.threshold(out, -depth_range.far, -math.inf, inplace=True)
        _strike_out_near(out.neg_(), depth_range.near)
        _strike_out_non_finite(out, z_net)

    return _piecewise(convert, values)


def nominal_depth(inverse_depth: Tensor, reference: float, depth_range: DepthRange) -> Tensor:
    """Spread relative inverse depth over a fixed range: for viewing only, never metres.

    1/z = 1/far + (1/near - 1/far) min(d / d_ref, 1)

    Args:
        inverse_depth: d, any shape, float32.
        reference: d_ref > 0 in the unit of d: a fixed number of the checkpoint, never taken from
            the frame, so that a still object stays still.
        depth_range: near and far.

    Returns:
        Depth-like values in [near, far], same shape, float32; NaN where d is not finite. A d
        below 0 counts as 0, farthest.

    Raises:
        ParameterError: If d_ref is not a finite number > 0.
    """
    if not 0.0 < reference < math.inf:
        raise ParameterError(f"nominal_d_ref: expected a finite number > 0, got {reference}")
    nearest, farthest = 1.0 / depth_range.near, 1.0 / depth_range.far

    def convert(values: Tensor, out: Tensor) -> None:
        torch.mul(values, 1.0 / reference, out=out).clamp_(0.0, 1.0)
        _affine(out, nearest - farthest, farthest, out)
        # Rounding in 1/(1/far) must not step over the limits.
        out.reciprocal_().clamp_(depth_range.near, depth_range.far)
        _strike_out_non_finite(out, values)

    return _piecewise(convert, inverse_depth)


def depth_to_millimetres(depth: Tensor) -> Tensor:
    """Encode depth as 16UC1: whole millimetres, 0 where there is none (REP 118).

    Args:
        depth: [m], any shape, float32.

    Returns:
        Nearest millimetre, same shape, uint16; 0 for NaN, +-Inf, and all that is not in
        (0, 65.535] m.
    """
    limit = float(np.float32(_LARGEST_MILLIMETRES / 1000))

    def convert(metres: Tensor, out: Tensor) -> None:
        inside = (metres > 0) & (metres <= limit)
        # In float64 the product is exact, so that the nearest millimetre is the nearest one.
        millimetres = torch.where(inside, metres, 0.0).double().mul_(1000.0).round_()
        out.copy_(millimetres.to(torch.int32))

    return _piecewise(convert, depth, torch.uint16)


def _piecewise(
    convert: Callable[[Tensor, Tensor], object],
    values: Tensor,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Apply an elementwise conversion: on a GPU at once, on a CPU in pieces, in this thread.

    Args:
        convert: Writes what it makes of its first argument into its second.
        values: Any shape, kept.
        dtype: Of the result.
    """
    out = torch.empty(values.shape, dtype=dtype, device=values.device)
    if values.device.type != "cpu":
        convert(values, out)
        return out
    sources = torch.split(values.reshape(-1), _UNSPLIT)
    for source, target in zip(sources, torch.split(out.view(-1), _UNSPLIT), strict=True):
        convert(source, target)
    return out


def _affine(values: Tensor, scale: float, shift: float, out: Tensor) -> None:
    """Write scale * values + shift to out in one pass."""
    # The shift is filled in on the device: nothing is uploaded, nothing waits.
    offset = torch.full((), shift, dtype=torch.float32, device=values.device)
    torch.add(offset, values, alpha=scale, out=out)


def _strike_out_near(depth: Tensor, near: float) -> None:
    """Set depth < near to -Inf in place; NaN stays."""
    below = np.nextafter(np.float32(near), np.float32(0))  # threshold strikes <=, not <.
    functional.threshold(depth, float(below), -math.inf, inplace=True)


def _strike_out_non_finite(depth: Tensor, source: Tensor) -> None:
    """Set depth to NaN in place where its source is NaN or Inf: both times 0 are NaN."""
    depth.add_(source, alpha=0)


def _resize_cv2(values: Tensor, height: int, width: int) -> Tensor:
    out = torch.empty((*values.shape[:-2], height, width), dtype=torch.float32)
    for source, target in zip(values.contiguous().numpy(), out.numpy(), strict=True):
        cv2.resize(source, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
    return out


def _resize_torch(values: Tensor, height: int, width: int) -> Tensor:
    resized = functional.interpolate(
        values[:, None], size=(height, width), mode="bilinear", align_corners=False
    )
    return resized[:, 0]
