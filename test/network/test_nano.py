from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from da_ros.network.nano import ENCODER_BLOCKS, TAP_CHANNELS, TAPS, Conv, Encoder, Nano, fold_norms
from da_ros.network.spec import NanoSpec

PARAMETERS_AT_MOST = 5_000_000
RESIDUAL = ("project.conv", "refine2.conv", ".proj", ".fc2", "position")
SMALL = NanoSpec(widths=(20, 16, 12, 8, 8), context_blocks=1, heads=5)


def picture(height: int, width: int, batch: int = 1) -> Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(4))


def trained_like(spec: NanoSpec, norm: bool = False) -> Nano:
    """Weights under which every layer passes on about as much as it gets, residual ones half.

    Norms have statistics. With the default weights the output is nearly constant, and any
    precision would do.
    """
    torch.manual_seed(7)
    network = Nano(spec, norm)
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if name.endswith(RESIDUAL):
                module.weight.data.mul_(0.5)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.5)
            nn.init.uniform_(module.running_var, 0.3, 3.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.2)
    network.eval()
    with torch.no_grad():
        raw = network.raw(picture(128, 160))
        network.head2.weight.div_(raw.std())
        network.head2.bias.add_(2.0 - network.raw(picture(128, 160)).mean())
    return network


@pytest.fixture(scope="module")
def network() -> Nano:
    return trained_like(NanoSpec())


def relative_error(found: Tensor, expected: Tensor) -> Tensor:
    return (found - expected).abs() / expected.abs().mean()


class TestNano:
    def test_is_small(self, network: Nano) -> None:
        assert sum(p.numel() for p in network.parameters()) <= PARAMETERS_AT_MOST

    @pytest.mark.parametrize("size", [(32, 32), (32, 256), (96, 64), (160, 224)])
    def test_gives_half_the_size_for_any_multiple_of_32(
        self, network: Nano, size: tuple[int, int]
    ) -> None:
        with torch.no_grad():
            out = network(picture(*size, batch=2))
        assert out.shape == (2, size[0] // 2, size[1] // 2)
        assert out.dtype == torch.float32
        assert out.isfinite().all()

    def test_is_never_negative_and_raw_may_be(self, network: Nano) -> None:
        with torch.no_grad():
            raw, out = network.raw(picture(64, 96) * 3), network(picture(64, 96) * 3)
        assert raw.min() < 0
        assert torch.equal(out, raw.clamp_min(0))

    def test_pictures_of_a_batch_do_not_mix(self, network: Nano) -> None:
        pair = picture(64, 96, batch=2)
        with torch.no_grad():
            together = network.raw(pair)
            alone = torch.cat([network.raw(x[None]) for x in pair])
        assert relative_error(together, alone).max() < 1e-3

    def test_every_pixel_sees_the_whole_picture(self, network: Nano) -> None:
        x = picture(128, 160).requires_grad_()
        network.raw(x)[0, 0, 0].backward()
        assert x.grad is not None
        assert (x.grad.abs().sum(1)[0, -32:, -32:] > 0).any()

    def test_a_picture_that_moves_moves_its_depth(self, network: Nano) -> None:
        """By 32 pixels, in the middle, where the border is far."""
        wide = picture(96, 288)
        with torch.no_grad():
            left, right = network.raw(wide[..., :256]), network.raw(wide[..., 32:])
        one, other = left[0, 16:-16, 40:112], right[0, 16:-16, 24:96]
        both = torch.stack((one.flatten(), other.flatten()))
        assert torch.corrcoef(both)[0, 1] > 0.8

    def test_gradients_reach_every_parameter(self) -> None:
        network = Nano(SMALL, norm=True).train()
        network.raw(picture(64, 64, batch=2)).square().mean().backward()
        missing = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
        # A constant added to all keys changes no attention: its gradient is zero or a grain.
        assert [name for name in missing if not name.endswith("qkv.bias")] == []

    def test_has_no_norm_unless_it_trains(self) -> None:
        norms = [
            sum(isinstance(m, nn.BatchNorm2d) for m in Nano(SMALL, norm).modules())
            for norm in (False, True)
        ]
        assert norms == [0, 17]


class TestPrecision:
    @pytest.fixture(scope="class")
    def exact(self, network: Nano) -> Tensor:
        with torch.no_grad():
            return network(picture(128, 160))

    @pytest.mark.parametrize(
        ("dtype", "median", "p99"), [(torch.bfloat16, 0.02, 0.06), (torch.float16, 0.003, 0.01)]
    )
    def test_autocast_is_close(
        self, network: Nano, exact: Tensor, dtype: torch.dtype, median: float, p99: float
    ) -> None:
        with torch.no_grad(), torch.autocast("cpu", dtype):
            out = network(picture(128, 160))
        self.check(out, exact, median, p99)

    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize(
        ("dtype", "median", "p99"),
        [
            (torch.float32, 1e-5, 1e-4),
            (torch.bfloat16, 0.025, 0.08),
            (torch.float16, 0.003, 0.01),
        ],
    )
    def test_weights_of_that_precision_are_close(
        self,
        network: Nano,
        exact: Tensor,
        dtype: torch.dtype,
        median: float,
        p99: float,
        packed: bool,
    ) -> None:
        fast = deepcopy(network)
        fast.for_inference(torch.device("cpu"), dtype, packed=packed)
        with torch.no_grad():
            out = fast(picture(128, 160))
        self.check(out, exact, median, p99)

    def check(self, out: Tensor, exact: Tensor, median: float, p99: float) -> None:
        assert out.dtype == torch.float32
        error = relative_error(out, exact).flatten()
        assert error.median() < median
        assert error.quantile(0.99) < p99

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_depth_shows_no_terraces(self, network: Nano, dtype: torch.dtype) -> None:
        """The last layers are float32: nearly every pixel has a number of its own."""
        with torch.no_grad(), torch.autocast("cpu", dtype):
            out = network(picture(128, 160))
        assert out[out > 0].unique().numel() > 0.95 * (out > 0).sum()


class TestFoldNorms:
    def test_is_the_same_function(self) -> None:
        network = trained_like(SMALL, norm=True)
        folded = fold_norms(network)
        with torch.no_grad():
            expected, found = network.raw(picture(64, 96)), folded.raw(picture(64, 96))
        assert expected.std() > 0.1
        assert relative_error(found, expected).max() < 1e-3

    def test_would_notice_statistics_that_are_left_out(self) -> None:
        network = trained_like(SMALL, norm=True)
        folded = fold_norms(network)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
        with torch.no_grad():
            expected, found = network.raw(picture(64, 96)), folded.raw(picture(64, 96))
        assert relative_error(found, expected).median() > 0.05

    def test_leaves_the_network_as_it_was(self) -> None:
        network = trained_like(SMALL, norm=True).train()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        folded = fold_norms(network)
        assert network.training
        assert not folded.training
        assert all(torch.equal(value, before[n]) for n, value in network.state_dict().items())

    def test_gives_what_a_network_without_norms_loads(self) -> None:
        folded = fold_norms(trained_like(SMALL, norm=True))
        Nano(SMALL).load_state_dict(folded.state_dict(), strict=True)


class TestEncoder:
    def test_gives_five_maps_each_half_of_the_one_before(self) -> None:
        with torch.no_grad():
            features = Encoder().eval()(picture(64, 96))
        sizes = [tuple(f.shape[1:]) for f in features]
        assert sizes == [(c, 32 >> k, 48 >> k) for k, c in enumerate(TAP_CHANNELS)]

    def test_taps_are_the_last_blocks_of_their_resolution(self) -> None:
        halving = [i for i, block in enumerate(ENCODER_BLOCKS) if block.stride == 2]
        assert [*(i - 1 for i in halving), len(ENCODER_BLOCKS) - 1] == list(TAPS)


class TestConv:
    @pytest.mark.parametrize(("activation", "low", "high"), [("relu6", 0, 6), ("relu", 0, 99)])
    def test_activations_clip(self, activation: str, low: float, high: float) -> None:
        conv = Conv(1, 1, activation=activation)
        with torch.no_grad():
            conv.conv.weight.fill_(1.0)
            conv.conv.bias.zero_()  # type: ignore[union-attr]
            out = conv(torch.linspace(-9, 99, 40).view(1, 1, 5, 8))
        assert (out.min(), out.max()) == (low, high)

    def test_without_activation_it_is_linear(self) -> None:
        conv = Conv(2, 3, 3, activation=None)
        x = torch.randn(1, 2, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(conv(2 * x) - conv(0 * x), 2 * (conv(x) - conv(0 * x)))

    @pytest.mark.parametrize("kernel", [1, 3, 5])
    def test_keeps_the_size_or_halves_it(self, kernel: int) -> None:
        x = torch.zeros(1, 2, 12, 16)
        assert Conv(2, 2, kernel)(x).shape[-2:] == (12, 16)
        assert Conv(2, 2, kernel, stride=2)(x).shape[-2:] == (6, 8)
