from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from da_ros.errors import InputError, ShapeError
from da_ros.evaluation import (
    ImageResult,
    Protocol,
    Sample,
    Score,
    evaluate,
    evaluate_folder,
    summarize,
)
from da_ros.types import Kind

RELATIVE, METRIC = Kind.RELATIVE_INVERSE_DEPTH, Kind.METRIC_DEPTH
DEPTH = Protocol.DEPTH_FROM_DISP_LS


def sample(name: str = "a_1", fill: float | None = None) -> Sample:
    rng = np.random.default_rng(sum(name.encode()))
    depth = rng.uniform(0.5, 9.0, (12, 16)).astype(np.float32)
    if fill is not None:
        depth[:] = fill
    return Sample(name, name.split("_", maxsplit=1)[0], np.zeros((12, 16, 3), np.uint8), depth)


def one(prediction: np.ndarray, truth: Sample, kind: Kind, protocol: Protocol) -> ImageResult:
    (got,) = evaluate([truth], lambda _: prediction, kind, protocol, 80.0)
    return got.result


class TestEvaluate:
    def test_metric_model_is_inverted_for_the_fit(self) -> None:
        truth = sample()
        wrong_scale = 3.0 * truth.depth
        assert one(wrong_scale, truth, METRIC, DEPTH).scores["model"].abs_rel < 1e-6
        raw = one(wrong_scale, truth, METRIC, Protocol.METRIC_RAW)
        assert raw.scores["model"].abs_rel == pytest.approx(2.0)
        assert raw.scores["plane_fit"].abs_rel > 0.1

    def test_metric_raw_is_refused_for_relative_models(self) -> None:
        with pytest.raises(
            InputError, match="expected a metric model, got relative_inverse_depth"
        ):
            one(np.ones((12, 16)), sample(), RELATIVE, Protocol.METRIC_RAW)

    def test_constant_prediction_is_scored_and_named(self) -> None:
        truth = sample()
        result = one(np.full((12, 16), 0.1), truth, RELATIVE, DEPTH)
        assert "constant" in result.note
        mean = np.mean(1.0 / truth.depth.astype(np.float64))
        expected = np.mean(np.abs(1.0 / mean - truth.depth) / truth.depth)
        assert result.scores["model"].abs_rel == pytest.approx(expected)

    def test_swapped_near_and_far_is_named(self) -> None:
        truth = sample()
        assert "swapped" in one(-1.0 / truth.depth, truth, RELATIVE, DEPTH).note
        assert one(1.0 / truth.depth, truth, RELATIVE, DEPTH).note == ""

    def test_ordering_is_asked_before_the_fit(self) -> None:
        """A fit with a negative scale turns a wrong order into a right one."""
        truth = sample()
        assert one(1.0 / truth.depth, truth, RELATIVE, DEPTH).ordering == 1.0
        assert one(-1.0 / truth.depth, truth, RELATIVE, DEPTH).ordering == 0.0
        assert one(truth.depth, truth, METRIC, DEPTH).ordering == 1.0
        assert one(truth.depth, truth, METRIC, Protocol.METRIC_RAW).ordering == 1.0

    def test_too_few_valid_pixels(self) -> None:
        truth = sample(fill=np.nan)
        truth.depth[0, :9] = 2.0
        (got,) = evaluate([truth], lambda _: truth.depth, RELATIVE, DEPTH, 80.0)
        assert got.result.scores == {}
        assert got.result.note == "9 valid pixels, at least 50 are needed"
        assert got.prediction is None

    def test_prediction_that_is_not_finite(self) -> None:
        truth = sample()
        prediction = 1.0 / truth.depth
        prediction[3, 4:7] = np.nan
        result = one(prediction, truth, RELATIVE, DEPTH)
        assert result.scores == {}
        assert result.note == "the prediction is not finite in 3 of 192 valid pixels"

    def test_prediction_may_be_nan_where_truth_is_unknown(self) -> None:
        truth = sample()
        prediction = 1.0 / truth.depth
        truth.depth[2, 2] = np.nan
        prediction[2, 2] = np.nan
        assert one(prediction, truth, RELATIVE, DEPTH).scores["model"].abs_rel < 1e-6

    def test_prediction_of_another_size(self) -> None:
        with pytest.raises(ShapeError, match=r"expected a prediction of the truth's size"):
            one(np.ones((6, 8)), sample(), RELATIVE, DEPTH)

    def test_samples_are_taken_one_at_a_time(self) -> None:
        taken = []

        def endless() -> object:
            while True:
                taken.append(1)
                yield sample()

        results = evaluate(endless(), lambda _: np.eye(12, 16), RELATIVE, DEPTH, 80.0)
        next(results)
        next(results)
        assert len(taken) == 2


class TestRealSet:
    """The figures that the issue states for the baselines, to their last digit."""

    @pytest.fixture(scope="class")
    def summary(self, shared_data: Path) -> dict[str, dict[str, Score]]:
        results = evaluate_folder(
            shared_data / "rgbd", lambda rgb: rgb[..., 1] / 255.0, RELATIVE, DEPTH, 80.0
        )
        groups = summarize([item.result for item in results]).groups
        return {name: means.scores for name, means in groups.items()}

    @pytest.mark.parametrize(
        ("group", "abs_rel", "delta1"),
        [("arc", 0.095, 0.931), ("mosd", 0.058, 0.959), ("tum", 0.237, 0.392)],
    )
    def test_row_fit(
        self, summary: dict[str, dict[str, Score]], group: str, abs_rel: float, delta1: float
    ) -> None:
        got = summary[group]["row_fit"]
        assert (got.abs_rel, got.delta1) == pytest.approx((abs_rel, delta1), abs=5.1e-4)

    def test_plane_fit(self, summary: dict[str, dict[str, Score]]) -> None:
        assert summary["tum"]["plane_fit"].abs_rel == pytest.approx(0.142, abs=5.1e-4)


class TestSummarize:
    @staticmethod
    def result(name: str, value: float) -> ImageResult:
        scores = {m: Score(value, 2 * value, 1 - value) for m in ("model", "row_fit", "plane_fit")}
        return ImageResult(name, name.split("_", maxsplit=1)[0], 99, scores, value)

    def test_means_over_groups_and_over_images(self) -> None:
        lost = ImageResult("b_2", "b", 3, note="3 valid pixels")
        summary = summarize(
            [self.result("a_1", 0.1), self.result("a_2", 0.2), self.result("b_1", 0.6), lost]
        )
        assert {g: m.images for g, m in summary.groups.items()} == {"a": 2, "b": 1}
        assert summary.groups["a"].scores["model"].abs_rel == pytest.approx(0.15)
        assert summary.over_groups.scores["model"].abs_rel == pytest.approx(0.375)
        assert summary.over_images.scores["model"].abs_rel == pytest.approx(0.3)
        assert summary.over_images.scores["row_fit"].rmse == pytest.approx(0.6)
        assert summary.over_groups.scores["plane_fit"].delta1 == pytest.approx(0.625)
        assert summary.over_groups.images == summary.over_images.images == 3
        assert summary.ordering == pytest.approx(0.3)
        assert summary.unscored == (lost,)

    def test_nothing_scored_names_the_reason(self) -> None:
        with pytest.raises(InputError, match=r"no image could be scored \(b_2: 3 valid pixels\)"):
            summarize([ImageResult("b_2", "b", 3, note="3 valid pixels")])

    def test_no_images(self) -> None:
        with pytest.raises(InputError, match="no images"):
            summarize([])
