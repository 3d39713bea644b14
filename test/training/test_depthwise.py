from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from da_ros.network.nano import Nano
from da_ros.network.spec import NanoSpec
from da_ros.training.depthwise import DepthwiseConv2d, quicken_depthwise

LAYOUTS = (torch.contiguous_format, torch.channels_last)


def layer(kernel: int, stride: int, *, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(kernel)
    return nn.Conv2d(6, 6, kernel, stride, kernel // 2, groups=6, bias=bias)


def quickened(plain: nn.Conv2d) -> DepthwiseConv2d:
    network = nn.Sequential(deepcopy(plain))
    quicken_depthwise(network)
    assert isinstance(network[0], DepthwiseConv2d)
    return network[0]


def gradients(module: nn.Conv2d, x: Tensor, upstream: Tensor, *, mixed: bool) -> list[Tensor]:
    """Output, then the gradients of the input and of all parameters."""
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        y = module(x)
    y.backward(upstream.to(y.dtype))
    assert x.grad is not None
    return [y, x.grad, *(p.grad for p in module.parameters() if p.grad is not None)]


class TestDepthwiseConv2d:
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
    def test_gradients_are_those_of_float32(
        self, kernel: int, stride: int, layout: torch.memory_format
    ) -> None:
        plain = layer(kernel, stride)
        with torch.no_grad():  # numbers that bfloat16 holds, so that float32 is the exact answer
            plain.weight.copy_(plain.weight.bfloat16())
        x = torch.randn(2, 6, 12, 10).bfloat16().float().contiguous(memory_format=layout)
        upstream = torch.randn(2, 6, -(-12 // stride), -(-10 // stride)).bfloat16().float()
        ours = gradients(quickened(plain), x, upstream, mixed=True)
        want = gradients(plain, x, upstream, mixed=False)
        assert ours[0].dtype == torch.bfloat16
        assert len(ours) == len(want) == 4
        torch.testing.assert_close(ours[0].float(), want[0], rtol=1e-2, atol=1e-2)
        for got, exact in zip(ours[1:], want[1:], strict=True):
            assert got.dtype == torch.float32
            torch.testing.assert_close(got, exact, rtol=1e-5, atol=1e-5)

    def test_the_output_is_that_of_the_plain_one(self) -> None:
        plain, x = layer(5, 2, bias=False), torch.randn(2, 6, 12, 10)
        for mixed in (True, False):
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                assert torch.equal(quickened(plain)(x), plain(x))

    def test_an_input_in_bfloat16_gets_its_gradient_in_bfloat16(self) -> None:
        x = torch.randn(2, 6, 12, 10).bfloat16()
        _, dx, *_ = gradients(quickened(layer(3, 1)), x, torch.ones(2, 6, 12, 10), mixed=True)
        assert dx.dtype == torch.bfloat16

    def test_no_gradient_is_made_that_nobody_wants(self) -> None:
        module, x = quickened(layer(3, 1, bias=False)), torch.randn(1, 6, 8, 8)
        module.requires_grad_(requires_grad=False)
        with torch.autocast("cpu", torch.bfloat16):
            module(x.requires_grad_()).sum().backward()
        assert x.grad is not None
        assert module.weight.grad is None


class TestQuickenDepthwise:
    def test_nano_keeps_its_weights_and_their_names(self) -> None:
        network = Nano(NanoSpec(), norm=True)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        quicken_depthwise(network)
        after = network.state_dict()
        assert after.keys() == before.keys()
        assert all(torch.equal(after[name], value) for name, value in before.items())

    def test_only_depthwise_ones_are_changed(self) -> None:
        grouped = nn.Conv2d(8, 8, 3, groups=4)
        network = nn.Sequential(layer(3, 1), nn.Conv2d(6, 6, 3), nn.Conv2d(1, 1, 3), grouped)
        quicken_depthwise(network)
        assert [type(m) for m in network] == [DepthwiseConv2d, nn.Conv2d, nn.Conv2d, nn.Conv2d]
