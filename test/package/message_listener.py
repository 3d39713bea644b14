"""Print the first message of a topic as JSON; fails after a while: NAME INSTALLED_UNDER."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import rclpy

import da_ros.msg

PATIENCE_S = 60.0


def plain(value: Any) -> Any:
    if hasattr(value, "get_fields_and_field_types"):
        return {name: plain(getattr(value, name)) for name in value.get_fields_and_field_types()}
    return value.tolist() if hasattr(value, "tolist") else value


def main(name: str, installed: str) -> int:
    assert Path(installed) in Path(da_ros.msg.__file__).parents, da_ros.msg.__file__
    received: list[Any] = []
    rclpy.init()
    node = rclpy.create_node("listener")
    node.create_subscription(getattr(da_ros.msg, name), "message", received.append, 1)
    end = time.monotonic() + PATIENCE_S
    while not received and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.5)
    node.destroy_node()
    rclpy.shutdown()
    if received:
        print(json.dumps(plain(received[0])))
    return 0 if received else 1


sys.exit(main(*sys.argv[1:]))
