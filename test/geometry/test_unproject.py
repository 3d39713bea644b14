"""Unprojection against depth_image_proc's formula in float64 and against OpenCV's lens."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.errors import ShapeError
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.unproject import Rays, interleave, point_planes, project, unproject


def literal(depth: np.ndarray, fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    """depth_image_proc's loop, in float64."""
    points = np.full((*depth.shape, 3), np.nan)
    for v in range(depth.shape[0]):
        for u in range(depth.shape[1]):
            z = float(depth[v, u])
            if np.isfinite(z):
                points[v, u] = ((u - cx) * z / fx, (v - cy) * z / fy, z)
    return points


class TestUnproject:
    @settings(max_examples=60, deadline=None)
    @given(
        width=st.integers(1, 40),
        height=st.integers(1, 30),
        fov=st.floats(10.0, 150.0),
        aspect=st.floats(0.7, 1.4),
        centre=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
        seed=st.integers(0, 1000),
    )
    def test_as_depth_image_proc(
        self,
        width: int,
        height: int,
        fov: float,
        aspect: float,
        centre: tuple[float, float],
        seed: int,
    ) -> None:
        fx = PinholeCamera.from_fov(max(width, height), 1, fov).fx
        cx, cy = centre[0] * width, centre[1] * height
        camera = PinholeCamera(width, height, fx, fx * aspect, cx, cy)
        rng = np.random.default_rng(seed)
        depth = rng.uniform(0.1, 80.0, (height, width)).astype(np.float32)
        depth[rng.random((height, width)) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
        points = unproject(torch.from_numpy(depth), camera).numpy()
        expected = literal(depth, fx, fx * aspect, cx, cy)
        assert points.dtype == np.float32
        assert np.array_equal(np.isnan(points), np.isnan(expected))
        known = np.isfinite(depth)
        assert (np.abs(points - expected)[known] <= 1e-6 * depth[known][:, None]).all()

    def test_principal_point_is_on_the_axis(self) -> None:
        camera = PinholeCamera(5, 3, 4.0, 4.0, 2.0, 1.0)
        points = unproject(torch.full((3, 5), 2.0), camera)
        assert points[1, 2].tolist() == [0.0, 0.0, 2.0]
        # x right, y down
        assert points[2, 4].tolist() == [1.0, 0.5, 2.0]

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_no_depth_no_point(self, value: float) -> None:
        """Also on the axis, where Inf times 0, and beside it, where Inf times x would be Inf."""
        camera = PinholeCamera(5, 3, 4.0, 4.0, 2.0, 1.0)
        assert torch.isnan(unproject(torch.full((3, 5), value), camera)).all()

    def test_undistorted_pixels_are_those_of_p(self) -> None:
        camera = PinholeCamera(
            8, 6, 9.0, 9.0, 4.0, 3.0, projection=(7.0, 0, 3.5, -1.0, 0, 7.5, 2.5, 0, 0, 0, 1, 0)
        )
        depth = torch.rand(6, 8) + 0.5
        expected = literal(depth.numpy(), 7.0, 7.5, 3.5, 2.5)
        assert np.allclose(unproject(depth, camera), expected, atol=1e-6)

    def test_through_the_lens(self, camera: PinholeCamera) -> None:
        """Points of a distorted image, seen again by OpenCV, are at their pixels."""
        rng = np.random.default_rng(4)
        depth = torch.from_numpy(rng.uniform(0.5, 9.0, (480, 640)).astype(np.float32))
        points = unproject(depth, camera)[::37, ::41].reshape(-1, 1, 3).double().numpy()
        none, k, d = np.zeros(3), np.reshape(camera.k, (3, 3)), np.array(camera.distortion)
        if camera.distortion_model == "equidistant":
            seen = cv2.fisheye.projectPoints(points, none, none, k, d)[0]
        else:
            seen = cv2.projectPoints(points, none, none, k, d)[0]
        u, v = np.meshgrid(np.arange(640)[::41], np.arange(480)[::37])
        assert np.abs(seen.reshape(*u.shape, 2) - np.stack((u, v), axis=-1)).max() < 1e-3

    def test_pixel_without_a_ray(self) -> None:
        """r - 0.3 r^3 reaches 0.70: corners farther out see nothing, in any coordinate."""
        camera = PinholeCamera(64, 48, 40.0, 40.0, 31.5, 23.5, "plumb_bob", (-0.3, 0.0, 0.0, 0.0))
        points = unproject(torch.ones(48, 64), camera)
        assert torch.isnan(points[0, 0]).all()
        assert torch.isfinite(points[24, 32]).all()
        assert torch.equal(torch.isnan(points[..., 0]), torch.isnan(points[..., 2]))

    def test_two_bodies(self, camera: PinholeCamera) -> None:
        """Tensors, as on a GPU, and arrays."""
        depth = torch.rand(480, 640) * 30
        depth[::7, ::3], depth[3::9, ::5], depth[5::11] = np.nan, np.inf, -np.inf
        rays, flying = Rays.of(camera), torch.rand(480, 640) < 0.1
        planes = point_planes(depth, rays, 1.0, 20.0, flying)
        on_gpu = interleave(planes)
        on_cpu = interleave(point_planes(depth.numpy(), rays, 1.0, 20.0, flying.numpy()))
        assert all(isinstance(plane, torch.Tensor) for plane in planes)
        assert torch.equal(on_gpu.nan_to_num(-1.0), on_cpu.nan_to_num(-1.0))
        assert torch.isnan(on_cpu).any()
        assert torch.isfinite(on_cpu).any()

    def test_nothing_leaves_the_device(self, camera: PinholeCamera) -> None:
        """The meta device has no data: whatever looked at it would fail."""
        points = unproject(torch.empty(480, 640, device="meta"), camera)
        assert points.device.type == "meta"
        assert points.shape == (480, 640, 3)

    def test_input_is_kept(self) -> None:
        depth = torch.full((3, 5), np.inf)
        unproject(depth, PinholeCamera.from_fov(5, 3, 60))
        assert torch.isinf(depth).all()

    def test_wrong_size(self) -> None:
        with pytest.raises(ShapeError, match=r"a depth of \(480, 640\) .* got \(640, 480\)"):
            unproject(torch.zeros(640, 480), PinholeCamera.from_fov(640, 480, 60))


class TestRays:
    def test_pinhole_is_a_row_and_a_column(self) -> None:
        rays = Rays.of(PinholeCamera.from_fov(640, 480, 60))
        assert rays.x.shape == (1, 640)
        assert rays.y.shape == (480, 1)

    def test_cached(self, camera: PinholeCamera) -> None:
        assert Rays.of(camera) is Rays.of(camera, torch.device("cpu"))

    def test_rectified_and_raw_see_the_same(self, camera: PinholeCamera) -> None:
        """A raw pixel's ray, turned by R, projects where P says."""
        rays = Rays.of(camera)
        raw = torch.stack((rays.x, rays.y, torch.ones_like(rays.x)), dim=-1).double().numpy()
        turned = raw[::31, ::29].reshape(-1, 3) @ np.reshape(camera.rectification, (3, 3)).T
        seen = project(turned, camera.rectified())
        u, v = np.meshgrid(np.arange(640.0)[::29], np.arange(480.0)[::31])
        flat = np.stack((u, v), axis=-1).reshape(-1, 1, 2)
        k, d = np.reshape(camera.k, (3, 3)), np.array(camera.distortion)
        r, p = np.reshape(camera.rectification, (3, 3)), np.reshape(camera.p, (3, 4))[:, :3]
        if camera.distortion_model == "equidistant":
            expected = cv2.fisheye.undistortPoints(flat, k, d, R=r, P=p)
        else:
            expected = cv2.undistortPointsIter(flat, k, d, r, p, (cv2.TERM_CRITERIA_COUNT, 99, 0))
        assert np.abs(seen - expected.reshape(-1, 2)).max() < 0.01


class TestProject:
    def test_inverse_of_unproject(self, camera: PinholeCamera) -> None:
        depth = torch.rand(480, 640) * 5 + 0.5
        points = unproject(depth, camera)[::23, ::19].reshape(-1, 3).double().numpy()
        u, v = np.meshgrid(np.arange(640)[::19], np.arange(480)[::23])
        pixels = np.stack((u, v), axis=-1).reshape(-1, 2)
        assert np.abs(project(points, camera) - pixels).max() < 1e-3

    def test_not_in_front(self, camera: PinholeCamera) -> None:
        points = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 0.0], [np.nan, 0.0, 1.0]])
        assert np.isnan(project(points, camera)).all()

    def test_past_the_fold(self) -> None:
        camera = PinholeCamera(64, 48, 40.0, 40.0, 31.5, 23.5, "plumb_bob", (-0.3, 0.0, 0.0, 0.0))
        pixels = project(np.array([[1.0, 0.0, 1.0], [1.1, 0.0, 1.0]]), camera)
        assert pixels[0].tolist() == pytest.approx([31.5 + 40 * 0.7, 23.5])
        assert np.isnan(pixels[1]).all()
