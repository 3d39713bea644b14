"""Where a bag is written until it is complete: the hidden folder, its lock, its target."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from da_ros.errors import BagError

_LOCK = "lock"


def unfinished_folder(path: Path) -> Path:
    """Where a resumable bag of this name is written until it is complete."""
    return path.absolute().parent / f".{path.name}.partial"


def empty_folder(folder: Path) -> None:
    """Remove all but the lock."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()


def locked_folder(folder: Path) -> int:
    """Hold a folder for this process.

    Raises:
        BagError: If another process has it.
    """
    handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise BagError(f"another da_ros bag is writing in {folder}") from error
    return handle


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse a target that may not be replaced, or is named like a file.

    Raises:
        BagError: If it is.
    """
    if path.suffix in (".mcap", ".db3"):
        raise BagError(
            f"output {path}: a bag is a folder here, as `ros2 bag` makes it; leave {path.suffix} "
            "away and choose with --storage"
        )
    if not path.exists():
        return
    if not overwrite:
        raise BagError(f"output {path} exists; choose another name or say --overwrite")
    if not (path / "metadata.yaml").is_file():
        raise BagError(f"output {path} is there and is no bag, so it is not replaced")
