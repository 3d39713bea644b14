from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from da_ros.training.curve import draw_curve

ROWS = [
    {"samples": 0, "loss": None, "absrel": 0.5, "delta1": 0.2, "ordered": 0.5},
    {"samples": 100, "loss": 4.0, "absrel": 0.3, "delta1": 0.5, "ordered": 0.7},
    {"samples": 200, "loss": 3.0, "absrel": 0.2, "delta1": 0.7, "ordered": 0.8},
]


class TestDrawCurve:
    def test_is_a_picture_with_the_curves_on_it(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        draw_curve(ROWS, tmp_path / "full.png")
        draw_curve(ROWS[:1], tmp_path / "bare.png")
        full, bare = (cv2.imread(str(tmp_path / f"{n}.png")) for n in ("full", "bare"))
        assert full is not None
        assert full.shape[0] > 300
        assert full.shape[1] > 600
        assert (full != bare).any(-1).mean() > 0.001
