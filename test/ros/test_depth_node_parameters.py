"""Parameters that change what comes out, set and seen from another process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from ramp_estimator import ramp_estimator
from robot import HEIGHT, WIDTH, NodeProcess, Robot, picture, pixels_of, points_of
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from da_ros.msg import DepthInfo
from da_ros.pipeline import available_outputs, topics_of
from da_ros.ros.declare import SPECS
from da_ros.types import Kind

DEPTH, MILLIMETRES, POINTS = "/da_ros/depth/image", "/da_ros/depth/image_raw", "/da_ros/points"
METRIC_OUTPUTS = sorted(available_outputs(ramp_estimator(Kind.METRIC_DEPTH).info))
FIXED = [name for name, spec in SPECS.items() if not spec.dynamic]
COMPANIONS: dict[str, dict[str, Any]] = {"scale.ground_plane": {"scale.camera_height": 1.0}}
"""What must be set before another value makes sense."""
LENS = (-0.2, 0.05, 0.001, -0.002, 0.0)


@pytest.fixture(scope="module", autouse=True)
def node(start_node: Callable[..., NodeProcess], robot: Robot) -> NodeProcess:
    made = start_node()
    robot.until_state("active")
    return made


@pytest.fixture
def configured(robot: Robot) -> Iterator[Callable[..., None]]:
    """Set what is fixed while configured; afterwards everything is as it was."""
    before: dict[str, Any] = {}

    def configure(**values: Any) -> None:
        for name in set(values) - set(before):
            before[name] = robot.get(name.replace("__", "."))
        assert robot.transition("deactivate")
        assert robot.transition("cleanup")
        results = robot.set(**values)
        assert all(r.successful for r in results), [r.reason for r in results]
        assert robot.transition("configure")
        assert robot.transition("activate")

    yield configure
    if before:
        configure(**before)


@pytest.fixture
def dynamic(robot: Robot) -> Iterator[Callable[..., None]]:
    """Set what is dynamic; afterwards everything is as it was."""
    before: dict[str, Any] = {}

    def change(**values: Any) -> None:
        for name in set(values) - set(before):
            before[name] = robot.get(name.replace("__", "."))
        results = robot.set(**values)
        assert all(r.successful for r in results), [r.reason for r in results]

    yield change
    if before:
        change(**before)


def output(robot: Robot, kind: Any, topic: str, rgb: np.ndarray | None = None) -> Any:
    shown = picture() if rgb is None else rgb
    with robot.listen(kind, topic) as heard:
        return robot.output_of(heard, lambda: (robot.image(shown), robot.info()))


class TestCameraParameters:
    def test_rotate_180_turns_the_picture_for_the_network_alone(
        self, robot: Robot, configured: Callable[..., None]
    ) -> None:
        configured(rotate_180=True)
        got = pixels_of(output(robot, Image, DEPTH))
        # The network's number is 2 + share of its rows + 0.5 x red: its first row is our last.
        red = (picture()[..., 0] / 255.0 - 0.485) / 0.229
        expected = 2.0 + np.linspace(1.0, 0.0, HEIGHT)[:, None] + 0.5 * red
        assert np.abs(got - expected).max() < 0.1

    def test_masked_pixels_are_nan_everywhere(
        self, robot: Robot, configured: Callable[..., None], tmp_path: Path
    ) -> None:
        keep = np.full((HEIGHT, WIDTH), 255, np.uint8)
        keep[30:, :20] = 0
        cv2.imwrite(str(tmp_path / "mask.png"), keep)
        free = pixels_of(output(robot, Image, DEPTH))
        assert np.isfinite(free).all()
        configured(mask_image=str(tmp_path / "mask.png"))
        depth = pixels_of(output(robot, Image, DEPTH))
        assert np.array_equal(np.isnan(depth), keep == 0)
        assert np.array_equal(depth[keep > 0], free[keep > 0]), "the rest is untouched"
        assert (pixels_of(output(robot, Image, MILLIMETRES))[keep == 0] == 0).all()
        points = points_of(output(robot, PointCloud2, POINTS))[..., :3]
        assert np.isnan(points[keep == 0]).all()

    def test_a_mask_of_another_size_drops_the_image_and_says_so(
        self, robot: Robot, configured: Callable[..., None], tmp_path: Path
    ) -> None:
        cv2.imwrite(str(tmp_path / "small.png"), np.ones((10, 10), np.uint8))
        configured(mask_image=str(tmp_path / "small.png"))
        with robot.listen(Image, DEPTH):
            robot.until(
                lambda: (
                    "mask_image: expected 64 x 48 px as the image has, got 10 x 10"
                    in robot.message("output")
                    or robot.send(robot.image(picture()), robot.info()) < 0
                ),
                "the reason",
            )

    def test_frame_id_override_is_every_outputs_frame(
        self, robot: Robot, configured: Callable[..., None]
    ) -> None:
        configured(frame_id_override="mast_optical_frame")
        kinds = (
            (Image, DEPTH),
            (PointCloud2, POINTS),
            (CameraInfo, "/da_ros/depth/camera_info"),
            (DepthInfo, "/da_ros/depth_info"),
        )
        for kind, topic in kinds:
            assert output(robot, kind, topic).header.frame_id == "mast_optical_frame", topic

    def test_rectify_off_passes_the_lens_on_and_bends_the_rays(
        self, robot: Robot, configured: Callable[..., None]
    ) -> None:
        configured(rectify="off")

        def lens() -> tuple[Any, Any]:
            info = robot.info()
            info.d = list(LENS)
            return robot.image(picture()), info

        with robot.listen(CameraInfo, "/da_ros/depth/camera_info") as infos:
            got = robot.output_of(infos, lens)
        assert (got.k[0], tuple(got.d)) == (50.0, LENS)
        with robot.listen(PointCloud2, POINTS) as clouds:
            points = points_of(robot.output_of(clouds, lens))
        k = np.array([[50.0, 0.0, 31.5], [0.0, 50.0, 23.5], [0.0, 0.0, 1.0]])
        for v, u in ((4, 5), (40, 60), (24, 32)):
            pixel = np.array([[[u, v]]], np.float64)
            (x, y) = cv2.undistortPoints(pixel, k, np.array(LENS))[0, 0]
            measured = points[v, u, :2] / points[v, u, 2]
            assert measured == pytest.approx([x, y], abs=2e-4)


class TestDynamicParameters:
    def test_the_edge_filter_is_switched_and_moved(
        self, robot: Robot, dynamic: Callable[..., None]
    ) -> None:
        step = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        step[:, WIDTH // 2 :, 0] = 255

        def lost(threshold: float) -> int:
            dynamic(cloud__edge_threshold=threshold)
            points = points_of(output(robot, PointCloud2, POINTS, step))
            return int(np.isnan(points[..., 2]).sum())

        assert lost(0.0) == 0
        assert lost(0.05) >= 2 * HEIGHT, "a column on either side of the step at least"
        assert lost(0.9) < lost(0.05)

    def test_colours_follow_their_range(self, robot: Robot, dynamic: Callable[..., None]) -> None:
        dynamic(color__map="gray", color__min=1.0, color__max=5.0)
        wide = pixels_of(output(robot, Image, "/da_ros/depth/color"))[..., 0].astype(int)
        dynamic(color__max=3.0)
        narrow = pixels_of(output(robot, Image, "/da_ros/depth/color"))[..., 0].astype(int)
        assert (narrow <= wide).all(), "gray goes from white near to black far"
        assert narrow.mean() < wide.mean() - 20
        dynamic(color__range="adaptive")
        for _ in range(3):
            shown = pixels_of(output(robot, Image, "/da_ros/depth/color"))[..., 0]
        assert (shown.min(), shown.max()) < (40, 256)
        assert shown.max() > 215, "the scene's own range is spread over all of gray"

    @pytest.mark.parametrize("name", METRIC_OUTPUTS)
    def test_each_output_is_switched_off_and_on(
        self, robot: Robot, dynamic: Callable[..., None], name: str
    ) -> None:
        kinds = {"points": PointCloud2, "camera_info": CameraInfo, "info": DepthInfo}
        topics = topics_of(frozenset({name}), Kind.METRIC_DEPTH)
        other = "depth_mm" if name != "depth_mm" else "depth"
        other_topic = topics_of(frozenset({other}), Kind.METRIC_DEPTH)[0]
        with (
            robot.listen(kinds.get(name, Image), f"/da_ros/{topics[0]}") as heard,
            robot.listen(Image, f"/da_ros/{other_topic}") as witness,
        ):
            robot.output_of(heard, lambda: (robot.image(picture()), robot.info()))
            dynamic(**{f"outputs__{name}": False})
            robot.output_of(witness, lambda: (robot.image(picture()), robot.info()))
            heard.messages.clear()
            for _ in range(3):
                robot.output_of(witness, lambda: (robot.image(picture()), robot.info()))
            assert heard.messages == []
            dynamic(**{f"outputs__{name}": True})
            robot.output_of(heard, lambda: (robot.image(picture()), robot.info()))


class TestFixedParameters:
    def test_each_is_refused_while_configured(self, robot: Robot) -> None:
        assert len(FIXED) > 10
        for name in FIXED:
            (result,) = robot.set(**{name.replace(".", "__"): another(name, robot.get(name))})
            assert not result.successful, name
            assert result.reason == (
                f"parameter {name} is fixed while the node is configured: clean up, set, "
                "configure again"
            )

    def test_and_taken_while_unconfigured(self, robot: Robot) -> None:
        assert robot.transition("deactivate")
        assert robot.transition("cleanup")
        before = {name: robot.get(name) for name in FIXED}
        for name, value in before.items():
            for given in (COMPANIONS.get(name, {}), {name: another(name, value)}, {name: value}):
                for one, wanted in given.items():
                    (result,) = robot.set(**{one.replace(".", "__"): wanted})
                    assert result.successful, (one, result.reason)
                    assert robot.get(one) == wanted
        assert robot.transition("configure")
        assert robot.transition("activate")

    def test_the_network_is_built_as_they_say(
        self, robot: Robot, configured: Callable[..., None]
    ) -> None:
        configured(input_size=98, precision="bf16")
        robot.until(lambda: robot.value("model", "precision") == "bfloat16", "the precision")
        info = output(robot, DepthInfo, "/da_ros/depth_info")
        assert min(info.network_height, info.network_width) == 98

    def test_a_wrong_type_is_one_line_that_names_the_parameter(self, robot: Robot) -> None:
        for name, value in (("near", "close"), ("cloud.stride", 1.5), ("cloud.color", 1)):
            (result,) = robot.set(**{name.replace(".", "__"): value})
            assert not result.successful
            assert result.reason.startswith(f"parameter {name}: expected "), result.reason
            assert "\n" not in result.reason

    def test_doubles_take_integers(self, robot: Robot, dynamic: Callable[..., None]) -> None:
        dynamic(far=10)
        assert robot.get("far") == 10
        dynamic(far=12.5)
        assert robot.get("far") == 12.5


def another(name: str, value: Any) -> Any:
    """An allowed value that differs."""
    spec = SPECS[name]
    if spec.choices:
        return next(choice for choice in spec.choices if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 32
    if isinstance(value, float):
        return value / 2 if value else 0.25
    texts = {"device": "cpu", "scale.fixed_transform": "1 2 3 0 0 0 1"}
    return texts.get(name, "something")
