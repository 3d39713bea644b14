"""What every source of transforms must do: ours, tf2's, and what wraps them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from da_ros.scale.observations.transforms import (
    FutureTransformError,
    TransformError,
    TransformSource,
)

SECOND = 1_000_000_000


class Given(NamedTuple):
    """One geometry_msgs/TransformStamped."""

    parent: str
    child: str
    stamp_ns: int
    translation: tuple[float, float, float]
    rotation: tuple[float, float, float, float]
    static: bool = False


def turn(degrees: float) -> tuple[float, float, float, float]:
    """About z."""
    half = math.radians(degrees) / 2
    return (0.0, 0.0, math.sin(half), math.cos(half))


def pose(degrees: float, x: float, y: float, z: float) -> np.ndarray:
    """The matrix of a turn about z and a translation, written out."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s, 0, x], [s, c, 0, y], [0, 0, 1, z], [0, 0, 0, 1.0]])


ROBOT = [
    Given("odom", "base", 10 * SECOND, (0.0, 0.0, 0.0), turn(0)),
    Given("odom", "base", 11 * SECOND, (2.0, 0.0, 0.0), turn(90)),
    Given("base", "camera", 0, (0.5, 0.0, 1.0), turn(0), static=True),
    Given("base", "scanner", 0, (0.0, 0.0, 2.0), turn(180), static=True),
]


class TransformContract:
    """Subclass it, and say in ``make`` how a source is filled."""

    def make(self, transforms: list[Given]) -> Any:
        raise NotImplementedError

    @pytest.fixture
    def source(self) -> TransformSource:
        found: TransformSource = self.make(ROBOT)
        return found

    def test_static_frames_at_any_stamp(self, source: TransformSource) -> None:
        found = source.lookup("camera", 7, "scanner", 7, None)
        expected = np.linalg.inv(pose(0, 0.5, 0, 1)) @ pose(180, 0, 0, 2)
        np.testing.assert_allclose(found, expected, atol=1e-9)

    def test_up_and_down_are_inverse(self, source: TransformSource) -> None:
        at = 10 * SECOND + 300_000_000
        up = source.lookup("odom", at, "camera", at, None)
        down = source.lookup("camera", at, "odom", at, None)
        np.testing.assert_allclose(up @ down, np.eye(4), atol=1e-9)

    def test_between_two_stamps(self, source: TransformSource) -> None:
        at = 10 * SECOND + SECOND // 2
        found = source.lookup("odom", at, "base", at, None)
        np.testing.assert_allclose(found, pose(45, 1, 0, 0), atol=1e-6)

    def test_at_a_stamp_exactly(self, source: TransformSource) -> None:
        for at, expected in ((10, pose(0, 0, 0, 0)), (11, pose(90, 2, 0, 0))):
            found = source.lookup("odom", at * SECOND, "base", at * SECOND, None)
            np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_from_stamp_to_stamp_through_a_fixed_frame(self, source: TransformSource) -> None:
        found = source.lookup("camera", 11 * SECOND, "scanner", 10 * SECOND, "odom")
        camera = pose(90, 2, 0, 0) @ pose(0, 0.5, 0, 1)
        scanner = pose(0, 0, 0, 0) @ pose(180, 0, 0, 2)
        np.testing.assert_allclose(found, np.linalg.inv(camera) @ scanner, atol=1e-6)

    def test_later_than_all_that_is_known_may_still_come(self, source: TransformSource) -> None:
        at = 12 * SECOND
        with pytest.raises(FutureTransformError):
            source.lookup("odom", at, "camera", at, None)
        with pytest.raises(FutureTransformError):
            source.lookup("camera", at, "scanner", 10 * SECOND, "odom")

    def test_earlier_never_will(self, source: TransformSource) -> None:
        with pytest.raises(TransformError) as caught:
            source.lookup("odom", 9 * SECOND, "base", 9 * SECOND, None)
        assert not isinstance(caught.value, FutureTransformError)

    def test_a_frame_that_nobody_knows(self, source: TransformSource) -> None:
        with pytest.raises(TransformError, match="moon"):
            source.lookup("camera", 10 * SECOND, "moon", 10 * SECOND, None)
        with pytest.raises(TransformError, match="moon"):
            source.lookup("camera", 10 * SECOND, "scanner", 10 * SECOND, "moon")

    def test_two_trees(self) -> None:
        source = self.make([*ROBOT, Given("map", "tower", 0, (1, 0, 0), turn(0), static=True)])
        with pytest.raises(TransformError) as caught:
            source.lookup("camera", 10 * SECOND, "tower", 10 * SECOND, None)
        assert not isinstance(caught.value, FutureTransformError)

    def test_clear_forgets_what_moves(self) -> None:
        source = self.make(ROBOT)
        source.clear()
        with pytest.raises(TransformError):
            source.lookup("odom", 10 * SECOND, "base", 10 * SECOND, None)
        found = source.lookup("camera", 0, "base", 0, None)
        np.testing.assert_allclose(found, np.linalg.inv(pose(0, 0.5, 0, 1)), atol=1e-9)
