"""What makes a set of intrinsics usable: the refusals of ``PinholeCamera``."""

from __future__ import annotations

import math

from da_ros.errors import CameraError
from da_ros.geometry.distortion import COEFFICIENT_COUNTS

IDENTITY_ROTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

# Calibration files carry rounded numbers; a matrix off by more than this is no rotation.
_ROTATION_TOLERANCE = 1e-3


def check_intrinsics(name: str, fx: float, fy: float, cx: float, cy: float) -> None:
    """Refuse focal lengths that are not positive, and anything not finite."""
    if not all(math.isfinite(value) for value in (fx, fy, cx, cy)) or fx <= 0 or fy <= 0:
        raise CameraError(
            f"camera: expected finite {name} with positive focal lengths, "
            f"got fx {fx}, fy {fy}, cx {cx}, cy {cy}"
        )


def check_distortion(model: str, coefficients: tuple[float, ...]) -> None:
    """Refuse an unknown model or a wrong number of coefficients, unless all are zero."""
    if not any(coefficients):
        return
    if not all(math.isfinite(value) for value in coefficients):
        raise CameraError(f"camera: expected finite D, got {coefficients}")
    counts = COEFFICIENT_COUNTS.get(model)
    if counts is None:
        raise CameraError(
            f"camera: expected a distortion model of {', '.join(COEFFICIENT_COUNTS)}, or D = 0, "
            f"got {model!r} with {len(coefficients)} coefficients"
        )
    if len(coefficients) not in counts:
        raise CameraError(
            f"camera: expected {', '.join(map(str, counts))} coefficients in D for {model}, "
            f"got {len(coefficients)}"
        )


def check_rotation(r: tuple[float, ...]) -> None:
    """Refuse an R that is not a rotation matrix, 3 x 3 row-major."""
    if len(r) != 9:
        raise CameraError(f"camera: expected 9 numbers in R, got {len(r)}")
    rows = (r[0:3], r[3:6], r[6:9])
    finite = all(math.isfinite(value) for value in r)
    gram = [sum(a * b for a, b in zip(p, q, strict=True)) for p in rows for q in rows]
    error = max(abs(a - b) for a, b in zip(gram, IDENTITY_ROTATION, strict=True))
    determinant = (
        r[0] * (r[4] * r[8] - r[5] * r[7])
        - r[1] * (r[3] * r[8] - r[5] * r[6])
        + r[2] * (r[3] * r[7] - r[4] * r[6])
    )
    if not finite or error > _ROTATION_TOLERANCE or determinant < 0:
        raise CameraError(f"camera: expected a rotation matrix in R, got {r}")


def check_projection(p: tuple[float, ...]) -> None:
    """Refuse a P whose left 3 x 3 part is no camera, 3 x 4 row-major."""
    if len(p) != 12:
        raise CameraError(f"camera: expected 12 numbers in P, got {len(p)}")
    check_intrinsics("P", p[0], p[5], p[2], p[6])
    if not all(math.isfinite(value) for value in p):
        raise CameraError(f"camera: expected finite P, got {p}")
    if p[1] != 0.0:
        raise CameraError(f"camera: skewed pixels are not supported, got P[1] = {p[1]}")
