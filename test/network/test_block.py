"""The parts of a transformer block, against literal formulas."""

from __future__ import annotations

import math

import pytest
import torch

from da_ros.network.block import Attention, Block, LayerScale, Mlp, SwiGlu
from da_ros.network.packed import can_pack
from da_ros.network.spec import DinoV2Spec

SPEC = DinoV2Spec(dim=16, depth=1, heads=2)
GIANT = DinoV2Spec(dim=16, depth=1, heads=2, ffn="swiglu")


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.4
    return module.eval()


def tokens(count: int = 5, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, count, 16, generator=torch.Generator().manual_seed(4))


class TestAttention:
    @torch.inference_mode()
    def test_equals_loops_over_heads_and_tokens(self):
        layer, x = randomised(Attention(SPEC)), tokens(batch=1).double()
        layer.double()
        qkv = x[0] @ layer.qkv.weight.T + layer.qkv.bias
        expected = torch.zeros(5, 16, dtype=torch.double)
        for head in range(2):
            part = slice(8 * head, 8 * head + 8)
            query, key, value = (qkv[:, 16 * i :][:, part] for i in range(3))
            for i in range(5):
                powers = [math.exp(float(query[i] @ key[j]) / math.sqrt(8)) for j in range(5)]
                for j in range(5):
                    expected[i, part] += powers[j] / sum(powers) * value[j]
        expected = expected @ layer.proj.weight.T + layer.proj.bias
        torch.testing.assert_close(layer(x)[0], expected)


class TestFeedForward:
    @torch.inference_mode()
    def test_mlp_has_the_exact_gelu(self):
        layer, x = randomised(Mlp(SPEC)), tokens()
        inner = layer.fc1(x)
        gelu = inner * 0.5 * (1 + torch.erf(inner / math.sqrt(2)))
        torch.testing.assert_close(layer(x), layer.fc2(gelu))

    @torch.inference_mode()
    def test_swiglu_gates_with_its_first_half(self):
        layer, x = randomised(SwiGlu(GIANT)), tokens()
        both = layer.w12(x)
        gate, value = both[..., : GIANT.ffn_hidden], both[..., GIANT.ffn_hidden :]
        torch.testing.assert_close(layer(x), layer.w3(gate / (1 + torch.exp(-gate)) * value))

    @pytest.mark.parametrize(("dim", "hidden"), [(1536, 4096), (192, 512), (100, 272)])
    def test_swiglu_is_two_thirds_wide_in_steps_of_eight(self, dim, hidden):
        assert DinoV2Spec(dim=dim, depth=1, heads=1, ffn="swiglu").ffn_hidden == hidden


class TestBlock:
    @torch.inference_mode()
    def test_adds_both_scaled_branches(self):
        block, x = randomised(Block(SPEC)), tokens()
        middle = x + block.ls1.gamma * block.attn(block.norm1(x))
        expected = middle + block.ls2.gamma * block.mlp(block.norm2(middle))
        torch.testing.assert_close(block(x), expected)

    @pytest.mark.parametrize("spec", [SPEC, GIANT], ids=["mlp", "swiglu"])
    @torch.inference_mode()
    def test_folded_scales_compute_the_same(self, spec):
        block, x = randomised(Block(spec)), tokens()
        before = block(x)
        block.fold_scales()
        assert not any(isinstance(module, LayerScale) for module in block.modules())
        torch.testing.assert_close(block(x), before)
        block.fold_scales()  # a second time changes nothing
        torch.testing.assert_close(block(x), before)

    @pytest.mark.skipif(not can_pack(torch.float32), reason="this torch has no oneDNN products")
    @pytest.mark.parametrize("spec", [SPEC, GIANT], ids=["mlp", "swiglu"])
    @pytest.mark.parametrize("sliced", [False, True])
    @torch.inference_mode()
    def test_packed_computes_the_same(self, spec, sliced):
        block, x = randomised(Block(spec)), tokens(count=37)
        before = block(x)
        block.pack(sliced=sliced)
        torch.testing.assert_close(block(x), before, rtol=1e-4, atol=1e-4)
