from __future__ import annotations

import pytest

from da_ros.ros.frame_statistics import RATE_WINDOW_S, FrameStatistics, FrameTimes
from da_ros.types import StageTimes


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def times(infer_ms: float, total_ms: float) -> FrameTimes:
    return FrameTimes(
        StageTimes(infer_ms=infer_ms), queued_ms=1, waited_ms=2, publish_ms=3, total_ms=total_ms
    )


class TestFrameStatistics:
    def test_overhead_is_neither_network_nor_waiting(self) -> None:
        assert times(10.0, 20.0).overhead_ms == 8.0

    def test_counts_by_reason(self) -> None:
        counts = FrameStatistics()
        for reason in ("a", "b", "a"):
            counts.arrived()
            counts.dropped(reason)
        counts.arrived()
        counts.finished(times(1.0, 2.0))
        assert counts.counts() == {"received": 4, "done": 1, "dropped: a": 2, "dropped: b": 1}

    def test_rates_are_of_the_last_seconds(self) -> None:
        clock = Clock()
        counts = FrameStatistics(clock)
        for _ in range(100):
            clock.now += 0.1
            counts.arrived()
        assert counts.rates()[0] == pytest.approx(10.0, rel=0.05)
        clock.now += RATE_WINDOW_S + 1
        assert counts.rates() == (0.0, 0.0)
        assert counts.silence_s == RATE_WINDOW_S + 1

    def test_medians(self) -> None:
        counts = FrameStatistics()
        assert counts.medians() == {}
        assert counts.silence_s is None
        for total in (10.0, 30.0, 20.0):
            counts.finished(times(1.0, total))
        assert counts.medians()["total_ms"] == 20.0
        assert counts.medians()["overhead_ms"] == 17.0
