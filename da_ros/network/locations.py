"""Where weights lie on this machine, and whether they are the right ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from da_ros.errors import WeightsError
from da_ros.network.checkpoints import Checkpoint
from da_ros.network.digest import (
    cache_folder,
    cached_sha256,
    remembered_sha256,
    user_cache_folder,
)
from da_ros.network.nano_card import DATA_FOLDER
from da_ros.network.variants import Variant

State = Literal["ready", "unchecked", "wrong", "absent"]


@dataclass(frozen=True)
class Candidate:
    """A place where a checkpoint may lie.

    Attributes:
        path: The file; it may be absent.
        checkpoint: What should be there.
    """

    path: Path
    checkpoint: Checkpoint

    @property
    def has_right_size(self) -> bool:
        """Whether a file is there that is not ruled out by its size."""
        if not self.path.is_file():
            return False
        expected = self.checkpoint.size_bytes
        return expected is None or self.path.stat().st_size == expected

    @property
    def is_right(self) -> bool:
        """Whether the file is there and its sha256 is the expected one (hashed once).

        Of one that may not be read, as in another user's cache, that is not known: no.
        """
        try:
            return self.has_right_size and cached_sha256(self.path) == self.checkpoint.sha256
        except OSError:
            return False


def weights_folder() -> Path:
    """Where da_ros keeps the weights it has fetched.

    Returns:
        ``$DA_ROS_WEIGHTS``, by default ``~/.cache/da_ros/weights``.
    """
    named = os.environ.get("DA_ROS_WEIGHTS", "")
    return Path(named).expanduser() if named else cache_folder() / "weights"


def hub_cache_folder() -> Path:
    """Where huggingface_hub keeps what other programs have downloaded.

    Returns:
        As its variables HF_HUB_CACHE, HF_HOME and XDG_CACHE_HOME say, in that order.
    """
    for variable, below in (("HF_HUB_CACHE", "."), ("HF_HOME", "hub")):
        if named := os.environ.get(variable, ""):
            return Path(named).expanduser() / below
    return user_cache_folder() / "huggingface" / "hub"


def target_path(checkpoint: Checkpoint) -> Path:
    """Where a fetched checkpoint is put.

    Args:
        checkpoint: One with a repository.

    Returns:
        Its path in the weights folder.
    """
    return weights_folder() / checkpoint.local_name


def candidates(variant: Variant) -> Iterator[Candidate]:
    """List every place where weights of a model may lie, the preferred first.

    Args:
        variant: A registry row.

    Yields:
        Places, most of which hold nothing.
    """
    for checkpoint in variant.checkpoints:
        if not checkpoint.repo:
            yield Candidate(DATA_FOLDER / checkpoint.filename, checkpoint)
            continue
        yield Candidate(target_path(checkpoint), checkpoint)
        repo = f"{checkpoint.repo_type}s--{checkpoint.repo.replace('/', '--')}"
        snapshots = hub_cache_folder() / repo / "snapshots"
        for path in sorted(snapshots.glob(f"*/{checkpoint.filename}")):
            yield Candidate(path, checkpoint)


def find_weights(variant: Variant) -> Path:
    """Find the weights of a model on this machine; nothing is downloaded.

    Args:
        variant: A registry row.

    Returns:
        A file whose sha256 is one of the row's.

    Raises:
        WeightsError: If there is none; the message says what to type.
    """
    wrong: Path | None = None
    for candidate in candidates(variant):
        if candidate.is_right:
            return candidate.path
        if candidate.path.is_file():
            wrong = candidate.path
    if wrong is not None:
        raise WeightsError(
            "hash_mismatch",
            f"{wrong} is not the {variant.name} it should be (its size or sha256 is wrong, or it "
            f"cannot be read); {how_to_get(variant)}",
        )
    raise WeightsError("missing", f"no weights of {variant.name} here; {how_to_get(variant)}")


def how_to_get(variant: Variant) -> str:
    """Say how to get a model's weights, in one clause.

    Args:
        variant: A registry row.

    Returns:
        Such as ``fetch them with `da_ros models fetch v2-small```.
    """
    if not variant.checkpoints:
        if variant.size == "nano":
            return "this da_ros has no trained nano"
        return (
            "they were never published; a file of your own needs --model and --variant (node: "
            "model_path and model_variant)"
        )
    if not variant.checkpoints[0].repo:
        return "they come with da_ros: install it again"
    option = " --accept-license" if variant.non_commercial else ""
    return (
        f"fetch them with `da_ros models fetch {variant.name}{option}` (model_size:=nano needs "
        "no download, nor does --model nano)"
    )


def state_on_disk(variant: Variant) -> State:
    """Say what is here of a model, without reading large files.

    Args:
        variant: A registry row.

    Returns:
        ``ready``: here, and hashed before; ``unchecked``: here with the right size; ``wrong``:
        here, with another size or hash; ``absent``.
    """
    states = [_state_of(candidate) for candidate in candidates(variant)]
    order: tuple[State, ...] = ("ready", "unchecked", "wrong")
    return next((state for state in order if state in states), "absent")


def _state_of(candidate: Candidate) -> State:
    if not candidate.path.is_file():
        return "absent"
    if not candidate.has_right_size:
        return "wrong"
    remembered = remembered_sha256(candidate.path)
    if remembered is None:
        return "unchecked"
    return "ready" if remembered == candidate.checkpoint.sha256 else "wrong"
