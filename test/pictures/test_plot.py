"""Line plots: where things are drawn, and round numbers on the axes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from da_ros.pictures.lettering import PAPER
from da_ros.pictures.plot import COLORS, Line, line_plot, ticks


def pixels_of(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """(row, column) of pixels of a colour below the legend."""
    rows, columns = np.nonzero((picture == np.array(color)).all(-1))
    inside = rows > 29
    return np.stack([rows[inside], columns[inside]], -1)


class TestLinePlot:
    def test_a_rising_line_goes_from_lower_left_to_upper_right(self) -> None:
        x = np.linspace(0, 10, 50)
        picture = line_plot([Line("up", x, 3 + x)], "time [s]")
        assert picture.shape == (300, 600, 3)
        found = pixels_of(picture, COLORS[0])
        first, last = found[found[:, 1].argmin()], found[found[:, 1].argmax()]
        assert first[0] > last[0] + 150
        assert last[1] > first[1] + 450

    def test_what_is_not_finite_is_a_gap(self) -> None:
        x = np.arange(30.0)
        y = np.where((x > 9) & (x < 20), np.nan, 1.0 + 0.01 * x)
        found = pixels_of(line_plot([Line("gap", x, y)], ""), COLORS[0])
        columns = np.unique(found[:, 1])
        assert np.diff(columns).max() > 150

    def test_nothing_finite_is_an_empty_plot(self) -> None:
        picture = line_plot([Line("none", np.arange(3.0), np.full(3, math.nan))], "")
        assert len(pixels_of(picture, COLORS[0])) == 0
        assert (picture[150, 300] == np.array(PAPER)).all()

    @pytest.mark.parametrize("value", [0.0, 5.0, -2.0])
    def test_a_constant(self, value: float) -> None:
        line = Line("level", np.arange(5.0), np.full(5, value))
        found = pixels_of(line_plot([line], ""), COLORS[0])
        assert len(np.unique(found[:, 0])) <= 3

    def test_a_lone_point(self) -> None:
        line = Line("dot", np.array([2.0]), np.array([3.0]))
        assert len(pixels_of(line_plot([line], ""), COLORS[0])) > 3


class TestTicks:
    @pytest.mark.parametrize(
        ("low", "high", "wanted"),
        [
            (0.0, 10.0, [0, 5, 10]),
            (0.0, 4.0, [0, 1, 2, 3, 4]),
            (0.93, 1.04, [0.95, 1.0]),
            (-1.0, 1.0, [-1, -0.5, 0, 0.5, 1]),
            (1000.0, 1003.9, [1000, 1001, 1002, 1003]),
        ],
    )
    def test_values(self, low: float, high: float, wanted: list[float]) -> None:
        assert ticks(low, high) == pytest.approx(wanted)
