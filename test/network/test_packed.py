"""Products in oneDNN's layout and attention in slices, against torch's plain ones in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.network.device import CpuFeatures
from da_ros.network.packed import PackedLinear, can_pack, sliced_attention

needs_packing = pytest.mark.skipif(
    not can_pack(torch.float32), reason="this torch has no oneDNN products"
)


class TestPackedLinear:
    @needs_packing
    @pytest.mark.parametrize("avx512f", [False, True])
    @pytest.mark.parametrize("gelu", [False, True])
    @pytest.mark.parametrize("shape", [(1, 7, 48), (2, 1814, 48), (5, 48)])
    @torch.inference_mode()
    def test_equals_the_plain_layer(self, monkeypatch, avx512f, gelu, shape):
        features = CpuFeatures(avx512f=avx512f)
        monkeypatch.setattr("da_ros.network.packed.cpu_features", lambda: features)
        torch.manual_seed(0)
        layer, x = torch.nn.Linear(48, 20), torch.randn(shape)
        expected = F.linear(x.double(), layer.weight.double(), layer.bias.double())
        expected = F.gelu(expected) if gelu else expected
        made = PackedLinear(layer, gelu=gelu)(x)
        torch.testing.assert_close(made, expected.float(), rtol=1e-5, atol=1e-5)


class TestCanPack:
    def test_refuses_what_the_operator_does_not_take(self):
        assert not can_pack(torch.float16)
        assert not can_pack(torch.float64)

    def test_leaves_the_random_state_alone(self):
        can_pack.cache_clear()
        torch.manual_seed(7)
        can_pack(torch.float32)
        after = torch.rand(1)
        torch.manual_seed(7)
        assert torch.equal(after, torch.rand(1))


class TestSlicedAttention:
    @settings(deadline=None, max_examples=40)
    @given(
        batch=st.integers(1, 3),
        heads=st.integers(1, 6),
        count=st.integers(1, 300),
        strided=st.booleans(),
    )
    @torch.inference_mode()
    def test_equals_softmax_in_float64(self, batch, heads, count, strided):
        generator = torch.Generator().manual_seed(count)
        qkv = torch.randn(batch, count, 3, heads, 16, generator=generator)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if not strided:
            query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
        scores = query.double() @ key.double().transpose(-1, -2) / 4.0
        expected = scores.softmax(-1) @ value.double()
        made = sliced_attention(query, key, value)
        assert made.shape == (batch, heads, count, 16)
        torch.testing.assert_close(made, expected.float(), rtol=1e-5, atol=1e-5)

    @torch.inference_mode()
    def test_many_slices_in_bfloat16(self):
        torch.manual_seed(0)
        query, key, value = torch.randn(3, 1, 6, 1814, 64).bfloat16()
        expected = F.scaled_dot_product_attention(query.float(), key.float(), value.float())
        made = sliced_attention(query, key, value)
        assert made.dtype is torch.bfloat16
        assert float((made.float() - expected).abs().max()) < 0.01

    @torch.inference_mode()
    def test_its_memory_is_ready_for_the_projection(self):
        query = torch.randn(2, 6, 30, 16)
        assert sliced_attention(query, query, query).transpose(1, 2).is_contiguous()
