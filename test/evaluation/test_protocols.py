"""Protocols, held to numpy.linalg.lstsq, to sums written out, and to the issue's figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.errors import InputError, ShapeError
from da_ros.evaluation import (
    Protocol,
    aligned,
    plane_fit,
    row_fit,
    score,
    valid_pixels,
)
from da_ros.evaluation.protocols import least_squares

CAP = 80.0


def scene(seed: int, shape: tuple[int, int] = (23, 31)) -> tuple[np.ndarray, np.ndarray]:
    """A prediction and a truth with holes; they have little to do with each other."""
    rng = np.random.default_rng(seed)
    truth = np.exp(rng.uniform(-1.0, 4.0, shape)).astype(np.float32)
    truth[rng.random(shape) < 0.2] = np.nan
    prediction = (0.3 / truth + rng.normal(0.0, 0.1, shape)).astype(np.float32)
    return np.nan_to_num(prediction, nan=7.0), truth


def literal(
    prediction: np.ndarray, truth: np.ndarray, cap: float, space: str
) -> tuple[float, float, float]:
    """The evaluator of the released code, line by line, on flat arrays of valid pixels."""
    mask = np.logical_and(truth > 1e-3, truth < cap)
    pred, gt = prediction[mask].astype(np.float64), truth[mask].astype(np.float64)
    design = np.concatenate([pred[:, None], np.ones((len(pred), 1))], axis=-1)
    scale, shift = np.linalg.lstsq(design, 1.0 / gt, rcond=None)[0]
    fitted = scale * pred + shift
    if space == "depth":
        fitted = np.clip(1.0 / np.clip(fitted, 1e-3, None), 1e-3, cap)
    else:
        gt = 1.0 / gt
    absolute, square, right = 0.0, 0.0, 0
    for ours, theirs in zip(fitted, gt, strict=True):
        absolute += abs(ours - theirs) / theirs
        square += (ours - theirs) ** 2
        right += ours > 0 and max(ours / theirs, theirs / ours) < 1.25
    return absolute / len(gt), math.sqrt(square / len(gt)), right / len(gt)


class TestValidPixels:
    def test_limits_and_holes(self) -> None:
        truth = np.array([[0.0, 1e-3, 2e-3, 79.9], [80.0, np.nan, np.inf, -1.0]])
        assert valid_pixels(truth, 80.0).tolist() == [[False, False, True, True], [False] * 4]

    def test_garg_crop_of_kitti(self) -> None:
        """Rows and columns of the public KITTI evaluation for 375 x 1242."""
        valid = valid_pixels(np.ones((375, 1242)), CAP, "garg")
        rows, columns = np.nonzero(valid)
        assert (rows.min(), rows.max() + 1) == (153, 371)
        assert (columns.min(), columns.max() + 1) == (44, 1197)
        assert valid.sum() == (371 - 153) * (1197 - 44)

    def test_eigen_crop_of_nyu(self) -> None:
        valid = valid_pixels(np.ones((480, 640)), CAP, "eigen")
        rows, columns = np.nonzero(valid)
        assert (rows.min(), rows.max() + 1) == (45, 471)
        assert (columns.min(), columns.max() + 1) == (41, 601)

    def test_eigen_crop_of_another_size(self) -> None:
        with pytest.raises(InputError, match="expected images of 480 x 640, got 240 x 320"):
            valid_pixels(np.ones((240, 320)), CAP, "eigen")

    def test_unknown_crop(self) -> None:
        with pytest.raises(InputError, match="expected one of none, garg, eigen, got 'middle'"):
            valid_pixels(np.ones((2, 2)), CAP, "middle")


class TestLeastSquares:
    @pytest.mark.parametrize("width", [1, 2, 3])
    def test_equals_numpy(self, width: int) -> None:
        rng = np.random.default_rng(width)
        columns = rng.normal(5.0, [1.0, 100.0, 1e-3][:width], (200, width))
        target = rng.normal(2.0, 1.0, 200)
        coefficients, offset = least_squares(columns, target)
        expected = np.linalg.lstsq(np.c_[columns, np.ones(200)], target, rcond=None)[0]
        assert coefficients == pytest.approx(expected[:-1], rel=1e-7)
        assert offset == pytest.approx(expected[-1], rel=1e-7)

    @pytest.mark.parametrize("constant", [0.0, 0.1, 1e6])
    def test_constant_column_gives_the_mean(self, constant: float) -> None:
        target = np.random.default_rng(0).random(997)
        coefficients, offset = least_squares(np.full((997, 1), constant), target)
        assert coefficients.tolist() == [0.0]
        assert offset == pytest.approx(target.mean())


class TestAligned:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize(
        ("protocol", "space"),
        [(Protocol.DISP_LS, "disparity"), (Protocol.DEPTH_FROM_DISP_LS, "depth")],
    )
    def test_scores_equal_the_released_evaluator(
        self, seed: int, protocol: Protocol, space: str
    ) -> None:
        prediction, truth = scene(seed)
        valid = valid_pixels(truth, 40.0)
        placed = aligned(prediction, truth, valid, protocol, 40.0)
        got = score(placed, truth, valid, protocol)
        expected = literal(prediction, truth, 40.0, space)
        assert (got.abs_rel, got.rmse, got.delta1) == pytest.approx(expected, rel=1e-6)

    def test_by_hand(self) -> None:
        """Disparities 1, 1, 2 predicted as 0, 2, 4: the fit is 0.25 d + 5/6."""
        truth, prediction = np.array([[1.0, 1.0, 0.5]]), np.array([[0.0, 2.0, 4.0]])
        valid = np.ones((1, 3), bool)
        placed = aligned(prediction, truth, valid, Protocol.DISP_LS, CAP)
        assert placed[0] == pytest.approx([5 / 6, 8 / 6, 11 / 6])
        got = score(placed, truth, valid, Protocol.DISP_LS)
        assert got.abs_rel == pytest.approx((1 / 6 + 2 / 6 + 1 / 12) / 3)
        assert got.rmse == pytest.approx(math.sqrt((1 + 4 + 1) / 36 / 3))
        assert got.delta1 == pytest.approx(2 / 3)  # 1.2 and 1.09 are right, 1.33 is not
        depth = aligned(prediction, truth, valid, Protocol.DEPTH_FROM_DISP_LS, CAP)
        assert depth[0] == pytest.approx([6 / 5, 6 / 8, 6 / 11])

    def test_aligned_depth_is_clipped_to_the_cap(self) -> None:
        truth = np.array([[1.0, 2.0, 9.0, 9.5]])
        prediction = np.array([[1.0, 0.5, 0.1, -5.0]])
        valid = np.array([[True, True, True, False]])
        placed = aligned(prediction, truth, valid, Protocol.DEPTH_FROM_DISP_LS, 10.0)
        assert placed[0, 3] == 10.0

    def test_metric_raw_changes_nothing(self) -> None:
        prediction, truth = scene(3)
        valid = valid_pixels(truth, CAP)
        assert np.array_equal(
            aligned(prediction, truth, valid, Protocol.METRIC_RAW, CAP), prediction
        )

    def test_sizes_must_agree(self) -> None:
        with pytest.raises(ShapeError, match=r"the truth's size \(4, 5\), got \(5, 4\)"):
            aligned(np.ones((5, 4)), np.ones((4, 5)), np.ones((4, 5), bool), Protocol.DISP_LS, 9.0)

    @given(st.integers(0, 999), st.floats(0.01, 100.0), st.floats(-10.0, 10.0))
    @settings(max_examples=40)
    def test_affine_of_the_truth_is_perfect(self, seed: int, scale: float, shift: float) -> None:
        """Any positive scale and any shift of the true inverse depth score 0 and 1."""
        _, truth = scene(seed)
        valid = valid_pixels(truth, CAP)
        with np.errstate(invalid="ignore"):
            prediction = np.nan_to_num(scale / truth.astype(np.float64) + shift)
        placed = aligned(prediction, truth, valid, Protocol.DEPTH_FROM_DISP_LS, CAP)
        got = score(placed, truth, valid, Protocol.DEPTH_FROM_DISP_LS)
        assert got.abs_rel < 1e-6
        assert got.rmse < 1e-3
        assert got.delta1 == 1.0


class TestScore:
    def test_by_hand(self) -> None:
        truth, prediction = np.array([[2.0, 4.0, 1.0, 9.0]]), np.array([[1.0, 4.0, 1.2, 0.0]])
        valid = np.array([[True, True, True, False]])
        got = score(prediction, truth, valid, Protocol.METRIC_RAW)
        assert got.abs_rel == pytest.approx((0.5 + 0.0 + 0.2) / 3)
        assert got.rmse == pytest.approx(math.sqrt((1.0 + 0.0 + 0.04) / 3))
        assert got.delta1 == pytest.approx(2 / 3)

    def test_values_below_zero_are_wrong(self) -> None:
        """Otherwise max(ratio, 1/ratio) of a negative value is negative, and counts as right."""
        truth, prediction = np.array([[2.0, 2.0]]), np.array([[-2.0, 0.0]])
        got = score(prediction, truth, np.ones((1, 2), bool), Protocol.METRIC_RAW)
        assert got.delta1 == 0.0

    def test_limit_of_delta1_is_outside(self) -> None:
        got = score(
            np.array([[1.25, 1.2499]]), np.ones((1, 2)), np.ones((1, 2), bool), Protocol.METRIC_RAW
        )
        assert got.delta1 == 0.5


class TestBaselines:
    def test_row_fit_equals_numpy(self) -> None:
        _, truth = scene(11)
        valid = valid_pixels(truth, CAP)
        rows = np.broadcast_to(np.linspace(0.0, 1.0, 23)[:, None], truth.shape)
        design = np.c_[rows[valid], np.ones(valid.sum())]
        solution = np.linalg.lstsq(design, 1.0 / truth[valid].astype(np.float64), rcond=None)[0]
        got = row_fit(truth, valid, Protocol.DISP_LS, CAP)
        assert got == pytest.approx(rows * solution[0] + solution[1], rel=1e-9, abs=1e-12)

    def test_plane_fit_equals_numpy(self) -> None:
        _, truth = scene(12)
        valid = valid_pixels(truth, CAP)
        v, u = np.mgrid[:23, :31]
        design = np.c_[np.ones(valid.sum()), u[valid], v[valid]]
        solution = np.linalg.lstsq(design, 1.0 / truth[valid].astype(np.float64), rcond=None)[0]
        got = plane_fit(truth, valid, Protocol.DISP_LS, CAP)
        assert got == pytest.approx(solution[0] + u * solution[1] + v * solution[2], rel=1e-9)

    @pytest.mark.parametrize("protocol", list(Protocol))
    def test_plane_fit_of_a_floor_is_perfect(self, protocol: Protocol) -> None:
        """The disparity of any plane in space is linear in the pixel."""
        v, u = np.mgrid[:20, :30]
        truth = (1.0 / (0.1 + 0.02 * v + 0.003 * u)).astype(np.float32)
        valid = valid_pixels(truth, CAP)
        got = score(plane_fit(truth, valid, protocol, CAP), truth, valid, protocol)
        assert got.abs_rel < 1e-6

    def test_single_row_has_no_row_to_fit(self) -> None:
        truth = np.array([[1.0, 2.0, 4.0]])
        got = row_fit(truth, np.ones((1, 3), bool), Protocol.DISP_LS, CAP)
        assert got[0] == pytest.approx([(1 + 0.5 + 0.25) / 3] * 3)
