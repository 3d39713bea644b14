"""How long to wait for what may never come."""

from __future__ import annotations

import time

GIVE_UP_AFTER = 3
"""Waits in a row for nothing: from then on most do without."""
AGAIN_S = 2.0
"""How often one waits all the same: what stopped may have begun again [s]."""


class Patience:
    """Whether to wait, by how it went before; its users see to it that one thread asks at a time.

    A camera that sends its camera_info once, or a tf that stands still, must not cost every image
    the wait, and one that only stumbled must not go without for good.
    """

    def __init__(self) -> None:
        self._misses = 0
        self._again = 0.0

    def waits(self) -> bool:
        """Whether it is worth it now."""
        return self._misses < GIVE_UP_AFTER or time.monotonic() >= self._again

    def met(self) -> None:
        """It came."""
        self._misses = 0

    def missed(self) -> None:
        """It was waited for and did not come."""
        self._misses += 1
        self._again = time.monotonic() + AGAIN_S
