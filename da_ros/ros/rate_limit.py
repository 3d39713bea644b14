"""How many frames a second."""

from __future__ import annotations

SLACK = 0.1
"""A frame this share of a period early is taken: cameras jitter."""


class RateLimit:
    """Admits events at a rate, evenly; not for several threads."""

    def __init__(self) -> None:
        self._due = 0.0

    def admits(self, now: float, rate: float) -> bool:
        """Whether an event may happen now; if so, it is counted.

        Args:
            now: Steady time [s].
            rate: [Hz]; 0 admits all.
        """
        if rate <= 0.0:
            return True
        period = 1.0 / rate
        if self._due > now + period:  # the rate was lower before
            self._due = now + period
        if now < self._due - SLACK * period:
            return False
        self._due = max(self._due, now - SLACK * period) + period
        return True
