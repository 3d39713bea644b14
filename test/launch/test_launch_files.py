"""What the launch files start, read with a recording stub of launch and launch_ros.

The stub's keywords are held to the real packages, and the files are read by these, where they are
installed. There is no wheel of them; docs/node.md says what was run with their sources.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import launch_stub
from launch_stub import DeclareLaunchArgument, ExecuteProcess, Node, OpaqueFunction

from da_ros.params import DepthNodeParams

pytest.importorskip("ament_index_python")


def read(repository: Path, name: str) -> Any:
    path = repository / "launch" / name
    spec = importlib.util.spec_from_file_location(name.replace(".", "_"), path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def started(repository: Path, name: str, **given: str) -> list[Any]:
    """The actions of a launch file with these arguments."""
    with launch_stub.installed():
        entities = read(repository, name).generate_launch_description().entities
        declared = [e.given for e in entities if isinstance(e, DeclareLaunchArgument)]
        context = {entry["name"]: entry.get("default_value", "") for entry in declared}
        assert set(given) <= set(context), "an argument that is not declared"
        opaque = next(e for e in entities if isinstance(e, OpaqueFunction))
        return list(opaque.given["function"](context | given))


class TestDepthLaunch:
    def test_nothing_given_is_the_plain_node(self, repository: Path) -> None:
        (node,) = started(repository, "depth.launch.py")
        assert isinstance(node, Node)
        assert (node.given["package"], node.given["executable"]) == ("da_ros", "depth_node")
        assert (node.given["parameters"], node.given["remappings"]) == ([], [])
        assert (node.given["name"], node.given["namespace"]) == ("da_ros", "")

    def test_what_is_given_comes_after_the_file(self, repository: Path) -> None:
        (node,) = started(
            repository, "depth.launch.py", params_file="/my.yaml", model_size="nano",
            use_sim_time="true", autostart="false", image_topic="/cam/image_raw",
            camera_info_topic="/cam/info", namespace="front", log_level="debug",
        )  # fmt: skip
        assert node.given["parameters"] == [
            "/my.yaml",
            {"model_size": "nano", "use_sim_time": True, "autostart": False},
        ]
        assert node.given["remappings"] == [
            ("image", "/cam/image_raw"),
            ("camera_info", "/cam/info"),
        ]
        assert node.given["namespace"] == "front"
        assert node.given["ros_arguments"] == ["--log-level", "debug"]

    def test_a_topic_of_a_source_of_scale_switches_it_on(self, repository: Path) -> None:
        (node,) = started(
            repository, "depth.launch.py", scale_depth_topic="/d/image", scale_points_topic="/scan"
        )
        assert node.given["parameters"] == [
            {"scale.depth_image": True, "scale.point_cloud": True},
        ]
        assert node.given["remappings"] == [
            ("scale_depth/image", "/d/image"),
            ("scale_points", "/scan"),
        ]
        assert {"scale.depth_image", "scale.point_cloud"} <= set(DepthNodeParams().values())

    def test_rviz_shows_the_topics_of_this_node(self, repository: Path) -> None:
        _, plain = started(repository, "depth.launch.py", rviz="true")
        assert (plain.given["package"], plain.given["remappings"]) == ("rviz2", [])
        _, viewer = started(
            repository,
            "depth.launch.py",
            rviz="true",
            namespace="/front",
            image_topic="/cam/image",
        )
        renamed = dict(viewer.given["remappings"])
        shown = yaml.safe_load((repository / "config" / "depth.rviz").read_text())
        topics = {
            display["Topic"]["Value"]
            for display in shown["Visualization Manager"]["Displays"]
            if "Topic" in display
        }
        assert set(renamed) == topics
        assert renamed["/da_ros/points"] == "/front/da_ros/points"
        assert renamed["/camera/image_raw"] == "/cam/image"

    @pytest.mark.parametrize(
        ("namespace", "topic", "shown"),
        [("front", "image_raw", "/front/image_raw"), ("", "image_raw", "/image_raw"),
         ("/front", "/cam/image", "/cam/image")],
    )  # fmt: skip
    def test_rviz_shows_the_image_that_the_node_hears(
        self, repository: Path, namespace: str, topic: str, shown: str
    ) -> None:
        """RViz itself is in no namespace."""
        _, viewer = started(
            repository, "depth.launch.py", rviz="true", namespace=namespace, image_topic=topic
        )
        assert dict(viewer.given["remappings"])["/camera/image_raw"] == shown

    def test_rviz_stands_in_the_frame_of_the_camera(self, repository: Path) -> None:
        frame = "camera_color_optical_frame"
        _, viewer = started(repository, "depth.launch.py", rviz="true", rviz_frame=frame)
        assert viewer.given["arguments"][2:] == ["-f", frame]
        _, plain = started(repository, "depth.launch.py", rviz="true")
        assert plain.given["arguments"][2:] == []

    def test_arguments_are_parameters_by_name(self, repository: Path) -> None:
        with launch_stub.installed():
            module = read(repository, "depth.launch.py")
        known = {*DepthNodeParams().values(), "use_sim_time"}
        assert set(module.PARAMETERS) <= known
        for name in set(module.PARAMETERS) & set(DepthNodeParams().values()):
            is_flag = isinstance(DepthNodeParams().values()[name], bool)
            assert (name in module.FLAGS) == is_flag


class TestBagLaunch:
    def test_plays_with_the_clock_into_a_node_on_sim_time(self, repository: Path) -> None:
        include, play = started(
            repository,
            "bag.launch.py",
            bag="walk",
            rate="0.5",
            delay="10",
            loop="true",
            model_size="nano",
        )
        assert isinstance(play, ExecuteProcess)
        assert play.given["cmd"] == [
            "ros2", "bag", "play", "walk", "--clock", "--rate", "0.5", "--delay", "10", "--loop",
        ]  # fmt: skip
        assert dict(include.given["launch_arguments"]) == {
            "model_size": "nano",
            "use_sim_time": "true",
        }
        source = include.given["launch_description_source"].given["launch_file_path"]
        assert Path(source).is_file()

    def test_what_it_passes_on_exists_there(self, repository: Path) -> None:
        with launch_stub.installed():
            bag, depth = (read(repository, f"{n}.launch.py") for n in ("bag", "depth"))
        assert set(bag.PASSED_ON) <= {*depth.PARAMETERS, *depth.OTHERS}


class TestAgainstTheRealPackages:
    @pytest.mark.parametrize(
        ("module", "name"),
        [
            ("launch.actions", "DeclareLaunchArgument"),
            ("launch.actions", "OpaqueFunction"),
            ("launch.actions", "ExecuteProcess"),
            ("launch.actions", "IncludeLaunchDescription"),
            ("launch", "LaunchDescription"),
            ("launch.substitutions", "LaunchConfiguration"),
            ("launch.launch_description_sources", "PythonLaunchDescriptionSource"),
            ("launch_ros.actions", "Node"),
        ],
    )
    def test_the_stubs_keywords_are_real(self, module: str, name: str) -> None:
        pytest.importorskip("launch.actions", reason="no real launch here")  # not our folder
        real = getattr(pytest.importorskip(module, reason="no real launch here"), name)
        accepted = {
            parameter for one in real.__mro__[:-1] for parameter in
            inspect.signature(one.__init__).parameters
        }  # fmt: skip
        stub = getattr(launch_stub, name)
        assert stub.keywords <= accepted
        in_order = list(inspect.signature(real.__init__).parameters)[1:]
        assert tuple(in_order[: len(stub.positional)]) == stub.positional

    @pytest.mark.parametrize("name", ["depth.launch.py", "bag.launch.py"])
    def test_the_real_packages_read_the_files(self, repository: Path, name: str) -> None:
        launch = pytest.importorskip("launch", reason="no real launch here")
        pytest.importorskip("launch_ros", reason="no real launch_ros here")
        description = read(repository, name).generate_launch_description()
        assert isinstance(description, launch.LaunchDescription)


# Names in ros2/rviz's Jazzy branch (591594e): plugins_description.xml, and the properties that
# the displays' own constructors and those of their bases make.
DISPLAYS = {
    "rviz_default_plugins/Grid": set(),
    "rviz_default_plugins/TF": set(),
    "rviz_default_plugins/Image": {
        "Topic", "Normalize Range", "Min Value", "Max Value", "Median window",
    },
    "rviz_default_plugins/PointCloud2": {
        "Topic", "Style", "Size (Pixels)", "Size (m)", "Alpha", "Decay Time", "Selectable",
        "Position Transformer", "Color Transformer",
    },
}  # fmt: skip
OF_EVERY_DISPLAY = {"Class", "Name", "Enabled", "Value"}
TOPIC = {"Value", "Depth", "History Policy", "Reliability Policy", "Durability Policy"}
ORBIT = {"Class", "Name", "Distance", "Focal Point", "Pitch", "Yaw"}


class TestRviz:
    @pytest.fixture(scope="class")
    def config(self, repository: Path) -> Any:
        return yaml.safe_load((repository / "config" / "depth.rviz").read_text())

    def test_classes_and_properties_exist(self, config: Any) -> None:
        manager = config["Visualization Manager"]
        for display in manager["Displays"]:
            assert display["Class"] in DISPLAYS
            known = OF_EVERY_DISPLAY | DISPLAYS[display["Class"]]
            assert set(display) <= known, display["Name"]
            # Only displays behind a tf2 message filter, such as clouds, have a filter size.
            filtered = {"Filter size"} if "PointCloud2" in display["Class"] else set()
            assert set(display.get("Topic", {})) <= TOPIC | filtered, display["Name"]
            assert display.get("Style", "Points") in {"Points", "Squares", "Flat Squares", "Boxes"}
        assert {panel["Class"] for panel in config["Panels"]} <= {
            "rviz_common/Displays", "rviz_common/Views",
        }  # fmt: skip
        assert [tool["Class"] for tool in manager["Tools"]] == ["rviz_default_plugins/MoveCamera"]
        assert manager["Views"]["Current"]["Class"] == "rviz_default_plugins/Orbit"
        assert set(manager["Views"]["Current"]) <= ORBIT
        assert set(manager["Global Options"]) <= {"Background Color", "Fixed Frame", "Frame Rate"}

    def test_displays_show_our_topics_with_fitting_qos(self, config: Any) -> None:
        displays = config["Visualization Manager"]["Displays"]
        topics = {d["Topic"]["Value"]: d["Topic"] for d in displays if "Topic" in d}
        assert {
            "/da_ros/depth/color", "/da_ros/depth/image", "/da_ros/points",
            "/da_ros/nominal/points",
        } <= set(topics)  # fmt: skip
        for name, topic in topics.items():
            assert topic["Durability Policy"] == "Volatile", name
            assert topic["History Policy"] == "Keep Last", name
            ours = name.startswith("/da_ros/")
            assert topic["Reliability Policy"] == ("Reliable" if ours else "Best Effort"), name
