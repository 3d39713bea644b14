"""The node over DDS: one process is camera and subscriber, the other is the node.

    python -m benchmarks.node                       # nano
    python -m benchmarks.node --model small         # random weights
    python -m benchmarks.node --model small --baseline

640x480 bgr8 with camera_info; depth, camera_info and a coloured cloud are subscribed, and both
processes have config/fastdds_shm.xml. Overhead is callback to last publish minus network and minus
waiting for camera_info, as the node says in /diagnostics; at a rate above the network's it holds
the wait for the frame before, too (queued_ms). --responsiveness then puts the node on one core
beside a busy loop and times get_parameters. --baseline runs benchmarks/baseline_node.py in the
same way, with the middleware's default profile.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROFILE = str(ROOT / "config" / "fastdds_shm.xml")
WIDTH, HEIGHT = 640, 480


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=("nano", "small"), default="nano")
    parser.add_argument("--seconds", type=float, default=20.0, help="of measuring (20)")
    parser.add_argument("--rate", type=float, default=30.0, help="of the camera [Hz] (30)")
    parser.add_argument("--threads", type=int, default=2, help="of the network (2)")
    parser.add_argument("--baseline", action="store_true", help="measure the baseline too")
    parser.add_argument("--responsiveness", action="store_true", help="time get_parameters")
    parser.add_argument("--json", type=Path, help="write the record here")
    return parser.parse_args()


class Camera:
    """Publishes at a rate, and notes when each cloud comes back."""

    def __init__(self, space: str, metric: bool) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.qos import QoSProfile
        from sensor_msgs.msg import CameraInfo, Image, PointCloud2

        rclpy.init()
        self.node = rclpy.create_node("bench")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.ages: list[float] = []
        self.arrivals: list[float] = []
        self.values: dict[str, str] = {}
        best = QoSProfile(depth=2)
        stem = space if metric else f"{space}/nominal"
        self._image = self.node.create_publisher(Image, "/bench/image", 2)
        self._info = self.node.create_publisher(CameraInfo, "/bench/camera_info", 2)
        nothing = lambda message: None  # noqa: E731
        self.node.create_subscription(Image, f"{stem}/depth/image", nothing, best)
        self.node.create_subscription(CameraInfo, f"{stem}/depth/camera_info", nothing, best)
        self.node.create_subscription(PointCloud2, f"{stem}/points", self._on_cloud, best)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()
        self._frames = frames()
        self._sent = 0

    def send(self) -> None:
        image, info = self._frames[self._sent % len(self._frames)]
        self._sent += 1
        now = time.time_ns()
        image.header.stamp.sec, image.header.stamp.nanosec = divmod(now, 10**9)
        info.header = image.header
        self._info.publish(info)
        self._image.publish(image)

    def close(self) -> None:
        import rclpy

        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()
        rclpy.shutdown()

    def _on_cloud(self, cloud: Any) -> None:
        stamp = cloud.header.stamp
        self.arrivals.append(time.monotonic())
        self.ages.append((time.time_ns() - stamp.sec * 10**9 - stamp.nanosec) / 1e6)

    def _on_diagnostics(self, array: Any) -> None:
        for status in array.status:
            line = status.name.rpartition(": ")[2]
            self.values |= {f"{line}/{pair.key}": pair.value for pair in status.values}

    def _spin(self) -> None:
        from rclpy.executors import ExternalShutdownException

        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()


def frames() -> list[tuple[Any, Any]]:
    """A few different pictures with structure."""
    import array

    import cv2
    import numpy as np
    from sensor_msgs.msg import CameraInfo, Image

    made = []
    for seed in range(4):
        noise = np.random.default_rng(seed).integers(0, 255, (15, 20, 3), np.uint8)
        pixels = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        image = Image(height=HEIGHT, width=WIDTH, encoding="bgr8", step=3 * WIDTH)
        image.header.frame_id = "camera_optical_frame"
        image.data = array.array("B", pixels.tobytes())
        info = CameraInfo(height=HEIGHT, width=WIDTH, distortion_model="plumb_bob")
        info.d = [0.0] * 5
        info.k = [525.0, 0.0, 319.5, 0.0, 525.0, 239.5, 0.0, 0.0, 1.0]
        info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        info.p = [525.0, 0.0, 319.5, 0.0, 0.0, 525.0, 239.5, 0.0, 0.0, 0.0, 1.0, 0.0]
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


def command(options: argparse.Namespace, folder: Path) -> list[str]:
    given = [f"cpu_threads:={options.threads}", "device:=cpu"]
    if options.model == "nano":
        given.append("model_size:=nano")
    else:
        given += [f"model_path:={random_weights(folder)}", "model_variant:=metric-indoor-small"]
    words = [word for one in given for word in ("-p", one)]
    start = [sys.executable, "-m", "da_ros.ros.depth_node", "--ros-args"]
    return [*start, "-r", "image:=/bench/image", *words]


@contextlib.contextmanager
def running(words: list[str], *, profile: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    environment = dict(os.environ)
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        environment.pop(name, None)
        if profile:
            environment[name] = PROFILE
    process = subprocess.Popen(words, env=environment, cwd=ROOT)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def measured(
    options: argparse.Namespace, words: list[str], space: str, metric: bool
) -> dict[str, float]:
    started = time.monotonic()
    with running(words, profile=space == "/da_ros") as process:
        camera = Camera(space, metric)
        try:
            period = 1.0 / options.rate
            while not camera.ages:
                camera.send()
                time.sleep(0.1)
                if process.poll() is not None or time.monotonic() - started > 300:
                    raise SystemExit("the node gives nothing; its log is above")
            first = time.monotonic() - started
            for _ in range(int(3 * options.rate)):
                camera.send()
                time.sleep(period)
            before, cpu = len(camera.ages), cpu_seconds(process.pid)
            begin = due = time.monotonic()
            while time.monotonic() - begin < options.seconds:
                camera.send()
                due += period
                time.sleep(max(0.0, due - time.monotonic()))
            took, ages = time.monotonic() - begin, camera.ages[before:]
            figures = {
                "delivered_hz": len(ages) / took,
                "frame_age_ms": statistics.median(ages),
                "first_depth_s": first,
                "cpu_ms_per_frame": 1000 * (cpu_seconds(process.pid) - cpu) / max(len(ages), 1),
                "rss_mb": rss_mb(process.pid),
            }
            if options.responsiveness and space == "/da_ros":
                figures |= responsiveness(camera, process.pid, period)
            time.sleep(1.2)
            kept = ("output/median", "input/dropped", "input/received", "input/done")
            return figures | {k: float(v) for k, v in camera.values.items() if k.startswith(kept)}
        finally:
            camera.close()


def responsiveness(camera: Camera, pid: int, period: float) -> dict[str, float]:
    """200 get_parameters calls while the node works on one core beside a busy loop."""
    from rcl_interfaces.srv import GetParameters

    core = str(min(os.sched_getaffinity(0)))
    subprocess.run(["taskset", "-a", "-c", "-p", core, str(pid)], check=True, capture_output=True)
    busy = subprocess.Popen(["taskset", "-c", core, sys.executable, "-c", "while True: pass"])
    times: list[float] = []
    try:
        client = camera.node.create_client(GetParameters, "/da_ros/get_parameters")
        client.wait_for_service(timeout_sec=30.0)
        for _ in range(200):
            camera.send()
            start = time.monotonic()
            done = threading.Event()
            call = client.call_async(GetParameters.Request(names=["near"]))
            call.add_done_callback(lambda _, e=done: e.set())
            done.wait(30.0)
            times.append(1000.0 * (time.monotonic() - start))
            time.sleep(period)
    finally:
        busy.kill()
        busy.wait()
    return {"get_parameters_p99_ms": statistics.quantiles(times, n=100)[98]}


def main() -> None:
    options = parsed()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ["AMENT_PREFIX_PATH"] = os.environ.get("AMENT_PREFIX_PATH", sys.prefix)
    os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = PROFILE
    os.environ["FASTDDS_DEFAULT_PROFILES_FILE"] = PROFILE
    from benchmarks.harness import circumstances

    with tempfile.TemporaryDirectory() as folder:
        ours = command(options, Path(folder))
        record: dict[str, Any] = {
            "ours": measured(options, ours, "/da_ros", options.model == "small")
        }
    if options.baseline:
        for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
            os.environ.pop(name, None)
        theirs = [sys.executable, "-m", "benchmarks.baseline_node", str(options.threads)]
        record["baseline"] = measured(options, theirs, "/baseline", True)
    for name, figures in record.items():
        print(f"\n## {name}, {options.model}, {options.rate:g} Hz, {options.threads} thread(s)")
        for key, value in figures.items():
            print(f"{key}: {value:.2f}")
    if options.json is not None:
        full = {**record, "options": vars(options) | {"json": ""}, **circumstances()}
        options.json.write_text(json.dumps(full, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main()
