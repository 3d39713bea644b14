"""Bring one file from the Hugging Face hub, whole and right or not at all.

It grows in ``.partial/`` of the weights folder, survives a cut or a kill there, and moves to its
name only once its sha256 is the registry's. (``hf_hub_download`` of huggingface_hub 2 throws a cut
file away, and gives a file its name before anybody has checked it; so only ``http_get`` is used.)
HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN and HF_HUB_DOWNLOAD_TIMEOUT mean what they mean there.
"""

from __future__ import annotations

import errno
import importlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from da_ros.errors import WeightsError
from da_ros.network.checkpoint_faults import container_of
from da_ros.network.checkpoints import Checkpoint
from da_ros.network.digest import remember, sha256_of
from da_ros.network.locations import target_path, weights_folder

SPARE_BYTES = 50_000_000
"""Left free on the disk, at least."""

CHUNK_BYTES = 1 << 20
"""Written at a time, so what a cut can cost; huggingface_hub's own 10 MB are much by radio."""

DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def partial_path(checkpoint: Checkpoint) -> Path:
    """Say where a checkpoint grows while it is downloaded.

    Args:
        checkpoint: One with a repository.

    Returns:
        A path that nothing loads from.
    """
    return weights_folder() / ".partial" / checkpoint.sha256


def download_url(checkpoint: Checkpoint) -> str:
    """Say where a checkpoint is downloaded from.

    Args:
        checkpoint: One with a repository.

    Returns:
        Its URL at ``HF_ENDPOINT``, by default that of huggingface_hub.
    """
    from huggingface_hub.constants import ENDPOINT

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or ENDPOINT
    space = "spaces/" if checkpoint.repo_type == "space" else ""
    repo = f"{endpoint}/{space}{checkpoint.repo}"
    return f"{repo}/resolve/{checkpoint.revision}/{checkpoint.filename}"


def download(checkpoint: Checkpoint, progress: bool = False) -> Path:
    """Download a checkpoint, going on where an earlier attempt was cut.

    Args:
        checkpoint: One with a repository.
        progress: Whether to show a bar on stderr.

    Returns:
        Where it lies now; its sha256 is the expected one.

    Raises:
        WeightsError: If the hub, the network or the disk fails, or something else was sent.
    """
    partial, target = partial_path(checkpoint), target_path(checkpoint)
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        _make_room(checkpoint, partial)
        with partial.open("a+b") as file:
            _receive(file, checkpoint, progress)
            file.flush()
            os.fsync(file.fileno())
        _check_content(checkpoint, partial)
        partial.replace(target)
    except OSError as error:
        message = f"{weights_folder()} cannot be written: {error.strerror or error}"
        raise WeightsError(
            "download", f"{message}; name another folder with DA_ROS_WEIGHTS"
        ) from (error)
    finally:
        if partial.is_file() and partial.stat().st_size == 0:
            partial.unlink()
    remember(target, checkpoint.sha256)
    return target


def another_way(checkpoint: Checkpoint) -> str:
    """Say how to get a checkpoint where the hub cannot be reached.

    Args:
        checkpoint: One with a repository.

    Returns:
        A clause for the end of a message.
    """
    return (
        f"or download {download_url(checkpoint)} on another machine, copy it to "
        f"{target_path(checkpoint)}, and check it with `da_ros models verify`"
    )


def _receive(file: BinaryIO, checkpoint: Checkpoint, progress: bool) -> None:
    """Append to the file what it lacks, going on as long as every attempt brings something."""
    refusal: type[Exception] = _hub_utils().HfHubHTTPError
    # The roots of what httpx or requests raise, whichever this huggingface_hub is built on.
    network_errors = cast("tuple[type[Exception], ...]", (*refusal.__bases__, OSError))
    while True:
        before = file.seek(0, os.SEEK_END)
        try:
            _get(file, checkpoint, before, progress)
        except refusal as error:
            status = cast("Any", error).response.status_code
            raise _refused(checkpoint, status) from error
        except ValueError as error:  # an address that is none
            raise WeightsError("download", f"HF_ENDPOINT is no address: {error}") from error
        except network_errors as error:
            if isinstance(error, OSError) and error.errno in DISK_IS_FULL:
                raise
            after = file.seek(0, os.SEEK_END)
            _check_beginning(checkpoint, after)
            if after <= before or _was_tried_again(error):
                raise _cut(checkpoint, error, after) from error
        else:
            return


def _was_tried_again(error: Exception) -> bool:
    """Whether ``http_get`` of every version has itself tried five times more before it gave up."""
    return any(
        kind in type(error).__name__ for kind in ("Timeout", "ConnectError", "ConnectionError")
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from logging each of its own attempts; what comes of them we say."""
    logger = logging.getLogger("huggingface_hub.file_download")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _get(file: BinaryIO, checkpoint: Checkpoint, start: int, progress: bool) -> None:
    try:
        from huggingface_hub import constants, file_download
    except ValueError as error:  # it reads its variables when it is imported
        raise WeightsError("download", f"a variable HF_... has no such value: {error}") from error

    if constants.HF_HUB_OFFLINE:
        raise WeightsError(
            "download", f"HF_HUB_OFFLINE is set: unset it, {another_way(checkpoint)}"
        )
    with _bar_shown(progress), _small_chunks(constants, file_download), _quiet():
        file_download.http_get(
            download_url(checkpoint),
            file,
            resume_size=start,
            headers=_headers(),
            expected_size=checkpoint.size_bytes,
            displayed_filename=checkpoint.local_name,
        )


def _headers() -> dict[str, str]:
    """Who asks; huggingface_hub's own builder would first call the hub for its statistics."""
    from huggingface_hub import constants, get_token

    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    return {"user-agent": "da_ros"} | ({"authorization": f"Bearer {token}"} if token else {})


@contextmanager
def _bar_shown(shown: bool) -> Iterator[None]:
    utils = _hub_utils()
    if shown or utils.are_progress_bars_disabled():
        yield
        return
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.enable_progress_bars()


@contextmanager
def _small_chunks(*modules: Any) -> Iterator[None]:
    """Write often; versions differ in which of the modules has the size."""
    having = [module for module in modules if hasattr(module, "DOWNLOAD_CHUNK_SIZE")]
    usual = [module.DOWNLOAD_CHUNK_SIZE for module in having]
    for module in having:
        module.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
    try:
        yield
    finally:
        for module, size in zip(having, usual, strict=True):
            module.DOWNLOAD_CHUNK_SIZE = size


def _hub_utils() -> Any:
    """``huggingface_hub.utils``, which gives its names no types."""
    return importlib.import_module("huggingface_hub.utils")


def _make_room(checkpoint: Checkpoint, partial: Path) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    free = shutil.disk_usage(partial.parent).free
    need = (checkpoint.size_bytes or 0) - have + SPARE_BYTES
    if free < need:
        raise WeightsError(
            "download",
            f"no room for {checkpoint.local_name} in {weights_folder()}: {need / 1e6:,.0f} MB are "
            f"needed, {free / 1e6:,.0f} MB are free; make room, or name another folder with "
            "DA_ROS_WEIGHTS",
        )


def _check_beginning(checkpoint: Checkpoint, received: int) -> None:
    """Throw away what can never become the file, so that no later attempt builds on it."""
    partial = partial_path(checkpoint)
    if checkpoint.size_bytes is not None and received > checkpoint.size_bytes:
        partial.unlink()
        raise _wrong_file(checkpoint, f"more than the expected {checkpoint.size_bytes:,} bytes")
    try:
        container_of(partial)
    except WeightsError as error:
        if error.fault in ("html", "lfs_pointer", "unknown_layout"):
            partial.unlink()
            raise WeightsError(
                error.fault, f"{download_url(checkpoint)} sent no weights: {error}"
            ) from (error)


def _check_content(checkpoint: Checkpoint, partial: Path) -> None:
    _check_beginning(checkpoint, partial.stat().st_size)
    digest = sha256_of(partial)
    if digest != checkpoint.sha256:
        partial.unlink()
        raise _wrong_file(checkpoint, f"a file of sha256 {digest}, not {checkpoint.sha256}")


def _wrong_file(checkpoint: Checkpoint, what: str) -> WeightsError:
    return WeightsError(
        "hash_mismatch",
        f"{download_url(checkpoint)} sent {what}; it was deleted. Try once more, "
        f"{another_way(checkpoint)}",
    )


def _refused(checkpoint: Checkpoint, status: int) -> WeightsError:
    """The error for an answer other than the file."""
    url = download_url(checkpoint)
    if status == 416:  # more is here than there: the file on the hub is another, shorter one
        partial_path(checkpoint).unlink(missing_ok=True)
        return _wrong_file(checkpoint, "a shorter file than expected")
    if status in (401, 403):
        advice = "it wants a log-in (HF_TOKEN), or a proxy stands between"
    elif status == 404:
        advice = "the hub (or the mirror HF_ENDPOINT) has it no longer, or not at this revision"
    else:
        advice = "try again later"
    return WeightsError(
        "download", f"{url} answered HTTP {status}: {advice}; {another_way(checkpoint)}"
    )


def _cut(checkpoint: Checkpoint, error: Exception, received: int) -> WeightsError:
    """The error for a connection that broke, stalled, or never came about."""
    kind = type(error).__name__
    what = "stalled" if "Timeout" in kind else "failed"
    kept = f"; {received / 1e6:,.1f} MB are kept, the same command goes on from there"
    return WeightsError(
        "download",
        f"the connection to {download_url(checkpoint)} {what} ({kind}: {error})"
        f"{kept if received else ''}; check the network and try again, {another_way(checkpoint)}",
    )
