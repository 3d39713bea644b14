"""Is the scanner where TF says it is? Asked at a few frames, since an answer takes its time."""

from __future__ import annotations

from collections.abc import Callable

from da_ros.scale.extrinsic import MountingCheck, sum_up

APART_NS = 1_000_000_000
"""Between two looks, by the images' stamps: neighbouring frames show the same."""


class MountingWatch:
    """Looks at some frames of a stream; begun by one thread, fed and read by others.

    Args:
        frames: How many looks it takes.
    """

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._checks: tuple[MountingCheck, ...] = ()
        self._last_ns: int | None = None

    @property
    def found(self) -> MountingCheck | None:
        """What the looks so far say together; None before the first."""
        checks = self._checks
        return sum_up(checks) if checks else None

    def look(self, stamp_ns: int, check: Callable[[], MountingCheck | None]) -> None:
        """Check this frame, which has a cloud, if it is time for it.

        Args:
            stamp_ns: Of the image.
            check: Gives the frame's verdict, or None if there can be none.
        """
        if len(self._checks) >= self._frames:
            return
        if self._last_ns is not None and abs(stamp_ns - self._last_ns) < APART_NS:
            return
        # Before the look: one that fails, or waits for a transform, must not come every frame.
        self._last_ns = stamp_ns
        found = check()
        if found is not None:
            self._checks += (found,)
