"""A scanner on a driving robot through the real node: clouds and /tf over DDS.

There is no wheel of tf2_msgs, so its one message is built here, in a folder of the test's own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import scale_robot
from robot import HEIGHT, HERE, WIDTH, NodeProcess, Robot, pixels_of
from scale_robot import FX, REMAP, Rig, of_stamp, subscribed
from sensor_msgs.msg import Image

from da_ros.msg import DepthInfo

pytestmark = pytest.mark.slow

SPEED, FIRST_S, LAST_S = 3.0, 10.0, 14.0


@pytest.fixture(scope="module")
def with_tf(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Build tf2_msgs; return the environment of a process that has it."""
    folder = tmp_path_factory.mktemp("tf2_msgs")
    source, build, prefix = (folder / name for name in ("source", "build", "prefix"))
    shutil.copytree(HERE / "tf2_msgs_source", source)
    venv = sys.prefix
    path = os.pathsep.join([f"{venv}/bin", os.environ["PATH"]])
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"AMENT_PREFIX_PATH": venv, "CMAKE_PREFIX_PATH": venv, "PATH": path}
    cmake = shutil.which("cmake", path=path)
    assert cmake, "the venv of the tests has cmake"
    for command in (
        ["-S", source, "-B", build, f"-DCMAKE_INSTALL_PREFIX={prefix}",
         f"-DPython3_EXECUTABLE={sys.executable}", "-DBUILD_TESTING=OFF"],
        ["--build", build, "--parallel", "2"],
        ["--install", build],
    ):  # fmt: skip
        done = subprocess.run(
            [cmake, *map(str, command)], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    packages = next(prefix.glob("**/tf2_msgs/msg/__init__.py")).parents[2]
    return {
        "PYTHONPATH": os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")]),
        "LD_LIBRARY_PATH": os.pathsep.join(
            [str(prefix / "lib"), os.environ.get("LD_LIBRARY_PATH", f"{venv}/lib")]
        ),
        "AMENT_PREFIX_PATH": os.pathsep.join([str(prefix), venv]),
    }


@pytest.fixture
def driving(with_tf: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The robot's transforms, as long as the test lasts."""
    words = [str(HERE / "tf_sender.py"), str(FIRST_S), str(LAST_S), str(SPEED)]
    sender = subprocess.Popen([sys.executable, *words], env={**os.environ, **with_tf})
    yield sender
    sender.send_signal(signal.SIGINT)
    sender.wait(timeout=60)


def base_from_optical() -> np.ndarray:
    """T(base <- camera), written out: ahead is optical z, left is -x, up is -y."""
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    pose[:3, 3] = [0.1, 0.0, 0.4]
    return pose


def scan_before(truth: np.ndarray, seconds: float) -> np.ndarray:
    """What the scanner saw of the camera's scene so long before, with that way to go, (N, 3)."""
    v, u = np.mgrid[:HEIGHT:2, :WIDTH:2].reshape(2, -1)
    z = truth[v, u]
    x, y = (u - (WIDTH - 1) / 2) / FX * z, (v - (HEIGHT - 1) / 2) / FX * z
    optical = np.stack((x, y, z, np.ones_like(z)))
    base = base_from_optical() @ optical
    base[0] += SPEED * seconds
    return base[:3].T - np.array([0.05, -0.1, 0.55])


def test_a_scanner_on_a_driving_robot(
    robot: Robot,
    with_tf: dict[str, str],
    driving: Any,
    start_node: Callable[..., NodeProcess],
) -> None:
    rig = Rig(robot)
    words = [*REMAP, "-p", "scale.point_cloud:=true", "-p", "scale.wait:=0.5"]
    node = start_node(*words, kind="relative_inverse_depth", environment=with_tf)
    robot.until(lambda: "active: " in node.output, "the node")
    assert "no TF" not in node.output
    at = 11_020_000_000  # Between two stamps of /tf.
    before = at - 80_000_000  # The robot has driven 24 cm since then.
    with (
        robot.listen(Image, "/da_ros/depth/image") as depths,
        robot.listen(DepthInfo, "/da_ros/depth_info") as infos,
    ):
        robot.until(subscribed(robot, "depth/image", "depth_info"), "discovery")
        told = None
        for number in range(40):  # Until the node has heard enough of /tf.
            points = scan_before(rig.truth, 0.08)
            stamp_ns = at + number
            rig.evidence("point_cloud", scale_robot.cloud(points, before + number, "scanner"))
            told = rig.frame(stamp_ns, infos)
            if told.transform != DepthInfo.TRANSFORM_NONE:
                break
        assert told is not None
        assert told.scale_source == DepthInfo.SOURCE_POINT_CLOUD, robot.message("scale")
        depth = robot.until(lambda: of_stamp(depths, stamp_ns), "depth")
    np.testing.assert_allclose(pixels_of(depth), rig.truth, rtol=0.01)
    assert "taken as of one moment" not in robot.value("scale", "point_cloud: said")
