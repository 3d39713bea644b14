"""What neighbouring pixels' errors share: a network is wrong by regions, not by pixels.

A hundred points on one table are wrong together, and count for little more than one. Correlation
is taken as a Gaussian of the distance, and summed over cells of a coarse grid, so that thousands
of points cost no more than dozens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_COLUMNS, _ROWS = 20, 15


@dataclass(frozen=True, eq=False)
class Correlation:
    """How alike the errors of N points are.

    Attributes:
        cell: Of each point in the grid, (N,); None for independent errors.
        across: Correlation of the grid's columns, (columns, columns).
        down: Of its rows, (rows, rows).
    """

    cell: NDArray[np.int64] | None
    across: Floats
    down: Floats

    @staticmethod
    def independent() -> Correlation:
        """Errors that share nothing."""
        return Correlation(None, np.eye(1), np.eye(1))

    @staticmethod
    def of_pixels(pixels: Floats, size: tuple[int, int], length: float) -> Correlation:
        """Correlation over an image.

        Args:
            pixels: (u, v) of each point, (N, 2) [px].
            size: (height, width) of the image [px].
            length: Standard deviation of the Gaussian, as a share of the image's diagonal.

        Returns:
            The correlation; independent for a length of 0.
        """
        if length <= 0:
            return Correlation.independent()
        height, width = size
        reach = length * float(np.hypot(height, width))
        column = np.clip(np.floor((pixels[:, 0] + 0.5) * _COLUMNS / width), 0, _COLUMNS - 1)
        row = np.clip(np.floor((pixels[:, 1] + 0.5) * _ROWS / height), 0, _ROWS - 1)
        cell = (row * _COLUMNS + column).astype(np.int64)
        return Correlation(
            cell, _gaussian(_COLUMNS, width / reach), _gaussian(_ROWS, height / reach)
        )

    def product(self, influence: Floats) -> Floats:
        """Return X^T R X, (p, p), of an influence X, (N, p)."""
        if self.cell is None:
            return np.asarray(influence.T @ influence)
        cells = len(self.across) * len(self.down)
        sums = np.stack(
            [np.bincount(self.cell, column, minlength=cells) for column in influence.T]
        ).reshape(-1, len(self.down), len(self.across))
        spread: Floats = self.down @ sums @ self.across
        return np.asarray(np.einsum("aij,bij->ab", sums, spread))


def _gaussian(count: int, extent: float) -> Floats:
    """Correlation between ``count`` cells of a side that is ``extent`` correlation lengths."""
    place = (np.arange(count) + 0.5) * extent / count
    return np.asarray(np.exp(-0.5 * np.square(place[:, None] - place[None, :])))
