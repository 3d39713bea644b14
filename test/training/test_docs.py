"""The example of docs/scenes.md runs, and gives what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from da_ros.training.scenes.families import FAMILIES
from da_ros.training.scenes.textures import SKIMAGE_PHOTOS, SKLEARN_PHOTOS


class TestScenes:
    def test_the_example_gives_what_it_says(self, repository: Path) -> None:
        text = (repository / "docs" / "scenes.md").read_text(encoding="utf-8")
        (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        names: dict[str, Any] = {}
        exec(code, names)
        sequence, points, depth = names["sequence"], names["points"], names["depth"]
        for name in ("rgb", "depth", "poses"):
            (shape,) = re.findall(rf"sequence\.{name} +# (\([0-9, ]+\))", code)
            assert str(getattr(sequence, name).shape) == shape
        assert points.shape[1] == 3
        assert len(points) > 10_000
        assert depth.shape == (96, 128)
        assert 0.5 < np.isfinite(depth).mean() < 1

    def test_every_family_is_named(self, repository: Path) -> None:
        text = (repository / "docs" / "scenes.md").read_text(encoding="utf-8")
        assert all(f"`{name}`" in text for name in FAMILIES)


class TestNano:
    def test_every_photo_is_attributed(self, repository: Path) -> None:
        text = (repository / "docs" / "nano.md").read_text(encoding="utf-8")
        rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
        assert set(SKIMAGE_PHOTOS) | set(SKLEARN_PHOTOS) <= set(rows)
