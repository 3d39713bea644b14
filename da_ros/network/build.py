"""Make the network of a registry row, without weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from da_ros.network.spec import NanoSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from da_ros.network.variants import Variant


def build_network(variant: Variant) -> nn.Module:
    """Make the unweighted network of a variant.

    Args:
        variant: A registry row.

    Returns:
        A module in evaluation mode whose parameters are whatever torch initialises them to;
        ``forward`` takes (B, 3, h, w) normalised.
    """
    if isinstance(variant.architecture, NanoSpec):
        from da_ros.network.nano import Nano

        return Nano(variant.architecture).eval()
    from da_ros.network.depth_anything import DepthAnything

    return DepthAnything(variant).eval()


def empty_state(variant: Variant) -> dict[str, Tensor]:
    """Names and shapes that the variant's network loads, without memory or time.

    Args:
        variant: A registry row.

    Returns:
        Its state dict, on torch's meta device.
    """
    import torch

    with torch.device("meta"):
        return dict(build_network(variant).state_dict())
