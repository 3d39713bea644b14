"""What the benchmarks of the node share: the node's process, and the camera in this one.

Two processes over DDS. This one publishes 640x480 bgr8 images with their camera_info, and
subscribes depth, camera_info and a coloured cloud. It takes them undecoded, as the C++ programs of
a robot would: Python objects of five megabytes are not what is measured.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROFILE = str(ROOT / "config" / "fastdds_shm.xml")
PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
WIDTH, HEIGHT = 640, 480
PATIENCE_S = 300.0


def quiet_ros(*, profile: bool = True) -> None:
    """Set this process's environment, before rclpy is imported."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    use_profile(os.environ, on=profile)


def use_profile(environment: Any, *, on: bool) -> None:
    """Name the shared-memory profile, or none."""
    for name in PROFILES:
        environment.pop(name, None)
        if on:
            environment[name] = PROFILE


class Camera:
    """Publishes, and notes when each cloud comes back.

    Args:
        space: Topics of the outputs begin with it.
        profile: Whether with the shared-memory profile.
        size: (width, height) of the images [px].
    """

    def __init__(
        self, space: str, *, profile: bool = True, size: tuple[int, int] = (WIDTH, HEIGHT)
    ) -> None:
        quiet_ros(profile=profile)
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.qos import QoSProfile
        from sensor_msgs.msg import CameraInfo, Image, PointCloud2

        from da_ros.memory import keep_freed_memory

        keep_freed_memory()
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self.node = rclpy.create_node("bench", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.ages: list[float] = []
        self.values: dict[str, str] = {}
        qos = QoSProfile(depth=2)
        self._image = self.node.create_publisher(Image, "/bench/image", 2)
        self._info = self.node.create_publisher(CameraInfo, "/bench/camera_info", 2)
        for kind, topic, callback in (
            (Image, "depth/image", lambda raw: None),
            (CameraInfo, "depth/camera_info", lambda raw: None),
            (PointCloud2, "points", self._on_cloud),
        ):
            self.node.create_subscription(kind, f"{space}/{topic}", callback, qos, raw=True)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()
        self._frames = frames(*size)
        self._sent = 0

    def send(self) -> None:
        """Publish the next image, stamped now, and its camera_info before it."""
        image, info = self._frames[self._sent % len(self._frames)]
        self._sent += 1
        now = time.time_ns()
        image.header.stamp.sec, image.header.stamp.nanosec = divmod(now, 10**9)
        info.header = image.header
        self._info.publish(info)
        self._image.publish(image)

    def send_for(self, seconds: float, rate: float) -> float:
        """Publish at a rate; return how long it really took [s]."""
        begin = due = time.monotonic()
        while time.monotonic() - begin < seconds:
            self.send()
            due += 1.0 / rate
            time.sleep(max(0.0, due - time.monotonic()))
        return time.monotonic() - begin

    def until_first(self, process: subprocess.Popen[bytes]) -> None:
        """Publish until something comes back."""
        begin = time.monotonic()
        while not self.ages:
            self.send()
            time.sleep(0.05)
            if process.poll() is not None or time.monotonic() - begin > PATIENCE_S:
                raise SystemExit("the node gives nothing; its log is above")

    def figures(self, *lines: str) -> dict[str, float]:
        """Numbers of the diagnostics that begin with one of these."""
        return {key: float(v) for key, v in self.values.items() if key.startswith(lines)}

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()
        self._context.try_shutdown()

    def _on_cloud(self, raw: bytes) -> None:
        order = "<" if raw[1] & 1 else ">"  # CDR: four bytes, then the header's stamp
        sec, nanosec = struct.unpack_from(f"{order}iI", raw, 4)
        self.ages.append((time.time_ns() - sec * 10**9 - nanosec) / 1e6)

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            line = status.name.rpartition(": ")[2]
            self.values |= {f"{line}/{pair.key}": pair.value for pair in status.values}

    def _spin(self) -> None:
        from rclpy.executors import ExternalShutdownException

        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()


def frames(width: int = WIDTH, height: int = HEIGHT) -> list[tuple[Any, Any]]:
    """A few different pictures with structure, and the camera's camera_info."""
    import cv2
    import numpy as np
    from sensor_msgs.msg import CameraInfo, Image

    f, cx, cy = 525.0 * width / 640.0, (width - 1) / 2, (height - 1) / 2
    made = []
    for seed in range(4):
        noise = np.random.default_rng(seed).integers(0, 255, (15, 20, 3), np.uint8)
        pixels = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        image = Image(height=height, width=width, encoding="bgr8", step=3 * width)
        image.header.frame_id = "camera_optical_frame"
        image.data = array.array("B", pixels.tobytes())
        info = CameraInfo(height=height, width=width, distortion_model="plumb_bob")
        info.d = [0.0] * 5
        info.k = [f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0]
        info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        info.p = [f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
        made.append((image, info))
    return made


def random_weights(folder: Path) -> Path:
    """A file with the shapes of metric-indoor-small and random numbers."""
    import torch

    from da_ros.network.build import build_network
    from da_ros.network.variants import get_variant

    torch.manual_seed(0)
    path = folder / "random_small.pth"
    torch.save(build_network(get_variant("metric-indoor-small")).state_dict(), path)
    return path


def node_command(model: str, threads: int, folder: Path) -> list[str]:
    """Command line of the node: nano, or small with random weights (written into the folder)."""
    given = [f"cpu_threads:={threads}", "device:=cpu"]
    if model == "nano":
        given.append("model_size:=nano")
    else:
        given += [f"model_path:={random_weights(folder)}", "model_variant:=metric-indoor-small"]
    words = [word for one in given for word in ("-p", one)]
    start = [sys.executable, "-m", "da_ros.ros.depth_node", "--ros-args"]
    return [*start, "-r", "image:=/bench/image", "--log-level", "warn", *words]


def outputs_of(model: str) -> str:
    """Where a model's clouds are: nano has no metres."""
    return "/da_ros/nominal" if model == "nano" else "/da_ros"


@contextlib.contextmanager
def running(
    words: list[str], *, profile: bool = True, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process while the block runs; its output goes into a file if one is given."""
    environment = dict(os.environ)
    use_profile(environment, on=profile)
    with contextlib.ExitStack() as stack:
        stream = None if log is None else stack.enter_context(log.open("wb"))
        process = subprocess.Popen(words, env=environment, cwd=ROOT, stdout=stream)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def last_json(log: Path) -> dict[str, Any]:
    """The JSON object of a log's last line."""
    found: dict[str, Any] = json.loads(log.read_text().splitlines()[-1])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Resident memory of a process [MB]."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
