"""Publish one message 20 times a second until stdin closes: NAME INSTALLED_UNDER FIELDS_JSON."""

from __future__ import annotations

import json
import select
import sys
from pathlib import Path
from typing import Any

import rclpy

import da_ros.msg


def fill(message: Any, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if isinstance(value, dict):
            fill(getattr(message, name), value)
        else:
            setattr(message, name, value)


def main(name: str, installed: str, fields: str) -> None:
    assert Path(installed) in Path(da_ros.msg.__file__).parents, da_ros.msg.__file__
    message = getattr(da_ros.msg, name)()
    fill(message, json.loads(fields))
    rclpy.init()
    node = rclpy.create_node("talker")
    publisher = node.create_publisher(type(message), "message", 1)
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        publisher.publish(message)
    node.destroy_node()
    rclpy.shutdown()


main(*sys.argv[1:])
