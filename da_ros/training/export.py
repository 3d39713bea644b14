"""A trained run to the files that ship: nano.safetensors and nano.json."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from da_ros.network.nano import Nano, fold_norms
from da_ros.network.spec import NanoSpec
from da_ros.training.predict import predict
from da_ros.training.validation import Validation

RESIZE_TARGET = 192  # [px] what it is trained at
NEAREST_SHARE = 0.995  # quantile of a picture's inverse depth that counts as its nearest


def shipped_network(averaged: Nano, validation: Validation) -> Nano:
    """Fold the norms and fix the unit: 1.0 is the nearest thing of a typical held-out picture.

    The loss leaves the unit free. With this one the nominal view's reference is 1, and float16 has
    its finest steps where the values are.

    Args:
        averaged: The averaged network of a run.
        validation: Held-out scenes.

    Returns:
        The network that ships, float32.
    """
    network = fold_norms(averaged)
    unit = typical_nearest(network, validation)
    with torch.no_grad():
        network.head2.weight.div_(unit)
        assert network.head2.bias is not None
        network.head2.bias.div_(unit)
    return network


@torch.inference_mode()
def typical_nearest(network: Nano, validation: Validation) -> float:
    """Median over held-out pictures of their nearest predicted inverse depth."""
    nearest: list[Tensor] = []
    for rgb in validation.rgb.split(16):
        x = rgb.permute(0, 3, 1, 2).float() / 255
        height, width = (side // 32 * 32 for side in x.shape[-2:])
        out = predict(network, x[..., :height, :width]).flatten(1)
        nearest.append(torch.quantile(out, NEAREST_SHARE, dim=1))
    return float(torch.cat(nearest).median().clamp_min(1e-6))


def export(network: Nano, spec: NanoSpec, folder: Path, provenance: dict[str, str]) -> Path:
    """Write the weights in float16 and the card beside them.

    Args:
        network: As ``shipped_network`` gives it.
        spec: Its sizes.
        folder: da_ros/network/data, or anywhere else.
        provenance: What is kept in the file's header: recipe, samples, figures.

    Returns:
        The weights' path.
    """
    state = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    content = save(state, {"model": "nano", **provenance})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nano.safetensors"
    path.write_bytes(content)
    card = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "reference_inverse_depth": 1.0,
        "resize_target": RESIZE_TARGET,
        "resize_multiple": 32,
        "spec": asdict(spec),
        "trained": provenance,
    }
    (folder / "nano.json").write_text(json.dumps(card, indent=1) + "\n")
    return path
