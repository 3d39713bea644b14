"""The heartbeat's thread may come to the statuses while another one imports the network."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("rclpy")

SCRIPT = """
import sys
import da_ros.ros.status
print([name for name in sys.modules if name == "torch" or name.startswith("da_ros.pipeline")])
"""


def test_statuses_bring_nothing_that_is_being_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
