"""/diagnostics: what a node is doing, once a second, whatever state it is in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

PERIOD_S = 1.0
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


@dataclass(frozen=True)
class Status:
    """One line of the diagnostics.

    Attributes:
        name: After the node's name, such as "input".
        message: In words.
        level: OK, WARN or ERROR.
        values: For people, as text.
        standing: What the log says too when it begins, by what tells one from another.
    """

    name: str
    message: str
    level: bytes = OK
    values: Mapping[str, object] = field(default_factory=dict)
    standing: Mapping[str, str] = field(default_factory=dict)


class Heartbeat:
    """Publishes the diagnostics from a thread of its own.

    A timer of the node would wait for transitions that load weights, and one on ROS time stands
    still without /clock.

    Args:
        node: Publishes, and gives the stamp.
        look: Says how things are; called in the thread.
    """

    def __init__(self, node: Node, look: Callable[[], Sequence[Status]]) -> None:
        self._node, self._look = node, look
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="da_ros_diagnostics")
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            if not self._node.context.ok():
                return
            try:
                self._publisher.publish(self._array(self._look()))
            except Exception as error:
                if not self._node.context.ok():
                    return
                self._node.get_logger().error(f"diagnostics: {error!r}")
            due = max(due + PERIOD_S, time.monotonic())
            self._stop.wait(due - time.monotonic())

    def _array(self, statuses: Sequence[Status]) -> Any:
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        prefix = self._node.get_fully_qualified_name()
        array.status = [
            DiagnosticStatus(
                level=status.level,
                name=f"{prefix}: {status.name}",
                message=status.message,
                hardware_id="da_ros",
                values=[KeyValue(key=key, value=_text(v)) for key, v in status.values.items()],
            )
            for status in statuses
        ]
        return array


def _text(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
