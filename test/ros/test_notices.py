from __future__ import annotations

from da_ros.ros.notices import ACTIVE_S, SELDOM_S, Notices


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def made() -> tuple[Notices, list[str], Clock]:
    log: list[str] = []
    clock = Clock()
    return Notices(log.append, clock), log, clock


class TestNotices:
    def test_once_is_logged_once_and_shown_while_it_goes_on(self) -> None:
        notices, log, clock = made()
        for _ in range(3):
            notices.once("camera: x", "odd")
            clock.now += ACTIVE_S / 2
        assert log == ["odd"]
        assert notices.active("camera: ") == ["odd"]
        clock.now += ACTIVE_S
        assert notices.active("camera: ") == []

    def test_seldom_is_throttled_and_counts_what_it_kept_back(self) -> None:
        notices, log, clock = made()
        for number in range(5):
            notices.seldom("k", f"bad {number}")
        clock.now += SELDOM_S
        notices.seldom("k", "bad 5")
        assert log == ["bad 0", "bad 5 (4 more since the last such line)"]

    def test_a_detail_is_for_the_log_alone(self) -> None:
        notices, log, _ = made()
        notices.seldom("k", "bad", "Traceback ...")
        assert log == ["bad\nTraceback ..."]
        assert notices.active() == ["bad"]

    def test_over_lets_it_be_said_again(self) -> None:
        notices, log, _ = made()
        notices.once("k", "odd")
        notices.over("k")
        assert notices.active() == []
        notices.once("k", "odd")
        assert log == ["odd", "odd"]

    def test_what_stands_is_logged_when_it_begins_and_when_it_begins_again(self) -> None:
        notices, log, _ = made()
        notices.standing("input", {"silence": "silent for 5 s", "qos": "misfit"})
        notices.standing("input", {"silence": "silent for 6 s", "qos": "misfit"})
        notices.standing("output", {"silence": "another"})
        assert log == ["silent for 5 s", "misfit", "another"]
        notices.standing("input", {"qos": "misfit"})
        notices.standing("input", {"silence": "silent for 5 s", "qos": "misfit"})
        assert log[3:] == ["silent for 5 s"]
        notices.clear()
        notices.standing("input", {"qos": "misfit"})
        assert log[4:] == ["misfit"]

    def test_prefixes_are_told_apart_and_clear_forgets_all(self) -> None:
        notices, _, _ = made()
        notices.once("a: 1", "one")
        notices.once("b: 1", "two")
        assert notices.active("b: ") == ["two"]
        notices.clear()
        assert notices.active() == []
