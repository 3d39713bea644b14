"""A 16-beam scanner in a frame of its own, another moment, a moving camera: to metres."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scanned_scene import (
    HEIGHT,
    WIDTH,
    Floats,
    said,
    scanned,
    scanner_in_camera,
    scene_worth_scanning,
)
from scipy.spatial.transform import Rotation

from da_ros.scale.calibrator import Calibrator, CalibratorOptions, NetworkFrame
from da_ros.scale.extrinsic import Mounting, MountingOptions, check_mounting, turned
from da_ros.scale.fit import Fit
from da_ros.scale.observations.point_cloud import Cloud, PointCloudOptions, point_cloud_points
from da_ros.scale.observations.transforms import TransformBuffer
from da_ros.scale.observations.visibility import VisibilityOptions
from da_ros.training.scenes.sequence import move
from da_ros.types import Kind, ModelInfo

MODEL = ModelInfo("nano", "0" * 64, True, Kind.RELATIVE_INVERSE_DEPTH, None, 0.5)
OPTIONS = PointCloudOptions(visibility=VisibilityOptions(window_px=8, edge_px=3))
SCALE, SHIFT = 1.7, 0.04
MS = 1_000_000


def add(buffer: TransformBuffer, parent: str, child: str, stamp: int, pose: Floats) -> None:
    turn = Rotation.from_matrix(pose[:3, :3]).as_quat()
    buffer.add(parent, child, stamp, list(pose[:3, 3]), list(turn), static=stamp < 0)


class TestScannedSequence:
    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("family", ["room", "street"])
    def test_depth_within_2_percent(self, seed: int, family: str) -> None:
        scene = scene_worth_scanning(seed, family)
        buffer, views = TransformBuffer(), []
        for step in (0, 1):  # The cloud is of 0 ms, the image of 80 ms and 0.4 m further on.
            view = scanned(scene, move(scene.camera, step / 2, 0.8), seed)
            add(buffer, "odom", "camera", step * 80 * MS, view.pose)
            views.append(view)
        add(buffer, "camera", "lidar", -1, scanner_in_camera())
        before, now = views
        d = said(now.y, SCALE, SHIFT, 0.0, seed)
        cloud = Cloud(before.cloud, "lidar", 0)
        points = point_cloud_points(cloud, "camera", 80 * MS, now.camera, buffer, d, OPTIONS)
        frame = NetworkFrame(d, 80 * MS, (HEIGHT, WIDTH))
        found = Calibrator(MODEL, CalibratorOptions()).fit(frame, points)
        assert isinstance(found, Fit), (found, points.note)
        reached = [z for z in (1.0, 3.0, 10.0, 20.0) if z < 1.2 * points.depth.max()]
        assert 1.0 in reached
        for z in reached:
            at = (1 / z - SHIFT) / SCALE
            assert 1 / (found.coefficients @ [at, 1.0]) == pytest.approx(z, rel=0.02)


class TestCheckMounting:
    @pytest.mark.parametrize("seed", [0, 3, 7, 12])
    def test_two_degrees_are_seen(self, seed: int) -> None:
        scene = scene_worth_scanning(seed, "room")
        view = scanned(scene, scene.camera, seed)
        pose = scanner_in_camera()
        points = view.cloud @ pose[:3, :3].T + pose[:3, 3]
        points = points[points[:, 2] > 0.2]
        d = said(view.y, SCALE, SHIFT, 0.05, seed)
        wrong = math.radians(2.0)
        verdicts = [
            check_mounting(turned(points, yaw, pitch), d, view.camera, MountingOptions()).verdict
            for yaw, pitch in ((0.0, 0.0), (wrong, 0.0), (0.0, -wrong))
        ]
        assert verdicts == [Mounting.GOOD, Mounting.WRONG, Mounting.WRONG]

    def test_a_flat_wall_tells_nothing(self) -> None:
        scene = scene_worth_scanning(0, "room")
        camera = scanned(scene, scene.camera, 0).camera
        rng = np.random.default_rng(0)
        u, v = rng.uniform(0, WIDTH - 1, 400), rng.uniform(0, HEIGHT - 1, 400)
        z = 3.0 + 0.02 * rng.standard_normal(400)
        rays = np.stack(
            ((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(400)), 1
        )
        d = said(np.full((HEIGHT, WIDTH), 1 / 3.0), SCALE, SHIFT, 0.05, 1)
        found = check_mounting(rays * z[:, None], d, camera, MountingOptions())
        assert found.verdict is Mounting.UNOBSERVABLE

    def test_a_few_points_tell_nothing(self) -> None:
        scene = scene_worth_scanning(0, "room")
        view = scanned(scene, scene.camera, 0)
        d = said(view.y, SCALE, SHIFT, 0.0, 0)
        found = check_mounting(np.ones((59, 3)), d, view.camera, MountingOptions())
        assert found.verdict is Mounting.UNOBSERVABLE

    def test_turned_turns_about_the_camera(self) -> None:
        ahead = np.array([[0.0, 0.0, 1.0]])
        right, up = turned(ahead, 0.1, 0.0)[0], turned(ahead, 0.0, 0.1)[0]
        np.testing.assert_allclose(right, [math.sin(0.1), 0, math.cos(0.1)])
        np.testing.assert_allclose(up, [0, -math.sin(0.1), math.cos(0.1)])
