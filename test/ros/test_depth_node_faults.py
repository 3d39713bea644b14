"""What a camera can do wrong, each from another process; the next good frame must work."""

from __future__ import annotations

import array
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from robot import HEIGHT, RELIABLE, WIDTH, NodeProcess, Robot, picture, pixels_of
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_srvs.srv import SetBool

DEPTH = "/da_ros/depth/image"
SLOW = "/slow/da_ros"


@pytest.fixture(scope="module", autouse=True)
def node(start_node: Callable[..., NodeProcess], robot: Robot) -> NodeProcess:
    made = start_node()
    robot.until_state("active")
    return made


def good(robot: Robot) -> Callable[[], tuple[Any, Any]]:
    return lambda: (robot.image(picture()), robot.info())


def changed(**fields: Any) -> Callable[[Any], None]:
    """Set fields of a message, against their own checks if need be."""

    def apply(message: Any) -> None:
        for name, value in fields.items():
            setattr(message, f"_{name}", value)

    return apply


BAD_IMAGES = {
    "short data": (changed(data=array.array("B", bytes(100))), "the message was cut short"),
    "no data": (changed(data=array.array("B")), "the message was cut short"),
    "wrong step": (changed(step=10), "expected step >= 192 bytes"),
    "zero width": (changed(width=0), "image of 0 x 48 px"),
    "zero height": (changed(height=0), "image of 64 x 0 px"),
    "huge": (changed(width=2**31, height=2**31), "expected at least 1 x 1 and at most"),
    "unknown encoding": (changed(encoding="rgb9"), "'rgb9' is not supported; supported: rgb8"),
    "a depth image": (changed(encoding="16UC1"), "that is a depth image"),
}


class TestBadImages:
    @pytest.mark.parametrize("name", BAD_IMAGES)
    def test_it_is_dropped_with_its_reason_and_the_next_one_works(
        self, robot: Robot, name: str
    ) -> None:
        spoil, reason = BAD_IMAGES[name]
        with robot.listen(Image, DEPTH) as heard:
            robot.output_of(heard, good(robot))
            before = robot.count("dropped: bad image")

            def counted() -> bool:
                image = robot.image(picture())
                spoil(image)
                robot.send(image, robot.info())
                time.sleep(0.05)
                return robot.count("dropped: bad image") > before

            robot.until(counted, "the drop is counted")
            robot.until(lambda: reason in robot.message("output"), f"the reason: {reason}")
            robot.output_of(heard, good(robot))

    def test_log_lines_are_few(self, node: NodeProcess) -> None:
        dropped = [line for line in node.output.splitlines() if "image dropped" in line]
        assert 1 <= len(dropped) < 20, "many more images than that were bad"


class TestChanges:
    def test_resolution_and_encoding_may_change_mid_stream(self, robot: Robot) -> None:
        large = np.repeat(np.repeat(picture(), 2, axis=0), 2, axis=1)
        with robot.listen(Image, DEPTH) as heard, robot.listen(PointCloud2, "/da_ros/points") as c:
            for rgb, encoding in ((picture(), "rgb8"), (large, "bgr8"), (picture(), "rgb16")):
                height, width = rgb.shape[:2]
                got = robot.output_of(
                    heard,
                    lambda r=rgb, e=encoding, s=(height, width): (
                        robot.image(r, e),
                        robot.info(*s),
                    ),
                )
                assert pixels_of(got).shape == (height, width)
                robot.until(
                    lambda s=(height, width): any((m.height, m.width) == s for m in c.messages),
                    "a cloud of the same size",
                )

    def test_stamps_may_go_back_as_in_a_bag_that_loops(
        self, robot: Robot, node: NodeProcess
    ) -> None:
        def early() -> tuple[Any, Any]:
            image = robot.image(picture())
            image.header.stamp.sec -= 900
            return image, robot.info()

        with robot.listen(Image, DEPTH) as heard:
            robot.output_of(heard, good(robot))
            robot.output_of(heard, early)
            robot.output_of(heard, good(robot))
        robot.until(lambda: "stamps went back" in node.output, "a word about it")

    def test_a_subscriber_may_leave_at_any_time(self, robot: Robot) -> None:
        for _ in range(5):
            with robot.listen(PointCloud2, "/da_ros/points"):
                for _ in range(3):
                    robot.send(*good(robot)())
        with robot.listen(Image, DEPTH) as heard:
            robot.output_of(heard, good(robot))


class TestNetworkFaults:
    def test_memory_that_comes_back_costs_no_frame(self, robot: Robot, node: NodeProcess) -> None:
        blue = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        blue[..., 2] = 255
        with robot.listen(Image, DEPTH) as heard:
            robot.output_of(heard, lambda: (robot.image(blue), robot.info()))
        robot.until(
            lambda: "needed a second attempt: planted shortage of memory" in node.output, "a word"
        )
        assert "what the first attempt had in hand is gone" in node.output
        assert "what the first attempt had in hand is held" not in node.output

    def test_memory_that_does_not_drops_the_frame(self, robot: Robot) -> None:
        self.drops(robot, (255, 255, 255), "device", "the network cannot bear white")

    def test_a_bug_drops_the_frame_and_is_shown_whole(
        self, robot: Robot, node: NodeProcess
    ) -> None:
        self.drops(robot, (0, 255, 0), "internal error", "planted bug")
        assert "Traceback" in node.output

    def test_an_allocator_that_refuses_is_asked_twice_and_a_size_that_fits_is_named(
        self, robot: Robot, node: NodeProcess
    ) -> None:
        advice = "fits: one at a time, with input_size"
        self.drops(robot, (0, 255, 255), "device", advice)

        def beat() -> None:
            """Wait until the diagnostics count what was dropped so far."""
            beats = robot.beats
            robot.until(lambda: robot.beats >= beats + 2, "two beats")

        beat()
        settled = robot.count("dropped: device")
        asked = node.output.count("planted: asked for too much")
        with robot.listen(Image, DEPTH) as heard:
            cyan = np.full((HEIGHT, WIDTH, 3), (0, 255, 255), np.uint8)

            def dropped() -> bool:
                robot.send(robot.image(cyan), robot.info())
                return robot.count("dropped: device") >= settled + 3

            robot.until(dropped, "more drops")
            robot.output_of(heard, good(robot))  # behind the last of them
        beat()
        frames = robot.count("dropped: device") - settled
        asked = node.output.count("planted: asked for too much") - asked
        assert asked == 2 * frames, "each frame is tried twice"

    def test_memory_that_runs_out_beside_the_network_is_the_device_s_too(
        self, robot: Robot
    ) -> None:
        words = "not enough memory beside the network: planted: no room for the input"
        self.drops(robot, (255, 0, 255), "device", words)

    def drops(self, robot: Robot, colour: tuple[int, int, int], reason: str, words: str) -> None:
        bad = np.full((HEIGHT, WIDTH, 3), colour, np.uint8)
        before = robot.count(f"dropped: {reason}")
        with robot.listen(Image, DEPTH) as heard:

            def dropped() -> bool:
                robot.send(robot.image(bad), robot.info())
                time.sleep(0.05)
                return robot.count(f"dropped: {reason}") > before

            robot.until(dropped, "the drop is counted")
            robot.until(lambda: words in robot.message("output"), "its reason")
            robot.output_of(heard, good(robot))


class TestFloods:
    @pytest.fixture(scope="class")
    def slow(self, start_node: Callable[..., NodeProcess]) -> NodeProcess:
        """A slow node beside the first."""
        return start_node("-r", "__ns:=/slow", slow_s=0.1)

    def test_200_hz_input_gives_the_newest_frames(self, robot: Robot, slow: NodeProcess) -> None:
        """What it gives is never older than it must be, and every image is accounted for."""
        replaced = "dropped: replaced by a newer one"
        with robot.listen(Image, f"{SLOW}/depth/image") as heard:
            robot.output_of(heard, good(robot))
            heard.messages.clear()
            sent: list[tuple[float, int]] = []
            unaccounted: list[int] = []
            end = time.monotonic() + 3.0
            while time.monotonic() < end:
                sent.append((time.monotonic(), robot.send(*good(robot)())))
                unaccounted.append(robot.unaccounted(SLOW))
                time.sleep(0.005)
            last = sent[-1][1]
            robot.until(
                lambda: heard.messages and heard.messages[-1].header.stamp.sec == last,
                "the very last image is worked on",
            )
            stamps = [message.header.stamp.sec for message in heard.messages]
        assert stamps == sorted(stamps)
        assert len(set(stamps)) == len(stamps)
        assert len(stamps) < len(sent) / 2, "the rest was replaced"
        robot.until(lambda: robot.count(replaced, SLOW) > len(sent) / 2, "it is counted")
        assert max(unaccounted) <= 3, "one has just come, one waits, one is in work"
        robot.until(lambda: robot.unaccounted(SLOW) == 0, "the counts add up")

    def test_what_waits_at_a_stop_is_counted(self, robot: Robot, slow: NodeProcess) -> None:
        client = robot.node.create_client(SetBool, f"{SLOW}/enable")
        robot.until(client.service_is_ready, "the service")
        with robot.listen(Image, f"{SLOW}/depth/image") as heard:

            def counted() -> bool:
                robot.output_of(heard, good(robot))
                for _ in range(5):
                    robot.send(*good(robot)())
                    time.sleep(0.01)
                for enabled in (False, True):
                    client.call_async(SetBool.Request(data=enabled))
                return robot.count("dropped: let go when stopped", SLOW) > 0

            robot.until(counted, "an image that waited when the node was disabled")
            robot.output_of(heard, good(robot))
        robot.node.destroy_client(client)
        robot.until(lambda: robot.unaccounted(SLOW) == 0, "the counts add up")

    def test_no_input_is_said(self, robot: Robot) -> None:
        robot.until(
            lambda: "no image on /front/image for" in robot.message("input"), "silence is noticed"
        )
        beats = robot.beats
        robot.until(lambda: robot.beats >= beats + 2, "diagnostics go on")


class TestCompressed:
    @pytest.fixture(scope="class")
    def zipped(self, robot: Robot, start_node: Callable[..., NodeProcess]) -> NodeProcess:
        made = start_node("-r", "__ns:=/zip", "-p", "image_transport:=compressed")
        robot.publisher(CompressedImage, "/front/image/compressed")
        return made

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda: cv2.imencode(".jpg", picture())[1].tobytes()[:300], "is damaged"),
            (lambda: cv2.imencode(".jpg", picture())[1].tobytes()[:-40], "without its end"),
            (lambda: b"no picture at all", "expected JPEG or PNG data"),
            (
                lambda: bytes(cv2.imencode(".png", picture()[..., 0].astype(np.uint16))[1]),
                "is a 16-bit PNG",
            ),
        ],
        ids=["cut", "no end", "garbage", "16-bit"],
    )
    def test_damage_is_dropped_with_its_reason(
        self, robot: Robot, zipped: NodeProcess, make: Callable[[], bytes], reason: str
    ) -> None:
        data = make()
        whole = cv2.imencode(".jpg", picture())[1].tobytes()
        with robot.listen(Image, "/zip/da_ros/depth/image") as heard:
            robot.output_of(heard, lambda: (robot.compressed(whole, "jpeg"), None))

            def said() -> bool:
                robot.send(robot.compressed(data, "jpeg"))
                time.sleep(0.05)
                return reason in robot.message("output", "/zip/da_ros")

            robot.until(said, f"reason {reason}")
            robot.output_of(heard, lambda: (robot.compressed(whole, "jpeg"), None))


class TestSimulatedTime:
    def test_works_without_a_clock_and_across_jumps(
        self, robot: Robot, start_node: Callable[..., NodeProcess]
    ) -> None:
        start_node("-r", "__ns:=/sim", "-p", "use_sim_time:=true")
        with robot.listen(Image, "/sim/da_ros/depth/image") as heard:
            robot.output_of(heard, good(robot))
            clock = robot.publisher(Clock, "/clock", RELIABLE)
            for sec in (5000, 10):  # a bag that loops
                message = Clock()
                message.clock.sec = sec
                clock.publish(message)
                robot.output_of(heard, good(robot))
