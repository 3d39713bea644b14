"""Which camera_info belongs to which image."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

WAIT_NS = 500_000_000
"""How much later than its image a camera_info may have been recorded."""

_REMEMBERED = 64


class InfoMatcher(Generic[Item]):
    """Gives each image of a camera the camera_info of equal stamp, else the one before it.

    Drivers publish the two back to back, in either order; so an image waits until a camera_info
    with its stamp or a later one has come, or until half a second of the recording has passed.
    What comes out depends on the recording alone.
    """

    def __init__(self, *, has_info: bool = True) -> None:
        """Begin; without any camera_info topic no image waits."""
        self._has_info = has_info
        self._infos: dict[int, Any] = {}
        self._waiting: deque[tuple[int, int, Item]] = deque()

    def add_info(self, stamp: int, info: Any) -> None:
        """Remember a camera_info by its stamp [ns]."""
        self._infos.pop(stamp, None)
        self._infos[stamp] = info
        if len(self._infos) > _REMEMBERED:
            del self._infos[next(iter(self._infos))]

    def add_image(self, stamp: int, recorded: int, item: Item) -> None:
        """Queue an image by its stamp and the time of its recording [ns]."""
        self._waiting.append((stamp, recorded, item))

    def ready(self, now: int | None) -> Iterator[tuple[Item, Any]]:
        """Take out, in order, the images that need not wait any longer, with their camera_info.

        Args:
            now: Time in the recording [ns]; None at its end.
        """
        while self._waiting:
            stamp, recorded, item = self._waiting[0]
            expired = now is None or now - recorded > WAIT_NS
            if self._has_info and not expired and not self._decided(stamp):
                return
            self._waiting.popleft()
            yield item, self._info_for(stamp)

    def _decided(self, stamp: int) -> bool:
        return any(known >= stamp for known in self._infos)

    def _info_for(self, stamp: int) -> Any:
        if stamp in self._infos:
            return self._infos[stamp]
        before = [known for known in self._infos if known < stamp]
        nearest = max(before) if before else min(self._infos, default=None)
        return None if nearest is None else self._infos[nearest]
