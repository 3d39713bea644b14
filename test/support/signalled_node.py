"""The ramp node, which sends itself SIGINT once at a planted place: KIND SLOW_S PLACE [...].

``worker``: the thread of the network runs and nobody holds it yet. ``publisher``: rclpy has
entered a publisher into one of its two lists.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Any

from rclpy.node import Node

sys.path.insert(0, str(Path(__file__).resolve().parent))

from ramp_node import load

from da_ros.ros.depth_node import main

start_thread, add_waitable = threading.Thread.start, Node.add_waitable
sent = threading.Event()


def send(place: str) -> None:
    if place == sys.argv[3] and not sent.is_set():
        sent.set()
        print(f"planted: SIGINT at {place}", flush=True)
        signal.raise_signal(signal.SIGINT)


def start_and_signal(thread: threading.Thread) -> None:
    start_thread(thread)
    if thread.name == "da_ros_inference":
        send("worker")


def signal_and_add(node: Node, waitable: Any) -> None:
    if "da_ros.ros.outputs" in sys.modules:  # imported by configure
        send("publisher")
    add_waitable(node, waitable)


if __name__ == "__main__":
    threading.Thread.start = start_and_signal  # type: ignore[method-assign]
    Node.add_waitable = signal_and_add
    sys.exit(main([sys.argv[0], *sys.argv[4:]], load))
