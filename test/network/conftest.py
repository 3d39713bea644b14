"""Puts test/support on the path; it holds what several test modules build their input with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

SHIPPED = ("coffee.png", "motorcycle_left.png")
GIVEN = ("coco_000000039769.png", "dav2_demo03.jpg")


@pytest.fixture(scope="session")
def real_photos(repository: Path) -> list[np.ndarray]:
    """RGB, (H, W, 3): two that scikit-image ships, and two robot-like ones where they are."""
    import skimage

    shipped = Path(skimage.__file__).parent / "data"
    given = Path(os.environ.get("DA_ROS_SHARED_DATA", repository.parent / "shared" / "data"))
    paths = [shipped / name for name in SHIPPED]
    paths += [path for name in GIVEN if (path := given / "photos" / name).is_file()]
    return [np.ascontiguousarray(cv2.imread(str(path))[..., ::-1]) for path in paths]
