from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from without_module import WITHOUT_MODULE

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

    def test_without_matplotlib_the_error_says_what_to_install(self, tmp_path: Path) -> None:
        code = WITHOUT_MODULE.format("matplotlib") + (
            "from pathlib import Path\n"
            "from da_ros.errors import InputError\n"
            "from da_ros.training.curve import draw_curve\n"
            "try:\n"
            f"    draw_curve([], Path({str(tmp_path / 'c.png')!r}))\n"
            "except InputError as error:\n"
            "    print(error)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "the curve needs matplotlib: pip install 'da_ros[train]'" in done.stdout, (
            done.stderr
        )
