"""The whole network: names, activations, what it refuses, its forms for inference."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from layouts import official_shapes
from scaled_weights import picture, scaled_state

from da_ros.errors import ParameterError, ShapeError
from da_ros.network.depth_anything import UNUSED_KEYS, DepthAnything
from da_ros.network.device import CpuFeatures
from da_ros.network.packed import PackedLinear, can_pack
from da_ros.network.variants import get_variant
from da_ros.types import Kind

CPU = torch.device("cpu")


def small(name: str = "v2-small") -> DepthAnything:
    network = DepthAnything(get_variant(name)).eval()
    state = scaled_state(get_variant(name))
    network.load_state_dict({k: v for k, v in state.items() if not k.startswith(UNUSED_KEYS)})
    return network


class TestNames:
    @pytest.mark.parametrize("size", ["small", "base", "large", "giant"])
    def test_are_the_official_ones_but_for_the_unused(self, size):
        with torch.device("meta"):
            state = DepthAnything(get_variant(f"v2-{size}")).state_dict()
        expected = {
            name: shape
            for name, shape in official_shapes(size).items()
            if "mask_token" not in name and "refinenet4.resConfUnit1" not in name
        }
        assert {name: tuple(value.shape) for name, value in state.items()} == expected


class TestGuards:
    def test_refuses_another_architecture(self):
        with pytest.raises(ParameterError, match="variant nano: expected a DepthAnythingSpec"):
            DepthAnything(get_variant("nano"))

    def test_refuses_a_metric_model_without_max_depth(self):
        nameless = replace(get_variant("v2-small"), kind=Kind.METRIC_DEPTH)
        with pytest.raises(ParameterError, match="a metric model needs its max_depth"):
            DepthAnything(nameless)

    def test_refuses_a_cut_patch(self):
        with pytest.raises(ShapeError, match=r"multiples of 14 px, got 30x28"):
            DepthAnything(get_variant("v2-small"))(torch.zeros(1, 3, 28, 30))


class TestForward:
    @torch.inference_mode()
    def test_relative_is_never_negative(self):
        network = small()
        network.depth_head.scratch.output_conv2[2].bias -= 3.0
        raw, made = network.forward_raw(picture(70, 98)), network(picture(70, 98))
        assert made.shape == (1, 70, 98)
        assert float(raw.min()) < 0
        assert torch.equal(made, raw.clamp(min=0))

    @pytest.mark.parametrize(("place", "max_depth"), [("indoor", 20.0), ("outdoor", 80.0)])
    @torch.inference_mode()
    def test_metric_is_a_sigmoid_times_max_depth(self, place, max_depth):
        network = small(f"metric-{place}-small")
        raw, made = network.forward_raw(picture(70, 98)), network(picture(70, 98))
        torch.testing.assert_close(made, max_depth / (1 + torch.exp(-raw)))

    @torch.inference_mode()
    def test_takes_any_float_and_gives_float32(self):
        assert small()(picture(70, 98).double()).dtype is torch.float32


class TestForInference:
    @torch.inference_mode()
    def test_bfloat16_leaves_the_tail_in_float32(self):
        network = small()
        loaded = network.depth_head.float32_tail()
        network.for_inference(CPU, torch.bfloat16, packed=False)
        kept = network.depth_head.float32_tail()
        assert all(torch.equal(kept[name], value) for name, value in loaded.items())
        convolution = network.depth_head.scratch.output_conv1.weight
        assert convolution.is_contiguous(memory_format=torch.channels_last)
        tail = set(network.depth_head.scratch.output_conv2.parameters())
        assert {p.dtype for p in tail} == {torch.float32}
        assert {p.dtype for p in network.parameters() if p not in tail} == {torch.bfloat16}
        assert network(picture(70, 98)).dtype is torch.float32

    @pytest.mark.skipif(not can_pack(torch.float32), reason="this torch has no oneDNN products")
    @pytest.mark.parametrize("packed", [False, True])
    def test_packs_on_a_cpu_when_asked(self, packed):
        network = small()
        network.for_inference(CPU, torch.float32, packed=packed)
        found = [m for m in network.modules() if isinstance(m, PackedLinear)]
        assert len(found) == (4 * 12 if packed else 0)

    @pytest.mark.skipif(not can_pack(torch.bfloat16), reason="no bfloat16 products here")
    @pytest.mark.parametrize("amx", [False, True])
    def test_slices_the_attention_without_a_matrix_unit(self, monkeypatch, amx):
        features = CpuFeatures(avx512_bf16=True, amx_bf16=amx)
        monkeypatch.setattr("da_ros.network.depth_anything.cpu_features", lambda: features)
        network = small()
        network.for_inference(CPU, torch.bfloat16, packed=True)
        assert {block.attn.sliced for block in network.pretrained.blocks} == {not amx}
