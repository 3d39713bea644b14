"""``da_ros models`` as its own program, on a registry with other files: argv[1] is JSON.

The JSON maps a registry name to the fields of its only checkpoint; rows not named have none.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import typer

from da_ros.cli import models
from da_ros.errors import DaRosError
from da_ros.network.checkpoints import Checkpoint
from da_ros.network.variants import REGISTRY

files = json.loads(sys.argv[1])
rows = {
    name: replace(row, checkpoints=(Checkpoint(**files[name]),) if name in files else ())
    for name, row in REGISTRY.items()
}
app = typer.Typer()
models.register(app, rows)
try:
    app(["models", *sys.argv[2:]], standalone_mode=False)
except DaRosError as error:
    print(f"da_ros: error: {error}", file=sys.stderr)
    sys.exit(2)
