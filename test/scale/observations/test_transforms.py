"""Our own buffer of transforms, beyond the contract of test_transform_contract.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from da_ros.scale.observations.transforms import (
    FixedTransform,
    TransformBuffer,
    TransformError,
    pose_matrix,
    slerp,
)

MS = 1_000_000
LEVEL = (0.0, 0.0, 0.0, 1.0)


def robot() -> TransformBuffer:
    """odom -> base drives and turns; base -> lidar and base -> camera are fixed."""
    buffer = TransformBuffer()
    for step in range(11):
        turn = Rotation.from_euler("z", 0.1 * step).as_quat()
        buffer.add("odom", "base", 100 * MS * step, (0.5 * step, 0.0, 0.0), turn)
    buffer.add("base", "lidar", 0, (0.2, 0.0, 0.5), LEVEL, static=True)
    optical = (-0.5, 0.5, -0.5, 0.5)
    buffer.add("base", "camera", 0, (0.3, 0.1, 0.4), optical, static=True)
    return buffer


def pose(x: float, yaw: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("z", yaw).as_matrix()
    matrix[0, 3] = x
    return matrix


class TestContract:
    def make(self) -> TransformBuffer:
        return robot()

    def test_static_frames_at_one_stamp(self) -> None:
        found = self.make().lookup("camera", 0, "lidar", 0, None)
        # A point ahead of the lidar: 1 m ahead of the camera's lens, 0.1 m right, 0.1 m above it.
        np.testing.assert_allclose(found @ [1.1, 0, 0, 1], [0.1, -0.1, 1.0, 1], atol=1e-12)

    def test_between_two_stamps_of_a_moving_robot(self) -> None:
        found = self.make().lookup("base", 300 * MS, "base", 100 * MS, "odom")
        wanted = np.linalg.inv(pose(1.5, 0.3)) @ pose(0.5, 0.1)
        np.testing.assert_allclose(found, wanted, atol=1e-12)

    def test_poses_are_interpolated(self) -> None:
        found = self.make().lookup("odom", 250 * MS, "base", 250 * MS, None)
        np.testing.assert_allclose(found, pose(1.25, 0.25), atol=1e-12)

    def test_there_and_back(self) -> None:
        buffer = self.make()
        there = buffer.lookup("camera", 330 * MS, "lidar", 120 * MS, "odom")
        back = buffer.lookup("lidar", 120 * MS, "camera", 330 * MS, "odom")
        np.testing.assert_allclose(there @ back, np.eye(4), atol=1e-12)

    @pytest.mark.parametrize("stamp", [-1, 1_000 * MS + 1])
    def test_nothing_is_extrapolated(self, stamp: int) -> None:
        with pytest.raises(TransformError, match="asked for"):
            self.make().lookup("odom", stamp, "base", stamp, None)

    def test_frames_that_are_not_connected(self) -> None:
        with pytest.raises(TransformError, match="not connected"):
            self.make().lookup("camera", 0, "elsewhere", 0, None)

    def test_a_leading_slash_is_an_old_spelling(self) -> None:
        found = self.make().lookup("/camera", 0, "/lidar", 0, None)
        np.testing.assert_array_equal(found, self.make().lookup("camera", 0, "lidar", 0, None))


class TestBuffer:
    def test_order_of_arrival_plays_no_part(self) -> None:
        buffer = TransformBuffer()
        for step in np.random.default_rng(0).permutation(11):
            turn = Rotation.from_euler("z", 0.1 * step).as_quat()
            buffer.add("odom", "base", int(100 * MS * step), (0.5 * step, 0.0, 0.0), turn)
        found = buffer.lookup("odom", 777 * MS, "base", 777 * MS, None)
        np.testing.assert_allclose(found, pose(3.885, 0.777), atol=1e-9)

    def test_the_newest_of_one_stamp_counts(self) -> None:
        buffer = TransformBuffer()
        buffer.add("a", "b", 5, (1, 0, 0), LEVEL)
        buffer.add("a", "b", 5, (2, 0, 0), LEVEL)
        assert buffer.lookup("a", 5, "b", 5, None)[0, 3] == 2

    def test_old_poses_go(self) -> None:
        buffer = TransformBuffer(keep=1.0)
        for step in range(30):
            buffer.add("a", "b", 100 * MS * step, (step, 0, 0), LEVEL)
        assert buffer.lookup("a", 1_900 * MS, "b", 1_900 * MS, None)[0, 3] == 19
        with pytest.raises(TransformError, match="asked for"):
            buffer.lookup("a", 1_800 * MS, "b", 1_800 * MS, None)

    def test_a_frame_may_change_its_parent(self) -> None:
        buffer = TransformBuffer()
        buffer.add("a", "b", 0, (1, 0, 0), LEVEL)
        buffer.add("c", "b", 0, (2, 0, 0), LEVEL)
        assert buffer.lookup("c", 0, "b", 0, None)[0, 3] == 2
        with pytest.raises(TransformError, match="not connected"):
            buffer.lookup("a", 0, "b", 0, None)

    def test_a_loop_is_an_error_and_ends(self) -> None:
        buffer = TransformBuffer()
        buffer.add("a", "b", 0, (1, 0, 0), LEVEL)
        buffer.add("b", "a", 0, (1, 0, 0), LEVEL)
        with pytest.raises(TransformError, match="form a loop"):
            buffer.lookup("a", 0, "b", 0, None)

    @pytest.mark.parametrize(
        ("parent", "child", "place", "turn"),
        [
            ("a", "a", (0, 0, 0), LEVEL),
            ("", "b", (0, 0, 0), LEVEL),
            ("a", "b", (0, np.nan, 0), LEVEL),
            ("a", "b", (0, 0, 0), (0, 0, 0, 0)),
            ("a", "b", (0, 0, 0), (0, 0, np.inf, 1)),
            ("a", "b", (0, 0), LEVEL),
        ],
    )
    def test_what_is_no_transform_is_refused(
        self, parent: str, child: str, place: tuple[float, ...], turn: tuple[float, ...]
    ) -> None:
        buffer = TransformBuffer()
        buffer.add("a", "b", 0, (1, 0, 0), LEVEL)
        with pytest.raises(TransformError, match="expected two frames"):
            buffer.add(parent, child, 1, place, turn)
        assert buffer.lookup("a", 0, "b", 0, None)[0, 3] == 1

    def test_a_fixed_transform(self) -> None:
        matrix = pose(1.0, 0.2)
        assert FixedTransform(matrix).lookup("a", 0, "b", 9, "odom") is matrix


class TestRotations:
    @given(st.integers(0, 10_000), st.floats(0, 1))
    @settings(max_examples=100, deadline=None)
    def test_slerp_is_that_of_scipy(self, seed: int, share: float) -> None:
        both = Rotation.random(2, random_state=seed)
        a, b = both.as_quat()
        wanted = Slerp([0, 1], both)(share).as_matrix()
        found = pose_matrix(np.zeros(3), slerp(a, b, share))[:3, :3]
        np.testing.assert_allclose(found, wanted, atol=1e-7)

    def test_either_sign_is_the_same_rotation(self) -> None:
        a, b = Rotation.from_euler("z", [[0.0], [1.0]]).as_quat()
        np.testing.assert_allclose(
            pose_matrix(np.zeros(3), slerp(a, -b, 0.5))[:3, :3],
            Rotation.from_euler("z", 0.5).as_matrix(),
            atol=1e-12,
        )
