"""Which camera_info belongs to an image, live: the one of its stamp, else the one before."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from da_ros.conversions import camera_fields_of, header_of
from da_ros.ros.patience import Patience
from da_ros.types import Header

REMEMBERED = 64


@dataclass(frozen=True)
class Match:
    """What was found for one image.

    Attributes:
        info: The message, or None.
        note: Why there is none, in words; empty if there is.
        exact: Whether its stamp is the image's.
        waited_ms: For it.
    """

    info: Any
    note: str = ""
    exact: bool = False
    waited_ms: float = 0.0


@dataclass
class InfoCounts:
    """What became of the camera_info messages of one camera.

    Attributes:
        received: Messages.
        exact: Images that got the one of their stamp.
        earlier: Images that got the latest one instead.
        none: Images that got none.
        late: Messages that came after their image had been given another or none.
        changes: Messages that describe another camera than the one before.
    """

    received: int = 0
    exact: int = 0
    earlier: int = 0
    none: int = 0
    late: int = 0
    changes: int = 0


class CameraInfoCache:
    """The camera_info messages of one camera; filled and asked from different threads."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._by_stamp: dict[int, Any] = {}
        self._latest: Any = None
        self._patience = Patience()
        self._missed: deque[int] = deque(maxlen=REMEMBERED)  # stamps whose image went without
        self._described = ""
        self._counts = InfoCounts()
        self._closed = False

    @property
    def counts(self) -> InfoCounts:
        """What became of them so far."""
        with self._arrived:
            return replace(self._counts)

    def add(self, info: Any) -> None:
        """Remember a message."""
        with self._arrived:
            stamp = header_of(info).stamp_ns
            self._count(info, stamp)
            self._by_stamp.pop(stamp, None)
            self._by_stamp[stamp] = info
            if len(self._by_stamp) > REMEMBERED:
                del self._by_stamp[next(iter(self._by_stamp))]
            self._latest = info
            self._arrived.notify_all()

    def match(self, header: Header, wait_s: float, *, has_publisher: bool) -> Match:
        """Find the message for an image, waiting for it where that makes sense.

        Args:
            header: Of the image.
            wait_s: Longest wait [s].
            has_publisher: Whether anybody publishes camera_info.
        """
        start = time.monotonic()
        with self._arrived:
            worth_it = has_publisher and self._patience.waits()
            end = start + (wait_s if worth_it else 0.0)
            while header.stamp_ns not in self._by_stamp and not self._closed:
                remaining = end - time.monotonic()
                if remaining <= 0.0:
                    break
                self._arrived.wait(remaining)
            waited_ms = 1000.0 * (time.monotonic() - start) if worth_it else 0.0
            found = self._by_stamp.get(header.stamp_ns)
            if found is not None:
                self._patience.met()
                self._counts.exact += 1
                return Match(found, exact=True, waited_ms=waited_ms)
            if worth_it:
                self._patience.missed()
            match = _earlier(self._latest, header, waited_ms)
            self._missed.append(header.stamp_ns)
            self._counts.none += match.info is None
            self._counts.earlier += match.info is not None
            return match

    def clear(self) -> None:
        """Forget stamps (they went backwards); the latest message still describes the camera."""
        with self._arrived:
            self._by_stamp.clear()
            self._missed.clear()
            self._patience.met()

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()

    def _count(self, info: Any, stamp: int) -> None:
        """Count a message, and what is odd about it."""
        self._counts.received += 1
        self._counts.late += stamp in self._missed
        described = repr(camera_fields_of(info))  # as text, since NaN is not even equal to NaN
        self._counts.changes += self._described not in ("", described)
        self._described = described


def _earlier(latest: Any, header: Header, waited_ms: float) -> Match:
    """Take the latest if its frame is the image's (whether the size fits, the pipeline says)."""
    if latest is None:
        return Match(None, "no camera_info has come", waited_ms=waited_ms)
    frame = header_of(latest).frame_id
    if frame != header.frame_id:
        note = (
            f"camera_info has frame_id {frame!r} and the image {header.frame_id!r}, and none has "
            "the image's stamp"
        )
        return Match(None, note, waited_ms=waited_ms)
    return Match(latest, waited_ms=waited_ms)
