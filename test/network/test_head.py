"""The DPT head: sizes, the order of projection and resize, float32 at the end."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from da_ros.network.head import DptHead, FusionStage, ResidualUnit, enlarge
from da_ros.network.spec import DptSpec

SPEC = DptSpec(features=16, out_channels=(8, 12, 16, 24))


def head(seed: int = 0) -> DptHead:
    torch.manual_seed(seed)
    return DptHead(SPEC, dim=32).eval()


class TestEnlarge:
    def test_keeps_the_corners(self):
        x = torch.randn(1, 1, 3, 4)
        made = enlarge(x, (7, 11))
        assert torch.equal(
            made[..., [0, 0, -1, -1], [0, -1, 0, -1]], x[..., [0, 0, -1, -1], [0, -1, 0, -1]]
        )

    def test_is_linear_between(self):
        ramp = torch.arange(4.0).expand(1, 1, 2, 4)
        torch.testing.assert_close(enlarge(ramp, (2, 7))[0, 0, 0], torch.arange(0, 3.5, 0.5))


class TestResidualUnit:
    @torch.inference_mode()
    def test_leaves_its_input_alone_and_adds_it(self):
        unit, x = ResidualUnit(8).eval(), torch.randn(1, 8, 5, 6)
        kept = x.clone()
        expected = x + unit.conv2(F.relu(unit.conv1(F.relu(x))))
        torch.testing.assert_close(unit(x), expected)
        assert torch.equal(x, kept)


class TestFusionStage:
    @torch.inference_mode()
    def test_projecting_before_the_resize_changes_nothing(self):
        stage = FusionStage(8).eval()
        coarse, fine = torch.randn(2, 1, 8, 5, 6)
        merged = coarse + stage.resConfUnit1(fine)
        refined = stage.resConfUnit2(merged)
        resized = F.interpolate(refined, size=(10, 12), mode="bilinear", align_corners=True)
        expected = stage.out_conv(resized)
        torch.testing.assert_close(stage(coarse, fine, (10, 12)), expected, rtol=1e-5, atol=1e-5)

    def test_the_coarsest_has_one_unit(self):
        assert not hasattr(FusionStage(8, first=True), "resConfUnit1")


class TestForward:
    @pytest.mark.parametrize(("rows", "columns"), [(3, 4), (5, 7), (1, 2)])
    @torch.inference_mode()
    def test_covers_every_patch(self, rows, columns):
        tapped = [torch.randn(2, rows * columns, 32) for _ in range(4)]
        made = head()(tapped, rows, columns, 14)
        assert made.shape == (2, 14 * rows, 14 * columns)

    @torch.inference_mode()
    def test_puts_tokens_in_reading_order(self):
        """Changing the last patch changes the bottom right corner most."""
        network = head()
        tapped = [torch.randn(1, 48, 32) for _ in range(4)]
        changed = [tokens.clone() for tokens in tapped]
        changed[0][0, -1] += 3.0
        difference = (network(changed, 6, 8, 14) - network(tapped, 6, 8, 14)).abs()[0]
        assert float(difference[-14:, -14:].mean()) > 5 * float(difference[:42, :56].mean())

    @torch.inference_mode()
    def test_ends_in_float32_when_the_rest_does_not(self):
        network = head()
        before = {k: v.clone() for k, v in network.scratch.output_conv2.state_dict().items()}
        tail = network.float32_tail()
        network.to(torch.bfloat16)
        network.put_back(tail)
        after = network.scratch.output_conv2.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())
        assert {p.dtype for p in network.scratch.output_conv2.parameters()} == {torch.float32}
        assert network.scratch.output_conv1.weight.dtype is torch.bfloat16
        tapped = [torch.randn(1, 12, 32).bfloat16() for _ in range(4)]
        assert network(tapped, 3, 4, 14).dtype is torch.float32

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    @torch.inference_mode()
    def test_a_planar_tail_changes_nothing_but_the_layout(self, dtype):
        tapped = [torch.randn(2, 12, 32).to(dtype) for _ in range(4)]
        usual, planar = head(), head()
        for made in (usual, planar):
            tail = made.float32_tail()
            made.to(dtype)
            made.put_back(tail)
            made.to(memory_format=torch.channels_last)
        planar.make_tail_planar()
        weight = planar.scratch.output_conv2[0].weight
        assert weight.is_contiguous()
        seen = []
        planar.scratch.output_conv2.register_forward_hook(lambda m, given, out: seen.append(given))
        expected = usual(tapped, 3, 4, 14)
        torch.testing.assert_close(planar(tapped, 3, 4, 14), expected, rtol=1e-4, atol=1e-5)
        assert seen[0][0].is_contiguous()
