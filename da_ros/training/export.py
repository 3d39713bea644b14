"""A trained run to the files that ship: nano.safetensors and nano.json."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from da_ros.errors import InputError
from da_ros.files import write_whole
from da_ros.network.nano import Nano, fold_norms
from da_ros.network.nano_card import DATA_FOLDER, NANO_CARD, NANO_FILE
from da_ros.network.spec import NanoSpec
from da_ros.training.loop import Recipe
from da_ros.training.predict import predict
from da_ros.training.validation import Validation

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
    """Median over held-out pictures of their nearest predicted inverse depth.

    Args:
        network: In evaluation mode, on the CPU.
        validation: Held-out scenes.

    Returns:
        In the network's own unit, > 0.
    """
    nearest: list[Tensor] = []
    for start in range(0, len(validation.rgb), 16):
        x = validation.rgb[start : start + 16].permute(0, 3, 1, 2).float() / 255
        height, width = (side // 32 * 32 for side in x.shape[-2:])
        out = predict(network, x[..., :height, :width]).flatten(1)
        nearest.append(torch.quantile(out, NEAREST_SHARE, dim=1))
    return float(torch.cat(nearest).median().clamp_min(1e-6))


def export(
    network: Nano,
    spec: NanoSpec,
    folder: Path,
    provenance: dict[str, str],
    resize_target: int = Recipe.height,
) -> Path:
    """Write the weights in float16 and the card beside them.

    Args:
        network: As ``shipped_network`` gives it.
        spec: Its sizes.
        folder: da_ros/network/data, or anywhere else.
        provenance: What is kept in the file's header, as JSON under ``nano``: recipe, figures.
        resize_target: Shorter side of what it was trained on [px].

    Returns:
        The weights' path.

    Raises:
        InputError: If a weight is beyond float16, or no number at all.
    """
    state = {name: _half(name, value) for name, value in network.state_dict().items()}
    # One entry, since the file format does not keep the order of several.
    content = save(state, {"nano": json.dumps(provenance)})
    folder.mkdir(parents=True, exist_ok=True)
    card = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "reference_inverse_depth": 1.0,
        "resize_target": resize_target,
        "resize_multiple": 32,
        "spec": asdict(spec),
        "trained": provenance,
    }
    path = folder / NANO_FILE
    write_whole(path, content)
    write_whole(folder / NANO_CARD, (json.dumps(card, indent=1) + "\n").encode())
    return path


def install(folder: Path, package: Path = DATA_FOLDER) -> Path:
    """Put exported files where da_ros loads them from.

    Args:
        folder: What ``export`` wrote to.
        package: The folder that ships.

    Returns:
        The weights' path.
    """
    package.mkdir(parents=True, exist_ok=True)
    for name in (NANO_FILE, NANO_CARD):
        write_whole(package / name, (folder / name).read_bytes())
    return package / NANO_FILE


def _half(name: str, value: Tensor) -> Tensor:
    small = value.half().contiguous()
    if not bool(small.isfinite().all()):
        raise InputError(f"export of nano: {name} has values that float16 cannot hold")
    return small
