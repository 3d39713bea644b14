"""SIGINT and SIGTERM, as the node takes them: an end at a place where nothing is half done.

Python would raise KeyboardInterrupt wherever the main thread happens to be, also between two
lines of rclpy's own accounts of publishers, which then cannot be destroyed, or after a thread was
started and before anybody holds what ends it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_come = threading.Event()
_raises = threading.Event()  # while what runs is long, and ours to break off


def take_signals() -> None:
    """From here on a signal is kept for :func:`interrupted`; call it in the main thread."""
    _come.clear()
    _raises.clear()
    for number in SIGNALS:
        signal.signal(number, _take)


def ignore_signals() -> None:
    """From here on a signal does nothing: the end is under way."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def interrupted() -> bool:
    """Whether a signal has come."""
    return _come.is_set()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let a signal break off what is done inside: imports, a download, a load, a warm-up.

    Raises:
        KeyboardInterrupt: When a signal comes, or if one has come. A library may lose it:
            whoever spins asks :func:`interrupted` too.
    """
    _raises.set()
    try:
        if interrupted():
            raise KeyboardInterrupt
        yield
    finally:
        _raises.clear()


def _take(*_: object) -> None:
    _come.set()
    if _raises.is_set():
        raise KeyboardInterrupt
