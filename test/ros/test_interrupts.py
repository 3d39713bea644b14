"""A signal breaks off what is long and ours, and waits everywhere else."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from da_ros.ros.interrupts import (
    SIGNALS,
    ignore_signals,
    interrupted,
    interruptible,
    take_signals,
)

BOTH = pytest.mark.parametrize("number", SIGNALS, ids=["INT", "TERM"])


@pytest.fixture(autouse=True)
def taken() -> Iterator[None]:
    """As in the node; afterwards as before, with nothing remembered."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    take_signals()
    yield
    take_signals()
    for number, handler in before.items():
        signal.signal(number, handler)


class TestTakeSignals:
    @BOTH
    def test_one_is_kept(self, number: int) -> None:
        assert not interrupted()
        signal.raise_signal(number)
        assert interrupted()

    def test_earlier_ones_are_forgotten(self) -> None:
        signal.raise_signal(signal.SIGINT)
        take_signals()
        assert not interrupted()


class TestInterruptible:
    @BOTH
    def test_one_inside_breaks_it_off(self, number: int) -> None:
        done = []

        def long() -> None:
            signal.raise_signal(number)
            done.append("the rest")

        with pytest.raises(KeyboardInterrupt), interruptible():
            long()
        assert done == []
        assert interrupted()

    def test_one_before_lets_nothing_begin(self) -> None:
        done = []
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interruptible():
            done.append("anything")
        assert done == []

    def test_one_afterwards_is_kept(self) -> None:
        with interruptible():
            pass
        signal.raise_signal(signal.SIGINT)
        assert interrupted()

    def test_nor_does_it_raise_after_a_failure(self) -> None:
        with pytest.raises(ValueError, match="a load"), interruptible():
            raise ValueError("a load that failed")
        signal.raise_signal(signal.SIGINT)


@BOTH
def test_what_is_ignored_is_not_kept(number: int) -> None:
    ignore_signals()
    signal.raise_signal(number)
    assert not interrupted()
