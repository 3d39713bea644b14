"""Weights in fewer bits, rounded so that what matters most of them stays."""

from __future__ import annotations

import torch
from torch import Tensor


def round_keeping_sums(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Round kernels so that each one's sum stays what it was.

    A kernel that takes differences has taps that cancel. Rounded one by one they no longer do, and
    a plain surface, such as a sky, looks to it like an edge everywhere. Here the tap nearest to
    zero, whose steps are the finest, makes up for what the others' rounding has done to the sum.

    Args:
        weight: (outputs, inputs / groups, height, width), finite.
        dtype: A floating-point type of at most the weight's precision.

    Returns:
        Values that ``dtype`` holds exactly, in that type, same shape. Where all taps were exact
        already they are unchanged.
    """
    taps = weight.flatten(2).double()
    rounded = taps.to(dtype).double()
    finest = taps.abs().argmin(2, keepdim=True)
    rounded.scatter_add_(2, finest, (taps - rounded).sum(2, keepdim=True))
    return rounded.to(dtype).view_as(weight)
