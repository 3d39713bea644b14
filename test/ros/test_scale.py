"""Metres through the real node: evidence, what becomes of it over time, services."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scale_robot
from robot import ACQUAINTANCE_S, LATCHED, NodeProcess, Robot, pixels_of, points_of
from scale_robot import CLOUD, FACTOR, FIXED, REMAP, SCALE, SHIFT, Rig, of_stamp, subscribed
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_srvs.srv import Trigger

from da_ros.msg import DepthInfo, ScaleEstimate
from da_ros.types import Kind

SECOND = 1_000_000_000
TYPES = {
    "depth/image": Image,
    "depth/std": Image,
    "depth/camera_info": CameraInfo,
    "points": PointCloud2,
    "inverse_depth/image": Image,
    "nominal/depth/image": Image,
    "nominal/points": PointCloud2,
    "depth_info": DepthInfo,
}
METRIC_TOPICS = {"depth/image", "depth/std", "depth/camera_info", "points"}


@pytest.fixture
def rig(robot: Robot) -> Rig:
    return Rig(robot)


@pytest.fixture
def heard(robot: Robot) -> Iterator[Callable[..., dict[str, Any]]]:
    """Listen to outputs, until the test is over."""
    with ExitStack() as stack:

        def listen(*topics: str) -> dict[str, Any]:
            made = {
                topic: stack.enter_context(robot.listen(TYPES[topic], f"/da_ros/{topic}"))
                for topic in topics
            }
            robot.until(subscribed(robot, *topics), "the node knows its listeners")
            return made

        yield listen


def ask(robot: Robot, name: str) -> Any:
    """Ask a service and return the future of its answer."""
    client = robot.node.create_client(Trigger, f"/da_ros/{name}")
    robot.until(client.service_is_ready, "service")
    time.sleep(ACQUAINTANCE_S)
    return client.call_async(Trigger.Request())


def trigger(robot: Robot, name: str) -> Any:
    return robot.call(Trigger, f"/da_ros/{name}", Trigger.Request())


@pytest.fixture
def start(start_node: Any, robot: Robot) -> Iterator[Callable[..., NodeProcess]]:
    """Start a node with settings; it is ended with the test, and cleanly."""
    started: list[NodeProcess] = []

    def begin(*settings: str, **options: Any) -> NodeProcess:
        words = [word for setting in settings for word in ("-p", setting)]
        options.setdefault("kind", "relative_inverse_depth")
        node: NodeProcess = start_node(*REMAP, *words, **options)
        started.append(node)
        robot.until(lambda: "active: " in node.output or "failed" in node.output, "a node")
        return node

    yield begin
    assert [node.output for node in started if node.end() != 0] == []


def seen_at(listeners: dict[str, Any], stamp_ns: int, robot: Robot) -> set[str]:
    """Which topics had a message of a frame; DepthInfo is sent after the depth."""
    robot.until(lambda: of_stamp(listeners["nominal/depth/image"], stamp_ns), "nominal depth")
    time.sleep(0.3)  # for messages of other topics that are on their way
    return {topic for topic, listener in listeners.items() if of_stamp(listener, stamp_ns)}


class TestDepthImage:
    def test_metres_their_deviation_and_how_they_came_about(
        self, robot: Robot, rig: Rig, start: Any, heard: Any
    ) -> None:
        start("scale.depth_image:=true")
        out = heard(*TYPES)
        at = 10 * SECOND
        rig.evidence("depth_image", scale_robot.depth_image(rig.truth, at + 4_000_000))
        told = rig.frame(at, out["depth_info"])
        assert (told.transform, told.scale_source, told.scale_state) == (
            DepthInfo.TRANSFORM_INVERSE_AFFINE,
            DepthInfo.SOURCE_DEPTH_IMAGE,
            DepthInfo.STATE_CALIBRATED,
        )
        assert told.scale == pytest.approx(SCALE, rel=0.03)
        assert told.shift == pytest.approx(SHIFT, abs=0.02)
        assert told.scale_std > 0
        assert told.shift_std > 0
        assert told.scale_age == 0.0
        assert told.scale_inliers > 200
        depth = robot.until(lambda: of_stamp(out["depth/image"], at), "depth")
        np.testing.assert_allclose(pixels_of(depth), rig.truth, rtol=0.01)
        std = pixels_of(robot.until(lambda: of_stamp(out["depth/std"], at), "std"))
        assert ((std > 0) & (std < 0.2 * rig.truth)).all()
        points = robot.until(lambda: of_stamp(out["points"], at), "points")
        np.testing.assert_allclose(
            points_of(points)[4:-4, 4:-4, 2], rig.truth[4:-4, 4:-4], rtol=0.01
        )
        # Who comes later still hears of it.
        with robot.listen(ScaleEstimate, "/da_ros/scale", LATCHED) as late:
            estimate = robot.until(lambda: late.messages, "the latched estimate")[0]
        assert estimate.state == ScaleEstimate.STATE_CALIBRATED
        assert (estimate.scale, estimate.shift) == (told.scale, told.shift)
        assert estimate.source == ScaleEstimate.SOURCE_DEPTH_IMAGE
        assert estimate.refusal == ""
        assert 0 < estimate.sigma_5m < 2.0
        assert estimate.points_offered == rig.truth.size
        robot.until(lambda: robot.value("scale", "state") == "calibrated", "diagnostics")
        assert "calibrated by depth_image" in robot.message("scale")
        assert float(robot.value("scale", "sigma at 5 m [m]")) == pytest.approx(
            estimate.sigma_5m, abs=0.01
        )

    def test_held_then_stale_then_silent_while_nominal_goes_on(
        self, robot: Robot, rig: Rig, start: Any, heard: Any
    ) -> None:
        start("scale.depth_image:=true", "scale.wait:=0.0",
                     "scale.stale_after:=3.0")  # fmt: skip
        out = heard(*TYPES)
        rig.evidence("depth_image", scale_robot.depth_image(rig.truth, 0))
        states, topics = [], []
        for step in range(8):
            at = step * SECOND // 2
            told = rig.frame(at, out["depth_info"])
            states.append(told.scale_state)
            topics.append(seen_at(out, at, robot))
            if told.scale_state in (DepthInfo.STATE_CALIBRATED, DepthInfo.STATE_HELD):
                assert told.scale_age == pytest.approx(step / 2)
            else:
                assert told.transform == DepthInfo.TRANSFORM_NONE
                assert math.isnan(told.scale)
        assert states == [1, 1, 2, 2, 2, 2, 3, 3]
        everything = set(TYPES)
        assert topics[:6] == [everything] * 6
        assert topics[6:] == [everything - METRIC_TOPICS] * 2
        robot.until(lambda: "stale: no metres" in robot.message("scale"), "diagnostics")
        # And with evidence again, metres again.
        at = 4 * SECOND
        rig.evidence("depth_image", scale_robot.depth_image(rig.truth, at))
        assert rig.frame(at, out["depth_info"]).scale_state == DepthInfo.STATE_CALIBRATED

    def test_refuse_gives_no_held_metres(
        self, robot: Robot, rig: Rig, start: Any, heard: Any
    ) -> None:
        start("scale.depth_image:=true", "scale.wait:=0.0",
                     "scale.policy:=refuse")  # fmt: skip
        out = heard(*TYPES)
        rig.evidence("depth_image", scale_robot.depth_image(rig.truth, 0))
        for at, metres in ((0, True), (SECOND // 2, True), (SECOND, False)):
            told = rig.frame(at, out["depth_info"])
            assert (told.transform != DepthInfo.TRANSFORM_NONE) == metres
            assert (seen_at(out, at, robot) & METRIC_TOPICS) == (
                METRIC_TOPICS if metres else set()
            )
        assert told.scale_state == DepthInfo.STATE_HELD
        assert robot.set(scale__policy="hold")[0].successful
        at = 3 * SECOND // 2
        told = rig.frame(at, out["depth_info"])
        assert told.transform == DepthInfo.TRANSFORM_INVERSE_AFFINE

    def test_stamps_that_go_back_begin_anew(
        self, robot: Robot, rig: Rig, start: Any, heard: Any
    ) -> None:
        start("scale.depth_image:=true", "scale.wait:=0.0")
        out = heard("depth_info", "depth/image")
        at = 100 * SECOND
        rig.evidence("depth_image", scale_robot.depth_image(rig.truth, at))
        assert rig.frame(at, out["depth_info"]).scale_state == DepthInfo.STATE_CALIBRATED
        told = rig.frame(at - SECOND // 2, out["depth_info"])
        assert (told.scale_state, told.transform) == (DepthInfo.STATE_NONE, 0)
        assert math.isnan(told.scale_age)
        # The old scale does not come back, also when the old stamps do; only evidence brings one.
        assert rig.frame(at - SECOND // 4, out["depth_info"]).scale_state == DepthInfo.STATE_NONE
        rig.evidence("depth_image", scale_robot.depth_image(rig.truth, at - SECOND // 5))
        told = rig.frame(at - SECOND // 5, out["depth_info"])
        assert told.scale_state == DepthInfo.STATE_CALIBRATED

    def test_metric_models_are_corrected(self, robot: Robot, start: Any, heard: Any) -> None:
        rig = Rig(robot, Kind.METRIC_DEPTH)
        start("scale.depth_image:=true", kind="metric_depth")
        out = heard("depth_info", "depth/image")
        told = rig.frame(SECOND, out["depth_info"])
        assert told.transform == DepthInfo.TRANSFORM_NONE  # asked for evidence, and there is none
        rig.evidence("depth_image", scale_robot.depth_image(rig.truth, 2 * SECOND))
        told = rig.frame(2 * SECOND, out["depth_info"])
        assert told.transform == DepthInfo.TRANSFORM_SCALE
        assert told.scale == pytest.approx(FACTOR, rel=0.01)
        depth = robot.until(lambda: of_stamp(out["depth/image"], 2 * SECOND), "depth")
        np.testing.assert_allclose(pixels_of(depth), rig.truth, rtol=0.01)
        assert of_stamp(out["depth/image"], SECOND) is None

    def test_a_depth_camera_that_looks_elsewhere_is_refused_in_words(
        self, robot: Robot, rig: Rig, start: Any, heard: Any
    ) -> None:
        node = start("scale.depth_image:=true")
        out = heard("depth_info", "nominal/depth/image")
        rig.evidence("depth_image", scale_robot.depth_image(rig.truth[:, ::-1], SECOND))
        assert rig.frame(SECOND, out["depth_info"]).scale_state == DepthInfo.STATE_NONE
        robot.until(lambda: "refused: depth_image: " in robot.message("scale"), "the reason")
        assert "scale: refused: depth_image:" in node.output


class TestCloud:
    def test_a_scanner_in_a_place_of_its_own(
        self, robot: Robot, rig: Rig, start: Any, heard: Any
    ) -> None:
        start("scale.point_cloud:=true",
                     f"scale.fixed_transform:='{FIXED}'")  # fmt: skip
        out = heard("depth_info", "depth/image")
        rig.evidence("point_cloud", scale_robot.scan(rig.truth, SECOND + 10_000_000))
        told = rig.frame(SECOND, out["depth_info"])
        assert (told.scale_state, told.scale_source) == (1, DepthInfo.SOURCE_POINT_CLOUD)
        depth = robot.until(lambda: of_stamp(out["depth/image"], SECOND), "depth")
        np.testing.assert_allclose(pixels_of(depth), rig.truth, rtol=0.01)
        # The ramp has no edge that could tell where the scanner is.
        robot.until(
            lambda: "cannot be told" in robot.value("scale", "point_cloud: mounting"), "mounting"
        )
        # Too far apart in time, and nothing bridges it.
        rig.evidence("point_cloud", scale_robot.scan(rig.truth, 3 * SECOND // 2 + 50_000_000))
        assert rig.frame(3 * SECOND // 2, out["depth_info"]).scale_age == pytest.approx(0.5)

    def test_it_is_said_that_sources_contradict_each_other(
        self, robot: Robot, rig: Rig, start: Any, heard: Any
    ) -> None:
        start("scale.point_cloud:=true", f"scale.fixed_transform:='{FIXED}'",
              "scale.depth_image:=true")  # fmt: skip
        out = heard("depth_info", "nominal/depth/image")
        rig.evidence("depth_image", scale_robot.depth_image(rig.truth, SECOND))
        rig.evidence("point_cloud", scale_robot.scan(1.5 * rig.truth, SECOND))
        rig.frame(SECOND, out["depth_info"])
        robot.until(lambda: "contradict each other" in robot.message("scale"), "it is said")
        assert float(robot.value("scale", "disagreement of sources")) > 9.0

    def test_without_tf_it_says_so(self, robot: Robot, rig: Rig, start: Any, heard: Any) -> None:
        start("scale.point_cloud:=true")
        out = heard("depth_info", "nominal/depth/image")
        rig.evidence("point_cloud", scale_robot.scan(rig.truth, SECOND))
        assert rig.frame(SECOND, out["depth_info"]).scale_state == DepthInfo.STATE_NONE
        robot.until(lambda: "no transform" in robot.message("scale")
                    or "there is no TF" in robot.message("scale"), "the reason")  # fmt: skip
        assert robot.node.count_subscribers(CLOUD) == 1


class TestGroundPlane:
    def test_metres_follow_the_height_of_the_camera(
        self, robot: Robot, rig: Rig, start: Any, heard: Any
    ) -> None:
        """The ramp over an even picture is linear in the row, as a plain under a level camera."""
        start("scale.ground_plane:=true", "scale.camera_height:=0.5", "input_size:=224")
        rig.rgb = np.full_like(rig.rgb, 120)
        out = heard("depth_info", "depth/image")
        told = rig.frame(SECOND, out["depth_info"])
        assert told.scale_state == DepthInfo.STATE_CALIBRATED
        depth = pixels_of(robot.until(lambda: of_stamp(out["depth/image"], SECOND), "depth"))
        rows = np.arange(len(depth))[:, None] - (len(depth) - 1) / 2
        truth = scale_robot.FX * 0.5 / np.maximum(rows, 0.5)
        seen = (rows > 4) & np.isfinite(depth)
        assert seen.sum() > 15 * depth.shape[1]
        assert np.median(np.abs(depth / truth - 1.0)[seen]) < 0.02

    def test_ground_that_is_none_is_refused_and_metres_stay_away(
        self, robot: Robot, rig: Rig, start: Any, heard: Any
    ) -> None:
        start("scale.ground_plane:=true", "scale.camera_height:=1.0")
        out = heard("depth_info", "nominal/depth/image")
        told = rig.frame(SECOND, out["depth_info"])
        assert told.transform == DepthInfo.TRANSFORM_NONE
        robot.until(lambda: "ground_plane" in robot.message("scale"), "the reason")


class TestServices:
    def test_calibrate_save_and_use_it(
        self, robot: Robot, rig: Rig, start: Any, tmp_path: Path
    ) -> None:
        path = tmp_path / "front.yaml"
        node = start("scale.depth_image:=true", "scale.calibrate_frames:=3",
                     "scale.static_camera:=true", f"scale.save_path:={path}",
                     "scale.wait:=1.0")  # fmt: skip
        assert trigger(robot, "save_calibration").message == (
            "nothing to save: call ~/calibrate first"
        )
        answer = ask(robot, "calibrate")
        # Nobody subscribes anything: the calibration itself wants the frames.
        at = SECOND
        rig.evidence("depth_image", scale_robot.depth_image(rig.truth, at))
        while not answer.done():
            robot.publisher(Image, scale_robot.DEPTH).publish(
                scale_robot.depth_image(rig.truth, at)
            )
            robot.send(rig.image(at), rig.info())
            at += SECOND // 10
            time.sleep(0.2)
            assert at < 60 * SECOND, node.output
        said = answer.result()
        assert said.success, said.message
        assert said.message.startswith("3 frame(s), depth_image: scale 0.1")
        assert "stands still" in said.message
        saved = trigger(robot, "save_calibration")
        assert saved.success, saved.message
        assert path.is_file()
        for step in ("deactivate", "cleanup", "configure", "activate"):  # perhaps another model
            assert robot.transition(step)
        assert trigger(robot, "save_calibration").message.startswith("nothing to save")
        assert node.end() == 0

        start(f"scale.calibration_file:={path}",
                     "scale.static_camera:=true")  # fmt: skip
        with robot.listen(Image, "/da_ros/depth/image") as depths:
            robot.until(subscribed(robot, "depth/image"), "discovery")
            robot.send(rig.image(SECOND), rig.info())
            depth = robot.until(lambda: of_stamp(depths, SECOND), "depth")
        np.testing.assert_allclose(pixels_of(depth), rig.truth, rtol=0.02)

    def test_calibrate_gives_up_in_words_and_images_go_on_meanwhile(
        self, robot: Robot, rig: Rig, start: Any, heard: Any
    ) -> None:
        start("scale.depth_image:=true",
                     "scale.calibrate_timeout:=8.0")  # fmt: skip
        out = heard("depth_info")
        rig.frame(SECOND, out["depth_info"])  # all are matched before the time runs
        answer = ask(robot, "calibrate")
        assert "under way already" in trigger(robot, "calibrate").message
        rig.frame(2 * SECOND, out["depth_info"])
        assert not answer.done()
        robot.until(answer.done, "the end of its patience")
        assert not answer.result().success
        assert answer.result().message.startswith("only 0 of 20 frames could be fitted within 8 s")
        assert not trigger(robot, "save_calibration").success

    def test_reset(self, robot: Robot, rig: Rig, start: Any, heard: Any) -> None:
        start("scale.depth_image:=true", "scale.wait:=0.0")
        out = heard("depth_info")
        with robot.listen(ScaleEstimate, "/da_ros/scale", LATCHED) as estimates:
            rig.evidence("depth_image", scale_robot.depth_image(rig.truth, SECOND))
            assert rig.frame(SECOND, out["depth_info"]).scale_state == 1
            said = trigger(robot, "reset_scale")
            assert said.success
            assert "forgotten" in said.message
            robot.until(
                lambda: [m.state for m in estimates.messages][-1:] == [0], "the retraction"
            )
            assert math.isnan(estimates.messages[-1].scale)
            assert rig.frame(SECOND + 200_000_000, out["depth_info"]).scale_state == 0

    def test_deactivation_retracts_what_late_listeners_get(
        self, rig: Rig, robot: Robot, start: Any, heard: Any
    ) -> None:
        start("scale.depth_image:=true", "scale.wait:=0.0")
        out = heard("depth_info")
        rig.evidence("depth_image", scale_robot.depth_image(rig.truth, SECOND))
        assert rig.frame(SECOND, out["depth_info"]).scale_state == 1
        robot.transition("deactivate")
        robot.transition("activate")
        with robot.listen(ScaleEstimate, "/da_ros/scale", LATCHED) as estimates:
            robot.until(lambda: estimates.messages, "what a late listener gets")
            assert [m.state for m in estimates.messages] == [0]
            assert math.isnan(estimates.messages[-1].scale)
            assert estimates.messages[-1].refusal == "the node was deactivated"

    def test_without_a_source_they_say_what_to_do(self, robot: Robot, start: Any) -> None:
        start()
        for name in ("calibrate", "save_calibration", "reset_scale"):
            said = trigger(robot, name)
            assert not said.success
            assert "scale.depth_image" in said.message
        names = {name for name, _ in robot.node.get_topic_names_and_types()}
        assert "/da_ros/inverse_depth/image" in names
        assert not names & {"/da_ros/depth/image", "/da_ros/points", "/da_ros/depth/std",
                            "/da_ros/scale"}  # fmt: skip
        robot.transition("deactivate")
        assert trigger(robot, "calibrate").message == "the node is not active"

    def test_ending_the_node_in_the_middle_of_a_calibration(
        self, robot: Robot, start: Any
    ) -> None:
        node = start("scale.depth_image:=true")
        answer = ask(robot, "calibrate")
        robot.until(lambda: trigger(robot, "calibrate").message.startswith("a calibration"), "run")
        robot.transition("deactivate")
        robot.until(answer.done, "an answer")
        assert answer.result().message == "the node was deactivated"
        robot.transition("activate")
        ask(robot, "calibrate")
        robot.until(lambda: trigger(robot, "calibrate").message.startswith("a calibration"), "run")
        assert node.end() == 0
        assert "Traceback" not in node.output


class TestConfigure:
    def test_a_calibration_of_another_model_fails_in_one_line(
        self, robot: Robot, start: Any, tmp_path: Path
    ) -> None:
        path = tmp_path / "other.yaml"
        path.write_text("format: something else\n")
        node = start(f"scale.calibration_file:={path}")
        assert "expected a scale calibration with format" in node.output
        assert "Traceback" not in node.output
        assert robot.state() == "unconfigured"
