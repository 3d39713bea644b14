"""The bar says which colour is which number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da_ros.pictures.colormap import NOT_A_NUMBER, TOO_FAR, TOO_NEAR, color_table, colorize
from da_ros.pictures.scale_bar import METRES, RELATIVE, picture_with_bar, scale_bar, ticks

finite = st.floats(-1e6, 1e6, allow_subnormal=False)


def has_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=-1).any())


class TestTicks:
    @pytest.mark.parametrize(
        ("first", "last", "most", "expected"),
        [
            (0.0, 10.0, 6, [0, 2, 4, 6, 8, 10]),
            (10.0, 0.0, 6, [0, 2, 4, 6, 8, 10]),
            (0.73, 2.69, 5, [1.0, 1.5, 2.0, 2.5]),
            (0.0, 0.03, 4, [0.0, 0.01, 0.02, 0.03]),
            (3.0, 3.0, 4, [3.0]),
        ],
    )
    def test_values(self, first: float, last: float, most: int, expected: list[float]) -> None:
        assert ticks(first, last, most) == pytest.approx(expected)

    @given(finite, finite, st.integers(2, 12))
    def test_few_round_numbers_inside(self, first: float, last: float, most: int) -> None:
        numbers = ticks(first, last, most)
        assert len(numbers) <= most
        low, high = min(first, last), max(first, last)
        slack = 1e-6 * max(high - low, abs(low), abs(high))
        assert all(low - slack <= number <= high + slack for number in numbers)
        if len(numbers) > 1:
            mantissa = (numbers[1] - numbers[0]) / 10.0 ** math.floor(
                math.log10((numbers[1] - numbers[0]) * 1.0001)
            )
            assert min(abs(mantissa - m) for m in (1, 2, 5)) < 1e-3 * max(1.0, slack)


class TestScaleBar:
    def test_near_end_is_up(self) -> None:
        bar = scale_bar(400, near=0.5, far=4.0, unit=METRES)
        near, far = (color_table("ember")[i] for i in (255, 0))
        rows = np.nonzero((bar == near).all(axis=-1).any(axis=1))[0]
        assert rows.max() < np.nonzero((bar == far).all(axis=-1).any(axis=1))[0].min()

    def test_number_stands_beside_its_colour(self) -> None:
        """The tick of 2 m starts beside the colour of 2 m."""
        bar = scale_bar(480, near=1.0, far=3.0, unit=METRES).astype(int)
        colours = colorize(np.array([2.0]), 1.0, 3.0)[0].astype(int)
        size = 17
        beside = np.nonzero(np.abs(bar[:, size] - colours).sum(axis=-1) <= 12)[0]
        tick_rows = np.nonzero((bar[:, 2 * size + 2] == 32).all(axis=-1))[0]
        assert any(row in tick_rows for row in beside)

    def test_legend_only_for_what_is_there(self) -> None:
        plain = scale_bar(300, 0.0, 1.0, RELATIVE)
        full = scale_bar(300, 0.0, 1.0, RELATIVE, legend=("nan", "far", "near"))
        for colour in (NOT_A_NUMBER, TOO_FAR, TOO_NEAR):
            assert not has_colour(plain, colour)
            assert has_colour(full, colour)

    def test_unit_is_written(self) -> None:
        metres, relative = (scale_bar(480, 1.0, 2.0, unit) for unit in (METRES, RELATIVE))
        assert metres.shape[1] < relative.shape[1]


class TestPictureWithBar:
    def test_picture_is_unchanged_and_bar_explains_what_is_seen(self) -> None:
        values = np.linspace(0.0, 2.0, 200 * 300).reshape(200, 300)
        values[:5] = np.nan
        both = picture_with_bar(values, 0.0, 2.0, METRES)
        assert (both[:, :300] == colorize(values, 0.0, 2.0)).all()
        assert has_colour(both[:, 300:], NOT_A_NUMBER)
        assert not has_colour(both[:, 300:], TOO_FAR)

    @pytest.mark.parametrize("shape", [(1, 1), (20, 700), (900, 30)])
    def test_any_size(self, shape: tuple[int, int]) -> None:
        both = picture_with_bar(np.ones(shape), 1.0, 1.0, RELATIVE)
        assert both.shape[0] == max(shape[0], 160)
        assert both.dtype == np.uint8
