"""What training minimises: disagreement with the truth, whatever the unknown scale and shift."""

from __future__ import annotations

import torch
from torch import Tensor

SCALES = 4
FLOOR = 0.05  # of the mean inverse depth: where the logarithm of far things levels off


def normalise(d: Tensor) -> Tensor:
    """Take away the median and divide by the mean absolute deviation, per picture.

    Args:
        d: Inverse depth, (B, H, W).

    Returns:
        (d - median) / mean |d - median|, same shape (Depth Anything V1, equation 3).
    """
    flat = d.flatten(1)
    centred = flat - flat.median(1, keepdim=True).values
    return (centred / centred.abs().mean(1, keepdim=True).clamp_min(1e-6)).view_as(d)


def affine_invariant(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference after ``normalise`` of both; (B, H, W) each, a scalar out."""
    return (normalise(predicted) - normalise(truth)).abs().mean()


def gradient_matching(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute gradient of the normalised difference, summed over four scales (MiDaS)."""
    return _gradients(normalise(predicted) - normalise(truth))


def _gradients(difference: Tensor) -> Tensor:
    total = torch.zeros((), device=difference.device)
    for k in range(SCALES):
        d = difference[:, :: 2**k, :: 2**k]
        total = (
            total + (d[:, :, 1:] - d[:, :, :-1]).abs().mean() + (d[:, 1:] - d[:, :-1]).abs().mean()
        )
    return total


def log_ratio(predicted: Tensor, truth: Tensor) -> Tensor:
    """Scale-invariant difference of logarithms: weighs far things, and puts zero at infinity."""
    p = predicted.clamp_min(0) / predicted.clamp_min(0).mean((1, 2), keepdim=True).clamp_min(1e-6)
    t = truth / truth.mean((1, 2), keepdim=True).clamp_min(1e-6)
    return ((p + FLOOR).log() - (t + FLOOR).log()).abs().mean()


def negativity(predicted: Tensor) -> Tensor:
    """How far predictions are below zero, where the shipped network's ReLU would cut them off."""
    spread = predicted.detach().abs().mean((1, 2), keepdim=True).clamp_min(1e-6)
    return (-predicted / spread).clamp_min(0).mean()


def depth_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """The sum that nano is trained with.

    Args:
        predicted: Raw output, (B, H, W) float32.
        truth: True inverse depth [1/m], same shape, 0 for sky.

    Returns:
        A scalar.
    """
    difference = normalise(predicted) - normalise(truth)  # of both terms below: medians are dear
    return (
        difference.abs().mean()
        + _gradients(difference)
        + 0.5 * log_ratio(predicted, truth)
        + 0.5 * negativity(predicted)
    )
