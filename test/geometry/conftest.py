"""Lenses of every model, with coefficients as calibrations give them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from da_ros.geometry.camera import PinholeCamera

LENSES: dict[str, tuple[str, tuple[float, ...]]] = {
    "tum_fr1": ("plumb_bob", (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "barrel_4": ("plumb_bob", (-0.35, 0.12, 0.001, -0.002)),
    "rational_5": ("rational_polynomial", (-0.3, 0.1, 0.001, 0.002, -0.01)),
    "rational_8": (
        "rational_polynomial",
        (0.5, -2.6, 0.0007, -0.0003, 1.5, 0.38, -2.43, 1.42),
    ),
    "prism_12": (
        "rational_polynomial",
        (0.2, -0.1, 0.001, 0.001, 0.02, 0.1, 0.02, 0.01, 0.002, -0.001, 0.003, 0.001),
    ),
    "tilted_14": (
        "rational_polynomial",
        (0.2, -0.1, 0.001, 0.002, 0.02, 0.1, 0.02, 0.01, 0.002, -0.001, 0.003, 0.001, 0.02, -0.03),
    ),
    "fisheye": ("equidistant", (-0.01, 0.02, -0.005, 0.001)),
}


@pytest.fixture(params=list(LENSES))
def lens(request: pytest.FixtureRequest) -> tuple[str, tuple[float, ...]]:
    """Model and coefficients."""
    return LENSES[request.param]


@pytest.fixture(params=["upright", "stereo"])
def camera(request: pytest.FixtureRequest, lens: tuple[str, tuple[float, ...]]) -> PinholeCamera:
    """A VGA camera with this lens; of a stereo pair it has R != I and a P of its own."""
    stereo = request.param == "stereo"
    rotation = cv2.Rodrigues(np.array([0.05, -0.08, 0.03]) * stereo)[0]
    p = (480.0, 0.0, 330.0, -60.0, 0.0, 480.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    return PinholeCamera(
        width=640,
        height=480,
        fx=517.3,
        fy=516.5,
        cx=318.6,
        cy=255.3,
        distortion_model=lens[0],
        distortion=lens[1],
        rectification=tuple(float(value) for value in rotation.ravel()),
        projection=p if stereo else None,
    )
