"""One thread for the network, and for each camera one slot that holds the newest frame."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NewestFrameWorker(Generic[Item]):
    """Works on the newest item of each key, in turn; what was not begun is replaced.

    Args:
        work: Called in the thread with one item; must not raise.
    """

    def __init__(self, work: Callable[[Item], None], name: str = "da_ros_inference") -> None:
        self._work = work
        self._changed = threading.Condition()
        self._slots: dict[str, Item] = {}
        self._busy = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name)
        self._thread.start()

    def put(self, key: str, item: Item) -> bool:
        """Offer an item; it takes the place of one that still waits.

        Returns:
            Whether one was replaced.
        """
        with self._changed:
            replaced = key in self._slots
            self._slots[key] = item  # a replaced one keeps the camera's place in the queue
            self._changed.notify_all()
            return replaced

    def clear(self) -> int:
        """Drop what waits; return how many there were."""
        with self._changed:
            count = len(self._slots)
            self._slots.clear()
            return count

    def wait_idle(self) -> None:
        """Return once nothing is being worked on; what waits is worked on first."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and not self._slots)

    def close(self) -> None:
        """Drop what waits and end the thread."""
        with self._changed:
            self._closing = True
            self._slots.clear()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._slots) or self._closing)
                if self._closing:
                    return
                item = self._slots.pop(next(iter(self._slots)))
                self._busy = True
            self._work(item)
            del item  # a message of a megabyte must not live until the next one comes
