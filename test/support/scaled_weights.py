"""Random weights under which a network does something: a parity test on them can fail.

With a default initialisation a Depth Anything puts out nearly zero whatever it computes. Here
every block changes its input by 10-50 % and the output before the last activation has a standard
deviation of about 1. The token stream starts at a deviation of 0.03, so that even the epsilon of
a LayerNorm shows. The factors are rounded, so that the weights do not depend on the last digits
of the network that they are measured with.
"""

from __future__ import annotations

import hashlib

import torch
import torch.nn.functional as F

from da_ros.network.depth_anything import DepthAnything

STREAM = 0.03
CHANGE = 0.25
"""Of the stream, by the attention and again by the feed-forward of each block."""

RAW_MEAN = 3.0
"""Of a relative model's output before the ReLU, in deviations: nearly all of it passes."""


def picture(height: int, width: int, seed: int = 0, batch: int = 1) -> torch.Tensor:
    """A normalised picture with coarse and fine detail, (batch, 3, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(batch, 3, 6, 8, generator=generator)
    fine = torch.randn(batch, 3, height, width, generator=generator)
    return F.interpolate(coarse, size=(height, width), mode="bilinear") + 0.5 * fine


@torch.no_grad()
def scaled_state(variant, seed: int = 0) -> dict[str, torch.Tensor]:
    """Official names, the never-used ones too, of weights scaled for this variant's taps."""
    generator = torch.Generator().manual_seed(seed)
    network = DepthAnything(variant).eval()
    for name, parameter in network.named_parameters():
        parameter.copy_(_draw(name, parameter, generator))
    _scale_blocks(network)
    _scale_output(network)
    width = network.depth_head.scratch.output_conv1.in_channels
    unused = {"pretrained.mask_token": torch.zeros(1, variant.architecture.encoder.dim)}
    for conv in ("conv1", "conv2"):
        stem = f"depth_head.scratch.refinenet4.resConfUnit1.{conv}"
        unused[f"{stem}.weight"] = torch.randn(width, width, 3, 3, generator=generator)
        unused[f"{stem}.bias"] = torch.randn(width, generator=generator)
    return network.state_dict() | unused


def digest_of(state: dict[str, torch.Tensor]) -> str:
    """Says whether two machines drew the same weights."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode() + state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def _draw(name: str, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    noise = torch.randn(like.shape, generator=generator)
    if "pos_embed" in name or "cls_token" in name:
        return STREAM / 2 * noise
    if name.endswith("gamma"):
        return 1 + 0.5 * noise
    if "norm" in name:
        return 0.1 * noise + (1.0 if name.endswith("weight") else 0.0)
    if name.endswith("bias"):
        return 0.1 * noise * (STREAM if "patch_embed" in name else 1.0)
    if "resize_layers" in name and name.split(".")[2] in {"0", "1"}:
        return noise * like.shape[0] ** -0.5  # a transposed convolution with stride = kernel
    gain = STREAM if "patch_embed" in name else 1.5 if "qkv" in name else 1.0
    return gain * noise * like[0].numel() ** -0.5


def _scale_blocks(network: DepthAnything) -> None:
    """Set the mean size of every LayerScale by what its branch adds to the stream."""
    tokens = network.pretrained._embed(picture(98, 126))
    for block in network.pretrained.blocks:
        for norm, branch, scale in (
            (block.norm1, block.attn, block.ls1),
            (block.norm2, block.mlp, block.ls2),
        ):
            change = scale(branch(norm(tokens)))
            factor = _rounded(CHANGE * tokens.norm() / change.norm())
            scale.gamma.mul_(factor)
            tokens = tokens + factor * change


def _scale_output(network: DepthAnything) -> None:
    raw = network.forward_raw(picture(98, 126))
    last = network.depth_head.scratch.output_conv2[2]
    factor = _rounded(1 / raw.std())
    mean = 0.0 if network.max_depth else RAW_MEAN
    last.weight.mul_(factor)
    last.bias.fill_(mean - _rounded(factor * (raw.mean() - last.bias)))


def _rounded(value: torch.Tensor | float) -> float:
    return float(f"{float(value):.2g}")
