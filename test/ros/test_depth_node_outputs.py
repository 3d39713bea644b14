"""A metric model in a node of its own; what goes in and comes out travels over DDS."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from robot import (
    BEST_EFFORT,
    HEIGHT,
    WIDTH,
    NodeProcess,
    Robot,
    picture,
    pixels_of,
    points_of,
)
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from da_ros.msg import DepthInfo

RED, BLUE = (np.full((HEIGHT, WIDTH, 3), c, np.uint8) for c in ((250, 60, 60), (60, 60, 250)))


@pytest.fixture(scope="module", autouse=True)
def node(start_node: Callable[..., NodeProcess], robot: Robot) -> NodeProcess:
    made = start_node()
    robot.until_state("active")
    return made


@pytest.fixture
def defaults(robot: Robot) -> Iterator[None]:
    """Put back what a test sets."""
    yield
    results = robot.set(
        near=0.2, far=0.0, cloud__stride=1, cloud__color=True, cloud__max_range=0.0,
        cloud__edge_threshold=0.1, outputs__depth=True, color__range="fixed", max_rate=0.0,
        color__map="ember", keep_alive_rate=0.0,
    )  # fmt: skip
    assert all(result.successful for result in results)


def depth_of(robot: Robot, image: Callable[[], Any]) -> np.ndarray:
    with robot.listen(Image, "/da_ros/depth/image") as heard:
        return pixels_of(robot.output_of(heard, lambda: (image(), robot.info())))


class TestStart:
    def test_auto_on_a_cpu_says_what_rate_to_expect(self, node: NodeProcess) -> None:
        said = (
            r"device auto: no CUDA GPU, so the network runs on the CPU; expect about "
            r"([\d.e+]+) images/s of 640 x 480 px \((\d+) ms each\)"
        )
        found = re.search(said, node.output)
        assert found is not None
        rate, each = float(found[1]), float(found[2])
        assert rate > 0
        assert each == 0 or abs(1000 / rate - each) <= 0.05 * each + 1

    @pytest.mark.slow
    def test_diagnostics_beat_on_simulated_time_that_stands_still(
        self, robot: Robot, start_node: Callable[..., NodeProcess]
    ) -> None:
        """No /clock anywhere; unconfigured and active."""
        nodes = {"/sim": "true", "/waiting": "false"}
        for space, autostart in nodes.items():
            start_node(
                "-r", f"__ns:={space}", "-p", "use_sim_time:=true",
                "-p", f"autostart:={autostart}",
            )  # fmt: skip
        for space, phase in (("/sim", "active"), ("/waiting", "unconfigured")):
            name = f"{space}/da_ros"
            robot.until(
                lambda n=name, p=phase: robot.values("node", n).get("lifecycle state") == p,
                f"{name} is {phase}",
            )
            before, start = robot.beats_of[name], time.monotonic()
            robot.until(lambda n=name, b=before: robot.beats_of[n] >= b + 3, "three beats")
            assert time.monotonic() - start > 1.5, "one a second, not more"


class TestDepth:
    def test_is_metres_with_the_images_own_header(self, robot: Robot) -> None:
        sent: list[Any] = []

        def make() -> tuple[Any, Any]:
            sent.append(robot.image(picture()))
            return sent[-1], robot.info()

        with robot.listen(Image, "/da_ros/depth/image") as heard:
            got = robot.output_of(heard, make)
        assert got.header in [image.header for image in sent]
        assert (got.encoding, got.height, got.width, got.step) == ("32FC1", 48, 64, 256)
        # The network's number is 2 + row share + 0.5 x normalised red; its far end is 19 m.
        red = (picture()[..., 0] / 255.0 - 0.485) / 0.229
        rows = np.linspace(0.0, 1.0, HEIGHT)[:, None]
        expected = 2.0 + rows + 0.5 * red
        assert np.abs(pixels_of(got) - expected).max() < 0.1

    def test_too_near_is_minus_infinity_and_too_far_plus(
        self, robot: Robot, defaults: None
    ) -> None:
        free = depth_of(robot, lambda: robot.image(picture()))
        low, high = (float(v) for v in np.percentile(free, [30, 70]))
        assert all(r.successful for r in robot.set(near=low, far=high))
        limited = depth_of(robot, lambda: robot.image(picture()))
        assert np.array_equal(np.isneginf(limited), free < np.float32(low))
        assert np.array_equal(np.isposinf(limited), free > np.float32(high))
        with robot.listen(Image, "/da_ros/depth/image_raw") as heard:
            raw = pixels_of(robot.output_of(heard, lambda: (robot.image(picture()), None)))
        within = np.isfinite(limited)
        assert (raw[~within] == 0).all(), "16UC1 says 0 where it has no metres"
        assert np.abs(raw[within] - 1000.0 * limited[within]).max() <= 0.51

    def test_red_and_blue_are_not_swapped(self, robot: Robot) -> None:
        near, far = (depth_of(robot, lambda c=c: robot.image(c)).mean() for c in (BLUE, RED))
        assert far - near > 1.0, "red alone makes it far"
        for encoding in ("bgr8", "rgb16", "rgb16be"):
            got = depth_of(robot, lambda e=encoding: robot.image(RED, e)).mean()
            assert got == pytest.approx(far), encoding

    @pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgb16", "rgb16be"])
    def test_padding_and_byte_order_change_nothing(self, robot: Robot, encoding: str) -> None:
        plain = depth_of(robot, lambda: robot.image(picture()))
        padded = depth_of(robot, lambda: robot.image(picture(), encoding, padding=22))
        assert np.array_equal(plain, padded)


class TestCloud:
    def test_is_organised_and_lies_on_the_rays(self, robot: Robot) -> None:
        with (
            robot.listen(PointCloud2, "/da_ros/points") as clouds,
            robot.listen(Image, "/da_ros/depth/image") as depths,
        ):
            cloud = robot.output_of(clouds, lambda: (robot.image(picture()), robot.info()))
            stamp = cloud.header.stamp
            depth = robot.until(
                lambda: next((m for m in depths.messages if m.header.stamp == stamp), None),
                "the depth of the same image",
            )
        assert [(f.name, f.offset, f.datatype) for f in cloud.fields] == [
            ("x", 0, 7), ("y", 4, 7), ("z", 8, 7), ("rgb", 12, 7),
        ]  # fmt: skip
        assert (cloud.height, cloud.width, cloud.is_dense) == (HEIGHT, WIDTH, False)
        assert (cloud.point_step, cloud.row_step) == (16, 16 * WIDTH)
        points, z = points_of(cloud), pixels_of(depth)
        kept = np.isfinite(points[..., 2])
        assert kept.mean() > 0.9
        v, u = np.mgrid[:HEIGHT, :WIDTH]
        expected = np.stack([(u - 31.5) / 50.0 * z, (v - 23.5) / 50.0 * z, z], axis=-1)
        assert np.abs(points[..., :3] - expected)[kept].max() < 1e-5
        packed = np.ascontiguousarray(points[..., 3]).view(np.uint32)[kept]
        colours = np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], axis=-1)
        assert np.array_equal(colours, picture()[kept])

    def test_camera_info_fits_the_depth(self, robot: Robot) -> None:
        with robot.listen(CameraInfo, "/da_ros/depth/camera_info") as heard:
            got = robot.output_of(
                heard,
                lambda: (robot.image(picture()), robot.info(fx=44.0)),
                "the camera's new focal length",
                where=lambda info: info.k[0] == 44.0,
            )
        assert (got.height, got.width, got.k[0], got.p[0]) == (HEIGHT, WIDTH, 44.0, 44.0)
        assert got.header.frame_id == "camera_optical_frame"

    def test_dynamic_parameters_act_on_the_next_frame(self, robot: Robot, defaults: None) -> None:
        results = robot.set(cloud__stride=4, cloud__color=False, cloud__max_range=2.0)
        assert all(result.successful for result in results)
        with robot.listen(PointCloud2, "/da_ros/points") as heard:
            got = robot.output_of(heard, lambda: (robot.image(picture()), robot.info()))
        assert (got.height, got.width, len(got.fields)) == (HEIGHT // 4, WIDTH // 4, 3)
        z = points_of(got)[..., 2]
        assert np.isnan(z).any()
        assert np.nanmax(z) <= 2.0


class TestOtherOutputs:
    def test_colours(self, robot: Robot, defaults: None) -> None:
        with robot.listen(Image, "/da_ros/depth/color") as heard:
            fixed = robot.output_of(heard, lambda: (robot.image(picture()), None))
            assert (fixed.encoding, fixed.step) == ("rgb8", 3 * WIDTH)
            assert all(r.successful for r in robot.set(color__map="gray"))
            gray = pixels_of(robot.output_of(heard, lambda: (robot.image(picture()), None)))
        assert (gray[..., 0] == gray[..., 2]).all()
        assert not np.array_equal(gray, pixels_of(fixed))

    def test_depth_info_says_how_the_frame_was_made(self, robot: Robot) -> None:
        with robot.listen(DepthInfo, "/da_ros/depth_info") as heard:
            got = robot.output_of(heard, lambda: (robot.image(picture()), None))
        assert (got.model_id, got.kind, got.model_verified) == ("ramp-metric_depth", 3, False)
        assert (got.transform, got.scale, got.scale_source) == (2, 1.0, 1)
        assert (got.image_width, got.image_height) == (WIDTH, HEIGHT)
        assert min(got.network_width, got.network_height) == 70
        assert got.infer_ms > 0.0

    def test_only_what_the_model_can_give_is_advertised(self, robot: Robot) -> None:
        names = {
            name.removeprefix("/da_ros/")
            for name, types in robot.node.get_topic_names_and_types()
            if name.startswith("/da_ros/") and types[0].split("/")[0] in ("sensor_msgs", "da_ros")
        }
        assert names == {
            "depth/image", "depth/image_raw", "depth/camera_info", "points", "depth/color",
            "depth_info",
        }  # fmt: skip

    def test_an_output_switched_off_is_silent(self, robot: Robot, defaults: None) -> None:
        assert all(r.successful for r in robot.set(outputs__depth=False))
        with (
            robot.listen(Image, "/da_ros/depth/image") as depths,
            robot.listen(DepthInfo, "/da_ros/depth_info") as infos,
        ):
            robot.output_of(infos, lambda: (robot.image(picture()), None))
            robot.output_of(infos, lambda: (robot.image(picture()), None))
            assert depths.messages == []

    def test_reliable_and_best_effort_subscribers_hear_it(self, robot: Robot) -> None:
        with robot.listen(Image, "/da_ros/depth/image", BEST_EFFORT) as heard:
            robot.output_of(heard, lambda: (robot.image(picture()), None))


class TestRelativeModel:
    """A second node, whose model knows no metres."""

    @pytest.fixture(scope="class")
    def relative(self, robot: Robot, start_node: Callable[..., NodeProcess]) -> NodeProcess:
        return start_node("-r", "__ns:=/rel", kind="relative_inverse_depth")

    def test_nothing_of_it_is_called_depth_or_metres(
        self, robot: Robot, relative: NodeProcess
    ) -> None:
        robot.until(lambda: robot.node.count_publishers("/rel/da_ros/depth_info"), "its outputs")
        names = {
            name.removeprefix("/rel/da_ros/")
            for name, types in robot.node.get_topic_names_and_types()
            if name.startswith("/rel/da_ros/")
            and types[0].split("/")[0] in ("sensor_msgs", "da_ros")
        }
        assert names == {
            "inverse_depth/image", "nominal/depth/image", "nominal/depth/camera_info",
            "nominal/points", "depth/color", "depth_info",
        }  # fmt: skip

    def test_inverse_depth_is_the_networks_own_and_nominal_a_fixed_curve_of_it(
        self, robot: Robot, relative: NodeProcess
    ) -> None:
        with (
            robot.listen(Image, "/rel/da_ros/inverse_depth/image") as inverse,
            robot.listen(Image, "/rel/da_ros/nominal/depth/image") as nominal,
        ):
            robot.output_of(nominal, lambda: (robot.image(picture()), robot.info()))
            got = robot.output_of(inverse, lambda: (robot.image(picture()), robot.info()))
            stamp = got.header.stamp
            viewed = robot.until(
                lambda: next((m for m in nominal.messages if m.header.stamp == stamp), None),
                "the nominal depth of the same image",
            )
        d = pixels_of(got)
        red = (picture()[..., 0] / 255.0 - 0.485) / 0.229
        assert np.abs(d - (2.0 + np.linspace(0.0, 1.0, HEIGHT)[:, None] + 0.5 * red)).max() < 0.1
        # near 0.2 m is shown where d is the checkpoint's d_ref of 4, far 20 m where it is 0.
        share = np.clip(d / 4.0, 0.0, 1.0)
        expected = 1.0 / (1.0 / 20.0 + (1.0 / 0.2 - 1.0 / 20.0) * share)
        assert np.abs(pixels_of(viewed) / expected - 1.0).max() < 1e-4

    def test_each_of_its_outputs_can_be_switched_off(
        self, robot: Robot, relative: NodeProcess
    ) -> None:
        topics = {
            "inverse_depth": (Image, "inverse_depth/image"),
            "nominal_depth": (Image, "nominal/depth/image"),
            "nominal_points": (PointCloud2, "nominal/points"),
            "color": (Image, "depth/color"),
            "camera_info": (CameraInfo, "nominal/depth/camera_info"),
            "info": (DepthInfo, "depth_info"),
        }

        def both() -> tuple[Any, Any]:
            return robot.image(picture()), robot.info()

        for name, (kind, topic) in topics.items():
            other = topics["color" if name == "info" else "info"]
            with (
                robot.listen(kind, f"/rel/da_ros/{topic}") as heard,
                robot.listen(other[0], f"/rel/da_ros/{other[1]}") as witness,
            ):
                robot.output_of(heard, both, name)
                (result,) = robot.set_of("/rel/da_ros", **{f"outputs__{name}": False})
                assert result.successful, result.reason
                robot.output_of(witness, both)  # whatever was on its way has come by now
                heard.messages.clear()
                for _ in range(3):
                    robot.output_of(witness, both)
                assert heard.messages == [], name
                robot.set_of("/rel/da_ros", **{f"outputs__{name}": True})
                robot.output_of(heard, both, f"{name} again")

    def test_the_reference_of_the_nominal_view_acts_on_the_next_frame(
        self, robot: Robot, relative: NodeProcess
    ) -> None:
        with robot.listen(Image, "/rel/da_ros/nominal/depth/image") as heard:
            for reference in (4.0, 2.5):
                (result,) = robot.set_of("/rel/da_ros", nominal_d_ref=reference)
                assert result.successful, result.reason
                red = (picture()[..., 0] / 255.0 - 0.485) / 0.229
                d = 2.0 + np.linspace(0.0, 1.0, HEIGHT)[:, None] + 0.5 * red
                share = np.clip(d / reference, 0.0, 1.0)
                expected = 1.0 / (1.0 / 20.0 + (1.0 / 0.2 - 1.0 / 20.0) * share)

                def shown(message: Any, expected: np.ndarray = expected) -> bool:
                    return bool(np.abs(pixels_of(message) / expected - 1.0).max() < 0.05)

                robot.output_of(
                    heard, lambda: (robot.image(picture()), robot.info()),
                    f"the view with {reference}", where=shown,
                )  # fmt: skip
        robot.set_of("/rel/da_ros", nominal_d_ref=0.0)


class TestCompressedCopies:
    def test_png_and_raw_give_the_same_depth(
        self, robot: Robot, start_node: Callable[..., NodeProcess]
    ) -> None:
        """A second node, beside the first, on the compressed topic."""
        start_node("-r", "__ns:=/zip", "-p", "image_transport:=compressed")
        data = cv2.imencode(".png", picture()[..., ::-1])[1].tobytes()
        raw = depth_of(robot, lambda: robot.image(picture()))
        with robot.listen(Image, "/zip/da_ros/depth/image") as heard:
            for spelling in ("png", "rgb8; png compressed bgr8", "bgr8; PNG compressed"):
                got = robot.output_of(heard, lambda s=spelling: (robot.compressed(data, s), None))
                assert np.array_equal(pixels_of(got), raw), spelling
            jpeg = cv2.imencode(".jpg", picture()[..., ::-1])[1].tobytes()
            for spelling in ("jpeg", "rgb8; jpeg compressed bgr8"):
                got = robot.output_of(heard, lambda s=spelling: (robot.compressed(jpeg, s), None))
                assert np.abs(pixels_of(got) - raw).mean() < 0.1, spelling

    def test_a_cloud_of_it_has_its_colours_and_the_sibling_camera_info(
        self, robot: Robot, start_node: Callable[..., NodeProcess]
    ) -> None:
        start_node("-r", "__ns:=/zipped", "-p", "image_transport:=compressed")
        data = cv2.imencode(".png", picture()[..., ::-1])[1].tobytes()
        with robot.listen(PointCloud2, "/zipped/da_ros/points") as heard:
            got = robot.output_of(
                heard, lambda: (robot.compressed(data, "rgb8; png compressed bgr8"), robot.info())
            )
        points = points_of(got)
        colours = np.ascontiguousarray(points[..., 3]).view(np.uint32)
        rgb = np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], axis=-1)
        assert np.array_equal(rgb, picture())
        u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
        x, y, z = np.moveaxis(points[..., :3], -1, 0)
        seen = np.isfinite(z)
        assert seen.mean() > 0.9
        assert np.abs(x / z * 50.0 + 31.5 - u)[seen].max() < 1e-3
        assert np.abs(y / z * 50.0 + 23.5 - v)[seen].max() < 1e-3


class TestDemand:
    def test_nobody_listens_nothing_is_computed(self, robot: Robot) -> None:
        key = "dropped: no subscriber"
        before = robot.count(key)

        def refused() -> bool:
            robot.send(robot.image(picture()), robot.info())
            return robot.count(key) >= before + 5

        # The last subscription of an earlier test may take a moment to be gone.
        robot.until(refused, "images without a subscriber")
        settled = robot.count("done")
        before = robot.count(key)
        robot.until(refused, "more of them")
        assert robot.count("done") == settled
        assert "nothing is computed" in robot.message("output")

    def test_keep_alive_runs_the_network_for_nobody(self, robot: Robot, defaults: None) -> None:
        done = robot.count("done")
        assert all(r.successful for r in robot.set(keep_alive_rate=50.0))

        def kept_alive() -> bool:
            robot.send(robot.image(picture()), robot.info())
            return robot.count("done") >= done + 3

        robot.until(kept_alive, "frames without a subscriber")

    def test_a_rate_limit_drops_the_rest(self, robot: Robot, defaults: None) -> None:
        assert all(r.successful for r in robot.set(max_rate=0.01))
        with robot.listen(Image, "/da_ros/depth/image"):

            def limited() -> bool:
                robot.send(robot.image(picture()), None)
                return robot.count("dropped: rate limit") >= 3

            robot.until(limited, "images over the rate")
