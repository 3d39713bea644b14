"""Files that are whole or not there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; a kill or a full disk leaves what was there before.

    Args:
        path: Of the file; a link stays one.
        content: Of it.

    Raises:
        OSError: If the disk refuses it.
    """
    path = path.resolve()
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink()
