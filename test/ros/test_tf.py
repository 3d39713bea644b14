"""Transforms of the node: the contract for each way in, and waiting for what is about to come.

tf2_ros cannot be installed here: on a machine that has it the contract runs on the real one. Its
adapter is tried besides on a stand-in with tf2's names, exceptions and words.
"""

from __future__ import annotations

import importlib.util
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from transform_contract import ROBOT, SECOND, Given, TransformContract, pose

from da_ros.ros.tf import BufferFeed, NoFeed, PatientTransforms, Tf2Feed
from da_ros.scale.observations.transforms import (
    FutureTransformError,
    TransformBuffer,
    TransformError,
)

HAS_TF2 = importlib.util.find_spec("tf2_ros") is not None


def message(given: Given) -> TransformStamped:
    made = TransformStamped(child_frame_id=given.child)
    made.header.frame_id = given.parent
    made.header.stamp.sec, made.header.stamp.nanosec = divmod(given.stamp_ns, SECOND)
    place, turn = made.transform.translation, made.transform.rotation
    place.x, place.y, place.z = (float(value) for value in given.translation)
    turn.x, turn.y, turn.z, turn.w = given.rotation
    return made


def filled(feed: Any, transforms: list[Given]) -> Any:
    for given in transforms:
        feed.add(message(given), static=given.static)
    return feed


class StandInTf2:
    """tf2_ros as far as the adapter uses it, around our buffer. A mock: it is not tf2."""

    class TransformException(Exception):  # noqa: N818  # tf2's name
        pass

    class ExtrapolationException(TransformException):
        pass

    class LookupException(TransformException):
        pass

    class Buffer:
        def __init__(self) -> None:
            self._buffer = TransformBuffer()

        def set_transform(self, transform: Any, authority: str) -> None:
            self._add(transform, static=False)

        def set_transform_static(self, transform: Any, authority: str) -> None:
            self._add(transform, static=True)

        def clear(self) -> None:
            self._buffer.clear()

        def lookup_transform(self, target: str, source: str, at: Any) -> Any:
            return self._found(target, at.nanoseconds, source, at.nanoseconds, None)

        def lookup_transform_full(
            self, target: str, at: Any, source: str, then: Any, fixed: str
        ) -> Any:
            return self._found(target, at.nanoseconds, source, then.nanoseconds, fixed)

        def _add(self, transform: Any, *, static: bool) -> None:
            place, turn = transform.transform.translation, transform.transform.rotation
            stamp = transform.header.stamp
            self._buffer.add(
                transform.header.frame_id, transform.child_frame_id,
                stamp.sec * SECOND + stamp.nanosec, (place.x, place.y, place.z),
                (turn.x, turn.y, turn.z, turn.w), static,
            )  # fmt: skip

        def _found(self, *at: Any) -> Any:
            assert not any(str(name).startswith("/") for name in at), "tf2 knows no slashes"
            try:
                matrix = self._buffer.lookup(*at)
            except FutureTransformError as error:
                raise StandInTf2.ExtrapolationException(
                    "Lookup would require extrapolation into the future.  Requested time 12.000 "
                    f"but the latest data is at time 11.000 ({error})"
                ) from error
            except TransformError as error:
                past = "is asked for" in str(error)
                kind = StandInTf2.ExtrapolationException if past else StandInTf2.LookupException
                raise kind(
                    f"Lookup would require extrapolation into the past.  {error}"
                    if past
                    else f'"moon" passed to lookupTransform does not exist. {error}'
                ) from error
            x, y, z = (float(value) for value in matrix[:3, 3])
            return SimpleNamespace(
                transform=SimpleNamespace(
                    translation=SimpleNamespace(x=x, y=y, z=z), rotation=_quaternion(matrix)
                )
            )


def _quaternion(matrix: np.ndarray) -> Any:
    """About z alone, which is all that the contract turns about."""
    half = np.arctan2(matrix[1, 0], matrix[0, 0]) / 2
    return SimpleNamespace(x=0.0, y=0.0, z=float(np.sin(half)), w=float(np.cos(half)))


class TestBufferFeed(TransformContract):
    def make(self, transforms: list[Given]) -> Any:
        return filled(BufferFeed(None), transforms)


class TestTf2FeedOnAStandIn(TransformContract):
    def make(self, transforms: list[Given]) -> Any:
        return filled(Tf2Feed(None, StandInTf2), transforms)


if HAS_TF2:  # else there is nothing to test: no test that looks as if it ran

    class TestTf2Feed(TransformContract):
        def make(self, transforms: list[Given]) -> Any:
            import tf2_ros

            return filled(Tf2Feed(None, tf2_ros), transforms)


class TestPatientTransforms(TransformContract):
    def make(self, transforms: list[Given]) -> Any:
        feed = filled(BufferFeed(None), transforms)
        patient: Any = PatientTransforms(feed, lambda: 0.01)
        patient.clear = feed.clear
        return patient

    def test_waits_for_what_is_about_to_come(self) -> None:
        feed = filled(BufferFeed(None), ROBOT)
        patient = PatientTransforms(feed, lambda: 30.0)
        later = Given("odom", "base", 12 * SECOND, (4.0, 0.0, 0.0), ROBOT[1].rotation)
        timer = threading.Timer(0.2, lambda: feed.add(message(later), static=False))
        timer.start()
        at = 11 * SECOND + SECOND // 2
        found = patient.lookup("odom", at, "base", at, None)
        timer.join()
        np.testing.assert_allclose(found, pose(90, 3, 0, 0), atol=1e-6)

    def test_does_not_wait_for_what_never_comes(self) -> None:
        patient = PatientTransforms(filled(BufferFeed(None), ROBOT), lambda: 600.0)
        for frame, at in (("moon", 10 * SECOND), ("base", 9 * SECOND)):
            with pytest.raises(TransformError):
                patient.lookup("odom", at, frame, at, None)

    def test_gives_up_waiting_when_nothing_comes_any_more(self) -> None:
        waits: list[float] = []

        def wait_s() -> float:
            waits.append(time.monotonic())
            return 0.01

        feed = filled(BufferFeed(None), ROBOT)
        patient = PatientTransforms(feed, wait_s)
        at = 20 * SECOND
        for _ in range(6):
            with pytest.raises(FutureTransformError):
                patient.lookup("odom", at, "base", at, None)
        assert len(waits) == 3
        patient.lookup("odom", 11 * SECOND, "base", 11 * SECOND, None)
        with pytest.raises(FutureTransformError):
            patient.lookup("odom", at, "base", at, None)
        assert len(waits) == 4

    def test_recovers_from_a_stall_where_all_of_it_is_late(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such as odometry from the images themselves: never there at once."""
        monkeypatch.setattr("da_ros.ros.patience.AGAIN_S", 0.0)
        feed = filled(BufferFeed(None), ROBOT)
        wait_s = [0.01]
        patient = PatientTransforms(feed, lambda: wait_s[0])
        for _ in range(6):
            with pytest.raises(FutureTransformError):
                patient.lookup("odom", 20 * SECOND, "base", 20 * SECOND, None)
        later = Given("odom", "base", 12 * SECOND, (4.0, 0.0, 0.0), ROBOT[1].rotation)
        wait_s[0] = 30.0
        timer = threading.Timer(0.1, lambda: feed.add(message(later), static=False))
        timer.start()
        at = 11 * SECOND + SECOND // 2
        found = patient.lookup("odom", at, "base", at, None)
        timer.join()
        np.testing.assert_allclose(found, pose(90, 3, 0, 0), atol=1e-6)


class TestNoFeed:
    def test_says_why(self) -> None:
        with pytest.raises(TransformError, match="there is no TF: not here"):
            NoFeed("there is no TF: not here").lookup("a", 0, "b", 0, None)
