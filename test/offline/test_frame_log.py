"""What the report shows takes little memory, and is the same after a resume."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import bag_maker
import numpy as np
import pytest

from da_ros.errors import InputError
from da_ros.offline.bag_cameras import BagCamera
from da_ros.offline.bag_evaluation import FrameScore
from da_ros.offline.frame_log import FrameLog, shown_numbers
from da_ros.offline.image_matching import MatchedImage
from da_ros.pipeline import DepthFrame, ImageInput, Stream

CAMERA = BagCamera("/cam", bag_maker.IMAGE, None)


def matched(number: int) -> MatchedImage:
    return MatchedImage(CAMERA, number, number, b"")


@pytest.fixture
def frame(pipeline: Any) -> DepthFrame:
    entries = bag_maker.frames("/cam", 1)
    given = ImageInput(
        entries[0].message, entries[1].message, Stream("/cam"), frozenset({"depth"})
    )
    made = pipeline()
    (found,) = made.to_depth(made.infer(made.prepare(made.decode([given]))))
    assert isinstance(found, DepthFrame)
    return found


class TestFrameLog:
    def test_figures(self, frame: DepthFrame, tmp_path: Path) -> None:
        log = FrameLog(tmp_path / "frames", {"/cam": 100})
        log.take(matched(7), frame)
        (figures,) = log.cameras["/cam"].figures
        assert frame.depth is not None
        look = np.sort(frame.depth[::16, ::16].numpy().ravel())
        assert (figures.low, figures.high) == (look[0], look[int(0.98 * (look.size - 1))])
        assert figures.low <= figures.middle <= figures.high
        assert (figures.number, figures.stamp, figures.scale) == (0, 7, 1.0)
        assert math.isnan(figures.abs_rel)

    def test_a_failed_frame_counts_and_leaves_a_gap(
        self, frame: DepthFrame, tmp_path: Path
    ) -> None:
        log = FrameLog(tmp_path / "frames", {"/cam": 100})
        log.take(matched(0), InputError("damaged"))
        log.take(matched(1), frame)
        assert [figures.number for figures in log.cameras["/cam"].figures] == [1]

    def test_memory_stays_small(self, frame: DepthFrame, tmp_path: Path) -> None:
        log = FrameLog(tmp_path / "frames", {"/cam": 10**6})
        for number in range(5000):
            log.take(matched(number), frame)
        numbers = [figures.number for figures in log.cameras["/cam"].figures]
        assert len(numbers) <= 1500
        assert numbers == list(range(0, 5000, numbers[1]))

    def test_pictures_are_spread_over_the_recording(
        self, frame: DepthFrame, tmp_path: Path
    ) -> None:
        log = FrameLog(tmp_path / "frames", {"/cam": 120, "/other": 3})
        for number in range(120):
            log.take(matched(number), frame)
        pictures = log.pictures("/cam")
        assert [number for number, _ in pictures] == list(range(5, 120, 10))
        assert pictures[0][1].shape == (240, 640, 3)  # image and depth, 320 px wide each
        assert log.pictures("/other") == []

    def test_goes_on_where_it_was(self, frame: DepthFrame, tmp_path: Path) -> None:
        whole = FrameLog(tmp_path / "a", {"/cam": 0})
        first = FrameLog(tmp_path / "b", {"/cam": 0})
        second = FrameLog(tmp_path / "c", {"/cam": 0})
        score = FrameScore(0.1, 0.9, 1.05)
        for number in range(6):
            whole.take(matched(number), frame, score)
            if number < 4:
                first.take(matched(number), frame, score)
        second.restore(json.loads(json.dumps(first.state())))
        for number in (4, 5):
            second.take(matched(number), frame, score)
        assert second.state() == whole.state()
        assert second.evaluation() == whole.evaluation()
        assert whole.evaluation()["/cam"]["frames"] == 6
        assert whole.evaluation()["/cam"]["abs_rel"] == pytest.approx(0.1)

    def test_drift(self, frame: DepthFrame, tmp_path: Path) -> None:
        log = FrameLog(tmp_path / "frames", {"/cam": 0})
        for number in range(40):
            log.take(matched(number), frame, FrameScore(0.0, 1.0, 1.0 + 0.01 * number))
        made = log.evaluation()["/cam"]
        assert made["ratio_first_tenth"] == pytest.approx(1.015)
        assert made["ratio_last_tenth"] == pytest.approx(1.375)
        assert made["scale_drift"] == pytest.approx(1.375 / 1.015 - 1)

    def test_no_drift_where_the_ratio_is_not_determined(
        self, frame: DepthFrame, tmp_path: Path
    ) -> None:
        """What measured a flat wall fits any network with a scale of 0, up to rounding."""
        log = FrameLog(tmp_path / "frames", {"/cam": 0})
        for ratio in (5e-17, 0.0, -4e-17):
            log.take(matched(0), frame, FrameScore(0.0, 1.0, ratio))
        assert "scale_drift" not in log.evaluation()["/cam"]
        assert log.scores()["/cam"]["ratio"] == [5e-17, 0.0, -4e-17]

    def test_without_any_depth_there_is_nothing(self, frame: DepthFrame, tmp_path: Path) -> None:
        log = FrameLog(tmp_path / "frames", {"/cam": 1})
        log.take(matched(0), replace(frame, depth=None))
        assert log.cameras["/cam"].figures == []


class TestShownNumbers:
    def test_of_few_all(self) -> None:
        assert shown_numbers(3) == {0, 1, 2}

    def test_of_an_unknown_number_a_few(self) -> None:
        assert shown_numbers(0, 4) == {1, 2, 4, 8}
