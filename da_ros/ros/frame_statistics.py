"""Counts and times of a node's frames, for the diagnostics."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from da_ros.types import StageTimes

RATE_WINDOW_S = 5.0
KEPT = 300
"""Frames over which medians are taken."""


@dataclass(frozen=True)
class FrameTimes:
    """Where one frame's time went [ms].

    Attributes:
        stages: In the pipeline.
        queued_ms: From the callback until the worker took it.
        waited_ms: For camera_info.
        publish_ms: To make messages of the fields and publish them.
        total_ms: From the callback to the last publish.
    """

    stages: StageTimes
    queued_ms: float
    waited_ms: float
    publish_ms: float
    total_ms: float

    @property
    def overhead_ms(self) -> float:
        """All but the network and the wait for camera_info."""
        return self.total_ms - self.stages.infer_ms - self.waited_ms


class FrameStatistics:
    """Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._received = 0
        self._done = 0
        self._dropped: Counter[str] = Counter()
        self._arrivals: deque[float] = deque()
        self._finishes: deque[float] = deque()
        self._times: deque[FrameTimes] = deque(maxlen=KEPT)
        self._last_arrival: float | None = None

    def arrived(self) -> None:
        """Count an image."""
        with self._lock:
            self._received += 1
            self._last_arrival = self._clock()
            self._note(self._arrivals, self._last_arrival)

    def dropped(self, reason: str) -> None:
        """Count an image that became nothing."""
        with self._lock:
            self._dropped[reason] += 1

    def finished(self, times: FrameTimes) -> None:
        """Count an image whose outputs were published."""
        with self._lock:
            self._done += 1
            self._times.append(times)
            self._note(self._finishes, self._clock())

    @property
    def silence_s(self) -> float | None:
        """Time since the last image [s]; None before the first."""
        with self._lock:
            last = self._last_arrival
        return None if last is None else self._clock() - last

    def counts(self) -> dict[str, int]:
        """Return images received, done, and dropped by reason."""
        with self._lock:
            drops = {f"dropped: {reason}": n for reason, n in sorted(self._dropped.items())}
            return {"received": self._received, "done": self._done, **drops}

    def rates(self) -> tuple[float, float]:
        """Images received and done per second, over the last seconds [Hz]."""
        with self._lock:
            now = self._clock()
            return self._rate(self._arrivals, now), self._rate(self._finishes, now)

    def medians(self) -> dict[str, float]:
        """Medians over the last frames [ms]."""
        with self._lock:
            kept = list(self._times)
        if not kept:
            return {}
        named = {
            "decode_ms": [t.stages.decode_ms for t in kept],
            "prepare_ms": [t.stages.prepare_ms for t in kept],
            "infer_ms": [t.stages.infer_ms for t in kept],
            "to_depth_ms": [t.stages.to_depth_ms for t in kept],
            "pack_ms": [t.stages.pack_ms for t in kept],
            "publish_ms": [t.publish_ms for t in kept],
            "queued_ms": [t.queued_ms for t in kept],
            "waited_for_camera_info_ms": [t.waited_ms for t in kept],
            "total_ms": [t.total_ms for t in kept],
            "overhead_ms": [t.overhead_ms for t in kept],
        }
        return {name: statistics.median(values) for name, values in named.items()}

    def _note(self, times: deque[float], now: float) -> None:
        times.append(now)
        while times and now - times[0] > RATE_WINDOW_S:
            times.popleft()

    def _rate(self, times: deque[float], now: float) -> float:
        recent = sum(now - when <= RATE_WINDOW_S for when in times)
        return recent / RATE_WINDOW_S
