"""How far off the depth of each pixel may be."""

from __future__ import annotations

import torch
from torch import Tensor

from da_ros.errors import ShapeError
from da_ros.types import DepthScale, ScaleShift


def depth_std(
    depth: Tensor,
    network: Tensor,
    transform: ScaleShift | DepthScale,
    pixel_error: float,
) -> Tensor:
    """Predictive standard deviation of depth.

    sigma_z = z^2 sqrt([d 1] Cov [d 1]^T + (e y)^2) for y = s d + t, and
    sigma_z = z sqrt(var(k) / k^2 + e^2) for z = k z_network.

    Args:
        depth: As published, (..., H, W) float32 [m].
        network: What the network said at the same pixels, same shape: d, or z_network.
        transform: What made one from the other, with its covariance.
        pixel_error: e, relative: what the transform's own covariance does not explain.

    Returns:
        Same shape, float32 [m]; NaN where the depth is not finite.

    Raises:
        ShapeError: If the two differ in shape.
    """
    if depth.shape != network.shape:
        raise ShapeError(
            f"depth_std: expected depth and network output of one shape, got "
            f"{tuple(depth.shape)} and {tuple(network.shape)}"
        )
    finite = torch.where(torch.isfinite(depth), depth, torch.nan)
    if isinstance(transform, DepthScale):
        relative = (transform.variance / transform.factor**2 + pixel_error**2) ** 0.5
        return finite * float(relative)
    scale_variance, both, shift_variance = transform.covariance
    of_line = (scale_variance * network + 2.0 * both) * network + shift_variance
    # Rounding may take a tiny quadratic form below zero.
    inverse_std: Tensor = (of_line.clamp_min(0.0) + (pixel_error / finite) ** 2).sqrt()
    std: Tensor = finite.square() * inverse_std
    return std


def sigma_at(metres: float, transform: ScaleShift | DepthScale, pixel_error: float) -> float:
    """Predictive standard deviation of a depth, wherever in the frame it may be.

    Args:
        metres: The depth [m].
        transform: As in ``depth_std``.
        pixel_error: Likewise.

    Returns:
        [m].
    """
    if isinstance(transform, DepthScale):
        network = metres / transform.factor
    else:
        network = (1.0 / metres - transform.shift) / transform.scale
    depth, value = (torch.tensor([number], dtype=torch.float64) for number in (metres, network))
    return float(depth_std(depth, value, transform, pixel_error))
