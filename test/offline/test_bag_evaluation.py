"""Scores against measured depth, checked by hand and on a recording whose depth is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bag_maker
import numpy as np
import pytest

from da_ros.errors import ParameterError
from da_ros.offline.bag import convert_bag
from da_ros.offline.bag_evaluation import against, fitted
from da_ros.offline.bag_job import BagJob
from da_ros.types import Kind


class TestAgainst:
    def test_by_hand(self) -> None:
        measured = np.tile([1.0, 2.0, 4.0, 8.0], 5)
        predicted = np.tile([1.1, 2.0, 2.0, 8.0], 5)
        score = against(predicted, measured)
        assert score is not None
        assert score.abs_rel == pytest.approx((0.1 + 0.5) / 4)
        assert score.delta1 == pytest.approx(3 / 4)
        assert score.ratio == pytest.approx(1.0)

    def test_a_wrong_scale_shows_in_the_ratio(self) -> None:
        measured = np.linspace(1, 5, 40)
        score = against(measured / 1.5, measured)
        assert score is not None
        assert score.ratio == pytest.approx(1.5)
        assert score.delta1 == 0.0

    def test_what_is_not_finite_does_not_count(self) -> None:
        measured, predicted = np.full(60, 2.0), np.full(60, 2.0)
        predicted[:20], measured[20:40] = np.inf, np.nan
        score = against(predicted, measured)
        assert score is not None
        assert score.abs_rel == 0.0

    def test_too_few(self) -> None:
        assert against(np.ones(19), np.ones(19)) is None


class TestFitted:
    def test_any_scale_and_shift_is_right(self) -> None:
        relative = np.linspace(0.5, 3, 50)
        score = fitted(relative, 1 / (0.2 * relative + 0.1))
        assert score is not None
        assert score.abs_rel == pytest.approx(0.0, abs=1e-9)
        assert score.ratio == pytest.approx(0.2)


def depth_of(made: Any, frames: list[bag_maker.Entry], tmp_path: Path) -> list[tuple[int, Any]]:
    """What a metric network says of the frames: depth images with their times."""
    plain = bag_maker.write_bag(tmp_path / "plain", frames)
    convert_bag(BagJob((plain,), tmp_path / "first", outputs=("depth",)), made)
    raws = bag_maker.messages_of(tmp_path / "first")["/da_ros/depth/image"]
    return [(at, bag_maker.STORE.deserialize_cdr(raw, bag_maker.IMAGE)) for at, raw in raws]


class TestConvertBag:
    @pytest.fixture(autouse=True)
    def larger_pictures(self, monkeypatch: pytest.MonkeyPatch) -> None:
        even = np.full((240, 320, 3), 120, np.uint8)
        monkeypatch.setattr(bag_maker, "pixels", lambda number: even)
        monkeypatch.setattr(bag_maker, "HEIGHT", 240)
        monkeypatch.setattr(bag_maker, "WIDTH", 320)

    @pytest.mark.parametrize("kind", [Kind.METRIC_DEPTH, Kind.RELATIVE_INVERSE_DEPTH])
    def test_in_the_manifest_and_on_the_page(
        self, pipeline: Any, tmp_path: Path, kind: Kind
    ) -> None:
        """Measured depth is 5 % more than the metric network says."""
        frames = bag_maker.frames("/cam", 4)
        entries = list(frames)
        for at, message in depth_of(pipeline(), frames, tmp_path):
            depth = 1.05 * np.frombuffer(message.data, "<f4")
            message.data = np.frombuffer(depth.astype("<f4").tobytes(), np.uint8)
            entries.append(bag_maker.Entry("/depth/image", bag_maker.IMAGE, at + 9, message))
        entries.sort(key=lambda entry: entry.timestamp)
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        job = BagJob((bag,), tmp_path / "out", evaluate="/depth/image")
        convert_bag(job, pipeline(kind))
        made = json.loads((job.target / "manifest.json").read_text())
        found = made["evaluation"]["/cam/image_raw"]
        assert found["frames"] == 4
        if kind is Kind.METRIC_DEPTH:
            assert found["abs_rel"] == pytest.approx(0.05 / 1.05, rel=1e-3)
            assert found["ratio_median"] == pytest.approx(1.05, rel=1e-3)
            assert found["delta1"] == 1.0
        assert found["scale_drift"] == pytest.approx(0.0, abs=1e-6)
        over_time = made["evaluation_over_time"]["/cam/image_raw"]
        assert over_time["number"] == [0, 1, 2, 3]
        assert np.mean(over_time["abs_rel"]) == pytest.approx(found["abs_rel"])
        assert np.mean(over_time["delta1"]) == pytest.approx(found["delta1"])
        assert np.median(over_time["ratio"]) == pytest.approx(found["ratio_median"])
        page = (job.target / "report.html").read_text()
        assert "/cam/image_raw against measured depth" in page
        for caption in (
            "Drift of the scale", "Mean absolute relative error",
            "Share of points within a factor of 1.25",
        ):  # fmt: skip
            assert caption in page
        assert "http" not in page.replace("http-equiv", "").replace("www.w3.org", "")

    def test_a_scanner(self, pipeline: Any, tmp_path: Path) -> None:
        """Points at 0.8 of the depth that a metric network says, in a frame of their own."""
        frames = bag_maker.frames("/cam", 4)
        away = np.array([0.3, -0.1, 0.2])
        entries = [bag_maker.transform("/tf_static", 1, 1, "cam", "lidar", tuple(away)), *frames]
        v, u = (places.ravel() for places in np.mgrid[10:230:12, 10:310:16])
        for at, message in depth_of(pipeline(), frames, tmp_path):
            z = 0.8 * np.frombuffer(message.data, "<f4").reshape(240, 320)[v, u]
            xyz = np.stack([(u - 159.5) / 50 * z, (v - 119.5) / 50 * z, z], -1)
            stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            entries.append(bag_maker.cloud("/lidar/points", at + 9, stamp, xyz - away))
        entries.sort(key=lambda entry: entry.timestamp)
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        job = BagJob((bag,), tmp_path / "out", evaluate="/lidar/points")
        convert_bag(job, pipeline(scale__fixed_frame=""))
        made = json.loads((job.target / "manifest.json").read_text())
        found = made["evaluation"]["/cam/image_raw"]
        assert found["frames"] == 4
        assert found["ratio_median"] == pytest.approx(0.8, rel=0.01)
        assert found["abs_rel"] == pytest.approx(0.25, rel=0.05)

    def test_a_topic_that_measures_nothing(self, pipeline: Any, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/cam", 1))
        job = BagJob((bag,), tmp_path / "out", evaluate="/cam/camera_info")
        with pytest.raises(ParameterError, match="no depth images or clouds; topics of these: no"):
            convert_bag(job, pipeline())
