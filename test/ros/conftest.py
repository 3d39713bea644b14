"""The node in its own process, and the robot around it, once per file."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

if TYPE_CHECKING:
    from robot import NodeProcess, Robot

HAS_ROS = importlib.util.find_spec("rclpy") is not None
collect_ignore_glob = [] if HAS_ROS else ["test_*.py"]


@pytest.fixture(scope="module")
def robot() -> Iterator[Robot]:
    """Camera and listener."""
    from robot import Robot

    made = Robot("/front")
    yield made
    made.close()


@pytest.fixture(scope="module")
def start_node(
    tmp_path_factory: pytest.TempPathFactory, robot: Robot
) -> Iterator[Callable[..., NodeProcess]]:
    """Start a node; whatever still runs after the file's tests is ended, and must end cleanly."""
    from robot import NodeProcess

    started: list[NodeProcess] = []

    def start(
        *arguments: str, image_topic: str = "/front/image", **options: object
    ) -> NodeProcess:
        log = tmp_path_factory.mktemp("node") / "output.txt"
        remap = ["-r", f"image:={image_topic}"]
        robot.diagnostics.clear()  # what an earlier node said
        started.append(NodeProcess(log, *remap, *arguments, **options))  # type: ignore[arg-type]
        robot.told = lambda: started[-1].output
        return started[-1]

    yield start
    codes = [(node.end(), node.output) for node in started]
    unclean = [f"exit {code}:\n{text}" for code, text in codes if code != 0]
    assert not unclean, "\n".join(unclean)  # whole: pytest shortens a list
