from __future__ import annotations

import numpy as np
import pytest

from da_ros.errors import InputError
from da_ros.pictures.sheet import contact_sheet, fit_width


def flat(height: int, width: int, colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


RED, BLUE = (200, 0, 0), (0, 0, 200)


class TestContactSheet:
    def test_every_picture_is_there_once_and_in_its_place(self) -> None:
        sheet = contact_sheet(
            [[flat(30, 60, RED), flat(60, 60, BLUE)], [flat(10, 40, BLUE)]],
            captions=["one", "two"],
            headings=["left", "right"],
            cell_width=60,
        )
        red = np.argwhere((sheet == RED).all(axis=-1))
        blue = np.argwhere((sheet == BLUE).all(axis=-1))
        assert len(red) == 30 * 60
        assert len(blue) == 60 * 60 + 15 * 60
        assert red[:, 1].max() < blue[blue[:, 0] <= red[:, 0].max()][:, 1].min()

    def test_captions_take_room(self) -> None:
        rows = [[flat(20, 20, RED)]]
        plain, named = contact_sheet(rows), contact_sheet(rows, captions=["name"])
        assert named.shape[0] > plain.shape[0]
        assert named.shape[1] == plain.shape[1]

    def test_nothing_is_refused(self) -> None:
        with pytest.raises(InputError, match="at least one picture"):
            contact_sheet([[], []])

    def test_captions_must_match(self) -> None:
        with pytest.raises(InputError, match="one caption per row, got 1 for 2"):
            contact_sheet([[flat(5, 5, RED)], [flat(5, 5, RED)]], captions=["a"])


class TestFitWidth:
    def test_shape_is_kept(self) -> None:
        assert fit_width(flat(100, 400, RED), 200).shape == (50, 200, 3)

    def test_flat_colour_stays(self) -> None:
        assert (fit_width(flat(33, 77, BLUE), 320) == BLUE).all()

    def test_thin_picture_keeps_a_row(self) -> None:
        assert fit_width(flat(1, 900, RED), 30).shape == (1, 30, 3)
