"""From one frame's relative numbers to the next one's: the network's own jump, or a scene cut."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from da_ros.scale.correlation import Correlation
from da_ros.scale.robust import Floats, best_pair, reweighted

_ROWS, _COLUMNS = 24, 32
_ALIKE = 0.08  # Relative difference below which a pixel shows the same as before.
_SAME_SCENE = 0.5  # Share of such pixels.
_ERROR, _ERROR_WEIGHT = 0.02, 4.0
_FLAT = 0.02  # Relative spread below which two numbers cannot be told from a frame.
_LENGTH = 0.14


@dataclass(frozen=True, eq=False)
class Alignment:
    """d_before = a d_now + b.

    Attributes:
        a: > 0.
        b: In the unit of d.
        covariance: Of (a, b), (2, 2).
        share: Of the pixels that follow it.
    """

    a: float
    b: float
    covariance: Floats
    share: float


def align(before: NDArray[np.float32], now: NDArray[np.float32]) -> Alignment | None:
    """Align the network's output of a frame to that of the frame before.

    Most of the scene is taken to be where it was; what moved is an outlier. A camera that moves
    shifts what it sees: the filter's growth covers that.

    Args:
        before: Relative inverse depth, (h, w).
        now: The same of this frame, on the same grid.

    Returns:
        The alignment; None if the frames do not show the same: a scene cut.
    """
    if before.shape != now.shape:
        return None
    earlier, later, pixels = _grid(before, now)
    if len(later) < 20:
        return None
    order = np.lexsort((earlier, later))
    earlier, later, pixels = earlier[order], later[order], pixels[order]
    size = np.maximum(np.abs(earlier), 0.2 * float(np.median(np.abs(earlier))) + 1e-12)
    middle = float(np.median(later))
    if float(later.std()) < _FLAT * abs(middle):
        return _flat(earlier, later, size)
    start = best_pair(later, earlier, _ALIKE * size, seed=0, fewest=128)
    if start is None:
        return None
    design = np.stack((later, np.ones_like(later)), axis=1)
    found = reweighted(design, earlier, 1e-6 * size, size, start, _ERROR, _ERROR_WEIGHT)
    share = float(np.mean(np.abs(found.residual) < _ALIKE * size))
    a, b = (float(value) for value in found.coefficients)
    if share < _SAME_SCENE or a <= 0:
        return None
    whitened = design / found.sigma[:, None]
    weighted = whitened * found.weights[:, None]
    gain = weighted @ np.linalg.pinv(weighted.T @ whitened)
    correlation = Correlation.of_pixels(pixels, before.shape, _LENGTH)
    return Alignment(a, b, correlation.product(gain), share)


def _grid(before: NDArray[np.float32], now: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
    """Both frames at a few hundred pixels."""
    height, width = now.shape
    v = np.unique(np.linspace(0, height - 1, _ROWS).round().astype(int))
    u = np.unique(np.linspace(0, width - 1, _COLUMNS).round().astype(int))
    rows, columns = (grid.ravel() for grid in np.meshgrid(v, u, indexing="ij"))
    earlier = before[rows, columns].astype(np.float64)
    later = now[rows, columns].astype(np.float64)
    good = np.isfinite(earlier) & np.isfinite(later)
    pixels = np.stack((columns, rows), axis=1).astype(np.float64)
    return earlier[good], later[good], pixels[good]


def _flat(earlier: Floats, later: Floats, size: Floats) -> Alignment | None:
    """A frame of one distance: only the ratio can be told."""
    middle, middle_before = float(np.median(later)), float(np.median(earlier))
    ratio = middle_before / middle if middle != 0 else math.nan
    if not 0 < ratio < math.inf:
        return None
    share = float(np.mean(np.abs(ratio * later - earlier) < _ALIKE * size))
    if share < _SAME_SCENE:
        return None
    # It may as well have been the shift that changed.
    change = max(abs(ratio - 1.0), _ERROR)
    covariance = change**2 * np.array([[1.0, -middle], [-middle, middle**2]])
    return Alignment(ratio, 0.0, covariance + np.diag([1e-8, 1e-8 * middle**2]), share)
