from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from da_ros.ros.rate_limit import RateLimit


class TestRateLimit:
    def test_zero_admits_all(self) -> None:
        limit = RateLimit()
        assert all(limit.admits(5.0, 0.0) for _ in range(5))

    @pytest.mark.parametrize(
        ("camera", "rate", "expected"), [(30, 10, 10), (30, 15, 15), (5, 10, 5)]
    )
    def test_a_steady_camera_gives_the_rate(self, camera: int, rate: int, expected: int) -> None:
        limit = RateLimit()
        taken = sum(limit.admits(100 + i / camera, rate) for i in range(10 * camera))
        assert taken == pytest.approx(10 * expected, abs=2)

    @given(st.lists(st.floats(0.0, 0.2), min_size=1, max_size=200), st.floats(1.0, 50.0))
    def test_never_more_than_the_rate(self, gaps: list[float], rate: float) -> None:
        limit, now, taken = RateLimit(), 10.0, 0
        for gap in gaps:
            now += gap
            taken += limit.admits(now, rate)
        assert taken <= (now - 10.0) * rate + 2

    def test_a_raised_rate_acts_at_once(self) -> None:
        limit = RateLimit()
        assert limit.admits(10.0, 0.01)
        assert not limit.admits(10.5, 0.01)
        assert limit.admits(10.5, 10.0) or limit.admits(10.6, 10.0)
