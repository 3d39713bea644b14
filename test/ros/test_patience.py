from __future__ import annotations

import time

import pytest

from da_ros.ros.patience import AGAIN_S, GIVE_UP_AFTER, Patience


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [50.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


class TestPatience:
    def test_gives_up_after_some_misses_in_a_row(self, clock: list[float]) -> None:
        patience = Patience()
        for _ in range(GIVE_UP_AFTER):
            assert patience.waits()
            patience.missed()
        assert not patience.waits()

    def test_tries_again_now_and_then(self, clock: list[float]) -> None:
        patience = Patience()
        for _ in range(GIVE_UP_AFTER):
            patience.missed()
        for _ in range(3):
            clock[0] += AGAIN_S
            assert patience.waits()
            patience.missed()
            assert not patience.waits()

    def test_what_came_is_waited_for_again(self, clock: list[float]) -> None:
        patience = Patience()
        for _ in range(GIVE_UP_AFTER):
            patience.missed()
        patience.met()
        assert patience.waits()
