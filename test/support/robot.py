"""The other side of the node: a camera that publishes, somebody who listens, in this process."""

from __future__ import annotations

import array
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_srvs.srv import SetBool

HERE = Path(__file__).resolve().parent
PATIENCE_S = 90.0
"""For conditions that hold within a second on a quiet machine; this one may be busy."""

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
TRANSITIONS = {
    "configure": 1,
    "cleanup": 2,
    "activate": 3,
    "deactivate": 4,
    "shut down while unconfigured": 5,
    "shut down while inactive": 6,
    "shut down while active": 7,
}
HEIGHT, WIDTH = 48, 64
AGAIN_S = 5.0
ACQUAINTANCE_S = 0.2
"""A server that does not know the client yet waits 0.1 s, and then drops its answer."""

NODE = "/da_ros"
"""The first node of a test file; others beside it have a namespace."""


class NodeProcess:
    """The node under test, in a process of its own; its output goes into a file."""

    def __init__(
        self,
        log: Path,
        *arguments: str,
        kind: str = "metric_depth",
        slow_s: float = 0.0,
        command: list[str] | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._log = log
        start = command or [sys.executable, str(HERE / "ramp_node.py"), kind, str(slow_s)]
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                [*start, "--ros-args", *arguments],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Robot:
    """A ROS node with a spinning thread; every wait is for a condition."""

    def __init__(self, camera: str = "") -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self.node = rclpy.create_node("robot", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()
        self._publishers: dict[tuple[str, Any], Any] = {}
        self._number = 0
        self.camera = camera
        self.diagnostics: dict[tuple[str, str], Any] = {}
        self.beats = 0
        self.beats_of: Counter[str] = Counter()  # by node
        self.told: Callable[[], str] = lambda: ""  # what the node under test has printed
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()
        self._context.try_shutdown()

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for a condition and return what it gave."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.01)
        raise AssertionError(f"not within {PATIENCE_S:.0f} s: {what}\n{self.told()[-3000:]}")

    # --- Sending -------------------------------------------------------------------------------

    def publisher(self, message_type: Any, topic: str, qos: QoSProfile = RELIABLE) -> Any:
        key = (topic, message_type)
        if key not in self._publishers:
            self._publishers[key] = self.node.create_publisher(message_type, topic, qos)
        return self._publishers[key]

    def drop_publishers(self) -> None:
        for publisher in self._publishers.values():
            self.node.destroy_publisher(publisher)
        self._publishers.clear()

    def next_stamp(self) -> tuple[int, int]:
        """Stamps grow and differ, so that an output can be told by its own."""
        self._number += 1
        return 1000 + self._number, 7 * self._number

    def send(self, image: Any, info: Any = None, *, qos: QoSProfile = RELIABLE) -> int:
        """Publish an image with its camera_info; return its stamp [s]."""
        topic = f"{self.camera}/image"
        if hasattr(image, "format"):
            topic += "/compressed"
        sender = self.publisher(type(image), topic, qos)
        if info is not None:
            info.header = image.header
            self.publisher(CameraInfo, f"{self.camera}/camera_info", qos).publish(info)
        sender.publish(image)
        return int(image.header.stamp.sec)

    def image(self, rgb: np.ndarray, encoding: str = "rgb8", padding: int = 0) -> Image:
        """An Image message of RGB pixels."""
        pixels = {
            "rgb8": rgb,
            "bgr8": rgb[..., ::-1],
            "rgb16": rgb.astype("<u2") * 256 + 3,
            "rgb16be": (rgb.astype("<u2") * 256 + 3).astype(">u2"),
        }[encoding]
        rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(rgb.shape[0], -1)
        rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
        message = Image(
            height=rgb.shape[0],
            width=rgb.shape[1],
            encoding=encoding.removesuffix("be"),
            is_bigendian=int(encoding.endswith("be")),
            step=rows.shape[1],
            data=array.array("B", rows.tobytes()),
        )
        return self.stamped(message)

    def compressed(self, data: bytes, spelling: str) -> CompressedImage:
        return self.stamped(CompressedImage(format=spelling, data=array.array("B", data)))

    def stamped(self, message: Any, frame_id: str = "camera_optical_frame") -> Any:
        message.header.stamp.sec, message.header.stamp.nanosec = self.next_stamp()
        message.header.frame_id = frame_id
        return message

    def info(self, height: int = HEIGHT, width: int = WIDTH, fx: float = 50.0) -> CameraInfo:
        cx, cy = (width - 1) / 2, (height - 1) / 2
        return CameraInfo(
            height=height,
            width=width,
            distortion_model="plumb_bob",
            d=[0.0] * 5,
            k=[fx, 0.0, cx, 0.0, fx, cy, 0.0, 0.0, 1.0],
            r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            p=[fx, 0.0, cx, 0.0, 0.0, fx, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
        )

    # --- Listening -----------------------------------------------------------------------------

    def listen(
        self, message_type: Any, topic: str, qos: QoSProfile = RELIABLE, *, raw: bool = False
    ) -> Listener:
        return Listener(self, message_type, topic, qos, raw)

    def output_of(
        self,
        listener: Listener,
        make: Callable[[], tuple[Any, Any]],
        what: str = "an output",
        where: Callable[[Any], bool] = lambda message: True,
    ) -> Any:
        """Send images until one of them comes back as an output, and return that.

        Args:
            listener: Hears the outputs.
            make: Makes an image and its camera_info.
            what: It is, for who reads that it has not come.
            where: Which outputs count; on a busy machine a camera_info may come later than the
                node waits for it, and the one before serves.
        """
        sent: set[int] = set()

        def answered() -> Any:
            sent.add(self.send(*make()))
            time.sleep(0.1)
            heard = list(listener.messages)
            return next((m for m in heard if m.header.stamp.sec in sent and where(m)), None)

        return self.until(answered, what)

    def _on_diagnostics(self, message: Any) -> None:
        self.beats += 1
        for status in message.status:
            node, _, name = status.name.rpartition(": ")
            self.diagnostics[node, name] = status
            self.beats_of[node] += name == "node"

    def values(self, status: str, node: str = NODE) -> dict[str, str]:
        """All values of a line of the diagnostics; none if it has not come."""
        found = self.diagnostics.get((node, status))
        return {} if found is None else {pair.key: str(pair.value) for pair in found.values}

    def value(self, status: str, key: str, node: str = NODE) -> str:
        """One value of a node's diagnostics; empty if it is not there."""
        return self.values(status, node).get(key, "")

    def count(self, key: str, node: str = NODE) -> int:
        return int(self.value("input", key, node) or 0)

    def unaccounted(self, node: str = NODE) -> int:
        """Images received that are neither done nor dropped, in the latest diagnostics."""
        values = self.values("input", node)
        ended = [int(v) for key, v in values.items() if key == "done" or "dropped: " in key]
        return int(values.get("received", 0)) - sum(ended)

    def message(self, status: str, node: str = NODE) -> str:
        found = self.diagnostics.get((node, status))
        return "" if found is None else str(found.message)

    # --- Services ------------------------------------------------------------------------------

    def call(self, service_type: Any, name: str, request: Any, *, again: bool = False) -> Any:
        """Ask a service.

        Args:
            service_type: Of the service.
            name: Of the service.
            request: What is asked.
            again: Ask again where no answer comes: a server that has not discovered the client
                yet drops its answer. Only for what may be asked twice.
        """
        client = self.node.create_client(service_type, name)
        try:
            self.until(client.service_is_ready, f"service {name}")
            if not again:
                time.sleep(ACQUAINTANCE_S)
            futures = [client.call_async(request)]
            asked = time.monotonic()

            def answered() -> Any:
                nonlocal asked
                if again and time.monotonic() - asked > AGAIN_S:
                    futures.append(client.call_async(request))
                    asked = time.monotonic()
                return next((future for future in futures if future.done()), None)

            return self.until(answered, f"answer of {name}").result()
        finally:
            self.node.destroy_client(client)

    def set(self, **values: Any) -> list[Any]:
        """Set parameters (``cloud__stride`` is cloud.stride); return the results."""
        return self.set_of(NODE, **values)

    def set_of(self, node: str, **values: Any) -> list[Any]:
        """Set parameters of another node."""
        parameters = [
            Parameter(name.replace("__", "."), value=value).to_parameter_msg()
            for name, value in values.items()
        ]
        request = SetParameters.Request(parameters=parameters)
        answer = self.call(SetParameters, f"{node}/set_parameters", request, again=True)
        return list(answer.results)

    def get(self, name: str) -> Any:
        request = GetParameters.Request(names=[name])
        values = self.call(GetParameters, "/da_ros/get_parameters", request, again=True).values
        return Parameter.from_parameter_msg(ParameterMessage(name=name, value=values[0])).value

    def transition(self, name: str) -> bool:
        request = ChangeState.Request()
        request.transition.id = TRANSITIONS[name]
        return bool(self.call(ChangeState, "/da_ros/change_state", request).success)

    def state(self) -> str:
        answer = self.call(GetState, "/da_ros/get_state", GetState.Request(), again=True)
        return str(answer.current_state.label)

    def enable(self, value: bool) -> Any:
        return self.call(SetBool, "/da_ros/enable", SetBool.Request(data=value))

    def until_state(self, label: str) -> None:
        seen: list[str] = []

        def reached() -> bool:
            seen[:] = [self.state()]
            return seen == [label]

        try:
            self.until(reached, f"state {label}")
        except AssertionError as error:
            raise AssertionError(f"{error}\nit is {seen}") from error

    def _spin(self) -> None:
        while self._context.ok():
            # Listeners and publishers are destroyed while the executor is about to wait for them.
            with contextlib.suppress(ExternalShutdownException, InvalidHandle):
                self._executor.spin()
                return


class Listener:
    """Keeps what comes on a topic while it is open."""

    def __init__(
        self, robot: Robot, message_type: Any, topic: str, qos: QoSProfile, raw: bool
    ) -> None:
        self.messages: list[Any] = []
        self._robot = robot
        self._subscription = robot.node.create_subscription(
            message_type, topic, self.messages.append, qos, raw=raw
        )

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._robot.node.destroy_subscription(self._subscription)


def picture(shift: int = 0) -> np.ndarray:
    """Smooth RGB picture, 48 x 64, all channels different."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([40 + 2 * x + shift, 200 - 3 * y, x + y], axis=-1).astype(np.uint8)


def pixels_of(image: Any) -> np.ndarray:
    """An image message as an array."""
    kinds = {"32FC1": np.float32, "16UC1": np.uint16, "rgb8": np.uint8}
    values = np.frombuffer(image.data, kinds[image.encoding])
    shape = (image.height, image.width) + ((3,) if image.encoding == "rgb8" else ())
    return values.reshape(shape)


def points_of(cloud: PointCloud2) -> np.ndarray:
    """A cloud message as (height, width, fields) float32."""
    values = np.frombuffer(cloud.data, np.float32)
    return values.reshape(cloud.height, cloud.width, len(cloud.fields))
