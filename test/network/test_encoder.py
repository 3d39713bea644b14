"""The encoder: positions at other sizes, taps, what it refuses."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from da_ros.errors import ShapeError
from da_ros.network.encoder import POSITION_CACHE_SIZE, DinoV2, interpolate_positions
from da_ros.network.spec import DinoV2Spec

SMALL = DinoV2Spec(dim=32, depth=3, heads=2, grid=7)


def encoder(rule: str = "official", **changes: object) -> DinoV2:
    torch.manual_seed(0)
    made = DinoV2(replace(SMALL, **changes), taps=(0, 1, 1, 2), position_rule=rule).eval()
    torch.nn.init.normal_(made.pos_embed)
    torch.nn.init.normal_(made.cls_token)
    return made


def cubic_weight(distance: float) -> float:
    """Keys' kernel with a = -0.75, written out."""
    t, a = abs(distance), -0.75
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def cubic_sample(line: list[float], place: float) -> float:
    """The value between samples, the border repeated."""
    first, total = math.floor(place) - 1, 0.0
    for index in range(first, first + 4):
        clamped = min(max(index, 0), len(line) - 1)
        total += cubic_weight(place - index) * line[clamped]
    return total


class TestInterpolatePositions:
    @pytest.mark.parametrize(("rule", "offset"), [("official", 0.1), ("huggingface", 0.0)])
    @pytest.mark.parametrize(("rows", "columns"), [(5, 9), (7, 8), (12, 3)])
    def test_equals_a_literal_bicubic(self, rule, offset, rows, columns):
        generator = torch.Generator().manual_seed(1)
        embedding = torch.randn(1, 50, 2, generator=generator)
        made = interpolate_positions(embedding, rows, columns, 7, rule)
        square = embedding[0, 1:, 0].double().reshape(7, 7).tolist()
        for row in range(rows):
            y = (row + 0.5) * 7 / (rows + offset) - 0.5
            for column in range(columns):
                x = (column + 0.5) * 7 / (columns + offset) - 0.5
                expected = cubic_sample([cubic_sample(line, x) for line in square], y)
                assert float(made[0, 1 + row * columns + column, 0]) == pytest.approx(
                    expected, abs=2e-5
                )

    def test_keeps_the_class_token(self):
        embedding = torch.randn(1, 50, 4)
        made = interpolate_positions(embedding, 3, 4, 7, "official")
        assert made.shape == (1, 13, 4)
        assert torch.equal(made[:, 0], embedding[:, 0])

    @pytest.mark.parametrize("rule", ["official", "huggingface"])
    def test_leaves_the_trained_size_alone(self, rule):
        embedding = torch.randn(1, 50, 4)
        assert torch.equal(interpolate_positions(embedding, 7, 7, 7, rule), embedding)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_interpolates_in_float32(self, dtype):
        embedding = torch.randn(1, 50, 4).to(dtype)
        made = interpolate_positions(embedding, 5, 9, 7, "official")
        fine = interpolate_positions(embedding.float(), 5, 9, 7, "official")
        assert torch.equal(made, fine.to(dtype))


class TestPositions:
    def test_are_computed_once_per_size(self):
        made = encoder()
        assert made.positions(5, 9) is made.positions(5, 9)
        assert made.positions(5, 9) is not made.positions(9, 5)

    def test_the_oldest_size_goes_first(self):
        made = encoder()
        first, last = made.positions(1, 1), made.positions(1, POSITION_CACHE_SIZE)
        for columns in range(2, POSITION_CACHE_SIZE + 2):
            made.positions(1, columns)
        assert made.positions(1, POSITION_CACHE_SIZE) is last
        assert made.positions(1, 1) is not first
        assert torch.equal(made.positions(1, 1), first)

    def test_follow_loaded_weights(self):
        made = encoder()
        before = made.positions(5, 9)
        state = made.state_dict() | {"pos_embed": made.pos_embed + 1}
        made.load_state_dict(state)
        torch.testing.assert_close(made.positions(5, 9), before + 1)

    def test_follow_the_precision(self):
        made = encoder()
        assert made.positions(5, 9).dtype is torch.float32
        made.to(torch.bfloat16)
        assert made.positions(5, 9).dtype is torch.bfloat16

    def test_are_not_saved(self):
        made = encoder()
        names = set(made.state_dict())
        made.positions(5, 9)
        assert set(made.state_dict()) == names


class TestForward:
    @torch.inference_mode()
    def test_gives_the_normalised_patch_tokens_of_each_tap(self):
        made = encoder()
        tapped = made(torch.randn(2, 3, 28, 42))
        assert len(tapped) == 3  # one per distinct block, in order
        for tokens in tapped:
            assert tokens.shape == (2, 6, 32)
            torch.testing.assert_close(tokens.mean(-1), torch.zeros(2, 6), atol=1e-5, rtol=0.0)
            deviation = tokens.var(-1, unbiased=False)
            torch.testing.assert_close(deviation, torch.ones(2, 6), atol=1e-4, rtol=0.0)

    @torch.inference_mode()
    def test_stops_at_the_last_tap(self):
        made = DinoV2(SMALL, taps=(0, 1)).eval()
        ran = []
        for index, block in enumerate(made.blocks):
            block.register_forward_hook(lambda *_, index=index: ran.append(index))
        made(torch.randn(1, 3, 28, 42))
        assert ran == [0, 1]

    @torch.inference_mode()
    def test_every_patch_has_its_own_place(self):
        made = encoder(depth=3)
        tokens = made(torch.ones(1, 3, 28, 42))[0][0]
        distances = torch.cdist(tokens, tokens) + 99 * torch.eye(6)
        assert float(distances.min()) > 0.1

    @pytest.mark.parametrize("size", [(27, 42), (28, 43), (13, 13)])
    def test_refuses_a_side_that_cuts_a_patch(self, size):
        with pytest.raises(ShapeError, match="multiples of 14 px, got"):
            encoder()(torch.zeros(1, 3, *size))
