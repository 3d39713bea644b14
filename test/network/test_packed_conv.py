"""Packed convolutions against torch's plain ones."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

from da_ros.network.nano import Conv, Nano
from da_ros.network.packed_conv import SIZES_KEPT, PackedConv, can_pack_convolutions
from da_ros.network.spec import NanoSpec

CPU = torch.device("cpu")

pytestmark = pytest.mark.skipif(
    not can_pack_convolutions(torch.float32), reason="this torch has no oneDNN convolutions"
)


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def channels_last(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator).contiguous(memory_format=torch.channels_last)


def plain(layer: Conv, x: torch.Tensor) -> torch.Tensor:
    conv = layer.conv
    return F.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding, 1, conv.groups)


class TestPackedConv:
    @pytest.mark.parametrize(("kernel", "stride", "groups"), [(1, 1, 1), (3, 2, 1), (5, 2, 16)])
    @pytest.mark.parametrize("size", [(32, 64), (7, 5), (1, 1)])
    def test_like_the_plain_one(
        self, kernel: int, stride: int, groups: int, size: tuple[int, int]
    ) -> None:
        torch.manual_seed(kernel)
        layer = Conv(16, 16, kernel, stride, groups, activation=None).eval()
        x = channels_last(2, 16, *size)
        torch.testing.assert_close(PackedConv(layer)(x), plain(layer, x), atol=1e-5, rtol=1e-5)

    def test_activations(self) -> None:
        torch.manual_seed(0)
        for activation, expected in (("relu", F.relu), ("relu6", F.relu6)):
            layer = Conv(8, 24, 3, activation=activation).eval()
            layer.conv.weight.mul_(20)
            x = channels_last(1, 8, 9, 11)
            made = PackedConv(layer)(x)
            assert (made == 0).any()
            torch.testing.assert_close(made, expected(plain(layer, x)), atol=1e-4, rtol=1e-5)

    @pytest.mark.parametrize("relu", [False, True])
    def test_add(self, relu: bool) -> None:
        torch.manual_seed(1)
        layer = Conv(8, 8, activation=None).eval()
        x, other = channels_last(1, 8, 6, 7), channels_last(1, 8, 6, 7) - 1
        kept = other.clone()
        total = plain(layer, x) + other
        made = PackedConv(layer).add(x, other, relu=relu)
        expected = F.relu(total) if relu else total
        torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(other, kept, atol=0, rtol=0)

    def test_many_sizes_are_not_kept_for_ever(self) -> None:
        layer = Conv(4, 4, 3, activation=None).eval()
        packed = PackedConv(layer)
        for width in range(4, 4 + 3 * SIZES_KEPT):
            x = channels_last(1, 4, 5, width)
            torch.testing.assert_close(packed(x), plain(layer, x), atol=1e-5, rtol=1e-5)
            assert len(packed._packed) <= SIZES_KEPT


class TestNanoForInference:
    @pytest.fixture
    def network(self) -> Nano:
        torch.manual_seed(2)
        network = Nano(NanoSpec()).eval()
        network.head2.weight.mul_(20)
        network.head2.bias.fill_(1.0)
        return network

    def test_float32_is_the_same(self, network: Nano) -> None:
        fast = copy.deepcopy(network)
        fast.for_inference(CPU, torch.float32, packed=True)
        assert isinstance(fast.reduce, PackedConv)
        for size in ((64, 96), (96, 64)):
            x = channels_last(2, 3, *size)
            expected = network(x)
            assert expected.std() > 1e-3
            torch.testing.assert_close(fast(x), expected, atol=1e-5, rtol=1e-5)

    @pytest.mark.skipif(
        not can_pack_convolutions(torch.bfloat16), reason="no bfloat16 convolutions here"
    )
    def test_bfloat16_is_near(self, network: Nano) -> None:
        fast = copy.deepcopy(network)
        fast.for_inference(CPU, torch.bfloat16, packed=True)
        x = channels_last(1, 3, 96, 128)
        expected, made = network(x), fast(x)
        assert made.dtype is torch.float32
        error = (made - expected).abs() / expected.std()
        assert 0 < float(error.median()) < 0.1

    def test_unpacked(self, network: Nano) -> None:
        fast = copy.deepcopy(network)
        fast.for_inference(CPU, torch.float32, packed=False)
        assert isinstance(fast.reduce, Conv)
        x = channels_last(1, 3, 64, 64)
        torch.testing.assert_close(fast(x), network(x), atol=1e-5, rtol=1e-5)
