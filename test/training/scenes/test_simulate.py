from __future__ import annotations

import numpy as np
import pytest
from solids import Solid, scene_of

from da_ros.geometry.unproject import project
from da_ros.training.scenes.builder import Camera, Scene, rotation_y
from da_ros.training.scenes.generate import write_scene
from da_ros.training.scenes.render import pixel_rays, trace
from da_ros.training.scenes.sequence import pinhole_of, pose_of
from da_ros.training.scenes.simulate import (
    OPTICAL_TO_BODY,
    DepthCameraSpec,
    LidarSpec,
    depth_camera_image,
    lidar_directions,
    lidar_scan,
)
from da_ros.training.scenes.tensors import stack

EXACT = LidarSpec(beams=16, columns=180, noise=0.0, drop=0.0)
CLEAN = DepthCameraSpec(noise=0.0, hole=0.0, edge=0)
ROOM = Solid("box", (0.0, -1.0, 5.0), (50.0, 50.0, 0.5))


def body_pose(camera: Camera, above: float = 0.0) -> np.ndarray:
    """A scanner that stands where a camera stands and looks where it looks, or a little above."""
    pose = pose_of(camera)
    pose[:3, :3] = pose[:3, :3] @ OPTICAL_TO_BODY.T
    pose[:3, 3] += above * pose[:3, 2]
    return pose


def depth_of(scene: Scene, height: int, width: int) -> np.ndarray:
    tensors = stack([scene], "cpu")
    return trace(tensors, pixel_rays(tensors, height, width), False)[0].view(height, width).numpy()


class TestLidarScan:
    @pytest.mark.parametrize("above", [0.0, 0.25])
    @pytest.mark.parametrize("seed", [3, 8])
    def test_points_lie_where_the_camera_sees_depth(self, seed: int, above: float) -> None:
        """Through both poses and the intrinsics; above it, some see what the camera cannot."""
        scene = write_scene(seed, "room")
        lidar, camera = body_pose(scene.camera, above), pose_of(scene.camera)
        points = lidar_scan(scene, lidar, EXACT, 0).astype(np.float64)
        world = points @ lidar[:3, :3].T + lidar[:3, 3]
        seen = (world - camera[:3, 3]) @ camera[:3, :3]
        seen = seen[seen[:, 2] > 0.2]
        column, row = project(seen, pinhole_of(scene.camera, 240, 320)).round().astype(int).T
        inside = (column >= 0) & (column < 320) & (row >= 0) & (row < 240)
        depth = depth_of(scene, 240, 320)[row[inside], column[inside]]
        error = np.abs(depth / seen[inside, 2] - 1)
        assert inside.sum() > 200
        assert np.median(error) < 0.01
        assert np.mean(error < 0.05) > 0.8

    def test_points_lie_on_the_surface(self) -> None:
        ball = Solid("ellipsoid", (0.3, -1.0, 4.0), (1.5, 0.8, 1.0), rotation_y(0.4))
        pose = body_pose(Camera(position=(0.0, -1.0, 0.0)))
        points = lidar_scan(scene_of(ball), pose, EXACT, 0).astype(np.float64)
        world = points @ pose[:3, :3].T + pose[:3, 3]
        assert len(points) > 50
        assert max(abs(ball.excess(p)) for p in world) < 1e-3

    @pytest.mark.parametrize(
        ("place", "expected"),
        [
            ((0.0, 0.0, 3.0), (1, 0, 0)),  # ahead of the camera: x
            ((-3.0, 0.0, 0.0), (0, 1, 0)),  # left: y
            ((0.0, -3.0, 0.0), (0, 0, 1)),  # up: z
        ],
    )
    def test_x_is_forward_y_left_z_up(
        self, place: tuple[float, float, float], expected: tuple[int, int, int]
    ) -> None:
        spec = LidarSpec(beams=33, columns=90, lowest_deg=-80, highest_deg=80, noise=0, drop=0)
        scene = scene_of(Solid("ellipsoid", place, (1.0, 1.0, 1.0)))
        points = lidar_scan(scene, body_pose(Camera(position=(0.0, 0.0, 0.0))), spec, 0)
        assert len(points) > 20
        middle = points.mean(0) / np.linalg.norm(points.mean(0))
        np.testing.assert_allclose(middle, expected, atol=0.1)

    def test_range_limits(self) -> None:
        balls = [Solid("ellipsoid", (0.0, 0.0, z), (0.2, 0.2, 0.2)) for z in (-1.0, 4.0)]
        balls.append(Solid("ellipsoid", (9.0, 0.0, 0.0), (0.4, 0.4, 0.4)))
        pose = body_pose(Camera(position=(0.0, 0.0, 0.0)))

        def ranges(near: float, far: float) -> np.ndarray:
            spec = LidarSpec(16, 720, -5, 5, near, far, noise=0.0, drop=0.0)
            return np.linalg.norm(lidar_scan(scene_of(*balls), pose, spec, 0), axis=1)

        assert {round(float(r)) for r in ranges(0.1, 100)} == {1, 4, 9}
        assert {round(float(r)) for r in ranges(2.0, 100)} == {4, 9}
        assert {round(float(r)) for r in ranges(2.0, 6.0)} == {4}

    def test_drops_its_share_of_the_shots(self) -> None:
        scene = scene_of(Solid("box", (0.0, 2.0, 0.0), (60.0, 0.5, 60.0)))
        pose = body_pose(Camera(position=(0.0, 0.0, 0.0)))
        spec = LidarSpec(16, 900, -60, -20, noise=0.0, drop=0.25)
        count = len(lidar_scan(scene, pose, spec, 1))
        shots = 16 * 900
        assert abs(count / shots - 0.75) < 4 * np.sqrt(0.25 * 0.75 / shots)

    def test_noise_is_along_the_beam_with_its_spread(self) -> None:
        pose = body_pose(Camera(position=(0.0, 0.0, 0.0)))
        scene = scene_of(ROOM)
        exact, noisy = (
            lidar_scan(scene, pose, LidarSpec(noise=n, drop=0.0), 2).astype(np.float64)
            for n in (0.0, 0.05)
        )
        exact_range, noisy_range = (np.linalg.norm(p, axis=1) for p in (exact, noisy))
        np.testing.assert_allclose(
            exact / exact_range[:, None], noisy / noisy_range[:, None], atol=1e-6
        )
        error = noisy_range - exact_range
        assert error.std() == pytest.approx(0.05, rel=0.1)
        assert abs(error.mean()) < 0.005

    def test_the_seed_decides(self) -> None:
        pose, scene = body_pose(Camera(position=(0.0, 0.0, 0.0))), scene_of(ROOM)
        one, again, other = (lidar_scan(scene, pose, LidarSpec(), s) for s in (1, 1, 2))
        assert np.array_equal(one, again)
        assert not np.array_equal(one, other)
        assert one.dtype == np.float32


class TestLidarDirections:
    def test_are_rings_of_unit_vectors(self) -> None:
        directions = lidar_directions(LidarSpec(beams=5, columns=8))
        assert directions.shape == (5, 8, 3)
        np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1.0)
        elevation = np.degrees(np.arcsin(directions[..., 2]))
        np.testing.assert_allclose(elevation, np.linspace(-15, 15, 5)[:, None] + np.zeros(8))
        np.testing.assert_allclose(directions[2, 0], (1, 0, 0), atol=1e-12)
        np.testing.assert_allclose(directions[2, 2], (0, 1, 0), atol=1e-12)


class TestDepthCameraImage:
    HEIGHT, WIDTH = 96, 128

    def image(self, scene: Scene, spec: DepthCameraSpec, seed: int = 0) -> np.ndarray:
        camera = Camera(0.7, (0.0, 0.0, 0.0))
        return depth_camera_image(scene, camera, self.HEIGHT, self.WIDTH, spec, seed)

    def test_without_its_faults_it_is_the_depth(self) -> None:
        scene = write_scene(3, "tabletop")
        image = depth_camera_image(scene, scene.camera, self.HEIGHT, self.WIDTH, CLEAN, 0)
        depth = depth_of(scene, self.HEIGHT, self.WIDTH)
        measured = (depth > CLEAN.near) & (depth < CLEAN.far)
        np.testing.assert_allclose(image[measured], depth[measured], rtol=1e-6)
        assert np.isnan(image[~measured]).all()

    def test_stands_at_its_own_place(self) -> None:
        scene = scene_of(ROOM)
        moved = Camera(0.7, (0.0, 0.0, 2.5))
        image = depth_camera_image(scene, moved, 24, 32, CLEAN, 0)
        np.testing.assert_allclose(image, 2.0, rtol=1e-6)

    def test_holes_are_their_share_in_blotches(self) -> None:
        hole = np.isnan(self.image(scene_of(ROOM), DepthCameraSpec(noise=0, hole=0.1, edge=0)))
        assert hole.mean() == pytest.approx(0.1, abs=0.01)
        beside = hole[:, 1:][hole[:, :-1]].mean()
        assert beside > 0.7, "a pixel beside a hole mostly is one"

    def test_edges_have_no_depth_as_wide_as_asked(self) -> None:
        near = Solid("box", (0.0, 0.0, 2.5), (0.5, 0.5, 0.5))
        for width in (1, 3):
            spec = DepthCameraSpec(noise=0.0, hole=0.0, edge=width)
            row = np.isnan(self.image(scene_of(near, ROOM), spec))[self.HEIGHT // 2]
            assert row.sum() == 2 * 2 * width, "on both sides of both edges"

    @pytest.mark.parametrize("distance", [1.0, 3.0])
    def test_noise_grows_with_the_square_of_depth(self, distance: float) -> None:
        wall = Solid("box", (0.0, 0.0, distance + 0.5), (50.0, 50.0, 0.5))
        spec = DepthCameraSpec(noise=0.004, hole=0.0, edge=0)
        error = self.image(scene_of(wall), spec) - distance
        assert error.std() == pytest.approx(0.004 * distance**2, rel=0.05)
        assert abs(error.mean()) < 0.001

    def test_the_seed_decides(self) -> None:
        images = [self.image(scene_of(ROOM), DepthCameraSpec(), seed) for seed in (1, 1, 2)]
        assert np.array_equal(images[0], images[1], equal_nan=True)
        assert not np.array_equal(images[0], images[2], equal_nan=True)
