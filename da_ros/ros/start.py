"""The way in of `ros2 run da_ros depth_node` and of the console script of the same name."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Start the node, or say in one line which module is missing."""
    # First of all: a signal during the imports is a clean end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from da_ros.ros.depth_node import main as run

        return run()
    except KeyboardInterrupt:
        return 0
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] == "da_ros":
            raise
        print(
            f"da_ros: error: this needs the Python module {error.name}: README.md says how",
            file=sys.stderr,
        )
        return 2


if __name__ == "__main__":
    sys.exit(main())
