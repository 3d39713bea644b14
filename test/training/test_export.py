from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from da_ros.errors import InputError
from da_ros.network.estimator import DepthEstimator
from da_ros.network.nano import Nano
from da_ros.network.nano_card import read_nano_card
from da_ros.network.spec import NanoSpec
from da_ros.network.variants import get_variant
from da_ros.network.weights import load_weights
from da_ros.params import ModelParams
from da_ros.training.export import export, install, shipped_network, typical_nearest
from da_ros.training.loop import Recipe
from da_ros.training.validation import Validation
from da_ros.types import Kind

NAMES = ["nano.json", "nano.safetensors"]
PROVENANCE = {"samples": "64", "held_out": "absrel 0.2"}


@pytest.fixture(scope="module")
def averaged() -> Nano:
    """A network as a run averages it: norms with statistics, and an output well above zero."""
    torch.manual_seed(6)
    network = Nano(NanoSpec(), norm=True)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    with torch.no_grad():
        network.head2.weight.mul_(40)
        network.head2.bias.fill_(8.0)
    return network.eval()


@pytest.fixture(scope="module")
def shipped(averaged: Nano, validation: Validation) -> Nano:
    return shipped_network(averaged, validation)


@pytest.fixture(scope="module")
def folder(shipped: Nano, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "data"
    export(shipped, NanoSpec(), folder, PROVENANCE, 64)
    return folder


class TestShippedNetwork:
    def test_the_nearest_of_a_typical_picture_is_one(
        self, averaged: Nano, shipped: Nano, validation: Validation
    ) -> None:
        assert abs(typical_nearest(averaged, validation) - 1) > 0.5
        assert typical_nearest(shipped, validation) == pytest.approx(1.0, rel=0.02)

    def test_only_the_unit_differs(self, averaged: Nano, shipped: Nano) -> None:
        x = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            ratio = averaged.raw(x) / shipped.raw(x)
        assert float(ratio.max() / ratio.min()) == pytest.approx(1.0, rel=1e-3)

    def test_has_no_norms_left(self, averaged: Nano, shipped: Nano) -> None:
        assert not [m for m in shipped.modules() if isinstance(m, nn.BatchNorm2d)]
        assert [m for m in averaged.modules() if isinstance(m, nn.BatchNorm2d)]


class TestExport:
    def test_the_file_loads_as_nano(self, folder: Path, shipped: Nano) -> None:
        loaded = load_weights(folder / "nano.safetensors", get_variant("nano"))
        assert loaded.info.kind is Kind.RELATIVE_INVERSE_DEPTH
        assert not loaded.info.verified
        for name, value in shipped.state_dict().items():
            assert torch.equal(loaded.state_dict[name], value.half().float())

    def test_with_its_card_it_is_verified(self, folder: Path) -> None:
        card = read_nano_card(folder)
        assert card is not None
        row = replace(get_variant("nano"), checkpoints=(card.checkpoint,))
        loaded = load_weights(folder / "nano.safetensors", registry={"nano": row})
        assert loaded.info.verified
        assert loaded.variant is row

    def test_the_card_says_what_the_file_is(self, folder: Path) -> None:
        card, content = read_nano_card(folder), (folder / "nano.safetensors").read_bytes()
        assert card is not None
        assert card.checkpoint.sha256 == hashlib.sha256(content).hexdigest()
        assert card.checkpoint.size_bytes == len(content) < 10e6
        assert card.reference_inverse_depth == 1.0
        assert card.spec == NanoSpec()
        assert (card.resize.target, card.resize.multiple) == (64, 32)

    def test_the_file_says_how_it_was_trained(self, folder: Path) -> None:
        with safe_open(folder / "nano.safetensors", "pt") as file:
            assert json.loads(file.metadata()["nano"]) == PROVENANCE
        assert json.loads((folder / "nano.json").read_text())["trained"] == PROVENANCE

    def test_holds_float16_alone(self, folder: Path) -> None:
        state = load_file(folder / "nano.safetensors")
        assert {value.dtype for value in state.values()} == {torch.float16}

    def test_the_same_weights_give_the_same_bytes(self, shipped: Nano, folder: Path) -> None:
        again = export(shipped, NanoSpec(), folder / "again", PROVENANCE, 64)
        assert again.read_bytes() == (folder / "nano.safetensors").read_bytes()

    def test_the_estimator_computes_what_the_trained_network_does(
        self, folder: Path, shipped: Nano
    ) -> None:
        params = ModelParams(device="cpu", precision="fp32", model_variant="nano", input_size=64)
        estimator = DepthEstimator.load(folder / "nano.safetensors", params)
        image = np.random.default_rng(3).integers(0, 256, (1, 64, 96, 3), np.uint8)
        found = estimator.estimate(image).values
        with torch.no_grad():
            expected = shipped(estimator.prepare(image))
        assert found.shape == (1, 32, 48)
        torch.testing.assert_close(found, expected, atol=0.01 * float(expected.max()), rtol=0)

    def test_by_default_it_is_resized_as_it_was_trained(
        self, shipped: Nano, tmp_path: Path
    ) -> None:
        export(shipped, NanoSpec(), tmp_path, {})
        card = read_nano_card(tmp_path)
        assert card is not None
        assert card.resize.target == Recipe().height
        assert sorted(path.name for path in tmp_path.iterdir()) == NAMES

    @pytest.mark.parametrize("value", [1e6, torch.nan])
    def test_refuses_what_float16_cannot_hold(
        self, shipped: Nano, tmp_path: Path, value: float
    ) -> None:
        broken = Nano(NanoSpec())
        with torch.no_grad():
            broken.head1.conv.weight[0, 0, 0, 0] = value
        with pytest.raises(
            InputError, match=r"head1\.conv\.weight has values that float16 cannot"
        ):
            export(broken, NanoSpec(), tmp_path, {})
        assert not list(tmp_path.iterdir())


class TestInstall:
    def test_copies_both_files(self, folder: Path, tmp_path: Path) -> None:
        assert install(folder, tmp_path / "data") == tmp_path / "data" / "nano.safetensors"
        assert sorted(path.name for path in (tmp_path / "data").iterdir()) == NAMES
        for name in NAMES:
            assert (tmp_path / "data" / name).read_bytes() == (folder / name).read_bytes()
