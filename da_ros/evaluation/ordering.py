"""Does a model know what is nearer? The question that needs no scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEAST_RATIO = 1.2
"""Pairs whose depths are closer than this are not asked: 20 % apart, or more."""

PAIRS = 500
"""Pairs per image."""


def ordering(
    nearness: npt.NDArray[np.floating],
    truth: npt.NDArray[np.floating],
    valid: npt.NDArray[np.bool_],
    seed: int = 0,
    pairs: int = PAIRS,
) -> float | None:
    """Share of random pixel pairs that a prediction orders as the truth does.

    Args:
        nearness: (H, W), larger is nearer: inverse depth of any scale and shift.
        truth: Depth, (H, W) [m].
        valid: (H, W); where pixels are drawn from.
        seed: Of the draw.
        pairs: How many pairs with depths more than 20 % apart are asked.

    Returns:
        In [0, 1]; equal predictions count as wrong. None if the image has too few such pairs.
    """
    seen, true = nearness[valid], truth[valid]
    if len(true) < 2:
        return None
    draw = np.random.default_rng(seed).integers(0, len(true), (2, 100 * pairs))
    near, far = np.where(true[draw[0]] <= true[draw[1]], draw, draw[::-1])
    apart = true[far] > LEAST_RATIO * true[near]
    near, far = near[apart][:pairs], far[apart][:pairs]
    if len(near) < pairs:
        return None
    return float(np.mean(seen[near] > seen[far]))
