"""What the user should know: said in the log once or seldom, and in the diagnostics while true."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

SELDOM_S = 10.0
ACTIVE_S = 5.0
"""A notice not repeated for so long is over, as far as the diagnostics go."""


class Notices:
    """Thread-safe.

    Args:
        log: Writes a warning.
        clock: Steady [s].
    """

    def __init__(
        self, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log, self._clock = log, clock
        self._lock = threading.Lock()
        self._logged: dict[str, float] = {}
        self._quiet: dict[str, int] = {}
        self._active: dict[str, tuple[float, str]] = {}
        self._standing: dict[str, frozenset[str]] = {}

    def once(self, key: str, text: str) -> None:
        """Log only the first notice of a key."""
        with self._lock:
            first = key not in self._logged
            self._logged.setdefault(key, self._clock())
            self._active[key] = self._clock(), text
        if first:
            self._log(text)

    def seldom(self, key: str, text: str, detail: str = "") -> None:
        """Log a key's notices at most every ten seconds, with how many were not.

        Args:
            key: What it is about.
            text: For log and diagnostics.
            detail: For the log alone, on lines of its own.
        """
        with self._lock:
            now = self._clock()
            self._active[key] = now, text
            due = now - self._logged.get(key, -SELDOM_S) >= SELDOM_S
            quiet = self._quiet.pop(key, 0) if due else self._quiet.get(key, 0) + 1
            if due:
                self._logged[key] = now
            else:
                self._quiet[key] = quiet
        if due:
            more = f" ({quiet} more since the last such line)" if quiet else ""
            self._log(text + more + (f"\n{detail}" if detail else ""))

    def standing(self, about: str, texts: Mapping[str, str]) -> None:
        """Log what has come to stand since the last call; it is logged again once it was over.

        Args:
            about: Of what this is all that stands.
            texts: By what tells one from another; a text may have changed, as times do.
        """
        with self._lock:
            before = self._standing.get(about, frozenset())
            self._standing[about] = frozenset(texts)
        for key in texts:
            if key not in before:
                self._log(texts[key])

    def over(self, key: str) -> None:
        """Say that it is no longer so; it would be logged again."""
        with self._lock:
            self._active.pop(key, None)
            self._logged.pop(key, None)
            self._quiet.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._active.clear()
            self._logged.clear()
            self._quiet.clear()
            self._standing.clear()

    def active(self, prefix: str = "") -> list[str]:
        """Texts of what has been so during the last seconds, of keys with this prefix."""
        with self._lock:
            now = self._clock()
            return [
                text
                for key, (seen, text) in self._active.items()
                if key.startswith(prefix) and now - seen <= ACTIVE_S
            ]
