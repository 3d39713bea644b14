"""Real installations in temporary folders, as a user makes them, and messages between them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
FOREIGN = (
    *("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "AMENT_PREFIX_PATH"),
    *("CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE"),
    *("DA_ROS_MESSAGES", "PIP_USER", "PIP_TARGET", "PIP_PREFIX"),
)
"""What would let the venv of these tests leak into the one under test."""

MESSAGES: dict[str, dict[str, Any]] = {
    "DepthInfo": {
        "header": {"stamp": {"sec": 12, "nanosec": 345}, "frame_id": "camera_optical_frame"},
        "model_id": "metric-indoor-small",
        "model_sha256": "0f" * 32,
        "model_verified": True,
        "kind": 3,
        "transform": 2,
        "scale": 1.0625,
        "scale_source": 18,
        "image_width": 640,
        "network_height": 518,
        "infer_ms": 41.5,
    },
    "ScaleEstimate": {
        "header": {"stamp": {"sec": -1, "nanosec": 999999999}, "frame_id": "front"},
        "transform": 1,
        "shift": -0.03125,
        "covariance": [1.0, -0.5, -0.5, 2.0],
        "inliers": 2000,
        "refusal": "too little spread in 1/z",
    },
}
"""Values that float32 holds exactly; other fields keep their zeros."""


@pytest.fixture(scope="session")
def source_tree(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A copy of what git would carry, to build in."""
    folder = tmp_path_factory.mktemp("source") / "da_ros"
    listing = ["git", "-C", str(repository), "ls-files", "-co", "--exclude-standard", "-z"]
    for name in subprocess.run(listing, check=True, capture_output=True).stdout.split(b"\0"):
        path = repository / os.fsdecode(name)
        if name and path.is_file():
            target = folder / os.fsdecode(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    return folder


@pytest.fixture(scope="session")
def user_environment() -> Callable[[Path], dict[str, str]]:
    """Environment of a user whose shell has one prefix (a venv) on its path, and nothing else."""

    def environment(prefix: Path) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        kept["PATH"] = os.pathsep.join([str(prefix / "bin"), "/usr/local/bin", "/usr/bin", "/bin"])
        return kept

    return environment


@pytest.fixture(scope="session")
def run() -> Callable[..., str]:
    """Run a command to its end; both streams as one text, which is shown where it fails."""

    def run_command(command: list[str], expect: int = 0, **options: Any) -> str:
        result: subprocess.CompletedProcess[str] = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
            **options,
        )
        assert result.returncode == expect, f"{command}\n{result.stdout[-6000:]}"
        return result.stdout

    return run_command


@pytest.fixture(scope="session")
def make_venv(run: Callable[..., str]) -> Callable[[Path], Path]:
    """Make an empty venv with pip, of the Python that runs the tests."""

    def make(folder: Path) -> Path:
        base = Path(getattr(sys, "_base_executable", sys.executable))
        hidden = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        run([str(base), "-m", "venv", str(folder)], env=hidden)
        return folder

    return make


@pytest.fixture(params=sorted(MESSAGES))
def sent_and_received(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Send one of our messages from one process to another over DDS; both must hold the same."""

    def exchange(prefix: list[str], environment: dict[str, str], installed: Path) -> None:
        fields = MESSAGES[request.param]
        arguments = [request.param, str(installed)]
        talk = [*prefix, str(HERE / "message_talker.py"), *arguments, json.dumps(fields)]
        listen = [*prefix, str(HERE / "message_listener.py"), *arguments]
        with talking(talk, environment):
            heard = subprocess.run(
                listen, env=environment, capture_output=True, text=True, timeout=120, check=False
            )
        assert heard.returncode == 0, heard.stdout + heard.stderr
        received = json.loads(heard.stdout)
        assert {name: received[name] for name in fields} == fields

    return exchange


class talking:  # noqa: N801  # a verb, as contextlib.closing
    """A talker that runs while the block does."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()  # tells it to stop
        assert self.process.wait(timeout=60) == 0


@pytest.fixture(scope="session")
def ros_venv() -> Path:
    """The venv that runs these tests, if it has the ROS wheels."""
    if not Path(sys.prefix, "share", "rosidl_default_generators").is_dir():
        pytest.skip("the ROS wheels of requirements/ros-jazzy.txt are not in this venv")
    return Path(sys.prefix)
