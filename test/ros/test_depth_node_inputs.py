"""camera_info and QoS of a real node, as cameras get them wrong."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from robot import (
    BEST_EFFORT,
    HEIGHT,
    LATCHED,
    RELIABLE,
    WIDTH,
    NodeProcess,
    Robot,
    picture,
    pixels_of,
    points_of,
)
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

DEPTH, POINTS = "/da_ros/depth/image", "/da_ros/points"


@pytest.fixture(scope="module", autouse=True)
def node(start_node: Callable[..., NodeProcess], robot: Robot) -> NodeProcess:
    made = start_node()
    robot.until_state("active")
    return made


@pytest.fixture(autouse=True)
def fresh(robot: Robot) -> Iterator[None]:
    """A camera that nobody remembers."""
    yield
    robot.drop_publishers()
    assert robot.transition("deactivate")
    assert robot.transition("activate")


class TestCameraInfo:
    def test_depth_without_a_cloud_and_a_reason(self, robot: Robot, node: NodeProcess) -> None:
        with robot.listen(Image, DEPTH) as depths, robot.listen(PointCloud2, POINTS) as clouds:
            robot.output_of(depths, lambda: (robot.image(picture()), None))
            robot.until(
                lambda: (
                    "depth without a cloud: no camera_info has come"
                    in robot.message("camera_info")
                    or robot.send(robot.image(picture())) < 0
                ),
                "the reason",
            )
            assert clouds.messages == []

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda info: setattr(info, "k", [0.0] * 9), "unusable camera_info"),
            (lambda info: setattr(info, "k", [math.nan] * 9), "unusable camera_info"),
            (lambda info: setattr(info, "width", 32), "camera_info is for 32 x 48 px"),
        ],
        ids=["zero K", "NaN K", "wrong size"],
    )
    def test_unusable_ones_cost_the_cloud_not_the_depth(
        self, robot: Robot, spoil: Callable[[Any], None], reason: str
    ) -> None:
        def bad() -> tuple[Any, Any]:
            info = robot.info()
            spoil(info)
            return robot.image(picture()), info

        with robot.listen(Image, DEPTH) as depths, robot.listen(PointCloud2, POINTS) as clouds:
            robot.output_of(depths, bad)
            robot.until(
                lambda: reason in robot.message("camera_info") or robot.send(*bad()) < 0, reason
            )
            assert clouds.messages == []
            robot.output_of(clouds, lambda: (robot.image(picture()), robot.info()))

    def test_an_unusable_one_is_said_where_only_depth_is_wanted(self, robot: Robot) -> None:
        def bad() -> tuple[Any, Any]:
            info = robot.info()
            info.width = 32
            return robot.image(picture()), info

        with robot.listen(Image, DEPTH) as depths:
            robot.output_of(depths, bad)
            robot.until(
                lambda: "nor rectified by: camera_info is for 32 x 48 px"
                in robot.message("camera_info")
                or robot.send(*bad()) < 0,
                "the reason",
            )  # fmt: skip
            robot.until(
                lambda: robot.message("camera_info") == "fits the images"
                or robot.send(robot.image(picture()), robot.info()) < 0,
                "it is over",
            )  # fmt: skip

    def test_one_sent_once_serves_all_images(self, robot: Robot) -> None:
        info = robot.stamped(robot.info(fx=33.0))
        robot.publisher(CameraInfo, "/front/camera_info", LATCHED).publish(info)
        with robot.listen(CameraInfo, "/da_ros/depth/camera_info") as heard:
            got = robot.output_of(heard, lambda: (robot.image(picture()), None))
        assert got.k[0] == 33.0

    @pytest.mark.slow
    def test_a_remapped_one_is_used_not_the_sibling(
        self, robot: Robot, start_node: Callable[..., NodeProcess]
    ) -> None:
        made = start_node("-r", "__ns:=/other", "-r", "camera_info:=/elsewhere/info")
        sender = robot.publisher(CameraInfo, "/elsewhere/info")

        def both() -> tuple[Any, Any]:
            image, info = robot.image(picture()), robot.info(fx=77.0)
            info.header = image.header
            sender.publish(info)
            return image, robot.info(fx=33.0)

        with robot.listen(CameraInfo, "/other/da_ros/depth/camera_info") as heard:
            got = robot.output_of(heard, both, where=lambda info: info.k[0] == 77.0)
            assert {message.k[0] for message in heard.messages} == {77.0}
        assert got.k[0] == 77.0
        assert made.end() == 0

    def test_one_of_another_frame_is_not_used(self, robot: Robot) -> None:
        info = robot.stamped(robot.info(), frame_id="another_optical_frame")
        robot.publisher(CameraInfo, "/front/camera_info", LATCHED).publish(info)
        with robot.listen(Image, DEPTH) as depths, robot.listen(PointCloud2, POINTS) as clouds:
            robot.output_of(depths, lambda: (robot.image(picture()), None))
            robot.until(
                lambda: (
                    "has frame_id 'another_optical_frame'" in robot.message("camera_info")
                    or robot.send(robot.image(picture())) < 0
                ),
                "the reason",
            )
            assert clouds.messages == []

    def test_a_late_one_of_the_same_stamp_is_waited_for(self, robot: Robot) -> None:
        assert all(r.successful for r in robot.set(camera_info_wait=1.0))
        sender = robot.publisher(CameraInfo, "/front/camera_info")
        with robot.listen(CameraInfo, "/da_ros/depth/camera_info") as heard:
            robot.output_of(heard, lambda: (robot.image(picture()), robot.info(fx=50.0)))

            def answered() -> bool:
                image, info = robot.image(picture()), robot.info(fx=71.0)
                info.header = image.header
                robot.send(image)
                sender.publish(info)
                return any(message.k[0] == 71.0 for message in heard.messages)

            robot.until(answered, "the camera_info of the image's own stamp")
        assert all(r.successful for r in robot.set(camera_info_wait=0.05))

    def test_one_that_comes_too_late_is_counted_and_said(
        self, robot: Robot, node: NodeProcess
    ) -> None:
        before = node.output.count("camera_info came later than")
        sender = robot.publisher(CameraInfo, "/front/camera_info")
        with robot.listen(Image, DEPTH) as heard:
            robot.output_of(heard, lambda: (robot.image(picture()), robot.info()))

            def late() -> bool:
                """Send a camera_info well behind its image, which by then is done or lost."""
                image, info = robot.image(picture()), robot.info()
                info.header = image.header
                robot.send(image)
                time.sleep(0.2)
                sender.publish(info)
                return int(robot.value("camera_info", "came late") or 0) > 0

            robot.until(late, "it is counted")
            robot.until(
                lambda: "camera_info came later than 50 ms after its image"
                in robot.message("camera_info")
                or late() < 0,
                "it is said",
            )  # fmt: skip
        assert node.output.count("camera_info came later than") == before + 1
        assert int(robot.value("camera_info", "images with the latest")) > 0
        assert int(robot.value("camera_info", "images with the one of their stamp")) > 0

    def test_changing_intrinsics_are_followed(self, robot: Robot, node: NodeProcess) -> None:
        with robot.listen(PointCloud2, POINTS) as heard:
            for fx in (50.0, 80.0):

                def follows(cloud: Any, fx: float = fx) -> bool:
                    x, _, z, *_ = points_of(cloud)[5, 0]
                    return bool(abs(x / z * fx / -31.5 - 1.0) < 1e-5)

                robot.output_of(
                    heard,
                    lambda f=fx: (robot.image(picture()), robot.info(fx=f)),
                    f"a cloud with a focal length of {fx} px",
                    where=follows,
                )
        robot.until(
            lambda: int(robot.value("camera_info", "changes") or 0) > 0, "the change is counted"
        )
        assert node.output.count("camera_info describes another camera than before") > 0

    def test_distortion_is_undone_and_rect_images_use_p(
        self, robot: Robot, start_node: Callable[..., NodeProcess]
    ) -> None:
        """A second node whose image topic says rect; its camera_info is the raw camera's."""

        def distorted() -> CameraInfo:
            info = robot.info(fx=50.0)
            info.d = [-0.2, 0.05, 0.0, 0.0, 0.0]
            info.p = [45.0, 0.0, 31.5, 0.0, 0.0, 45.0, 23.5, 0.0, 0.0, 0.0, 1.0, 0.0]
            return info

        start_node("-r", "__ns:=/rect", image_topic="/front/image_rect")
        infos = {}
        for space, topic in (("", "/front/image"), ("/rect", "/front/image_rect")):
            with robot.listen(CameraInfo, f"{space}/da_ros/depth/camera_info") as heard:

                def answered(name: str = topic, heard: Any = heard) -> Any:
                    image, info = robot.image(picture()), distorted()
                    info.header = image.header
                    robot.publisher(CameraInfo, "/front/camera_info").publish(info)
                    robot.publisher(Image, name).publish(image)
                    return heard.messages

                infos[topic] = robot.until(answered, f"camera_info of {topic}")[-1]
        for got in infos.values():
            assert (got.p[0], got.k[0]) == (45.0, 45.0), "both show pixels of P"
            assert not any(got.d)

    @pytest.mark.parametrize(
        ("frame_id", "words"),
        [("", "images have no frame_id"), ("camera_link", "does not say optical")],
    )
    def test_odd_frames_are_warned_about_once_and_passed_on(
        self, robot: Robot, node: NodeProcess, frame_id: str, words: str
    ) -> None:
        before = node.output.count(words)

        def odd() -> tuple[Any, Any]:
            image = robot.image(picture())
            image.header.frame_id = frame_id
            return image, robot.info()

        with robot.listen(PointCloud2, POINTS) as heard:
            got = robot.output_of(heard, odd)
            robot.output_of(heard, odd)
        assert got.header.frame_id == frame_id
        robot.until(lambda: words in node.output, "a warning")
        assert node.output.count(words) == before + 1

    def test_stamp_zero_still_gives_depth(self, robot: Robot, node: NodeProcess) -> None:
        def zero() -> bool:
            image, info = robot.image(picture()), robot.info()
            image.header.stamp.sec = image.header.stamp.nanosec = 0
            robot.send(image, info)
            return bool(heard.messages)

        with robot.listen(PointCloud2, POINTS) as heard:
            robot.until(zero, "a cloud")
        assert heard.messages[0].header.stamp.sec == 0
        assert node.output.count("images have stamp 0") == 1


class TestQos:
    @pytest.mark.parametrize(
        ("profile", "words"), [(BEST_EFFORT, "best effort"), (None, "reliable")]
    )
    def test_auto_takes_what_the_camera_offers(
        self, robot: Robot, node: NodeProcess, profile: Any, words: str
    ) -> None:
        extra = {} if profile is None else {"qos": profile}
        with robot.listen(Image, DEPTH) as heard:

            def sent() -> Any:
                robot.send(robot.image(picture()), **extra)
                return heard.messages

            robot.until(sent, "depth")
        robot.until(
            lambda: robot.value("input", "subscribed") == f"{words}, volatile, keep last 1",
            "what is subscribed",
        )

    def test_a_misfit_is_explained(
        self, robot: Robot, start_node: Callable[..., NodeProcess]
    ) -> None:
        made = start_node("-r", "__ns:=/strict", "-p", "image_qos:=reliable")
        robot.publisher(Image, "/front/image", BEST_EFFORT)
        robot.until(
            lambda: (
                "does not hear robot: it asks for reliable and is offered best effort"
                in robot.message("input", "/strict/da_ros")
            ),
            "the reason",
        )
        robot.until(lambda: "does not hear robot: it asks for" in made.output, "it is logged")
        robot.until(lambda: "no image on /front/image for" in made.output, "silence is logged")
        assert made.output.count("does not hear robot: it asks for") == 1
        made.end()

    def test_overrides_win(self, robot: Robot, start_node: Callable[..., NodeProcess]) -> None:
        policy = "qos_overrides./front/image.subscription.reliability:=best_effort"
        made = start_node("-r", "__ns:=/over", "-p", policy)
        robot.publisher(Image, "/front/image")
        robot.until(lambda: "active: /front/image" in made.output, "activation")
        robot.until(lambda: "1 publisher(s), subscribed" in made.output, "the camera is seen")
        line = next(x for x in made.output.splitlines() if "image: 1 publisher" in x)
        assert "best effort" in line
        made.end()

    @pytest.mark.parametrize(
        ("setting", "said"),
        [
            ("/front/image.subscription.reliability:=besteffort",
             "reliability: expected one of auto, reliable, best_effort, got 'besteffort'"),
            ("/front/image.subscription.depth:=ten", "depth: expected a whole number"),
            ("/wrong/da_ros/depth_info.publisher.reliability:=foo",
             "qos_overrides of depth_info:"),
        ],
    )  # fmt: skip
    def test_a_wrong_override_is_one_line(
        self, robot: Robot, start_node: Callable[..., NodeProcess], setting: str, said: str
    ) -> None:
        # A namespace of its own: two nodes of one name answer each other's services.
        made = start_node("-r", "__ns:=/wrong", "-p", f"qos_overrides.{setting}")
        try:
            robot.until(lambda: said in made.output, "the line")
            assert "Traceback" not in made.output
        finally:
            assert made.end() == 0, made.output

    def test_overrides_of_an_output_win_too(
        self, robot: Robot, start_node: Callable[..., NodeProcess]
    ) -> None:
        def offered(topic: str) -> list[tuple[Any, Any]]:
            found = robot.node.get_publishers_info_by_topic(topic)
            return [(f.qos_profile.reliability, f.qos_profile.durability) for f in found]

        topic = "/loud/da_ros/depth/image"
        policy = f"qos_overrides.{topic}.publisher.reliability:=best_effort"
        made = start_node("-r", "__ns:=/loud", "-p", policy)
        other = "/loud/da_ros/depth/image_raw"
        robot.until(lambda: offered(topic) and offered(other), "the outputs")
        assert offered(topic) == [(BEST_EFFORT.reliability, BEST_EFFORT.durability)]
        assert offered(other) == [(RELIABLE.reliability, RELIABLE.durability)]
        made.end()

    def test_camera_info_is_kept_ten_deep(self, robot: Robot, node: NodeProcess) -> None:
        robot.publisher(CameraInfo, "/front/camera_info")
        words = "/front/camera_info: 1 publisher(s), subscribed reliable, volatile, keep last 10"
        robot.until(lambda: words in node.output, "the choice in the log")

    def test_a_topic_of_another_type_is_named(self, robot: Robot) -> None:
        robot.publisher(PointCloud2, "/front/image")
        robot.until(
            lambda: "/front/image carries sensor_msgs/msg/PointCloud2" in robot.message("input"),
            "the type",
        )

    def test_a_deaf_subscriber_is_named(self, robot: Robot) -> None:
        with robot.listen(Image, DEPTH, LATCHED):
            robot.until(
                lambda: "robot does not hear /da_ros/depth/image" in robot.message("output"),
                "the reason",
            )

    def test_depth_still_has_the_size_of_the_image(self, robot: Robot) -> None:
        with robot.listen(Image, DEPTH) as heard:
            got = robot.output_of(heard, lambda: (robot.image(picture()), robot.info()))
        assert pixels_of(got).shape == (HEIGHT, WIDTH)
