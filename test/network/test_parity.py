"""The network against the implementation of transformers, with weights that make it work.

Each case goes through a saved file: transformers writes it, ``load_weights`` reads it. The bound
is 1e-4 of the deviation of the output before the last activation. Below, the same comparison is
shown to fail for each mistake that a port of this network can make.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from layouts import as_huggingface
from scaled_weights import picture, scaled_state

from da_ros.network.depth_anything import DepthAnything
from da_ros.network.spec import DepthAnythingSpec, DinoV2Spec, DptSpec
from da_ros.network.variants import Variant, get_variant
from da_ros.network.weights import load_weights

transformers = pytest.importorskip("transformers")

from benchmarks.network import transformers_config  # noqa: E402  (after the skip)

TOLERANCE = 1e-4
ODD, MIDDLE = (70, 98), (154, 210)
SMALL = ("v2-small", "metric-indoor-small", "v1-small")
CPU = torch.device("cpu")

SWIGLU = replace(
    get_variant("v2-small"),
    name="swiglu-of-4-blocks",
    architecture=DepthAnythingSpec(
        DinoV2Spec(dim=192, depth=4, heads=3, ffn="swiglu"), DptSpec(32, (24, 48, 96, 192))
    ),
    taps=(0, 1, 2, 3),
)


class Reference:
    """A variant with scaled weights, in transformers and in the file that transformers saves."""

    def __init__(self, variant: Variant, folder: Path) -> None:
        self.variant = variant
        self.network = transformers.DepthAnythingForDepthEstimation.from_pretrained(
            None,
            config=transformers_config(variant),
            state_dict=as_huggingface(scaled_state(variant)),
        ).eval()
        self.network.save_pretrained(folder)
        self.file = folder / "model.safetensors"
        self.outputs = cache(self.measured)

    def measured(self, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Output before and after the last activation, (h, w) each."""
        seen = []
        hook = self.network.head.conv3.register_forward_hook(
            lambda module, given, made: seen.append(made.clone())
        )
        with torch.inference_mode():
            final = self.network(picture(*size)).predicted_depth[0]
        hook.remove()
        return seen[0][0, 0], final

    def ours(self, position_rule: str = "huggingface", **changes: object) -> DepthAnything:
        variant = replace(self.variant, **changes)
        with torch.device("meta"):  # nothing is drawn only to be overwritten
            network = DepthAnything(variant, position_rule).eval()
        network.load_state_dict(load_weights(self.file, variant).state_dict, assign=True)
        return network

    def difference(self, network: DepthAnything, size: tuple[int, int]) -> float:
        """Largest difference before the last activation, in deviations of the reference."""
        raw, _ = self.outputs(size)
        mine, _ = run(network, size)
        return float((mine - raw).abs().max() / raw.std())


def run(network: DepthAnything, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Our output before and after the last activation, (h, w) each."""
    seen = []
    hook = network.depth_head.register_forward_hook(lambda module, given, made: seen.append(made))
    with torch.inference_mode():
        final = network(picture(*size))[0]
    hook.remove()
    return seen[0][0], final


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Makes each reference once."""

    @cache
    def make(variant: Variant) -> Reference:
        return Reference(variant, tmp_path_factory.mktemp(variant.name))

    return make


class TestScaledWeights:
    @pytest.mark.parametrize(
        ("variant", "size"),
        [
            *((get_variant(name), ODD) for name in SMALL),
            (get_variant("v2-base"), MIDDLE),
            pytest.param(get_variant("v2-large"), MIDDLE, marks=pytest.mark.slow),
            (SWIGLU, MIDDLE),
        ],
        ids=lambda value: getattr(value, "name", None),
    )
    def test_every_block_and_the_output_do_something(self, reference, variant, size):
        made = reference(variant)
        changes = []

        def note(module, given, returned):
            before, after = given[0], returned[0] if isinstance(returned, tuple) else returned
            changes.append(float((after - before).norm() / before.norm()))

        layers = made.network.backbone.encoder.layer
        hooks = [layer.register_forward_hook(note) for layer in layers]
        raw, _ = made.measured(size)
        for hook in hooks:
            hook.remove()
        assert len(changes) == variant.architecture.encoder.depth
        assert min(changes) > 0.1
        assert max(changes) < 0.5
        assert 0.7 < float(raw.std()) < 1.4


class TestParity:
    @pytest.mark.parametrize("size", [(518, 686), (518, 924), ODD])
    @pytest.mark.parametrize("name", SMALL)
    def test_small(self, reference, name, size):
        made = reference(get_variant(name))
        network = made.ours()
        (raw, final), (my_raw, my_final) = made.outputs(size), run(network, size)
        bound = TOLERANCE * float(raw.std())
        torch.testing.assert_close(my_raw, raw, rtol=0.0, atol=bound)
        steepest = (network.max_depth or 4.0) / 4  # slope of the sigmoid; 1 for the ReLU
        torch.testing.assert_close(my_final, final, rtol=1e-6, atol=steepest * bound)

    def test_base(self, reference):
        made = reference(get_variant("v2-base"))
        assert made.difference(made.ours(), MIDDLE) <= TOLERANCE

    @pytest.mark.slow
    def test_large(self, reference):
        made = reference(get_variant("v2-large"))
        assert made.difference(made.ours(), MIDDLE) <= TOLERANCE

    def test_swiglu(self, reference):
        made = reference(SWIGLU)
        assert made.difference(made.ours(), MIDDLE) <= TOLERANCE

    def test_batch_of_two(self, reference):
        made = reference(get_variant("v2-small"))
        raw, _ = made.outputs(ODD)
        pair = torch.cat([picture(*ODD), picture(*ODD, seed=5)])
        with torch.inference_mode():
            mine = made.ours().forward_raw(pair)
        assert float((mine[0] - raw).abs().max() / raw.std()) <= TOLERANCE
        assert float((mine[1] - raw).abs().max() / raw.std()) > 0.1

    @pytest.mark.parametrize("packed", [False, True])
    def test_rewritten_for_inference(self, reference, packed):
        made = reference(get_variant("v2-small"))
        network = made.ours()
        network.for_inference(CPU, torch.float32, packed=packed)
        assert made.difference(network, ODD) <= TOLERANCE


def _wrong_epsilon(network: DepthAnything) -> None:
    for module in network.pretrained.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-5


def _swapped_query_and_key(network: DepthAnything) -> None:
    for block in network.pretrained.blocks:
        for tensor in (block.attn.qkv.weight.data, block.attn.qkv.bias.data):
            query, key, value = tensor.clone().chunk(3)
            tensor.copy_(torch.cat([key, query, value]))


def _dropped_layer_scale(network: DepthAnything) -> None:
    network.pretrained.blocks[0].ls1.gamma.data.fill_(1.0)


def _approximate_gelu(network: DepthAnything) -> None:
    for block in network.pretrained.blocks:
        block.mlp.act = torch.nn.GELU(approximate="tanh")


MISTAKES = {
    "the other version's taps": lambda made: made.ours(taps=OTHER_TAPS[made.variant.family]),
    "the official positional rule": lambda made: made.ours(position_rule="official"),
    "epsilon of 1e-5": lambda made: spoilt(made, _wrong_epsilon),
    "query and key swapped": lambda made: spoilt(made, _swapped_query_and_key),
    "a dropped LayerScale": lambda made: spoilt(made, _dropped_layer_scale),
    "GELU by tanh": lambda made: spoilt(made, _approximate_gelu),
}
OTHER_TAPS = {"v1": (2, 5, 8, 11), "v2": (8, 9, 10, 11), "metric-indoor": (8, 9, 10, 11)}


@torch.no_grad()
def spoilt(made: Reference, spoil) -> DepthAnything:
    network = made.ours()
    spoil(network)
    return network


class TestParityCanFail:
    """What the tolerance is worth: each of these is a network that looks right and is not."""

    @pytest.mark.parametrize("mistake", MISTAKES)
    @pytest.mark.parametrize("name", SMALL)
    def test_small(self, reference, name, mistake):
        made = reference(get_variant(name))
        assert made.difference(MISTAKES[mistake](made), ODD) > 3 * TOLERANCE

    @pytest.mark.slow
    @pytest.mark.parametrize("mistake", MISTAKES)
    @pytest.mark.parametrize("size", [(518, 686), (518, 924)])
    def test_at_full_size(self, reference, size, mistake):
        made = reference(get_variant("v2-small"))
        assert made.difference(MISTAKES[mistake](made), size) > 3 * TOLERANCE

    @pytest.mark.parametrize("mistake", list(MISTAKES)[1:-1])
    def test_swiglu(self, reference, mistake):
        made = reference(SWIGLU)
        assert made.difference(MISTAKES[mistake](made), MIDDLE) > 3 * TOLERANCE
