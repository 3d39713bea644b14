"""What ships beside ``nano.safetensors``: its hash and figures, written by training, read here.

A JSON file, so that a retrained model needs no change of code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from da_ros.network.checkpoints import Checkpoint
from da_ros.network.spec import NanoSpec, ResizeRule

DATA_FOLDER = Path(__file__).parent / "data"
NANO_FILE = "nano.safetensors"
NANO_CARD = "nano.json"


@dataclass(frozen=True)
class NanoCard:
    """What nano.json says.

    Attributes:
        checkpoint: The shipped file.
        reference_inverse_depth: ``d_ref`` of the nominal view, in nano's own unit.
        resize: How an image becomes the input.
        spec: Sizes of the network.
    """

    checkpoint: Checkpoint
    reference_inverse_depth: float
    resize: ResizeRule
    spec: NanoSpec


def read_nano_card(folder: Path = DATA_FOLDER) -> NanoCard | None:
    """Read nano.json.

    Keys: ``sha256``, ``bytes``, ``reference_inverse_depth``, ``resize_target`` [px]; optional
    ``resize_multiple`` [px] and ``spec`` (fields of ``NanoSpec``).

    Args:
        folder: Where nano.json and nano.safetensors lie.

    Returns:
        The card, or None while nano is not trained.
    """
    path = folder / NANO_CARD
    if not path.is_file():
        return None
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    spec: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in card.get("spec", {}).items()
    }
    return NanoCard(
        checkpoint=Checkpoint(
            repo="",
            filename=NANO_FILE,
            revision="",
            sha256=card["sha256"],
            size_bytes=card["bytes"],
            layout="official",
        ),
        reference_inverse_depth=float(card["reference_inverse_depth"]),
        resize=ResizeRule(
            target=card["resize_target"],
            multiple=card.get("resize_multiple", 32),
            interpolation="area",
        ),
        spec=NanoSpec(**spec),
    )
