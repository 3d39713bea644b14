from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from da_ros.errors import ShapeError
from da_ros.geometry.camera import PinholeCamera
from da_ros.scale.observations.point_cloud import Cloud, PointCloudOptions, point_cloud_points
from da_ros.scale.observations.transforms import FixedTransform, TransformBuffer

CAMERA = PinholeCamera(320, 240, 250.0, 250.0, 159.5, 119.5)
OPTIONS = PointCloudOptions()
OPTICAL = (-0.5, 0.5, -0.5, 0.5)
LEVEL = (0.0, 0.0, 0.0, 1.0)
MS = 1_000_000


def wall(distance: float) -> np.ndarray:
    """A wall ahead of a body frame whose x points forward, (N, 3)."""
    y, z = (g.ravel() for g in np.meshgrid(np.linspace(-4, 4, 81), np.linspace(-3, 3, 41)))
    return np.stack((np.full(len(y), distance), y, z), axis=1)


def car(speed: float = 10.0) -> TransformBuffer:
    """Drives ahead; the lidar 0.5 m behind the camera and 0.3 m above it."""
    buffer = TransformBuffer()
    for step in range(11):
        buffer.add("odom", "base", 100 * MS * step, (0.1 * speed * step, 0, 0), LEVEL)
    buffer.add("base", "lidar", 0, (0.0, 0.0, 1.3), LEVEL, static=True)
    buffer.add("base", "camera", 0, (0.5, 0.0, 1.0), OPTICAL, static=True)
    return buffer


class TestPointCloudPoints:
    def test_points_land_where_the_camera_sees_them(self) -> None:
        corner = np.array([[5.5, 1.0, 0.7], [5.5, -1.0, -0.3]])
        cloud = Cloud(corner, "lidar", 0)
        found = point_cloud_points(cloud, "camera", 0, CAMERA, car(), None, OPTIONS)
        # In the camera: 5 m ahead, 1 m left and right, 1 m above and level.
        np.testing.assert_allclose(found.depth, [5.0, 5.0])
        np.testing.assert_allclose(
            found.pixels, [[159.5 - 50, 119.5 - 50], [159.5 + 50, 119.5]], atol=1e-9
        )
        np.testing.assert_allclose(found.sigma, 0.02)

    def test_motion_between_the_stamps_is_taken_out(self) -> None:
        # Scanned at 100 ms, photographed at 350 ms: the car is 2.5 m nearer.
        cloud = Cloud(wall(10.5), "lidar", 100 * MS)
        found = point_cloud_points(cloud, "camera", 350 * MS, CAMERA, car(), None, OPTIONS)
        np.testing.assert_allclose(found.depth, 7.5)
        assert found.note == ""

    @pytest.mark.parametrize("fixed", ["", "map"])
    def test_without_a_fixed_frame_only_clouds_of_the_moment(self, fixed: str) -> None:
        options = replace(OPTIONS, fixed_frame=fixed)
        far = point_cloud_points(
            Cloud(wall(10.5), "lidar", 100 * MS), "camera", 350 * MS, CAMERA, car(), None, options
        )
        assert len(far.depth) == 0
        assert "-0.250 s from the image (at most 0.02 s without a fixed frame" in far.note
        near = point_cloud_points(
            Cloud(wall(10.5), "lidar", 340 * MS), "camera", 350 * MS, CAMERA, car(), None, options
        )
        np.testing.assert_allclose(near.depth, 10.0)
        assert near.note.startswith("taken as of one moment, -0.010 s apart")

    def test_a_fixed_transform_by_parameter(self) -> None:
        cloud = Cloud(np.array([[0.0, 0.0, 2.0]]), "anything", 5)
        found = point_cloud_points(
            cloud, "camera", 9, CAMERA, FixedTransform(np.eye(4)), None, OPTIONS
        )
        np.testing.assert_allclose(found.pixels, [[159.5, 119.5]])

    def test_an_unknown_frame_is_said(self) -> None:
        found = point_cloud_points(
            Cloud(wall(5.0), "velodyne", 0), "camera", 0, CAMERA, car(), None, OPTIONS
        )
        assert (len(found.depth), found.offered) == (0, 81 * 41)
        assert "'velodyne'" in found.note

    def test_behind_beside_and_broken_points_go(self) -> None:
        cloud = np.array([[-5, 0, 0], [5, 50, 0], [np.nan, 0, 0], [5, 0, np.inf], [500, 0, 0]])
        found = point_cloud_points(
            Cloud(cloud, "lidar", 0), "camera", 0, CAMERA, car(), None, OPTIONS
        )
        assert found.note == "none of its points falls into the image; check the mounting (TF)"

    def test_edges_of_the_prediction_are_avoided(self) -> None:
        prediction = np.full((60, 80), 0.2, np.float32)
        prediction[:, 40:] = 1.0
        cloud, options = Cloud(wall(5.5), "lidar", 0), replace(OPTIONS, points=10**6)
        args = (cloud, "camera", 0, CAMERA, car())
        every = point_cloud_points(*args, None, options)
        away = point_cloud_points(*args, prediction, options)
        assert np.abs(every.pixels[:, 0] - 159.5).min() < 1
        assert np.abs(away.pixels[:, 0] - 159.5).min() >= 4
        assert len(away.depth) > 0.9 * len(every.depth)

    def test_a_distorted_camera_bends_the_rays(self) -> None:
        lens = replace(CAMERA, distortion=(-0.2, 0.0, 0.0, 0.0, 0.0))
        cloud = Cloud(np.array([[5.5, 1.0, -0.3]]), "lidar", 0)
        found = point_cloud_points(cloud, "camera", 0, lens, car(), None, OPTIONS)
        np.testing.assert_allclose(found.pixels, [[159.5 - 50 * (1 - 0.2 * 0.04), 119.5]])

    def test_other_shapes_are_refused(self) -> None:
        with pytest.raises(ShapeError, match=r"points of \(N, 3\), got \(5, 4\)"):
            point_cloud_points(
                Cloud(np.zeros((5, 4)), "lidar", 0), "camera", 0, CAMERA, car(), None, OPTIONS
            )
