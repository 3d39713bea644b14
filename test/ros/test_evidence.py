"""Which image waits for what; no subscription here, only what is kept."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from da_ros.params import ScaleParams
from da_ros.pipeline import CloudEvidence, DepthEvidence
from da_ros.ros.evidence import GIVE_UP_AFTER, EvidenceBox

MS = 1_000_000
FOREVER = 60.0
"""A wait that no test lasts: who waited for it in vain would be seen."""


def message(at_ms: float) -> Any:
    sec, nanosec = divmod(round(at_ms * MS), 10**9)
    stamp = SimpleNamespace(sec=sec, nanosec=nanosec)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp, frame_id="x"))


def box(*depths_ms: float, **params: Any) -> EvidenceBox:
    made = EvidenceBox(ScaleParams(**({"depth_image": True} | params)))
    for at_ms in depths_ms:
        made.add_depth(message(at_ms))
    return made


def depth_stamp(found: tuple[Any, ...]) -> float:
    (one,) = found
    assert isinstance(one, DepthEvidence)
    stamp = one.image.header.stamp
    return float(stamp.sec * 1000 + stamp.nanosec / MS)


class TestDepth:
    def test_what_is_there_is_taken_at_once(self) -> None:
        assert depth_stamp(box(0, 33, 66).match(66 * MS, FOREVER)) == 66

    def test_waits_for_the_one_that_is_due(self) -> None:
        made = box(0, 33, 66)
        senders = [
            threading.Timer(0.2, made.add_depth, [message(99)]),
            threading.Timer(0.3, made.add_depth, [message(132)]),  # nothing nearer can come then
        ]
        for sender in senders:
            sender.start()
        assert depth_stamp(made.match(100 * MS, FOREVER)) == 99
        for sender in senders:
            sender.join()

    def test_does_not_wait_between_two_of_a_slow_sensor(self) -> None:
        made = box(0, 200, 400)
        for at_ms in (433, 466, 499):
            assert made.match(at_ms * MS, FOREVER) == ()

    def test_does_not_wait_before_the_first_has_come(self) -> None:
        assert box().match(0, FOREVER) == ()

    def test_gives_up_on_a_sensor_that_stopped_until_it_is_back(self) -> None:
        made = box(0, 33, 66)
        for number in range(GIVE_UP_AFTER):
            assert made.match((100 + 33 * number) * MS, 0.001) == ()
        assert made.match(900 * MS, FOREVER) == ()
        made.add_depth(message(933))
        assert depth_stamp(made.match(933 * MS, FOREVER)) == 933

    def test_closing_lets_who_waits_go(self) -> None:
        made = box(0, 33, 66)
        timer = threading.Timer(0.1, made.close)
        timer.start()
        start = time.monotonic()
        assert made.match(100 * MS, FOREVER) == ()
        assert time.monotonic() - start < FOREVER
        timer.join()

    def test_stamps_that_go_back_are_a_new_beginning(self) -> None:
        made = box(50_000, 50_033, 50_066)
        made.add_depth(message(10))
        assert made.match(50_066 * MS, 0.0) == ()
        assert depth_stamp(made.match(10 * MS, FOREVER)) == 10


class TestCloud:
    def test_is_taken_once_and_not_waited_for(self) -> None:
        made = EvidenceBox(ScaleParams(point_cloud=True))
        assert made.match(0, FOREVER) == ()
        made.add_cloud(message(50))
        (found,) = made.match(90 * MS, FOREVER)
        assert isinstance(found, CloudEvidence)
        assert made.match(95 * MS, FOREVER) == ()

    @pytest.mark.parametrize(
        ("settings", "reach_ms"),
        [
            ({}, 100),
            ({"fixed_frame": ""}, 20),
            ({"fixed_transform": "0 0 0 0 0 0 1"}, 20),
            ({"cloud_window": 0.05}, 50),
        ],
    )
    def test_how_far_its_stamp_may_be(self, settings: dict[str, Any], reach_ms: int) -> None:
        for away, taken in ((reach_ms, True), (reach_ms + 1, False)):
            made = EvidenceBox(ScaleParams(point_cloud=True, **settings))
            made.add_cloud(message(1000 - away))
            assert bool(made.match(1000 * MS, 0.0)) == taken

    def test_one_of_later_belongs_to_the_next_image(self) -> None:
        for away, taken in ((20, True), (21, False)):
            made = EvidenceBox(ScaleParams(point_cloud=True))
            made.add_cloud(message(1000 + away))
            assert bool(made.match(1000 * MS, 0.0)) == taken
