"""Lifecycle, services, parameters and signals, each from another process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lifecycle_msgs.srv import ChangeState
from robot import PATIENCE_S, TRANSITIONS, NodeProcess, Robot, picture
from sensor_msgs.msg import Image

Start = Callable[..., NodeProcess]


def works(robot: Robot) -> Any:
    """One image in, one depth out."""
    with robot.listen(Image, "/da_ros/depth/image") as heard:
        return robot.output_of(heard, lambda: (robot.image(picture()), robot.info()))


def publishers(robot: Robot) -> int:
    return int(robot.node.count_publishers("/da_ros/depth/image"))


def subscribers(robot: Robot) -> int:
    return int(robot.node.count_subscribers("/front/image"))


class TestLifecycle:
    """One node walks through its states; each test leaves it unconfigured."""

    @pytest.fixture(scope="class", autouse=True)
    def node(self, start_node: Start, robot: Robot) -> Any:
        made = start_node("-p", "autostart:=false")
        robot.until_state("unconfigured")
        yield made
        made.end()

    @pytest.fixture(autouse=True)
    def back(self, robot: Robot) -> Any:
        yield
        if robot.state() == "active":
            assert robot.transition("deactivate")
        if robot.state() == "inactive":
            assert robot.transition("cleanup")
        assert robot.state() == "unconfigured"

    def test_without_autostart_it_waits(self, robot: Robot) -> None:
        robot.beats = 0
        robot.until(lambda: robot.beats >= 2, "diagnostics while unconfigured")
        assert robot.state() == "unconfigured"
        assert (publishers(robot), subscribers(robot)) == (0, 0)

    def test_every_state_has_what_it_should_and_diagnostics(self, robot: Robot) -> None:
        for transition, state, has in (
            ("configure", "inactive", (1, 0)),
            ("activate", "active", (1, 1)),
            ("deactivate", "inactive", (1, 0)),
            ("activate", "active", (1, 1)),
            ("deactivate", "inactive", (1, 0)),
            ("cleanup", "unconfigured", (0, 0)),
        ):
            assert robot.transition(transition)
            assert robot.state() == state
            robot.until(
                lambda h=has: (publishers(robot), subscribers(robot)) == h, f"topics, {state}"
            )
            robot.until(
                lambda s=state: robot.value("node", "lifecycle state") == s, f"beat, {state}"
            )
            if state == "active":
                works(robot)

    def test_a_bad_parameter_is_one_line_and_the_process_lives(
        self, robot: Robot, node: NodeProcess
    ) -> None:
        assert all(r.successful for r in robot.set(mask_image="/nowhere.png"))
        assert not robot.transition("configure")
        assert robot.state() == "unconfigured"
        line = "configure failed: parameter mask_image: '/nowhere.png' is no picture"
        assert line in node.output
        assert "Traceback" not in node.output
        robot.until(lambda: line in robot.message("node"), "the reason in the diagnostics")
        assert all(r.successful for r in robot.set(mask_image=""))
        assert robot.transition("configure")
        robot.until(lambda: "failed" not in robot.message("node"), "a clean slate")
        assert "unverified: the user said what it is" in node.output

    def test_a_bug_while_configuring_does_not_vanish(
        self, robot: Robot, node: NodeProcess
    ) -> None:
        assert all(r.successful for r in robot.set(model_path="missing.pth"))
        assert not robot.transition("configure")
        assert "planted: no such file" in node.output
        assert "Traceback" in node.output
        assert all(r.successful for r in robot.set(model_path=""))
        assert robot.transition("configure")

    def test_what_is_not_dynamic_is_fixed_while_configured(self, robot: Robot) -> None:
        assert robot.transition("configure")
        (refused,) = robot.set(device="cpu")
        assert not refused.successful
        assert refused.reason == (
            "parameter device is fixed while the node is configured: clean up, set, configure "
            "again"
        )
        assert robot.get("device") == "auto"
        assert robot.transition("cleanup")
        (accepted,) = robot.set(device="cpu")
        assert accepted.successful
        assert robot.transition("configure")
        robot.until(lambda: robot.value("model", "device") == "cpu", "the new device")

    def test_near_beyond_the_models_range_is_refused(self, robot: Robot) -> None:
        assert robot.transition("configure")
        (refused,) = robot.set(near=19.5)
        assert not refused.successful
        assert "expected 0 < near < far, got near 19.5 m, far 19.0 m" in refused.reason
        assert robot.get("near") == 0.2

    def test_enable_and_disable(self, robot: Robot) -> None:
        answer = robot.enable(True)
        assert (answer.success, answer.message) == (True, "enabled; the node is unconfigured")
        assert robot.transition("configure")
        assert robot.transition("activate")
        works(robot)
        assert robot.enable(False).message == "disabled: images are not worked on"
        with robot.listen(Image, "/da_ros/depth/image") as heard:
            before = robot.count("dropped: disabled")

            def refused() -> bool:
                robot.send(robot.image(picture()), robot.info())
                return robot.count("dropped: disabled") >= before + 2

            robot.until(refused, "images dropped")
            assert heard.messages == []
        assert robot.enable(True).success
        works(robot)

    def test_a_transition_that_is_none_does_no_harm(self, robot: Robot, node: NodeProcess) -> None:
        client = robot.node.create_client(ChangeState, "/da_ros/change_state")
        robot.until(client.service_is_ready, "the service")
        request = ChangeState.Request()
        request.transition.id = TRANSITIONS["deactivate"]
        client.call_async(request)  # rclpy gives no answer
        robot.until(lambda: "a request failed" in node.output, "a word about it")
        robot.node.destroy_client(client)
        assert robot.state() == "unconfigured"


class TestShutdown:
    @pytest.mark.parametrize("before", ["unconfigured", "inactive", "active"])
    def test_it_ends_in_finalized_and_says_so(
        self, robot: Robot, start_node: Start, before: str
    ) -> None:
        node = start_node("-p", "autostart:=false")
        robot.until_state("unconfigured")
        steps = {"unconfigured": 0, "inactive": 1, "active": 2}[before]
        for transition in ("configure", "activate")[:steps]:
            assert robot.transition(transition)
        assert robot.transition(f"shut down while {before}")
        assert robot.state() == "finalized"
        robot.until(lambda: (publishers(robot), subscribers(robot)) == (0, 0), "no topics")
        robot.until(lambda: robot.value("node", "lifecycle state") == "finalized", "a beat")
        assert node.end() == 0
        assert "Traceback" not in node.output


class TestStart:
    def test_a_wrong_parameter_file_value_is_named_and_can_be_mended(
        self, robot: Robot, start_node: Start
    ) -> None:
        node = start_node("-p", "near:=-1.0", "-p", "device:=0", "-p", "far:=20")
        robot.until(lambda: "configure failed" in node.output, "the failure")
        assert "parameter near: -1.0 is not allowed; allowed: 0.001 to 1000 m" in node.output
        assert "parameter device: expected string, got 0 (int)" in node.output
        assert robot.state() == "unconfigured"
        assert all(r.successful for r in robot.set(near=0.5, device="auto"))
        assert robot.transition("configure")
        assert robot.transition("activate")
        works(robot)
        assert node.end() == 0

    def test_a_wrong_command_line_is_one_line(self, start_node: Start) -> None:
        node = start_node("-p", "near:=[1", command=None)
        assert node.process.wait(timeout=90) == 2
        assert node.output.count("da_ros: error:") == 1
        assert "Traceback" not in node.output
        node.process.returncode = 0  # it has done what it should


class TestMissingWeights:
    def test_the_line_is_what_to_type(
        self, robot: Robot, start_node: Start, tmp_path: Any
    ) -> None:
        node = start_node(
            command=[sys.executable, "-m", "da_ros.ros.depth_node"],
            environment={"DA_ROS_WEIGHTS": str(tmp_path), "HF_HUB_CACHE": str(tmp_path)},
        )
        robot.until(lambda: "configure failed" in node.output, "the failure")
        assert "da_ros models fetch metric-indoor-small" in node.output
        assert "model_size:=nano needs no download" in node.output
        assert "Traceback" not in node.output
        assert robot.state() == "unconfigured"
        assert node.end(signal.SIGTERM) == 0


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
    def test_exit_0_while_working(self, robot: Robot, start_node: Start, number: int) -> None:
        node = start_node(slow_s=0.2)
        robot.until_state("active")
        with robot.listen(Image, "/da_ros/depth/image") as heard:
            robot.output_of(heard, lambda: (robot.image(picture()), robot.info()))
            robot.send(robot.image(picture()), robot.info())
            assert node.end(number) == 0
        assert "Traceback" not in node.output
        assert "terminate called" not in node.output

    def test_an_interrupt_that_a_library_loses_ends_it_all_the_same(
        self, robot: Robot, start_node: Start
    ) -> None:
        node = start_node("-r", "__ns:=/lost", "-p", "model_path:=swallow.pth")
        robot.until(lambda: "planted: loading" in node.output, "the load")
        assert node.end() == 0
        assert "planted: a library lost the interrupt" in node.output
        assert "Traceback" not in node.output

    @pytest.mark.parametrize("place", ["worker", "publisher"])
    def test_exit_0_where_something_is_half_done(self, start_node: Start, place: str) -> None:
        script = str(Path(__file__).parents[1] / "support" / "signalled_node.py")
        node = start_node(
            "-r", "__ns:=/half", command=[sys.executable, script, "metric_depth", "0.0", place]
        )
        assert node.process.wait(timeout=PATIENCE_S) == 0
        assert f"planted: SIGINT at {place}" in node.output
        assert "Traceback" not in node.output

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
    def test_exit_0_while_loading(self, robot: Robot, start_node: Start, number: int) -> None:
        node = start_node(slow_s=20.0)  # each warm-up run takes so long
        robot.until(
            lambda: robot.value("node", "lifecycle state") == "configure...", "diagnostics"
        )
        assert node.end(number) == 0
        assert "Traceback" not in node.output
