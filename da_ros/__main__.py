"""`python -m da_ros ...` is `da_ros ...`, for where scripts are not on the path."""

from __future__ import annotations

import sys

from da_ros.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
