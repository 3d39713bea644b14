"""The sha256 of weights files, remembered, so that a robot does not hash 1.3 GB at every start."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""

BLOCK = 1 << 22
MEMORY_FILE = "sha256.json"


def user_cache_folder() -> Path:
    """Where programs of this user keep what they can make again.

    Returns:
        ``$XDG_CACHE_HOME``, by default ``~/.cache``; without a home, ``/tmp``.
    """
    if named := os.environ.get("XDG_CACHE_HOME", ""):
        return Path(named)
    try:
        return Path.home() / ".cache"
    except RuntimeError:  # a container run as a user that it does not know
        return Path(tempfile.gettempdir())


def cache_folder() -> Path:
    """Where da_ros keeps what it can make again.

    Returns:
        ``da_ros`` in the user's cache folder.
    """
    return user_cache_folder() / "da_ros"


def sha256_of(path: str | Path, progress: Progress | None = None) -> str:
    """Hash a whole file.

    Args:
        path: The file.
        progress: Told after every few megabytes.

    Returns:
        Lower-case hex.

    Raises:
        OSError: If the file cannot be read.
    """
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        total, done = os.fstat(file.fileno()).st_size, 0
        while block := file.read(BLOCK):
            digest.update(block)
            done += len(block)
            if progress is not None:
                progress(done, total)
    return digest.hexdigest()


def remembered_sha256(path: str | Path) -> str | None:
    """Say a file's hash without reading it.

    Args:
        path: The file.

    Returns:
        The hash of the last time, if path, size and modification time are those of that time.

    Raises:
        OSError: If the file is not there.
    """
    path = Path(path).resolve()
    entry = _read_memory().get(str(path))
    if not isinstance(entry, list) or len(entry) != 3 or entry[:2] != _identity(path):
        return None
    return str(entry[2])


def cached_sha256(path: str | Path, progress: Progress | None = None) -> str:
    """Say a file's hash, reading it only if it may have changed since the last time.

    Args:
        path: The file.
        progress: Told while the file is read.

    Returns:
        Lower-case hex.

    Raises:
        OSError: If the file cannot be read.
    """
    known = remembered_sha256(path)
    return known if known is not None else fresh_sha256(path, progress)


def fresh_sha256(path: str | Path, progress: Progress | None = None) -> str:
    """Hash a file whatever is remembered, and remember the result.

    Args:
        path: The file.
        progress: Told while the file is read.

    Returns:
        Lower-case hex.

    Raises:
        OSError: If the file cannot be read.
    """
    path = Path(path).resolve()
    before = _identity(path)
    digest = sha256_of(path, progress)
    if _identity(path) == before:  # else it was written to meanwhile
        _remember(path, [*before, digest])
    return digest


def remember(path: str | Path, digest: str) -> None:
    """Take note of a hash that was found in another way.

    Args:
        path: The file.
        digest: Its sha256, lower-case hex.

    Raises:
        OSError: If the file is not there.
    """
    path = Path(path).resolve()
    _remember(path, [*_identity(path), digest])


def _identity(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _read_memory() -> dict[str, Any]:
    try:
        memory = json.loads((cache_folder() / MEMORY_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return memory if isinstance(memory, dict) else {}


def _remember(path: Path, entry: list[Any]) -> None:
    """Write the memory anew, whole or not at all; a read-only home costs only time."""
    folder = cache_folder()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        memory = {**_read_memory(), str(path): entry}
        memory = {name: value for name, value in memory.items() if Path(name).exists()}
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=MEMORY_FILE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(memory, file, indent=1)
        Path(temporary).replace(folder / MEMORY_FILE)
