"""The shipped nano orders what is near and what is far, on scenes and on real frames."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from da_ros.evaluation import (
    Protocol,
    Sample,
    evaluate_folder,
    folder_samples,
    ordering,
    summarize,
    valid_pixels,
)
from da_ros.network.estimator import DepthEstimator
from da_ros.offline.evaluation_report import predictor
from da_ros.params import EVALUATION_CAP, EVALUATION_SEED
from da_ros.training.scenes import generate, make_atlas

SCENES = 24
HEIGHT, WIDTH = 240, 320
PROTOTYPE = 0.147  # AbsRel of the experiment that nano began with, same images and protocol


@pytest.fixture(scope="module")
def nano() -> DepthEstimator:
    return DepthEstimator.load("nano")


def in_order(nano: DepthEstimator, samples: Iterable[Sample]) -> list[float]:
    """Share of 500 pairs in order, for every image that has as many."""
    predict, shares = predictor(nano), []
    for sample in samples:
        valid = valid_pixels(sample.depth, EVALUATION_CAP)
        share = ordering(predict(sample.rgb), sample.depth, valid)
        if share is not None:
            shares.append(share)
    return shares


class TestNano:
    def test_orders_generated_scenes(self, nano: DepthEstimator) -> None:
        atlas = make_atlas(photos=False)
        samples = []
        for seed in range(EVALUATION_SEED, EVALUATION_SEED + SCENES):
            batch = generate([seed], atlas, HEIGHT, WIDTH, supersample=1)
            depth = batch.depth[0].numpy()
            samples.append(Sample(str(seed), batch.scenes[0].family, batch.rgb[0].numpy(), depth))
        shares = in_order(nano, samples)
        assert len(shares) >= SCENES * 3 // 4
        assert np.mean(shares) >= 0.85

    def test_orders_real_frames(self, nano: DepthEstimator, shared_data: Path) -> None:
        shares = in_order(nano, folder_samples(shared_data / "rgbd"))
        assert len(shares) >= 10
        assert np.mean(shares) >= 0.78

    def test_upside_down_fails(self, nano: DepthEstimator, shared_data: Path) -> None:
        turned = (
            Sample(s.name, s.group, s.rgb, np.ascontiguousarray(s.depth[::-1]))
            for s in folder_samples(shared_data / "rgbd")
        )
        assert np.mean(in_order(nano, turned)) < 0.6

    def test_holds_its_bars_on_real_groups(self, nano: DepthEstimator, shared_data: Path) -> None:
        protocol = Protocol.DEPTH_FROM_DISP_LS
        evaluated = evaluate_folder(
            shared_data / "rgbd", predictor(nano), nano.info.kind, protocol, EVALUATION_CAP
        )
        summary = summarize([each.result for each in evaluated])
        assert summary.over_groups.scores["model"].abs_rel < 0.8 * PROTOTYPE
        for group in ("arc", "mosd", "tum"):
            scores = summary.groups[group].scores
            assert scores["model"].abs_rel < scores["row_fit"].abs_rel
            assert scores["model"].abs_rel < scores["plane_fit"].abs_rel
        assert summary.groups["tum"].scores["model"].delta1 > 0.6
