"""Real frames through the shipped model, and whether anything grows; slow."""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from robot import NodeProcess, Robot, picture, pixels_of
from sensor_msgs.msg import Image, PointCloud2

from da_ros.network.nano_card import DATA_FOLDER

pytestmark = pytest.mark.slow

Start = Callable[..., NodeProcess]


def growth(process: NodeProcess) -> tuple[int, int]:
    """Threads and descriptors."""
    folder = Path(f"/proc/{process.process.pid}")
    threads, descriptors = (list((folder / kind).iterdir()) for kind in ("task", "fd"))
    return len(threads), len(descriptors)


def resident_mb(process: NodeProcess) -> float:
    statm = Path(f"/proc/{process.process.pid}/statm").read_text()
    return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class TestRealFrames:
    def test_each_tum_frame_gives_one_output(
        self, robot: Robot, start_node: Start, shared_data: Path
    ) -> None:
        if not (DATA_FOLDER / "nano.safetensors").is_file():
            pytest.skip("no trained nano in this tree")
        node = start_node(
            "-p", "model_size:=nano", command=[sys.executable, "-m", "da_ros.ros.depth_node"]
        )
        frames = [real_frame(shared_data / "rgbd" / f"tum_fr1_360_{i}", robot) for i in range(5)]
        with (
            robot.listen(Image, "/da_ros/inverse_depth/image") as depths,
            robot.listen(PointCloud2, "/da_ros/nominal/points") as clouds,
        ):
            robot.output_of(clouds, lambda: frame_again(frames[0], robot))
            robot.until(lambda: depths.messages, "discovery of both")
            stamps = []
            for frame in frames:
                sent = robot.send(*frame_again(frame, robot))
                stamps.append(sent)
                robot.until(
                    lambda s=sent: any(m.header.stamp.sec == s for m in clouds.messages),
                    "the cloud of this very frame",
                )
                robot.until(
                    lambda s=sent: any(m.header.stamp.sec == s for m in depths.messages),
                    "the inverse depth of this very frame",
                )
            robot.output_of(clouds, lambda: frame_again(frames[0], robot))  # behind the last
            for heard in (depths, clouds):
                outputs = Counter(message.header.stamp.sec for message in heard.messages)
                assert all(outputs[stamp] == 1 for stamp in stamps), outputs
            values = pixels_of(depths.messages[-1])
        assert values.shape == (480, 640)
        assert np.isfinite(values).mean() > 0.8, "the lens' corners are NaN"
        assert np.nanmax(values) > np.nanmin(values) >= 0.0
        assert node.end() == 0


class TestGrowth:
    def test_threads_descriptors_and_memory_stay(self, robot: Robot, start_node: Start) -> None:
        node = start_node()
        with robot.listen(PointCloud2, "/da_ros/points") as heard:

            def some(count: int) -> list[float]:
                resident = []
                for _ in range(count):
                    robot.output_of(heard, lambda: (robot.image(picture()), robot.info()))
                    heard.messages.clear()
                    resident.append(resident_mb(node))
                return resident

            some(30)
            before = growth(node)
            resident = some(300)
            assert growth(node) == before
            early, late = statistics.median(resident[:60]), statistics.median(resident[-60:])
            assert late / early < 1.02, "20,000 frames: benchmarks/soak.py"
        assert node.end() == 0

    def test_configure_and_cleanup_leave_nothing_behind(
        self, robot: Robot, start_node: Start
    ) -> None:
        node = start_node("-p", "autostart:=false")
        robot.until_state("unconfigured")

        def cycle() -> tuple[int, int]:
            for transition in ("configure", "activate", "deactivate", "cleanup"):
                assert robot.transition(transition)
            return growth(node)

        cycle()
        threads, descriptors = cycle()
        for _ in range(5):
            now = cycle()
        assert now[0] == threads
        assert now[1] <= descriptors
        assert node.end() == 0

    def test_cleanup_gives_the_memory_back(self, robot: Robot, start_node: Start) -> None:
        weights = DATA_FOLDER / "nano.safetensors"
        if not weights.is_file():
            pytest.skip("no trained nano in this tree")
        node = start_node(
            "-p", "model_size:=nano", "-p", "autostart:=false",
            command=[sys.executable, "-m", "da_ros.ros.depth_node"],
        )  # fmt: skip
        robot.until_state("unconfigured")
        loaded, empty = [], []
        for _ in range(4):
            assert robot.transition("configure")
            loaded.append(resident_mb(node))
            assert robot.transition("cleanup")
            empty.append(resident_mb(node))
        assert min(loaded) - max(empty) > weights.stat().st_size / 1e6
        assert empty[-1] - empty[1] < 5.0, "nothing is left of one load when the next begins"
        assert node.end() == 0


def real_frame(folder: Path, robot: Robot) -> tuple[np.ndarray, Any]:
    meta = json.loads((folder / "meta.json").read_text())
    path = next(folder.glob("rgb.*"))
    info = robot.info(480, 640)
    info.k = [meta["fx"], 0.0, meta["cx"], 0.0, meta["fy"], meta["cy"], 0.0, 0.0, 1.0]
    return cv2.imread(str(path))[..., ::-1], info


def frame_again(frame: tuple[np.ndarray, Any], robot: Robot) -> tuple[Any, Any]:
    return robot.image(frame[0], "bgr8"), frame[1]
