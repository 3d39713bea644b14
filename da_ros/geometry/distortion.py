"""Lens models on normalised image coordinates, in float64.

Coordinates are x = X/Z and y = Y/Z on the plane one unit in front of the camera, before
(undistorted) or after (distorted) the lens; multiplying by fx, fy and adding cx, cy gives pixels.

Source:
    OpenCV, "Camera Calibration and 3D Reconstruction" (the 14-coefficient model) and
    "Fisheye camera model"; Kannala and Brandt, "A generic camera model", 2006.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float64]

PLUMB_BOB = "plumb_bob"
RATIONAL_POLYNOMIAL = "rational_polynomial"
EQUIDISTANT = "equidistant"

COEFFICIENT_COUNTS: dict[str, tuple[int, ...]] = {
    # ROS hands the coefficients of both names to the same OpenCV functions, which tell the models
    # apart by their number alone; drivers rely on it.
    PLUMB_BOB: (0, 4, 5, 8, 12, 14),
    RATIONAL_POLYNOMIAL: (0, 4, 5, 8, 12, 14),
    EQUIDISTANT: (0, 4),
}
"""How many coefficients each distortion model may have."""

# Newton's method doubles the digits in each step; lenses that are not solved by then have no
# solution on the invertible branch.
_NEWTON_STEPS = 30
_NEWTON_STEP_TOLERANCE = 1e-14
_RESIDUAL_TOLERANCE = 1e-10
_TABLE_SIZE = 4096
_LARGEST_REACH = 1024.0  # Tangent of 89.94 degrees.
_SMALLEST_RECIPROCAL = 1e-8  # Of a squared radius: 89.99 degrees off the axis.


def distort(x: Plane, y: Plane, model: str, coefficients: Sequence[float]) -> tuple[Plane, Plane]:
    """Bend undistorted coordinates as the lens does.

    The formula is applied everywhere, also past ``radial_limit`` where no real lens obeys it.

    Args:
        x: Undistorted X/Z, any shape, float64.
        y: Undistorted Y/Z, same shape.
        model: A key of ``COEFFICIENT_COUNTS``.
        coefficients: As in CameraInfo.d; empty is no distortion.

    Returns:
        Distorted x and y, same shape.
    """
    if not any(coefficients):
        return x, y
    if model == EQUIDISTANT:
        return _distort_equidistant(x, y, coefficients)
    k = _padded(coefficients)
    return _tilt(*_distort_radial_tangential(x, y, k), _tilt_matrix(k[12], k[13]))


def undistort(
    x: Plane, y: Plane, model: str, coefficients: Sequence[float]
) -> tuple[Plane, Plane]:
    """Invert ``distort`` on the branch that a real lens has.

    Args:
        x: Distorted coordinates, any shape, float64.
        y: Same shape.
        model: A key of ``COEFFICIENT_COUNTS``.
        coefficients: As in CameraInfo.d.

    Returns:
        Undistorted x and y; NaN where the model has no inverse: past ``radial_limit``, and for
        equidistant lenses at 90 degrees from the axis and more.
    """
    if not any(coefficients):
        return x, y
    with np.errstate(all="ignore"):  # Pixels without a solution overflow on their way to NaN.
        if model == EQUIDISTANT:
            return _undistort_equidistant(x, y, coefficients)
        return _undistort_radial_tangential(x, y, _padded(coefficients))


def radial_limit(model: str, coefficients: Sequence[float]) -> float:
    """Say up to which undistorted radius the model is one-to-one.

    A polynomial fitted to the picture's field of view may turn back outside it; then rays from
    far outside fold into the picture as ghosts. The limit is where the distorted radius stops
    growing or has a pole. Tangential, prism and tilt terms are too small to matter for it.

    Args:
        model: A key of ``COEFFICIENT_COUNTS``.
        coefficients: As in CameraInfo.d.

    Returns:
        Radius sqrt(x^2 + y^2) of undistorted coordinates; inf if there is no such limit.
    """
    if not any(coefficients):
        return math.inf
    if model == EQUIDISTANT:
        angle = _equidistant_angle_limit(coefficients)
        return math.tan(angle) if angle < math.pi / 2 else math.inf
    k = _padded(coefficients)
    numerator = np.polynomial.Polynomial([1.0, k[0], k[1], k[4]])
    denominator = np.polynomial.Polynomial([1.0, k[5], k[6], k[7]])
    square = np.polynomial.Polynomial([0.0, 1.0])
    # d/dr of r N(r^2)/D(r^2) has the sign of this polynomial in r^2.
    slope = (numerator + 2 * square * numerator.deriv()) * denominator - (
        2 * square * numerator * denominator.deriv()
    )
    return math.sqrt(min(_first_positive_root(slope), _first_positive_root(denominator)))


def _padded(coefficients: Sequence[float]) -> tuple[float, ...]:
    """Fill up to k1 k2 p1 p2 k3 | k4 k5 k6 | s1 s2 s3 s4 | tau_x tau_y."""
    return (*coefficients, *(0.0,) * (14 - len(coefficients)))


def _first_positive_root(polynomial: np.polynomial.Polynomial) -> float:
    """Return the smallest real root > 0, or inf, of a polynomial that is 1 at 0.

    Solved for the reciprocals of the roots: their leading coefficient is the 1, whereas the
    polynomial's own may be zero or as good as zero.
    """
    reciprocals = np.polynomial.Polynomial(polynomial.coef[::-1]).roots()
    # A double root, where the slope only touches zero, comes out with a tiny imaginary part.
    real = reciprocals.real[np.abs(reciprocals.imag) <= 1e-7 * np.abs(reciprocals)]
    largest = max(real, default=0.0)
    return float(1.0 / largest) if largest > _SMALLEST_RECIPROCAL else math.inf


def _radial(q: Plane, k: Sequence[float]) -> tuple[Plane, Plane]:
    """Return the radial factor at q = r^2 and its derivative with respect to q."""
    numerator = 1 + q * (k[0] + q * (k[1] + q * k[4]))
    denominator = 1 + q * (k[5] + q * (k[6] + q * k[7]))
    numerator_slope = k[0] + q * (2 * k[1] + q * 3 * k[4])
    denominator_slope = k[5] + q * (2 * k[6] + q * 3 * k[7])
    factor = numerator / denominator
    return factor, (numerator_slope - factor * denominator_slope) / denominator


def _distort_radial_tangential(x: Plane, y: Plane, k: Sequence[float]) -> tuple[Plane, Plane]:
    """Apply the radial, tangential and thin-prism terms, without the sensor's tilt."""
    q = x * x + y * y
    factor, _ = _radial(q, k)
    tangential_x = 2 * k[2] * x * y + k[3] * (q + 2 * x * x)
    tangential_y = k[2] * (q + 2 * y * y) + 2 * k[3] * x * y
    prism_x = q * (k[8] + q * k[9])
    prism_y = q * (k[10] + q * k[11])
    return x * factor + tangential_x + prism_x, y * factor + tangential_y + prism_y


def _undistort_radial_tangential(x: Plane, y: Plane, k: Sequence[float]) -> tuple[Plane, Plane]:
    """Solve for the undistorted coordinates by Newton's method in two dimensions."""
    upright = np.linalg.inv(_tilt_matrix(k[12], k[13])).astype(np.float64)
    goal_x, goal_y = _tilt(x, y, upright)
    limit = radial_limit(RATIONAL_POLYNOMIAL, k)
    goal = np.hypot(goal_x, goal_y)
    start = _invert_roughly(lambda r: r * _radial(r * r, k)[0], goal, limit)
    stretch = np.divide(start, goal, out=np.ones_like(goal), where=goal > 0)
    u, v = goal_x * stretch, goal_y * stretch
    for _ in range(_NEWTON_STEPS):
        error_x, error_y = _distort_radial_tangential(u, v, k)
        step_x, step_y = _solve_2x2(_jacobian(u, v, k), error_x - goal_x, error_y - goal_y)
        u, v = u - step_x, v - step_y
        largest = np.maximum(np.abs(step_x), np.abs(step_y))
        if not np.any(largest > _NEWTON_STEP_TOLERANCE * (1 + np.abs(u) + np.abs(v))):
            break
    error_x, error_y = _distort_radial_tangential(u, v, k)
    solved = np.hypot(error_x - goal_x, error_y - goal_y) <= _RESIDUAL_TOLERANCE
    solved &= np.hypot(u, v) <= limit
    return np.where(solved, u, np.nan), np.where(solved, v, np.nan)


def _invert_roughly(grow: Callable[[Plane], Plane], goal: Plane, limit: float) -> Plane:
    """Look up where a function that grows from 0 to ``limit`` reaches ``goal``.

    Newton's method, started here instead of at the goal, cannot miss the branch.
    """
    reach = min(limit, 1.0)
    while reach < min(limit, _LARGEST_REACH) and not np.all(grow(np.float64(reach)) >= goal):
        reach = min(2 * reach, limit)
    grid = np.linspace(0.0, reach, _TABLE_SIZE, endpoint=False)  # The limit may be a pole.
    return np.interp(goal, np.maximum.accumulate(grow(grid)), grid)


def _jacobian(x: Plane, y: Plane, k: Sequence[float]) -> tuple[Plane, Plane, Plane, Plane]:
    """Differentiate ``_distort_radial_tangential``: dx'/dx, dx'/dy, dy'/dx, dy'/dy."""
    q = x * x + y * y
    factor, slope = _radial(q, k)
    cross = 2 * x * y * slope + 2 * k[2] * x + 2 * k[3] * y
    prism_x, prism_y = k[8] + 2 * k[9] * q, k[10] + 2 * k[11] * q
    return (
        factor + 2 * x * x * slope + 2 * k[2] * y + 6 * k[3] * x + 2 * x * prism_x,
        cross + 2 * y * prism_x,
        cross + 2 * x * prism_y,
        factor + 2 * y * y * slope + 6 * k[2] * y + 2 * k[3] * x + 2 * y * prism_y,
    )


def _solve_2x2(
    matrix: tuple[Plane, Plane, Plane, Plane], right_x: Plane, right_y: Plane
) -> tuple[Plane, Plane]:
    """Solve the 2 x 2 systems of all pixels by Cramer's rule."""
    a, b, c, d = matrix
    determinant = a * d - b * c
    return (d * right_x - b * right_y) / determinant, (a * right_y - c * right_x) / determinant


def _tilt_matrix(tau_x: float, tau_y: float) -> Plane:
    """Homography of a sensor tilted by tau_x, tau_y [rad] against the lens, (3, 3)."""
    cos_x, sin_x, cos_y, sin_y = math.cos(tau_x), math.sin(tau_x), math.cos(tau_y), math.sin(tau_y)
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cos_x, sin_x], [0.0, -sin_x, cos_x]])
    about_y = np.array([[cos_y, 0.0, -sin_y], [0.0, 1.0, 0.0], [sin_y, 0.0, cos_y]])
    rotation: Plane = about_y @ about_x
    back = np.array(
        [
            [rotation[2, 2], 0.0, -rotation[0, 2]],
            [0.0, rotation[2, 2], -rotation[1, 2]],
            [0.0, 0.0, 1.0],
        ]
    )
    return back @ rotation


def _tilt(x: Plane, y: Plane, matrix: Plane) -> tuple[Plane, Plane]:
    """Apply a (3, 3) homography."""
    if np.array_equal(matrix, np.eye(3)):
        return x, y
    w = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    return (
        (matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]) / w,
        (matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]) / w,
    )


def _equidistant_polynomial(k: Sequence[float]) -> np.polynomial.Polynomial:
    """Distorted angle as a polynomial in the angle from the axis [rad]."""
    return np.polynomial.Polynomial([0.0, 1.0, 0.0, k[0], 0.0, k[1], 0.0, k[2], 0.0, k[3]])


def _equidistant_angle_limit(k: Sequence[float]) -> float:
    """Angle [rad] up to which the model is one-to-one and in front of the camera."""
    slope = np.polynomial.Polynomial([1.0, 3 * k[0], 5 * k[1], 7 * k[2], 9 * k[3]])
    return min(math.sqrt(_first_positive_root(slope)), math.pi / 2)


def _distort_equidistant(x: Plane, y: Plane, k: Sequence[float]) -> tuple[Plane, Plane]:
    radius = np.hypot(x, y)
    angle: Plane = _equidistant_polynomial(k)(np.arctan(radius))
    factor = np.divide(angle, radius, out=np.ones_like(radius), where=radius > 0)
    return x * factor, y * factor


def _undistort_equidistant(x: Plane, y: Plane, k: Sequence[float]) -> tuple[Plane, Plane]:
    """Solve for the angle by Newton's method, then go back along the radius."""
    polynomial = _equidistant_polynomial(k)
    slope = polynomial.deriv()
    goal = np.hypot(x, y)
    limit = _equidistant_angle_limit(k)
    angle = _invert_roughly(polynomial, goal, limit)
    for _ in range(_NEWTON_STEPS):
        step = (polynomial(angle) - goal) / slope(angle)
        # The slope vanishes at the limit; a step from near there must not leave the branch.
        updated = np.clip(angle - step, 0.0, limit)
        moved = np.any(np.abs(updated - angle) > _NEWTON_STEP_TOLERANCE * (1 + limit))
        angle = updated
        if not moved:
            break
    solved = (np.abs(polynomial(angle) - goal) <= _RESIDUAL_TOLERANCE) & (angle < math.pi / 2)
    factor = np.divide(np.tan(angle), goal, out=np.ones_like(goal), where=goal > 0)
    factor = np.where(solved, factor, np.nan)
    return x * factor, y * factor
