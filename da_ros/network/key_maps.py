"""From the tensor names of a file to the official ones, whatever prefix or layout it has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from da_ros.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

    from da_ros.network.checkpoints import Layout

OFFICIAL_START = re.compile(r"^(.*?)pretrained\.(?:cls_token|pos_embed|patch_embed|blocks|norm)\b")
HUGGINGFACE_START = re.compile(r"^(.*?)backbone\.(?:embeddings|encoder|layernorm)\.")

BLOCK = r"^backbone\.encoder\.layer\.(\d+)\."
FUSION = r"^neck\.fusion_stage\.layers\.([0-3])\."

HUGGINGFACE_RULES: tuple[tuple[str, str], ...] = (
    (r"^backbone\.embeddings\.(cls_token|mask_token)$", r"pretrained.\1"),
    (r"^backbone\.embeddings\.position_embeddings$", r"pretrained.pos_embed"),
    (r"^backbone\.embeddings\.patch_embeddings\.projection\.", r"pretrained.patch_embed.proj."),
    (BLOCK + r"attention\.output\.dense\.", r"pretrained.blocks.\1.attn.proj."),
    (BLOCK + r"attention\.attention\.", r"pretrained.blocks.\1.attn."),
    (BLOCK + r"layer_scale([12])\.lambda1$", r"pretrained.blocks.\1.ls\2.gamma"),
    (BLOCK + r"mlp\.weights_in\.", r"pretrained.blocks.\1.mlp.w12."),
    (BLOCK + r"mlp\.weights_out\.", r"pretrained.blocks.\1.mlp.w3."),
    (BLOCK + r"(norm[12]|mlp\.fc[12])\.", r"pretrained.blocks.\1.\2."),
    (r"^backbone\.layernorm\.", r"pretrained.norm."),
    (r"^neck\.reassemble_stage\.layers\.(\d)\.projection\.", r"depth_head.projects.\1."),
    (r"^neck\.reassemble_stage\.layers\.(\d)\.resize\.", r"depth_head.resize_layers.\1."),
    (r"^head\.conv1\.", r"depth_head.scratch.output_conv1."),
    (r"^head\.conv2\.", r"depth_head.scratch.output_conv2.0."),
    (r"^head\.conv3\.", r"depth_head.scratch.output_conv2.2."),
)
"""Plain renamings; where the numbering turns around, see ``_renumbered``."""

QUERY_KEY_VALUE = re.compile(
    r"^(pretrained\.blocks\.\d+\.attn)\.(query|key|value)\.(weight|bias)$"
)


def layout_of(names: Mapping[str, object]) -> tuple[Layout, str] | None:
    """Recognise a file by how its tensor names begin.

    Args:
        names: Tensors by name.

    Returns:
        The layout and the prefix before it (``module.``, ``model.`` or such), or None.
    """
    for name in names:
        if match := OFFICIAL_START.match(name):
            return "official", match[1]
        if match := HUGGINGFACE_START.match(name):
            return "huggingface", match[1]
    return None


def official_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of a Depth Anything file their official names.

    Names that fit no rule stay as they are, for the strict check to report.

    Args:
        tensors: By the file's own names.

    Returns:
        By official name, query, key and value joined to one ``qkv``.

    Raises:
        WeightsError: If the layout is unknown, or two tensors come to one name.
    """
    found = layout_of(tensors)
    if found is None:
        raise WeightsError("unknown_layout", unknown_layout_message(tensors))
    layout, prefix = found
    state: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        stripped = name.removeprefix(prefix)
        target = stripped if layout == "official" else _renamed(stripped)
        if target in state:
            raise WeightsError("keys", f"two tensors of the file are {target}; one is {name}")
        state[target] = tensor
    return state if layout == "official" else _with_fused_qkv(state)


def _renamed(name: str) -> str:
    for pattern, replacement in HUGGINGFACE_RULES:
        renamed, count = re.subn(pattern, replacement, name)
        if count:
            return renamed
    return _renumbered(name)


def _renumbered(name: str) -> str:
    """Names that number otherwise: neck.convs.0 is layer1_rn, fusion layer 0 is refinenet4."""
    if match := re.match(r"^neck\.convs\.([0-3])\.(.+)$", name):
        return f"depth_head.scratch.layer{int(match[1]) + 1}_rn.{match[2]}"
    if match := re.match(FUSION + r"(.+)$", name):
        rest = match[2].replace("projection.", "out_conv.")
        rest = re.sub(
            r"^residual_layer([12])\.convolution([12])\.", r"resConfUnit\1.conv\2.", rest
        )
        return f"depth_head.scratch.refinenet{4 - int(match[1])}.{rest}"
    return name


def _with_fused_qkv(state: dict[str, Tensor]) -> dict[str, Tensor]:
    import torch

    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if match := QUERY_KEY_VALUE.match(name):
            parts.setdefault(f"{match[1]}.qkv.{match[3]}", {})[match[2]] = tensor
    fused = {
        name: torch.cat([found[part] for part in ("query", "key", "value")])
        for name, found in parts.items()
        if _can_join(found)
    }
    kept = {
        name: tensor
        for name, tensor in state.items()
        if not (match := QUERY_KEY_VALUE.match(name)) or f"{match[1]}.qkv.{match[3]}" not in fused
    }
    return kept | fused


def _can_join(found: dict[str, Tensor]) -> bool:
    shapes = {tuple(tensor.shape) for tensor in found.values()}
    return len(found) == 3 and len(shapes) == 1 and shapes != {()}


def unknown_layout_message(names: Iterable[str]) -> str:
    """Say what a file holds whose tensor names fit no layout.

    Args:
        names: Of its tensors.

    Returns:
        A clause without the file's name.
    """
    names = list(names)
    if any(name.startswith(("blocks.0.", "backbone.blocks.0.")) for name in names):
        return "the file holds a bare DINOv2 encoder, without a depth head"
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"its tensors are those of no model that da_ros knows ({shown or 'none at all'})"
