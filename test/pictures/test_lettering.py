from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import ImageFont

from da_ros.pictures.lettering import fitted, font, text_size, write


def ink_box(picture: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(picture.max(axis=-1) < 200)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


class TestWrite:
    @pytest.fixture
    def blank(self) -> np.ndarray:
        return np.full((60, 200, 3), 255, np.uint8)

    def test_left_top(self, blank: np.ndarray) -> None:
        left, top, _, _ = ink_box(write(blank, "HAg", 30, 20, 16))
        assert abs(left - 30) <= 2
        assert abs(top - 20) <= 2

    def test_right_bottom(self, blank: np.ndarray) -> None:
        _, _, right, bottom = ink_box(write(blank, "HAg", 180, 50, 16, anchor="rb"))
        assert abs(right - 180) <= 2
        assert abs(bottom - 50) <= 2

    def test_letters_with_and_without_tails_share_a_line(self, blank: np.ndarray) -> None:
        bottoms = {ink_box(write(blank, text, 9, 20, 16))[3] for text in ("AB", "HI", "xz")}
        assert max(bottoms) - min(bottoms) <= 1

    def test_the_picture_itself_is_left_alone(self, blank: np.ndarray) -> None:
        write(blank, "x", 5, 5, 16)
        assert (blank == 255).all()


class TestOldPillow:
    """Humble's Pillow 9.0: one bitmap font, no sizes, no boxes."""

    @pytest.fixture(autouse=True)
    def bitmap_font(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(ImageFont, "load_default", ImageFont.load_default_imagefont)
        font.cache_clear()
        yield
        font.cache_clear()

    def test_text_is_still_written_where_it_should(self) -> None:
        picture = write(np.full((60, 200, 3), 255, np.uint8), "HAg", 180, 50, 16, anchor="rb")
        _, _, right, bottom = ink_box(picture)
        assert abs(right - 180) <= 3
        assert abs(bottom - 50) <= 4

    def test_length_counts(self) -> None:
        assert text_size("abcdef", 16)[0] == 2 * text_size("abc", 16)[0]


class TestFitted:
    def test_short_text_stays(self) -> None:
        assert fitted("abc", 12, 500) == "abc"

    def test_long_text_keeps_its_ends(self) -> None:
        text = "begin" + "x" * 200 + "end"
        short = fitted(text, 12, 150)
        assert short.startswith("begin")
        assert short.endswith("end")
        assert text_size(short, 12)[0] <= 150

    def test_no_room_at_all(self) -> None:
        assert fitted("abc" * 9, 12, 1) == ""
