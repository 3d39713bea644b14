"""package.xml against the imports: `rosdep install` then brings all of ROS that is used."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROS = re.compile(
    r"\w+_(msgs|interfaces|srvs)|rclpy|cv_bridge|tf2_ros|launch(_ros)?|sensor_msgs_py|"
    r"ament_index_python"
)


def ros_imports(root: Path) -> set[str]:
    """Top-level ROS modules that a tree of sources imports, lazily too."""
    found: set[str] = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return {name for name in found if ROS.fullmatch(name)}


@pytest.fixture(scope="module")
def declared(repository: Path) -> set[str]:
    tree = ElementTree.parse(repository / "package.xml")
    kinds = ("depend", "exec_depend")
    return {str(node.text) for kind in kinds for node in tree.getroot().iter(kind)}


@pytest.mark.parametrize("folder", ["da_ros", "launch"])
def test_every_ros_module_that_is_imported_is_declared(
    repository: Path, declared: set[str], folder: str
) -> None:
    used = ros_imports(repository / folder)
    assert used, "the search finds imports"
    assert used <= declared


def test_what_the_user_named_is_declared(declared: set[str]) -> None:
    assert {"rclpy", "cv_bridge", "sensor_msgs", "sensor_msgs_py", "launch", "launch_ros"} <= (
        declared
    )
