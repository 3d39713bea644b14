"""Weights on demand: find them here, else fetch them, under the licence that the user accepts."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from da_ros.errors import WeightsError
from da_ros.network.checkpoint_faults import container_of
from da_ros.network.checkpoints import Checkpoint
from da_ros.network.digest import Progress, fresh_sha256
from da_ros.network.download import download, partial_path
from da_ros.network.locations import candidates, find_weights, how_to_get
from da_ros.network.variants import REGISTRY, Registry, Variant, variant_of_sha256

__all__ = ["fetch_weights", "find_weights", "verify"]


def fetch_weights(variant: Variant, accept_license: bool = False, progress: bool = False) -> Path:
    """Make sure that a model's weights are on this machine, downloading them if they are not.

    Args:
        variant: A registry row.
        accept_license: Whether the user accepts a non-commercial licence.
        progress: Whether to show a progress bar on stderr.

    Returns:
        A file whose sha256 is one of the row's.

    Raises:
        WeightsError: ``missing`` if there is nothing to download, ``licence`` if it was not
            accepted, ``download`` if the hub, the network or the disk fails, ``html`` or
            ``hash_mismatch`` if something else came.
    """
    if _is_here(variant):
        return find_weights(variant)
    if not variant.checkpoints or not variant.checkpoints[0].repo:
        raise WeightsError(
            "missing", f"nothing to fetch for {variant.name}: {how_to_get(variant)}"
        )
    if variant.non_commercial and not accept_license:
        raise WeightsError(
            "licence",
            f"{variant.name} is not for commercial use ({variant.licence_line}); if that suits "
            f"you, run `da_ros models fetch {variant.name} --accept-license`",
        )
    checkpoint = variant.checkpoints[0]
    with _one_at_a_time(checkpoint):
        # Another process may have fetched them while this one waited.
        return find_weights(variant) if _is_here(variant) else download(checkpoint, progress)


def verify(
    path: str | Path, registry: Registry = REGISTRY, progress: Progress | None = None
) -> tuple[str, Variant | None]:
    """Hash a file anew and say which model it is.

    Args:
        path: A weights file.
        registry: Rows and hashes.
        progress: Told while the file is read.

    Returns:
        Its sha256, and the row it belongs to or None.

    Raises:
        WeightsError: If it is missing, cut short, or no weights file.
    """
    path = Path(path)
    container_of(path)
    digest = fresh_sha256(path, progress)
    return digest, variant_of_sha256(digest, registry)


def _is_here(variant: Variant) -> bool:
    return any(candidate.is_right for candidate in candidates(variant))


@contextmanager
def _one_at_a_time(checkpoint: Checkpoint) -> Iterator[None]:
    """Hold the lock of one download; a second process waits for the first."""
    path = partial_path(checkpoint).with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("wb")
    except OSError as error:
        message = f"{path.parent} cannot be written: {error.strerror}"
        raise WeightsError("download", f"{message}; name a folder with DA_ROS_WEIGHTS") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
