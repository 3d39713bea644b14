"""Depth: formulas against slow float64 loops, REP 117's table, resizing against torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from da_ros.errors import ParameterError
from da_ros.geometry.depth import (
    _resize_torch,
    depth_to_millimetres,
    inverse_depth_to_depth,
    metric_to_depth,
    nominal_depth,
    resize_prediction,
)
from da_ros.types import DepthRange, DepthScale, ScaleShift

NAN, INF = math.nan, math.inf
RANGE = DepthRange(near=0.25, far=20.0)
ANY_FLOATS = hnp.arrays(
    np.float32, hnp.array_shapes(max_dims=3, max_side=9), elements=st.floats(width=32)
)


def values(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float32)


def same(result: torch.Tensor, expected: list[float]) -> bool:
    return np.allclose(result.numpy(), np.float32(expected), rtol=1e-6, equal_nan=True)


class TestResizePrediction:
    @pytest.mark.parametrize(
        ("old", "new"),
        [((37, 49), (480, 640)), ((518, 686), (480, 640)), ((8, 8), (4, 4)), ((5, 7), (7, 5)),
         ((1, 1), (3, 4)), ((100, 3), (33, 1))],
    )  # fmt: skip
    def test_two_bodies(self, old: tuple[int, int], new: tuple[int, int]) -> None:
        grid = torch.rand(2, *old, generator=torch.Generator().manual_seed(1))
        on_cpu = resize_prediction(grid, *new)
        assert on_cpu.shape == (2, *new)
        # Both weigh by float32 coordinates of up to 700 px; noise shows it at its worst.
        assert torch.allclose(on_cpu, _resize_torch(grid, *new), atol=2e-4)

    def test_half_pixel_centres(self) -> None:
        """Literal: output pixel i samples (i + 1/2) h / H - 1/2, clamped."""
        row = np.array([0.0, 1.0, 5.0])
        expected = []
        for i in range(7):
            x = min(max((i + 0.5) * 3 / 7 - 0.5, 0.0), 2.0)
            left = min(int(x), 1)
            expected.append(row[left] + (x - left) * (row[left + 1] - row[left]))
        grid = torch.tensor(row, dtype=torch.float32).expand(1, 2, 3)
        assert np.allclose(resize_prediction(grid, 5, 7)[0], expected, atol=1e-6)

    def test_plane_stays_a_plane(self) -> None:
        """Inverse depth of a plane is linear in the pixels, so resizing adds no error."""
        v, u = torch.meshgrid(torch.arange(37.0), torch.arange(49.0), indexing="ij")
        big = resize_prediction((0.1 + 0.01 * u + 0.02 * v)[None], 480, 640)[0].double()
        rows = (torch.arange(480.0) + 0.5) * 37 / 480 - 0.5
        columns = (torch.arange(640.0) + 0.5) * 49 / 640 - 0.5
        plane = 0.1 + 0.01 * columns[None, :] + 0.02 * rows[:, None]
        assert torch.allclose(big[10:-10, 10:-10], plane[10:-10, 10:-10].double(), atol=1e-5)

    def test_same_size_is_not_copied(self) -> None:
        grid = torch.rand(1, 4, 5)
        assert resize_prediction(grid, 4, 5) is grid

    def test_strided_input(self) -> None:
        grid = torch.rand(2, 9, 8)
        turned = grid.transpose(1, 2)
        assert torch.equal(
            resize_prediction(turned, 20, 30), resize_prediction(turned.contiguous(), 20, 30)
        )


class TestInverseDepthToDepth:
    def test_rep_117(self) -> None:
        """s = 2, t = -0.05: y = 0.05 (far) at d = 0.05, y = 4 (near) at d = 2.025."""
        d = values(0.05, 0.0501, 0.0, -3.0, 0.275, 2.0249, 2.03, 1e9, NAN, INF, -INF)
        z = inverse_depth_to_depth(d, ScaleShift(2.0, -0.05), RANGE)
        far = 1 / (2 * 0.0501 - 0.05)
        near = 1 / (2 * 2.0249 - 0.05)
        assert same(z, [INF, far, INF, INF, 2.0, near, -INF, -INF, NAN, NAN, NAN])

    def test_limits_themselves(self) -> None:
        """At far it is too far, at near it still counts."""
        z = inverse_depth_to_depth(values(0.05, 4.0), ScaleShift(1.0, 0.0), RANGE)
        assert same(z, [INF, 0.25])

    @settings(deadline=None)
    @given(d=ANY_FLOATS, s=st.floats(0.01, 100.0), t=st.floats(-1.0, 1.0))
    def test_as_the_formula(self, d: np.ndarray, s: float, t: float) -> None:
        z = inverse_depth_to_depth(torch.from_numpy(d), ScaleShift(s, t), RANGE).numpy()
        assert z.shape == d.shape
        assert z.dtype == np.float32
        for got, one in zip(z.ravel(), d.ravel().astype(np.float64), strict=True):
            y = s * one + t
            # Within a rounding of a limit either side is right.
            slack = 1e-6 * (abs(s * one) + abs(t))
            if not math.isfinite(one):
                assert math.isnan(got)
            elif y <= 1 / RANGE.far - slack:
                assert got == INF
            elif y > 1 / RANGE.near + slack:
                assert got == -INF
            elif 1 / RANGE.far + slack < y < 1 / RANGE.near - slack:
                assert got == pytest.approx(1 / y, rel=2e-6 + slack / y)
                assert RANGE.near <= got <= RANGE.far

    def test_large_images_are_done_in_pieces(self) -> None:
        d = 0.01 + 4 * torch.rand(3, 211, 307)
        z = inverse_depth_to_depth(d, ScaleShift(1.0, 0.0), DepthRange(1e-6, 1e6))
        assert torch.allclose(z, 1 / d)
        turned = inverse_depth_to_depth(d.mT, ScaleShift(1.0, 0.0), DepthRange(1e-6, 1e6))
        assert torch.equal(turned, z.mT)

    def test_input_is_kept(self) -> None:
        d = values(0.0, 1.0, NAN)
        inverse_depth_to_depth(d, ScaleShift(1.0, 0.0), RANGE)
        assert same(d, [0.0, 1.0, NAN])

    def test_a_ramp_has_no_terraces(self) -> None:
        d = torch.linspace(0.1, 3.0, 480 * 640).reshape(480, 640)
        z = inverse_depth_to_depth(d, ScaleShift(1.0, 0.01), RANGE)
        assert z.unique().numel() > 300_000

    @pytest.mark.parametrize(
        ("s", "t"), [(0.0, 0.1), (-1.0, 0.1), (NAN, 0.1), (INF, 0.1), (1.0, NAN), (1.0, INF)]
    )
    def test_refused(self, s: float, t: float) -> None:
        with pytest.raises(ParameterError, match="finite scale > 0 and a finite shift, got"):
            inverse_depth_to_depth(values(1.0), ScaleShift(s, t), RANGE)


class TestMetricToDepth:
    def test_rep_117(self) -> None:
        z = values(9.99, 10.0, 10.1, 0.125, 0.1249, 0.0, NAN, INF, -INF)
        out = metric_to_depth(z, DepthScale(2.0), RANGE)
        assert same(out, [19.98, INF, INF, 0.25, -INF, -INF, NAN, NAN, NAN])

    def test_saturated_sigmoid_is_no_wall(self) -> None:
        """max_depth 20: the sky comes out just below it, far = 0.95 max_depth makes it +Inf."""
        out = metric_to_depth(values(19.9, 18.9), DepthScale(), DepthRange(0.2, 19.0))
        assert same(out, [INF, 18.9])

    @settings(deadline=None)
    @given(z=ANY_FLOATS, k=st.floats(0.1, 10.0))
    def test_as_the_formula(self, z: np.ndarray, k: float) -> None:
        out = metric_to_depth(torch.from_numpy(z), DepthScale(k), RANGE).numpy()
        with np.errstate(over="ignore"):
            product = z * np.float32(k)
        expected = np.where(product >= 20, INF, np.where(product < 0.25, -INF, product))
        assert np.array_equal(out, np.where(np.isfinite(z), expected, NAN), equal_nan=True)

    @pytest.mark.parametrize("k", [0.0, -1.0, NAN, INF])
    def test_refused(self, k: float) -> None:
        with pytest.raises(ParameterError, match="finite factor > 0, got"):
            metric_to_depth(values(1.0), DepthScale(k), RANGE)


class TestNominalDepth:
    def test_formula(self) -> None:
        """1/z = 1/20 + (1/0.25 - 1/20) min(d / 5, 1)."""
        out = nominal_depth(values(0.0, 2.5, 5.0, 7.0, -1.0, NAN, INF), 5.0, RANGE)
        assert same(out, [20.0, 1 / (0.05 + 3.95 / 2), 0.25, 0.25, 20.0, NAN, NAN])

    @settings(deadline=None)
    @given(d=ANY_FLOATS, reference=st.floats(0.1, 300.0))
    def test_never_leaves_the_range(self, d: np.ndarray, reference: float) -> None:
        out = nominal_depth(torch.from_numpy(d), reference, RANGE).numpy()
        finite = np.isfinite(d)
        assert np.isnan(out[~finite]).all()
        assert ((out[finite] >= RANGE.near) & (out[finite] <= RANGE.far)).all()

    def test_depends_on_the_pixel_alone(self) -> None:
        """A still object stays still, whatever else comes into the picture."""
        before = nominal_depth(values(1.0, 2.0), 5.0, RANGE)
        after = nominal_depth(values(1.0, 9.0), 5.0, RANGE)
        assert before[0] == after[0]

    @pytest.mark.parametrize("reference", [0.0, -1.0, NAN, INF])
    def test_refused(self, reference: float) -> None:
        with pytest.raises(ParameterError, match="nominal_d_ref: expected a finite number > 0"):
            nominal_depth(values(1.0), reference, RANGE)


class TestDepthToMillimetres:
    def test_table(self) -> None:
        z = values(1.0, 0.0004, 0.0006, 65.535, 65.536, 70.0, 0.0, -1.0, NAN, INF, -INF, 1.2344)
        out = depth_to_millimetres(z)
        assert out.dtype == torch.uint16
        assert out.tolist() == [1000, 0, 1, 65535, 0, 0, 0, 0, 0, 0, 0, 1234]

    @settings(deadline=None)
    @given(z=hnp.arrays(np.float32, 20, elements=st.floats(0, 70, width=32)))
    def test_nearest(self, z: np.ndarray) -> None:
        out = depth_to_millimetres(torch.from_numpy(z)).numpy().astype(np.float64)
        inside = (z > 0) & (z <= np.float32(65.535))
        assert (out[~inside] == 0).all()
        assert (np.abs(out - z.astype(np.float64) * 1000)[inside] <= 0.5).all()

    def test_uniform_noise_to_the_bit(self) -> None:
        z = np.random.default_rng(2).uniform(-1, 70, (300, 400)).astype(np.float32)
        expected = np.rint(z.astype(np.float64) * 1000)
        expected[(z <= 0) | (z > np.float32(65.535))] = 0
        assert np.array_equal(depth_to_millimetres(torch.from_numpy(z)).numpy(), expected)


class TestDevices:
    def test_nothing_leaves_the_device(self) -> None:
        """The meta device has no data: whatever looked at it would fail."""
        grid = torch.empty(2, 37, 49, device="meta")
        d = resize_prediction(grid, 480, 640)
        made = [
            inverse_depth_to_depth(d, ScaleShift(1.0, 0.1), RANGE),
            metric_to_depth(d, DepthScale(2.0), RANGE),
            nominal_depth(d, 5.0, RANGE),
            depth_to_millimetres(d),
        ]
        assert [(one.device.type, one.shape) for one in made] == [("meta", (2, 480, 640))] * 4

    def test_pieces_and_whole_agree(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A GPU converts at once what a CPU converts in pieces."""
        d = torch.rand(3, 101, 103) * 5 - 0.5
        d[0, ::5, ::3], d[1, ::7] = NAN, INF
        conversions = [
            lambda: inverse_depth_to_depth(d, ScaleShift(1.0, 0.1), RANGE),
            lambda: metric_to_depth(d, DepthScale(2.0), RANGE),
            lambda: nominal_depth(d, 5.0, RANGE),
            lambda: depth_to_millimetres(d).float(),
        ]
        whole = [convert() for convert in conversions]
        monkeypatch.setattr("da_ros.geometry.depth._UNSPLIT", 1000)
        for one, convert in zip(whole, conversions, strict=True):
            assert np.array_equal(one.numpy(), convert().numpy(), equal_nan=True)
