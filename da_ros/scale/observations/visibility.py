"""Which points of a scanner the camera sees too: it looks from another place."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FAR = np.float32(1e9)

_BETWEEN = 5.0
"""Standard deviations between the nearest and the farthest of some dozens of points."""


@dataclass(frozen=True)
class VisibilityOptions:
    """When a point is taken to be hidden, or too near to an edge.

    Attributes:
        window_px: A point is hidden by nearer ones on both sides of it within this distance, which
            should bridge the gap between two beams [px].
        depth_ratio: How much farther than these it must be.
        edge_px: Points this near to an edge of the prediction are dropped [px].
        edge_share: What makes an edge there: a step of this share of the prediction's range.
    """

    window_px: int = 16
    depth_ratio: float = 1.1
    edge_px: int = 4
    edge_share: float = 0.08


def hidden_points(
    pixels: Floats,
    depth: Floats,
    size: tuple[int, int],
    options: VisibilityOptions,
    noise: float = 0.0,
) -> NDArray[np.bool_]:
    """Find points that the camera must see something nearer in front of.

    Nearer points on one side only are a slope, a floor to the horizon; on two opposite sides they
    are a surface that the point shines through.

    Args:
        pixels: (u, v), (N, 2) [px], within the image.
        depth: (N,) [m].
        size: (height, width) of the image.
        options: The window and the ratio.
        noise: Standard deviation of a range [m]: on a surface right before the camera the far ones
            of its own points are not hidden by the near ones.

    Returns:
        (N,) bool.
    """
    cell = max(1, options.window_px // 4)
    rows, columns = size[0] // cell + 1, size[1] // cell + 1
    row = np.clip(((pixels[:, 1] + 0.5) / cell).astype(int), 0, rows - 1)
    column = np.clip(((pixels[:, 0] + 0.5) / cell).astype(int), 0, columns - 1)
    nearest = np.full((rows, columns), _FAR, np.float32)
    np.minimum.at(nearest, (row, column), depth.astype(np.float32))
    reach = max(1, round(options.window_px / cell))
    wall = np.minimum(depth / options.depth_ratio, depth - _BETWEEN * noise)
    hidden = np.zeros(len(depth), bool)
    for one, other in _SIDES:
        here = _nearest_to(nearest, reach, one)[row, column] < wall
        hidden |= here & (_nearest_to(nearest, reach, other)[row, column] < wall)
    return np.asarray(hidden)


_SIDES = (((0, -1), (0, 1)), ((-1, 0), (1, 0)))


def _nearest_to(
    nearest: NDArray[np.float32], reach: int, side: tuple[int, int]
) -> NDArray[np.float32]:
    """The nearest depth within a window that begins beside each cell, to one side of it."""
    down, across = side
    half = max(1, reach // 2)
    # Along the side ``reach`` cells and across it ``half`` to both; the anchor is the cell, which
    # does not count itself: at the border of an object it holds points of both surfaces.
    kernel = np.ones((reach + 1, 2 * half + 1) if down else (2 * half + 1, reach + 1), np.uint8)
    own = reach if down + across < 0 else 0
    kernel[(own, slice(None)) if down else (slice(None), own)] = 0
    anchor = (half, own) if down else (own, half)
    return np.asarray(
        cv2.erode(nearest, kernel, anchor=anchor, borderType=cv2.BORDER_CONSTANT, borderValue=1e9)
    )


def near_edges(
    pixels: Floats,
    values: NDArray[np.float32],
    size: tuple[int, int],
    options: VisibilityOptions,
) -> NDArray[np.bool_]:
    """Find points beside an edge of the prediction, where a pixel more or less is another thing.

    Args:
        pixels: (u, v) of the image, (N, 2) [px], within it.
        values: The network's output on its own grid, (h, w).
        size: (height, width) of the image.
        options: Distance and step.

    Returns:
        (N,) bool.
    """
    height, width = values.shape
    reach = max(1, round(options.edge_px * height / size[0]))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    known = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = np.percentile(known, (2, 98))
    step = options.edge_share * max(float(high - low), 1e-12)
    edge = cv2.dilate(known, kernel) - cv2.erode(known, kernel) > step
    v = np.clip((pixels[:, 1] + 0.5) * height / size[0], 0, height - 1).astype(int)
    u = np.clip((pixels[:, 0] + 0.5) * width / size[1], 0, width - 1).astype(int)
    return np.asarray(edge[v, u])
