"""The order of the end: what a signal still sets going must be over before it is taken away."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy

from da_ros.ros.depth_node import _end

BOTH = (signal.SIGINT, signal.SIGTERM)
TASKS = Path("/proc/self/task")


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Put back what a process that ends no longer needs."""
    before = {number: signal.getsignal(number) for number in BOTH}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.skipif(not TASKS.is_dir(), reason="no /proc to count threads in")
def test_rclpys_signal_thread_is_over_before_the_executor_goes() -> None:
    """It triggers a guard condition of the executor, which ended the process with SIGSEGV."""
    rclpy.init()
    threads = len(list(TASKS.iterdir()))
    seen = []

    class Executor:
        def shutdown(self) -> None:
            ignored = [signal.getsignal(number) is signal.SIG_IGN for number in BOTH]
            seen.append((threads - len(list(TASKS.iterdir())), ignored))

    _end(None, Executor())
    assert seen == [(1, [True, True])]
    assert not rclpy.ok()
    signal.raise_signal(signal.SIGINT)  # ignored: nothing is left to interrupt
