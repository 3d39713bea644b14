from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from da_ros.errors import ShapeError
from da_ros.geometry.camera import PinholeCamera
from da_ros.scale.observations.depth_image import DepthImageOptions, depth_image_points

CAMERA = PinholeCamera(160, 120, 140.0, 140.0, 79.5, 59.5)
OPTIONS = DepthImageOptions()
MS = 1_000_000


def slope(height: int = 120, width: int = 160) -> np.ndarray:
    v = (np.arange(height) + 0.5) / height
    return np.broadcast_to((4.0 - 3.0 * v)[:, None], (height, width)).astype(np.float32)


class TestDepthImagePoints:
    def test_pixels_carry_their_depth(self) -> None:
        found = depth_image_points(slope(), 0, 0, CAMERA, OPTIONS)
        assert len(found.depth) == 300
        np.testing.assert_allclose(
            found.depth, 4 - 3 * (found.pixels[:, 1] + 0.5) / 120, rtol=1e-6
        )
        np.testing.assert_allclose(found.sigma, 0.01 * found.depth)
        assert (found.source, found.offered, found.note) == ("depth_image", 19200, "")

    @pytest.mark.parametrize("size", [(60, 80), (240, 320), (90, 100)])
    def test_another_resolution(self, size: tuple[int, int]) -> None:
        found = depth_image_points(slope(*size), 0, 0, CAMERA, OPTIONS)
        np.testing.assert_allclose(
            found.depth, 4 - 3 * (found.pixels[:, 1] + 0.5) / 120, rtol=1e-6
        )
        assert found.pixels[:, 0].max() > 150

    @pytest.mark.parametrize(("apart_ms", "taken"), [(19, True), (-19, True), (21, False)])
    def test_only_of_the_same_moment(self, apart_ms: int, taken: bool) -> None:
        found = depth_image_points(slope(), 10**9 + apart_ms * MS, 10**9, CAMERA, OPTIONS)
        assert (len(found.depth) > 0) is taken
        if not taken:
            assert "+0.021 s from the image (at most 0.02 s)" in found.note

    def test_holes_and_edges_are_dropped(self) -> None:
        depth = slope().copy()
        depth[40:60, 40:60] = 0.5
        depth[80:90, 100:110] = np.nan
        depth[10:20, 10:20] = 0.0
        depth[100, 30] = np.inf
        found = depth_image_points(depth, 0, 0, CAMERA, replace(OPTIONS, points=10**6))
        mask = np.zeros((120, 160), bool)
        u, v = found.pixels.astype(int).T
        mask[v, u] = True
        assert not mask[38:42, 38:62].any()
        assert mask[45:55, 45:55].all()
        for rows, columns in ((78, 98), (8, 8)):
            assert not mask[rows : rows + 14, columns : columns + 14].any()
        assert not mask[98:103, 28:33].any()

    def test_range_limits(self) -> None:
        found = depth_image_points(slope(), 0, 0, CAMERA, replace(OPTIONS, near=1.5, far=3.0))
        assert 1.5 <= found.depth.min() < 1.6
        assert 2.9 < found.depth.max() <= 3.0

    def test_a_steep_floor_is_no_edge(self) -> None:
        # 1 m under the lens, to 12 m: a plane, though depth changes by 8 % a row there.
        v = np.arange(68, 120, dtype=np.float32)
        depth = np.zeros((120, 160), np.float32)
        depth[68:] = (140.0 / (v - 56.0))[:, None]
        found = depth_image_points(depth, 0, 0, CAMERA, OPTIONS)
        assert found.depth.max() > 9.0

    def test_nothing_measured_is_said(self) -> None:
        found = depth_image_points(np.zeros((120, 160), np.float32), 0, 0, CAMERA, OPTIONS)
        assert (len(found.depth), found.note) == (0, "no smooth depth among 0 measured px")

    def test_the_lens_is_taken_out_as_for_the_image(self) -> None:
        lens = replace(CAMERA, distortion=(-0.3, 0.1, 0.0, 0.0, 0.0))
        found = depth_image_points(slope(), 0, 0, lens, replace(OPTIONS, points=10**6))
        # A slope over the raw image's rows: each pixel shows the raw row that its ray hits.
        x = (found.pixels[:, 0] - 79.5) / 140
        y = (found.pixels[:, 1] - 59.5) / 140
        r2 = x * x + y * y
        raw_v = 59.5 + 140 * y * (1 - 0.3 * r2 + 0.1 * r2**2)
        np.testing.assert_allclose(found.depth, 4 - 3 * (raw_v + 0.5) / 120, atol=0.6 * 3 / 120)

    def test_the_same_seed_chooses_the_same(self) -> None:
        one, other = (depth_image_points(slope(), 0, 0, CAMERA, OPTIONS) for _ in range(2))
        np.testing.assert_array_equal(one.pixels, other.pixels)

    def test_a_rare_distance_is_among_the_points_of_a_large_image(self) -> None:
        depth = np.full((960, 1280), 1.0, np.float32)
        depth[:, :640] = 1.3
        depth[100:150, 100:160] = 6.0  # 0.2 % of it
        found = depth_image_points(depth, 0, 0, CAMERA, OPTIONS)
        assert len(found.depth) == 300
        assert 10 < np.count_nonzero(found.depth == 6.0) < 60
        assert 60 < np.count_nonzero(found.depth == np.float32(1.3)) < 200
        # Each once, and all over the image.
        assert len(np.unique(found.pixels, axis=0)) == 300
        assert found.pixels[:, 1].min() < 10
        assert found.pixels[:, 1].max() > 110

    def test_a_colour_image_is_refused(self) -> None:
        with pytest.raises(ShapeError, match=r"expected \(height, width\), got \(4, 4, 3\)"):
            depth_image_points(np.zeros((4, 4, 3), np.float32), 0, 0, CAMERA, OPTIONS)
