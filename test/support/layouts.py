"""Names and shapes of published checkpoints, written down from docs, not from da_ros's code.

Source: MODEL_FACTS sections 1 and 2 (the official repositories at their pinned commits).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import torch

SIZES = {
    # dim, depth, hidden of the feed-forward, features, out_channels
    "small": (384, 12, 1536, 64, (48, 96, 192, 384)),
    "base": (768, 12, 3072, 128, (96, 192, 384, 768)),
    "large": (1024, 24, 4096, 256, (256, 512, 1024, 1024)),
    "giant": (1536, 40, 4096, 384, (1536, 1536, 1536, 1536)),
}
TENSORS = {"small": 239, "base": 239, "large": 407, "giant": 631}
PARAMETERS = {
    "small": 24_785_089,
    "base": 97_470_785,
    "large": 335_315_649,
    "giant": 1_258_132_225,
}

Shape = tuple[int, ...]


def official_shapes(size: str) -> dict[str, Shape]:
    """Every tensor of an official .pth file."""
    dim, depth, hidden, features, out = SIZES[size]
    shapes: dict[str, Shape] = {
        "pretrained.cls_token": (1, 1, dim),
        "pretrained.mask_token": (1, dim),
        "pretrained.pos_embed": (1, 1370, dim),
        "pretrained.patch_embed.proj.weight": (dim, 3, 14, 14),
        "pretrained.patch_embed.proj.bias": (dim,),
    }
    for i in range(depth):
        block = f"pretrained.blocks.{i}."
        for norm in ("norm1", "norm2"):
            shapes |= {f"{block}{norm}.weight": (dim,), f"{block}{norm}.bias": (dim,)}
        shapes |= {f"{block}ls1.gamma": (dim,), f"{block}ls2.gamma": (dim,)}
        linears = {"attn.qkv": (3 * dim, dim), "attn.proj": (dim, dim)}
        if size == "giant":
            linears |= {"mlp.w12": (2 * hidden, dim), "mlp.w3": (dim, hidden)}
        else:
            linears |= {"mlp.fc1": (hidden, dim), "mlp.fc2": (dim, hidden)}
        for name, shape in linears.items():
            shapes |= {f"{block}{name}.weight": shape, f"{block}{name}.bias": shape[:1]}
    shapes |= {"pretrained.norm.weight": (dim,), "pretrained.norm.bias": (dim,)}
    for i, channels in enumerate(out):
        shapes[f"depth_head.projects.{i}.weight"] = (channels, dim, 1, 1)
        shapes[f"depth_head.projects.{i}.bias"] = (channels,)
        shapes[f"depth_head.scratch.layer{i + 1}_rn.weight"] = (features, channels, 3, 3)
    for i, kernel in ((0, 4), (1, 2), (3, 3)):
        shapes[f"depth_head.resize_layers.{i}.weight"] = (out[i], out[i], kernel, kernel)
        shapes[f"depth_head.resize_layers.{i}.bias"] = (out[i],)
    for i in (1, 2, 3, 4):
        stage = f"depth_head.scratch.refinenet{i}."
        shapes |= {f"{stage}out_conv.weight": (features, features, 1, 1)}
        shapes |= {f"{stage}out_conv.bias": (features,)}
        for unit in ("resConfUnit1", "resConfUnit2"):
            for conv in ("conv1", "conv2"):
                shapes[f"{stage}{unit}.{conv}.weight"] = (features, features, 3, 3)
                shapes[f"{stage}{unit}.{conv}.bias"] = (features,)
    half = features // 2
    tail = {"1": (half, features, 3, 3), "2.0": (32, half, 3, 3), "2.2": (1, 32, 1, 1)}
    for name, shape in tail.items():
        shapes[f"depth_head.scratch.output_conv{name}.weight"] = shape
        shapes[f"depth_head.scratch.output_conv{name}.bias"] = shape[:1]
    return shapes


def as_huggingface(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors as transformers' save_pretrained names them; q, k and v apart."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        if ".attn.qkv." in name:
            block, leaf = int(name.split(".")[2]), name.rsplit(".", 1)[1]
            for part, value in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                layer = f"backbone.encoder.layer.{block}.attention.attention"
                found[f"{layer}.{part}.{leaf}"] = value
        else:
            found[_huggingface_name(name)] = tensor
    return found


def _huggingface_name(name: str) -> str:
    if name.startswith("pretrained.blocks."):
        _, _, block, rest = name.split(".", 3)
        for ours, theirs in (
            ("attn.proj", "attention.output.dense"),
            ("ls1.gamma", "layer_scale1.lambda1"),
            ("ls2.gamma", "layer_scale2.lambda1"),
            ("mlp.w12", "mlp.weights_in"),
            ("mlp.w3", "mlp.weights_out"),
        ):
            if rest.startswith(ours):
                rest = theirs + rest[len(ours) :]
                break
        return f"backbone.encoder.layer.{block}.{rest}"
    scratch = "depth_head.scratch."
    if name.startswith(f"{scratch}layer"):
        return f"neck.convs.{int(name[len(scratch) + 5]) - 1}.weight"
    if name.startswith(f"{scratch}refinenet"):
        number, rest = name[len(scratch) + 9 :].split(".", 1)
        for ours, theirs in (
            ("out_conv", "projection"),
            ("resConfUnit", "residual_layer"),
            (".conv", ".convolution"),
        ):
            rest = rest.replace(ours, theirs)
        return f"neck.fusion_stage.layers.{'3210'[int(number) - 1]}.{rest}"
    for ours, theirs in (
        ("pretrained.pos_embed", "backbone.embeddings.position_embeddings"),
        ("pretrained.cls_token", "backbone.embeddings.cls_token"),
        ("pretrained.mask_token", "backbone.embeddings.mask_token"),
        ("pretrained.patch_embed.proj", "backbone.embeddings.patch_embeddings.projection"),
        ("pretrained.norm", "backbone.layernorm"),
        ("depth_head.scratch.output_conv1", "head.conv1"),
        ("depth_head.scratch.output_conv2.0", "head.conv2"),
        ("depth_head.scratch.output_conv2.2", "head.conv3"),
    ):
        if name.startswith(ours):
            return theirs + name[len(ours) :]
    kind, number, leaf = name.removeprefix("depth_head.").split(".")
    stage = "projection" if kind == "projects" else "resize"
    return f"neck.reassemble_stage.layers.{number}.{stage}.{leaf}"


def flat_state(size: str, value: float = 0.0, dtype: torch.dtype = torch.float32):
    """Official names, full shapes, one number stretched over each tensor: light to save."""
    seed = torch.full((1,), value, dtype=dtype)
    return {name: seed.expand(shape) for name, shape in official_shapes(size).items()}


def random_state(size: str, seed: int = 0, dtype: torch.dtype = torch.float32):
    """Official names and shapes, different numbers everywhere."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (torch.randn(shape, generator=generator) * 0.02).to(dtype)
        for name, shape in official_shapes(size).items()
    }


def save_sparse_safetensors(path: Path, shapes: dict[str, Shape], mark: str, width: int = 2):
    """A float16 (width 2) file of zeros that takes no room on the disk; ``mark`` makes it one."""
    header: dict[str, object] = {"__metadata__": {"mark": mark}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + width * torch.Size(shape).numel()
        dtype = {2: "F16", 4: "F32"}[width]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
