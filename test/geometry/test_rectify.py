"""Rectification against OpenCV, between its two bodies, and by eye: straight lines straight."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from da_ros.errors import ShapeError
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.rectify import RectificationMap, _rectify_torch, blank_outside, rectify
from da_ros.geometry.unproject import project


def opencv_map(camera: PinholeCamera) -> tuple[np.ndarray, np.ndarray]:
    """Raw x and y of each rectified pixel, as image_geometry computes them."""
    fisheye = camera.distortion_model == "equidistant"
    compute = cv2.fisheye.initUndistortRectifyMap if fisheye else cv2.initUndistortRectifyMap
    return compute(
        np.reshape(camera.k, (3, 3)),
        np.array(camera.distortion),
        np.reshape(camera.rectification, (3, 3)),
        np.reshape(camera.p, (3, 4))[:, :3],
        (camera.width, camera.height),
        cv2.CV_32FC1,
    )


def noise(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return (np.random.default_rng(5).random(shape) * 255).astype(dtype)


class TestRectificationMap:
    def test_as_opencv(self, camera: PinholeCamera) -> None:
        made = RectificationMap.of(camera)
        x, y = opencv_map(camera)
        assert made.valid.mean() > 0.7
        assert np.abs(made.fixed_x / 32 - x)[made.valid].max() < 0.05
        assert np.abs(made.fixed_y / 32 - y)[made.valid].max() < 0.05

    def test_valid_is_within_the_raw_image(self, camera: PinholeCamera) -> None:
        """None of these lenses folds within the picture, so only its frame decides."""
        x, y = opencv_map(camera)
        for slack, expected in ((-0.02, True), (0.02, False)):
            inside = (x >= -slack) & (x <= 639 + slack) & (y >= -slack) & (y <= 479 + slack)
            both = inside if expected else ~inside
            assert (RectificationMap.of(camera).valid[both] == expected).all()

    def test_agrees_with_project(self, camera: PinholeCamera) -> None:
        """The point that a rectified pixel sees is where the map reads the raw image."""
        made = RectificationMap.of(camera)
        v, u = np.argwhere(made.valid)[::977].T
        target = made.rectified
        rays = np.stack(((u - target.cx) / target.fx, (v - target.cy) / target.fy, 0 * u + 1.0))
        points = (np.reshape(camera.rectification, (3, 3)).T @ rays).T
        read = np.stack((made.fixed_x[v, u], made.fixed_y[v, u]), axis=-1) / 32
        assert np.abs(project(points, camera) - read).max() < 0.03

    def test_identity(self) -> None:
        camera = PinholeCamera.from_fov(33, 21, 70.0)
        image = noise((21, 33, 3), np.uint8)
        made = RectificationMap.of(camera)
        assert made.valid.all()
        assert np.array_equal(rectify(image, made), image)

    def test_cached(self, camera: PinholeCamera) -> None:
        assert RectificationMap.of(camera) is RectificationMap.of(camera)

    def test_fold_is_not_seen(self) -> None:
        """r - 0.3 r^3 turns back at r = 1.05; OpenCV shows the picture again beyond it."""
        camera = PinholeCamera(
            640, 480, 300.0, 300.0, 320.0, 240.0, "plumb_bob", (-0.3, 0.0, 0.0, 0.0),
            projection=(120.0, 0, 320, 0, 0, 120.0, 240, 0, 0, 0, 1, 0),
        )  # fmt: skip
        made = RectificationMap.of(camera)
        x, y = opencv_map(camera)
        u, v = np.meshgrid(np.arange(640), np.arange(480))
        radius = np.hypot(u - 320, v - 240) / 120
        ghosts = (radius > 1.06) & (x > 0) & (x < 639) & (y > 0) & (y < 479)
        assert ghosts.sum() > 1000
        assert not made.valid[ghosts].any()
        assert made.valid[radius < 1.05].mean() == 1.0

    def test_behind_the_camera_is_not_seen(self) -> None:
        """Turned by 100 degrees, the raw camera looks at nothing of the rectified view."""
        turned = cv2.Rodrigues(np.array([0.0, math.radians(100), 0.0]))[0]
        camera = PinholeCamera(
            64, 48, 50.0, 50.0, 31.5, 23.5, "plumb_bob", (0.01, 0.0, 0.0, 0.0),
            rectification=tuple(float(value) for value in turned.ravel()),
        )  # fmt: skip
        behind = RectificationMap.of(camera).valid[:, : 20 if turned[0, 2] > 0 else None]
        opposite = PinholeCamera.from_fields(
            **camera.fields() | {"r": tuple(np.diag([-1.0, 1.0, -1.0]).ravel())}
        )
        assert not RectificationMap.of(opposite).valid.any()
        assert not behind.all()


class TestRectify:
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    @pytest.mark.parametrize("shape", [(480, 640), (480, 640, 3)])
    @pytest.mark.parametrize("nearest", [False, True])
    def test_two_bodies(
        self, camera: PinholeCamera, dtype: type, shape: tuple[int, ...], nearest: bool
    ) -> None:
        made = RectificationMap.of(camera)
        image = noise(shape, dtype)
        on_cpu = rectify(image, made, nearest=nearest)
        on_gpu = _rectify_torch(torch.from_numpy(image), made, nearest).numpy()
        assert on_cpu.dtype == on_gpu.dtype == dtype
        # Integers agree exactly; sums of floats to their last bits.
        assert np.allclose(on_cpu, on_gpu, atol=1e-3 if dtype == np.float32 else 0, equal_nan=True)

    def test_as_remap(self, camera: PinholeCamera) -> None:
        """A smooth picture through OpenCV's own map, where nothing outside is read."""
        u, v = np.meshgrid(np.arange(640.0), np.arange(480.0))
        image = (127 + 60 * np.sin(u / 40) + 60 * np.cos(v / 30)).astype(np.uint8)
        made = RectificationMap.of(camera)
        expected = cv2.remap(image, *opencv_map(camera), cv2.INTER_LINEAR)
        inner = cv2.erode(made.valid.astype(np.uint8), np.ones((3, 3))) > 0
        difference = rectify(image, made).astype(int) - expected
        assert np.abs(difference[inner]).max() <= 1

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    @pytest.mark.parametrize("nearest", [False, True])
    def test_outside_is_no_colour(self, camera: PinholeCamera, dtype: type, nearest: bool) -> None:
        made = RectificationMap.of(camera)
        out = rectify(np.full((480, 640), 200, dtype), made, nearest=nearest)
        outside = np.nan if dtype == np.float32 else 0
        assert np.array_equal(out, np.where(made.valid, 200, outside), equal_nan=True)

    def test_nearest_invents_nothing(self, camera: PinholeCamera) -> None:
        image = np.where(noise((480, 640), np.uint8) > 128, 7, 250).astype(np.uint8)
        assert set(np.unique(rectify(image, RectificationMap.of(camera), nearest=True))) <= {
            0,
            7,
            250,
        }

    def test_tensors_stay_tensors(self, camera: PinholeCamera) -> None:
        image = noise((480, 640, 3), np.uint8)
        made = RectificationMap.of(camera)
        out = rectify(torch.from_numpy(image), made)
        assert isinstance(out, torch.Tensor)
        assert np.array_equal(out.numpy(), rectify(image, made))

    @pytest.mark.parametrize("nearest", [False, True])
    def test_nothing_leaves_the_device(self, camera: PinholeCamera, nearest: bool) -> None:
        """The meta device has no data: whatever looked at it would fail."""
        image = torch.empty(480, 640, 3, dtype=torch.uint8, device="meta")
        out = rectify(image, RectificationMap.of(camera), nearest=nearest)
        assert (out.device.type, out.shape, out.dtype) == ("meta", (480, 640, 3), torch.uint8)

    def test_view_of_a_message(self, camera: PinholeCamera) -> None:
        """Read-only, with padded rows, as decoding hands it on."""
        padded = noise((480, 2000), np.uint8)
        view = np.lib.stride_tricks.as_strided(
            padded, (480, 640, 3), (2000, 3, 1), writeable=False
        )
        made = RectificationMap.of(camera)
        assert np.array_equal(rectify(view, made), rectify(view.copy(), made))

    def test_straight_lines_straight(self, camera: PinholeCamera) -> None:
        """A soft line drawn through OpenCV's lens comes out straight to a tenth of a pixel."""
        rotation = np.reshape(camera.rectification, (3, 3))
        k, d = np.reshape(camera.k, (3, 3)), np.array(camera.distortion)
        pixels = np.stack(np.meshgrid(np.arange(640.0), np.arange(480.0)), axis=-1)
        flat = pixels.reshape(-1, 1, 2)
        if camera.distortion_model == "equidistant":
            seen = cv2.fisheye.undistortPoints(flat, k, d, R=rotation)
        else:
            until = (cv2.TERM_CRITERIA_COUNT, 60, 0)
            seen = cv2.undistortPointsIter(flat, k, d, rotation, np.eye(3), until)
        x, y = seen.reshape(480, 640, 2).transpose(2, 0, 1)
        # The line y = 0.25 + 0.2 x of the rectified view.
        image = (255 * np.exp(-(((y - 0.25 - 0.2 * x) / 0.006) ** 2))).astype(np.uint8)
        made = RectificationMap.of(camera)
        out = rectify(image, made).astype(np.float64)
        columns = np.arange(120, 520)
        centre = (out * np.arange(480)[:, None]).sum(0)[columns] / out.sum(0)[columns]
        target = made.rectified
        expected = (0.25 + 0.2 * (columns - target.cx) / target.fx) * target.fy + target.cy
        assert np.abs(centre - expected).max() < 0.1

    def test_wrong_size(self, camera: PinholeCamera) -> None:
        with pytest.raises(ShapeError, match=r"an image of 640x480 px .* got 480x640"):
            rectify(np.zeros((640, 480, 3), np.uint8), RectificationMap.of(camera))

    def test_real_frame(self, shared_data: Path) -> None:
        """The lens of TUM's Kinect: the frame moves by up to 15 px, and pixels agree with cv2."""
        folder = shared_data / "rgbd" / "tum_fr1_360_0"
        meta = json.loads((folder / "meta.json").read_text())
        camera = PinholeCamera(
            meta["width"], meta["height"], meta["fx"], meta["fy"], meta["cx"], meta["cy"],
            "plumb_bob", tuple(meta["distortion"]),
        )  # fmt: skip
        image = cv2.imread(str(folder / "rgb.png"))
        made = RectificationMap.of(camera)
        k = np.reshape(camera.k, (3, 3))
        expected = cv2.undistort(image, k, np.array(camera.distortion))
        difference = np.abs(rectify(image, made).astype(int) - expected)[made.valid]
        assert np.quantile(difference, 0.99) <= 3
        assert np.abs(image.astype(int) - expected).mean() > 5


class TestBlankOutside:
    def test_nan_where_nothing_is_seen(self, camera: PinholeCamera) -> None:
        made = RectificationMap.of(camera)
        depth = torch.full((2, 480, 640), 3.0)
        out = blank_outside(depth, made)
        assert torch.equal(torch.isnan(out[1]), ~torch.from_numpy(made.valid))
        assert (depth == 3.0).all()

    def test_wrong_size(self, camera: PinholeCamera) -> None:
        with pytest.raises(ShapeError, match=r"a depth of \(480, 640\) .* got \(480, 641\)"):
            blank_outside(torch.zeros(480, 641), RectificationMap.of(camera))
