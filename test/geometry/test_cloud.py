"""Packed clouds: colours, layout, filters, and the bytes a subscriber would read."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.errors import ParameterError, ShapeError
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.cloud import (
    _colour_bits_cv2,
    _colour_bits_torch,
    _mark_edges,
    flying_pixels,
    pack_cloud,
)
from da_ros.geometry.unproject import unproject

INF = math.inf


def scene(height: int, width: int, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Depth with all of REP 117's values, and colours."""
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.3, 30.0, (height, width)).astype(np.float32)
    depth[rng.random((height, width)) < 0.2] = rng.choice([np.nan, np.inf, -np.inf])
    return torch.from_numpy(depth), rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


class TestPackCloud:
    def test_bytes_as_a_subscriber_reads_them(self) -> None:
        """Field by field with struct: x y z at 0 4 8, rgb at 12 as 0x00RRGGBB, 16 a point."""
        camera = PinholeCamera.from_fov(7, 5, 70.0)
        depth, rgb = scene(5, 7)
        data = pack_cloud(depth, camera, rgb).numpy().tobytes()
        points = unproject(depth, camera)
        assert len(data) == 5 * 7 * 16
        for v in range(5):
            for u in range(7):
                point = data[(v * 7 + u) * 16 :][:16]
                assert np.array_equal(struct.unpack("<3f", point[:12]), points[v, u], True)
                red, green, blue = (int(c) for c in rgb[v, u])
                assert struct.unpack("<I", point[12:])[0] == red << 16 | green << 8 | blue

    def test_red_is_red(self) -> None:
        rgb = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)
        packed = pack_cloud(torch.ones(1, 2), PinholeCamera.from_fov(2, 1, 60), rgb)
        assert packed[0, :, 3].numpy().view(np.uint32).tolist() == [0x00FF0000, 0x000000FF]

    def test_blue_first_when_told(self) -> None:
        depth, rgb = scene(6, 8)
        camera = PinholeCamera.from_fov(8, 6, 60)
        turned = pack_cloud(depth, camera, rgb[..., ::-1], bgr=True).numpy()
        assert turned.tobytes() == pack_cloud(depth, camera, rgb).numpy().tobytes()

    @pytest.mark.parametrize("bgr", [False, True])
    def test_two_bodies_of_the_colours(self, bgr: bool) -> None:
        _, rgb = scene(33, 47)
        on_gpu = _colour_bits_torch(torch.from_numpy(rgb), bgr).numpy()
        assert np.array_equal(_colour_bits_cv2(rgb, bgr).view(np.int32), on_gpu)

    def test_nothing_leaves_the_device(self, camera: PinholeCamera) -> None:
        """The meta device has no data: whatever looked at it would fail."""
        depth = torch.empty(480, 640, device="meta")
        rgb = torch.empty(480, 640, 3, dtype=torch.uint8, device="meta")
        packed = pack_cloud(depth, camera, rgb, 2, 9.0, 0.1, 0.5)
        assert packed.device.type == "meta"
        assert packed.shape == (240, 320, 4)

    def test_colours_of_a_message(self) -> None:
        """A read-only view with padded rows, as decoding hands it on."""
        depth, rgb = scene(6, 8)
        padded = np.zeros((6, 32), np.uint8)
        padded[:, :24] = rgb.reshape(6, 24)
        view = np.lib.stride_tricks.as_strided(padded, (6, 8, 3), (32, 3, 1), writeable=False)
        camera = PinholeCamera.from_fov(8, 6, 60)
        expected = pack_cloud(depth, camera, rgb).numpy().tobytes()
        assert pack_cloud(depth, camera, view).numpy().tobytes() == expected

    def test_without_colour(self) -> None:
        depth, _ = scene(5, 7)
        camera = PinholeCamera.from_fov(7, 5, 70.0)
        packed = pack_cloud(depth, camera)
        assert packed.shape == (5, 7, 3)
        assert packed.numpy().tobytes() == unproject(depth, camera).numpy().tobytes()

    def test_tensor_colours(self) -> None:
        depth, rgb = scene(5, 7)
        camera = PinholeCamera.from_fov(7, 5, 70.0)
        packed = pack_cloud(depth, camera, torch.from_numpy(rgb)).numpy()
        assert packed.tobytes() == pack_cloud(depth, camera, rgb).numpy().tobytes()

    @settings(max_examples=40, deadline=None)
    @given(n=st.integers(1, 9), width=st.integers(1, 30), height=st.integers(1, 30))
    def test_stride_is_a_subset(self, n: int, width: int, height: int) -> None:
        depth, rgb = scene(height, width, seed=n)
        camera = PinholeCamera(width, height, 20.0, 21.0, width / 2, height / 3)
        every = pack_cloud(depth, camera, rgb).numpy()
        some = pack_cloud(depth, camera, rgb, stride=n).numpy()
        kept = np.ascontiguousarray(every[::n, ::n])
        assert some.shape == kept.shape
        assert np.array_equal(some[..., 3].view(np.uint32), kept[..., 3].view(np.uint32))
        # The rays come from another camera, rounded anew.
        assert np.allclose(some[..., :3], kept[..., :3], rtol=1e-6, atol=1e-6, equal_nan=True)

    def test_range_limits(self) -> None:
        depth = torch.tensor([[0.5, 1.0, 2.0, 3.0, 3.1, INF, -INF, math.nan]])
        camera = PinholeCamera.from_fov(8, 1, 60)
        packed = pack_cloud(depth, camera, max_range=3.0, min_range=1.0)
        assert torch.isfinite(packed[0, :, 2]).tolist() == [False] + [True] * 3 + [False] * 4
        assert torch.equal(torch.isnan(packed).any(-1), torch.isnan(packed).all(-1))
        assert depth[0, 0] == 0.5

    def test_infinite_limit_lets_no_infinity_through(self) -> None:
        packed = pack_cloud(
            torch.full((2, 2), INF), PinholeCamera.from_fov(2, 2, 60), max_range=INF
        )
        assert torch.isnan(packed).all()

    def test_through_a_lens(self, camera: PinholeCamera) -> None:
        depth, rgb = scene(480, 640)
        packed = pack_cloud(depth, camera, rgb, stride=4)
        expected = unproject(depth, camera)[::4, ::4]
        assert torch.allclose(packed[..., :3], expected, rtol=1e-5, atol=1e-6, equal_nan=True)

    def test_no_point_hangs_between_two_walls(self) -> None:
        """A wall at 1 m before one at 4 m, blurred as a network blurs: nothing is left between."""
        inverse = torch.full((60, 80), 0.25)
        inverse[15:45, 20:60] = 1.0
        blurred = torch.nn.functional.avg_pool2d(inverse[None], 3, 1, 1, count_include_pad=False)
        camera = PinholeCamera.from_fov(80, 60, 60)
        depth = 1 / blurred[0]
        assert ((depth > 1.05) & (depth < 3.8)).any()
        z = pack_cloud(depth, camera, edge_threshold=0.1)[..., 2]
        assert not ((z > 1.1) & (z < 3.6)).any()
        assert torch.isfinite(z).float().mean() > 0.85

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"stride": 0}, "stride: expected 1 or more, got 0"),
            ({"max_range": 0.0}, "max_range: expected more than 0.0 m, got 0.0"),
            ({"max_range": math.nan}, "max_range: expected more than 0.0 m, got nan"),
            ({"min_range": 3.0, "max_range": 2.0}, "max_range: expected more than 3.0 m, got 2.0"),
            ({"min_range": -1.0}, "min_range: expected 0 m or more, got -1.0"),
            ({"edge_threshold": 0.0}, "edge_threshold: expected a number > 0, got 0.0"),
        ],
    )
    def test_refused(self, arguments: dict[str, float], message: str) -> None:
        with pytest.raises(ParameterError, match=message):
            pack_cloud(torch.ones(4, 5), PinholeCamera.from_fov(5, 4, 60), **arguments)

    def test_wrong_sizes(self) -> None:
        camera = PinholeCamera.from_fov(5, 4, 60)
        with pytest.raises(ShapeError, match=r"a depth of \(4, 5\) .* got \(5, 4\)"):
            pack_cloud(torch.ones(5, 4), camera)
        with pytest.raises(ShapeError, match=r"colours of \(4, 5, 3\), got \(4, 5\)"):
            pack_cloud(torch.ones(4, 5), camera, np.zeros((4, 5), np.uint8))


def literal_edges(inverse: np.ndarray, threshold: float) -> np.ndarray:
    """The definition, pixel by pixel."""
    height, width = inverse.shape
    marked = np.zeros(inverse.shape, bool)
    for v in range(height):
        for u in range(width):
            for dv, du in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                if 0 <= v + dv < height and 0 <= u + du < width:
                    a, b = float(inverse[v, u]), float(inverse[v + dv, u + du])
                    marked[v, u] |= abs(a - b) > threshold * min(a, b)
    return marked


class TestFlyingPixels:
    @settings(max_examples=40, deadline=None)
    @given(seed=st.integers(0, 99), threshold=st.floats(0.02, 1.5))
    def test_as_the_definition(self, seed: int, threshold: float) -> None:
        rng = np.random.default_rng(seed)
        inverse = rng.uniform(0.5, 1.0, (9, 11)).astype(np.float32)
        inverse[rng.random((9, 11)) < 0.1] = np.nan
        inverse[rng.random((9, 11)) < 0.1] = 0.0
        marked = flying_pixels(torch.from_numpy(inverse), threshold).numpy()
        assert np.array_equal(marked, literal_edges(inverse, threshold))

    def test_two_bodies(self) -> None:
        """Tensors, as on a GPU, and arrays."""
        values = torch.rand(30, 40)
        values[::7, ::3], values[3::9, ::5] = math.nan, INF
        marked = torch.zeros(30, 40, dtype=torch.bool)
        _mark_edges(values, values / 1.2, marked)
        assert torch.equal(marked, flying_pixels(values, 0.2))

    def test_depth_or_inverse_depth(self) -> None:
        depth = torch.rand(40, 50, generator=torch.Generator().manual_seed(1)) + 0.8
        depth[3:9, 4:20] = INF
        assert torch.equal(flying_pixels(depth, 0.1), flying_pixels(1 / depth, 0.1))

    def test_slope_is_no_edge(self) -> None:
        """A floor 1 m below a level camera, from 1 to 10 m."""
        rows = torch.arange(60, 480.0)[:, None].expand(420, 640)
        assert not flying_pixels(rows / 525.0, 0.05).any()

    def test_both_sides_are_marked(self) -> None:
        marked = flying_pixels(torch.tensor([[1.0, 1.0, 2.0, 2.0]]), 0.1)
        assert marked.tolist() == [[False, True, True, False]]

    @pytest.mark.parametrize("threshold", [0.0, -0.1, math.nan])
    def test_refused(self, threshold: float) -> None:
        with pytest.raises(ParameterError, match="edge_threshold: expected a number > 0"):
            flying_pixels(torch.ones(2, 2), threshold)
