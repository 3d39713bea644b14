from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from da_ros.network.nano_card import DATA_FOLDER, read_nano_card
from da_ros.network.spec import NanoSpec

CARD = {
    "sha256": "ab" * 32,
    "bytes": 1234,
    "reference_inverse_depth": 2.5,
    "resize_target": 288,
}


def write(folder: Path, **changes: object) -> Path:
    (folder / "nano.json").write_text(json.dumps({**CARD, **changes}), encoding="utf-8")
    return folder


class TestReadNanoCard:
    def test_without_a_card_nano_is_not_trained(self, tmp_path: Path) -> None:
        assert read_nano_card(tmp_path) is None

    def test_reads_what_training_wrote(self, tmp_path: Path) -> None:
        card = read_nano_card(write(tmp_path))
        assert card is not None
        assert (card.checkpoint.sha256, card.checkpoint.size_bytes) == ("ab" * 32, 1234)
        assert card.checkpoint.repo == ""
        assert card.reference_inverse_depth == 2.5
        assert (card.resize.target, card.resize.multiple) == (288, 32)
        assert card.resize.interpolation == "area"
        assert card.spec == NanoSpec()

    def test_reads_another_architecture(self, tmp_path: Path) -> None:
        changed = {"widths": [8, 8, 8, 8, 4], "context_blocks": 1, "heads": 2}
        card = read_nano_card(write(tmp_path, spec=changed, resize_multiple=64))
        assert card is not None
        assert card.spec == NanoSpec(widths=(8, 8, 8, 8, 4), context_blocks=1, heads=2)
        assert card.resize.multiple == 64

    def test_the_shipped_card_is_that_of_the_shipped_file(self) -> None:
        card = read_nano_card()
        if card is None:
            pytest.skip("nano is not trained yet")
        content = (DATA_FOLDER / card.checkpoint.filename).read_bytes()
        assert hashlib.sha256(content).hexdigest() == card.checkpoint.sha256
        assert len(content) == card.checkpoint.size_bytes
