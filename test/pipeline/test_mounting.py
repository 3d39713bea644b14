"""The scanner's place, checked at some frames, in generated scenes whose mounting is known."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from plain_messages import cloud_message
from ramp_estimator import ramp_estimator
from scanned_scene import said, scanned, scanner_in_camera, scene_worth_scanning
from scipy.spatial.transform import Rotation

from da_ros.params import PipelineParams
from da_ros.pipeline import CloudEvidence, StreamScale
from da_ros.pipeline.mounting import APART_NS, MountingWatch
from da_ros.scale.extrinsic import Mounting, MountingCheck, mounting_words, turned
from da_ros.scale.observations.transforms import TransformBuffer
from da_ros.types import Header, Kind

STAMP = 5_000_000_000
GOOD = MountingCheck(Mounting.GOOD, 0.0, 0.0, 0.0, 0.2)
WRONG = MountingCheck(Mounting.WRONG, math.radians(2.0), math.radians(-0.5), 0.3, 0.2)
BLIND = MountingCheck(Mounting.UNOBSERVABLE, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def view() -> Any:
    scene = scene_worth_scanning(3, "room")
    return scanned(scene, scene.camera, 3)


def item_of(view: Any, kind: Kind, *evidence: Any) -> Any:
    """What the pipeline hands on, as far as it matters here."""
    d = said(view.y, 1.7, 0.04, 0.05, 3)
    if kind is Kind.METRIC_DEPTH:
        d = 1.0 / np.maximum(d, 1e-3)
    frame = SimpleNamespace(
        camera=view.camera, evidence=evidence, header=Header(5, 0, "cam_optical")
    )
    return SimpleNamespace(values=torch.from_numpy(d.astype(np.float32)), frame=frame)


def scale_of(kind: Kind, yaw: float = 0.0, **values: Any) -> StreamScale:
    """With a scanner that TF puts where it is, turned about the camera's y axis by ``yaw``."""
    named = {f"scale.{name}": value for name, value in {"point_cloud": True, **values}.items()}
    transforms = TransformBuffer()
    pose = turned(np.eye(3), yaw, 0.0).T @ scanner_in_camera()[:3]
    rotation = Rotation.from_matrix(pose[:, :3]).as_quat()
    transforms.add("cam_optical", "scanner", 0, pose[:, 3], rotation, static=True)
    params = PipelineParams().with_values({**named, "scale.fixed_frame": ""}).scale
    scale = StreamScale.of(ramp_estimator(kind).info, params, transforms)
    assert scale is not None
    return scale


class TestOfOneFrame:
    @pytest.mark.parametrize("kind", [Kind.RELATIVE_INVERSE_DEPTH, Kind.METRIC_DEPTH])
    @pytest.mark.parametrize(("yaw", "verdict"), [(0.0, Mounting.GOOD), (2.0, Mounting.WRONG)])
    def test_two_degrees_of_wrong_tf_are_seen(
        self, view: Any, kind: Kind, yaw: float, verdict: Mounting
    ) -> None:
        cloud = CloudEvidence(cloud_message(view.cloud, STAMP, "scanner"))
        found = scale_of(kind, math.radians(yaw)).check_mounting(item_of(view, kind, cloud))
        assert found is not None
        assert found.verdict is verdict
        if yaw:
            assert math.degrees(found.yaw) == pytest.approx(-yaw, abs=0.8)  # turns it back
            assert math.degrees(found.pitch) == pytest.approx(0.0, abs=0.8)

    def test_nothing_without_a_cloud_a_place_or_the_source(self, view: Any) -> None:
        kind = Kind.RELATIVE_INVERSE_DEPTH
        assert scale_of(kind).check_mounting(item_of(view, kind)) is None
        lost = CloudEvidence(cloud_message(view.cloud, STAMP, "elsewhere"))
        assert scale_of(kind).check_mounting(item_of(view, kind, lost)) is None
        cloud = CloudEvidence(cloud_message(view.cloud, STAMP, "scanner"))
        other = scale_of(kind, point_cloud=False, depth_image=True)
        assert other.check_mounting(item_of(view, kind, cloud)) is None


class TestWatch:
    def test_looks_at_frames_that_are_apart_until_it_has_enough(self) -> None:
        watch, looked = MountingWatch(2), []

        def check(stamp: int) -> MountingCheck:
            looked.append(stamp)
            return GOOD

        for stamp in range(0, 5 * APART_NS, APART_NS // 4):
            watch.look(stamp, lambda stamp=stamp: check(stamp))
        assert looked == [0, APART_NS]

    def test_a_look_that_tells_nothing_does_not_count_and_is_not_repeated_at_once(self) -> None:
        watch = MountingWatch(1)
        watch.look(0, lambda: None)
        watch.look(1, lambda: WRONG)
        assert watch.found is None
        watch.look(APART_NS, lambda: WRONG)
        assert watch.found == WRONG

    def test_nor_is_one_that_fails(self) -> None:
        watch = MountingWatch(1)
        with pytest.raises(ZeroDivisionError):
            watch.look(0, lambda: 1 // 0)  # type: ignore[arg-type, return-value]
        watch.look(1, lambda: 1 // 0)  # type: ignore[arg-type, return-value]

    @pytest.mark.parametrize(
        ("checks", "verdict"),
        [
            ([GOOD, WRONG, WRONG, BLIND], Mounting.WRONG),
            ([GOOD, WRONG, GOOD, BLIND], Mounting.GOOD),
            ([GOOD, WRONG], Mounting.GOOD),
            ([BLIND, BLIND], Mounting.UNOBSERVABLE),
        ],
    )
    def test_most_of_the_frames_that_can_tell_decide(
        self, checks: list[MountingCheck], verdict: Mounting
    ) -> None:
        watch = MountingWatch(len(checks))
        for number, one in enumerate(checks):
            watch.look(number * APART_NS, lambda one=one: one)
        assert watch.found is not None
        assert watch.found.verdict is verdict

    def test_words_say_where_to_turn(self) -> None:
        assert "+2.0 deg about the camera's y axis and -0.5 deg about its x" in mounting_words(
            WRONG
        )
        assert "looks right" in mounting_words(GOOD)
        assert "cannot be told" in mounting_words(BLIND)
