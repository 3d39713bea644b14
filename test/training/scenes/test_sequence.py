from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from da_ros.errors import ParameterError
from da_ros.geometry.unproject import project, unproject
from da_ros.training.scenes import sequence as sequence_module
from da_ros.training.scenes.builder import Camera, rotation_x, rotation_y
from da_ros.training.scenes.sequence import (
    SceneSequence,
    move,
    pinhole_of,
    pose_of,
    render_sequence,
)
from da_ros.training.scenes.textures import Atlas

FAMILIES = ("room", "tabletop", "street", "open")


def sequence_of(seed: int, family: str, atlas: Atlas) -> SceneSequence:
    return render_sequence(seed, 3, 64, 80, family, atlas)


def reprojection_errors(sequence: SceneSequence, k: int, poses: np.ndarray) -> np.ndarray:
    """Of frame k's depth, carried into frame k + 1, against the depth there; relative."""
    depth = torch.from_numpy(sequence.depth)
    points = unproject(depth[k], sequence.camera).double().numpy().reshape(-1, 3)
    points = points[np.isfinite(points).all(1)]
    motion = np.linalg.inv(poses[k + 1]) @ poses[k]
    moved = points @ motion[:3, :3].T + motion[:3, 3]
    moved = moved[moved[:, 2] > 0.1]
    u, v = project(moved, sequence.camera).T
    height, width = sequence.depth.shape[1:]
    inside = (u >= 0) & (u < width - 1) & (v >= 0) & (v < height - 1)
    there = bilinear(1 / sequence.depth[k + 1].astype(np.float64), u[inside], v[inside])
    errors: np.ndarray = np.abs(there * moved[inside, 2] - 1)
    return errors


def bilinear(image: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Inverse depth of a plane is linear in the pixel, so this is exact on flat things."""
    column, row = np.floor(u).astype(int), np.floor(v).astype(int)
    x, y = u - column, v - row
    upper = image[row, column] * (1 - x) + image[row, column + 1] * x
    lower = image[row + 1, column] * (1 - x) + image[row + 1, column + 1] * x
    result: np.ndarray = upper * (1 - y) + lower * y
    return result


class TestRenderSequence:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_depth_poses_and_intrinsics_agree_from_frame_to_frame(
        self, family: str, atlas: Atlas
    ) -> None:
        sequence = sequence_of(3, family, atlas)
        for k in range(2):
            errors = reprojection_errors(sequence, k, sequence.poses)
            assert len(errors) > 1000
            assert np.median(errors) < 0.002
            assert np.mean(errors < 0.01) > 0.75, "but what is hidden in one of the two"

    def test_the_wrong_motion_does_not_agree(self, atlas: Atlas) -> None:
        """The test above would notice poses the wrong way round, or none."""
        sequence = sequence_of(3, "tabletop", atlas)
        right = np.median(reprojection_errors(sequence, 0, sequence.poses))
        for wrong in (np.linalg.inv(sequence.poses), sequence.poses * 0 + np.eye(4)):
            assert np.median(reprojection_errors(sequence, 0, wrong)) > 3 * right

    def test_shapes_and_types(self, atlas: Atlas) -> None:
        sequence = sequence_of(4, "room", atlas)
        assert sequence.rgb.shape == (3, 64, 80, 3)
        assert sequence.rgb.dtype == np.uint8
        assert sequence.depth.shape == (3, 64, 80)
        assert sequence.depth.dtype == np.float32
        assert sequence.poses.shape == (3, 4, 4)
        assert (sequence.depth > 0).all()
        assert (sequence.camera.width, sequence.camera.height) == (80, 64)

    def test_the_same_seed_gives_the_same_bytes(self, atlas: Atlas) -> None:
        one, again, other = (sequence_of(seed, "room", atlas) for seed in (5, 5, 6))
        for name in ("rgb", "depth", "poses"):
            assert getattr(one, name).tobytes() == getattr(again, name).tobytes()
            assert getattr(one, name).tobytes() != getattr(other, name).tobytes()

    def test_noise_is_new_in_every_frame(
        self, atlas: Atlas, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A camera that stands still, whose frames would be one picture without noise."""
        monkeypatch.setattr(sequence_module, "move", lambda camera, step, travel: camera)
        frames = sequence_of(3, "tabletop", atlas)
        assert np.array_equal(frames.depth[0], frames.depth[1])
        change = frames.rgb[1].astype(float) - frames.rgb[0]
        assert np.abs(change).mean() > 0.05
        assert abs(change.mean()) < 0.5

    def test_makes_the_procedural_textures_itself(self, atlas: Atlas) -> None:
        own = render_sequence(5, 1, 64, 80, "room")
        assert np.array_equal(own.rgb, render_sequence(5, 1, 64, 80, "room", atlas).rgb)

    def test_any_family_where_none_is_named(self, atlas: Atlas) -> None:
        families = {render_sequence(s, 1, 16, 24, None, atlas).scene.family for s in range(6)}
        assert len(families) > 1

    def test_refuses_a_family_that_is_none(self, atlas: Atlas) -> None:
        with pytest.raises(ParameterError, match="no family of scenes is called 'kitchen'; there"):
            render_sequence(1, 1, 16, 24, "kitchen", atlas)


class TestMove:
    CAMERA = Camera(0.7, (1.0, -1.5, 2.0), rotation_y(0.5))

    def test_starts_where_the_camera_is(self) -> None:
        assert move(self.CAMERA, 0.0, 0.4) == self.CAMERA

    def test_ends_ahead_by_its_travel(self) -> None:
        end = move(self.CAMERA, 1.0, 0.4)
        expected = np.array(self.CAMERA.position) + 0.4 * np.array(self.CAMERA.rotation)[:, 2]
        np.testing.assert_allclose(end.position, expected, atol=1e-9)

    def test_rotations_stay_rotations(self) -> None:
        turn = np.array(move(replace(self.CAMERA, rotation=rotation_x(0.7)), 0.3, 0.4).rotation)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1.0)


class TestPinholeOf:
    def test_pixel_centres_lie_at_whole_numbers(self) -> None:
        camera = pinhole_of(Camera(0.5, offset=(0.1, -0.05)), 60, 80)
        assert (camera.fx, camera.fy) == (40.0, 40.0)
        assert (camera.cx, camera.cy) == (39.5 + 8.0, 29.5 - 4.0)


class TestPoseOf:
    def test_carries_the_optical_axis_into_the_world(self) -> None:
        pose = pose_of(Camera(position=(1.0, 2.0, 3.0), rotation=rotation_y(np.pi / 2)))
        np.testing.assert_allclose(pose @ [0, 0, 2, 1], [3, 2, 3, 1], atol=1e-12)
