from __future__ import annotations

import math
import threading
from types import SimpleNamespace
from typing import Any

from da_ros.ros.camera_info import REMEMBERED, CameraInfoCache, InfoCounts
from da_ros.ros.patience import GIVE_UP_AFTER
from da_ros.types import Header

LONG_S = 60.0


def info(stamp: int, frame_id: str = "cam", fx: float = 50.0) -> Any:
    head = SimpleNamespace(stamp=SimpleNamespace(sec=stamp, nanosec=0), frame_id=frame_id)
    return SimpleNamespace(
        header=head, height=48, width=64, distortion_model="plumb_bob", d=[0.0] * 5,
        k=[fx, 0.0, 32.0, 0.0, fx, 24.0, 0.0, 0.0, 1.0], r=[0.0] * 9, p=[0.0] * 12,
        binning_x=0, binning_y=0,
        roi=SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0),
    )  # fmt: skip


def header(stamp: int, frame_id: str = "cam") -> Header:
    return Header(stamp, 0, frame_id)


class TestMatch:
    def test_the_equal_stamp_is_taken_not_the_latest(self) -> None:
        cache = CameraInfoCache()
        for stamp in (1, 2, 3):
            cache.add(info(stamp))
        found = cache.match(header(2), LONG_S, has_publisher=True)
        assert (found.info.header.stamp.sec, found.exact) == (2, True)

    def test_it_is_waited_for(self) -> None:
        cache = CameraInfoCache()
        cache.add(info(1))
        timer = threading.Timer(0.05, cache.add, [info(2)])
        timer.start()
        found = cache.match(header(2), LONG_S, has_publisher=True)
        timer.join()
        assert found.exact
        assert 0.0 < found.waited_ms < 1000.0 * LONG_S

    def test_after_the_wait_the_latest_serves(self) -> None:
        cache = CameraInfoCache()
        cache.add(info(1))
        found = cache.match(header(2), 0.001, has_publisher=True)
        assert (found.info.header.stamp.sec, found.exact, found.note) == (1, False, "")

    def test_without_a_publisher_nobody_waits(self) -> None:
        found = CameraInfoCache().match(header(2), LONG_S, has_publisher=False)
        assert (found.info, found.note, found.waited_ms) == (None, "no camera_info has come", 0.0)

    def test_another_frame_is_not_taken_for_this_camera(self) -> None:
        cache = CameraInfoCache()
        cache.add(info(1, "left"))
        found = cache.match(header(2, "right"), 0.0, has_publisher=True)
        assert found.info is None
        assert "frame_id 'left' and the image 'right'" in found.note

    def test_a_latched_camera_info_does_not_cost_every_image_the_wait(self) -> None:
        cache = CameraInfoCache()
        cache.add(info(1))
        for stamp in range(2, 2 + GIVE_UP_AFTER):
            assert cache.match(header(stamp), 0.001, has_publisher=True).waited_ms > 0.0
        found = cache.match(header(9), LONG_S, has_publisher=True)
        assert (found.info.header.stamp.sec, found.waited_ms) == (1, 0.0)

    def test_images_before_there_is_a_publisher_do_not_count(self) -> None:
        """A driver starts: its first images come before its camera_info is known of."""
        cache = CameraInfoCache()
        for stamp in range(2 * GIVE_UP_AFTER):
            cache.match(header(stamp), LONG_S, has_publisher=False)
        timer = threading.Timer(0.05, cache.add, [info(9)])
        timer.start()
        found = cache.match(header(9), LONG_S, has_publisher=True)
        timer.join()
        assert found.exact

    def test_it_waits_again_once_stamps_agree_again(self) -> None:
        cache = CameraInfoCache()
        for stamp in range(GIVE_UP_AFTER):
            cache.match(header(100 + stamp), 0.0, has_publisher=True)
        cache.add(info(5))
        assert cache.match(header(5), 0.0, has_publisher=True).exact
        assert cache.match(header(6), 0.001, has_publisher=True).waited_ms > 0.0

    def test_only_so_many_are_remembered(self) -> None:
        cache = CameraInfoCache()
        for stamp in range(REMEMBERED + 2):
            cache.add(info(stamp))
        assert not cache.match(header(1), 0.0, has_publisher=True).exact
        assert cache.match(header(2), 0.0, has_publisher=True).exact
        assert cache.counts.received == REMEMBERED + 2

    def test_clear_forgets_stamps_but_not_the_camera(self) -> None:
        cache = CameraInfoCache()
        cache.add(info(5))
        cache.clear()
        found = cache.match(header(5), 0.0, has_publisher=True)
        assert (found.exact, found.info.header.stamp.sec) == (False, 5)

    def test_close_ends_a_wait(self) -> None:
        cache = CameraInfoCache()
        timer = threading.Timer(0.05, cache.close)
        timer.start()
        found = cache.match(header(1), LONG_S, has_publisher=True)
        timer.join()
        assert found.waited_ms < 1000.0 * LONG_S


class TestCounts:
    def test_images_by_what_they_got(self) -> None:
        cache = CameraInfoCache()
        cache.match(header(1), 0.0, has_publisher=True)
        cache.add(info(2))
        cache.match(header(2), 0.0, has_publisher=True)
        cache.match(header(3), 0.0, has_publisher=True)
        cache.match(header(4, "another"), 0.0, has_publisher=True)
        assert cache.counts == InfoCounts(received=1, exact=1, earlier=1, none=2)

    def test_one_that_comes_behind_its_image_was_late(self) -> None:
        cache = CameraInfoCache()
        cache.add(info(1))
        cache.match(header(2), 0.0, has_publisher=True)
        cache.add(info(2))
        cache.add(info(3))
        cache.match(header(3), 0.0, has_publisher=True)
        assert cache.counts.late == 1
        cache.match(header(4), 0.0, has_publisher=True)
        cache.clear()  # a bag that begins again brings the same stamps
        cache.add(info(4))
        assert cache.counts.late == 1

    def test_another_camera_is_a_change_and_nan_is_none(self) -> None:
        cache = CameraInfoCache()
        for stamp, fx in enumerate([50.0, 50.0, 60.0, 60.0, 50.0, math.nan, math.nan]):
            cache.add(info(stamp, fx=fx))
        assert cache.counts.changes == 3
