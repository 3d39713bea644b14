"""What every source of measured depth hands over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PixelDepths:
    """Measured depth at pixels of one image.

    Attributes:
        source: Who measured: ``depth_image``, ``point_cloud``, ``ground_plane`` ...
        pixels: (u, v) in the (rectified) image, (N, 2) [px].
        depth: Along its optical axis, (N,) [m].
        sigma: Standard deviation, (N,) [m].
        common: What one standard deviation of each error that all points share does to 1/z,
            (N, K) [1/m], or None.
        offered: Points that the sensor gave, before any was dropped.
        note: Why there are none, or what is to be known about them.
    """

    source: str
    pixels: Floats
    depth: Floats
    sigma: Floats
    common: Floats | None = None
    offered: int = 0
    note: str = ""

    @staticmethod
    def none(source: str, note: str, offered: int = 0) -> PixelDepths:
        """No points, and why."""
        nothing = np.zeros(0)
        return PixelDepths(source, np.zeros((0, 2)), nothing, nothing, None, offered, note)


def sample_bilinear(
    values: NDArray[np.floating], pixels: Floats, image_size: tuple[int, int]
) -> Floats:
    """Read a network's output at pixels of the image.

    Args:
        values: On the network's grid, (h, w).
        pixels: (u, v) of the image, (N, 2) [px].
        image_size: (height, width) of the image.

    Returns:
        (N,); NaN outside the image, at NaN pixels, and beside values that are NaN.
    """
    height, width = values.shape
    u = (pixels[:, 0] + 0.5) * (width / image_size[1]) - 0.5
    v = (pixels[:, 1] + 0.5) * (height / image_size[0]) - 0.5
    inside = (pixels[:, 0] >= -0.5) & (pixels[:, 0] <= image_size[1] - 0.5)
    inside &= (pixels[:, 1] >= -0.5) & (pixels[:, 1] <= image_size[0] - 0.5)  # False for NaN
    u = np.clip(np.where(inside, u, 0.0), 0, width - 1)
    v = np.clip(np.where(inside, v, 0.0), 0, height - 1)
    left, top = np.floor(u).astype(np.intp), np.floor(v).astype(np.intp)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    a, b = u - left, v - top
    above = values[top, left] * (1 - a) + values[top, right] * a
    below = values[bottom, left] * (1 - a) + values[bottom, right] * a
    return np.where(inside, above * (1 - b) + below * b, np.nan)


def spread_over_depth(
    depth: Floats, count: int, rng: np.random.Generator, bins: int = 12
) -> NDArray[np.intp]:
    """Choose points so that every distance is there, and the commonest still count most.

    A quarter is spread over the distances, which holds the line at both ends; the others are drawn
    as they come, so that a few far pixels do not outvote the picture where the model is bad.

    Args:
        depth: (N,) [m], > 0.
        count: How many at most.
        rng: Chooses within a bin.
        bins: Of equal ratio from the nearest to the farthest.

    Returns:
        Indices, ascending.
    """
    if len(depth) <= count:
        return np.arange(len(depth))
    place = np.log(depth / depth.min()) / max(float(np.log(depth.max() / depth.min())), 1e-9)
    bin_of = np.minimum((place * bins).astype(int), bins - 1)
    shuffled = rng.permutation(len(depth))
    turn = np.empty(len(depth), int)  # Of each point within its bin.
    for number in range(bins):
        members = shuffled[bin_of[shuffled] == number]
        turn[members] = np.arange(len(members))
    order = shuffled[np.argsort(turn[shuffled], kind="stable")]
    share = -(-count // 4)
    spread, rest = order[:share], order[share:]
    drawn = rng.permutation(rest)[: count - len(spread)]
    return np.sort(np.concatenate((spread, drawn)))
