"""What an interrupted run leaves for the next: which parts are done, and what was remembered."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from da_ros.errors import BagError
from da_ros.files import write_whole
from da_ros.offline.bag_metadata import Metadata

_NAME = "journal.json"
_VERSION = 2


def in_json(identity: Mapping[str, Any]) -> dict[str, Any]:
    """All that decides what an output is, as it comes back from a file."""
    return dict(json.loads(json.dumps(identity)))


def differences(known: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say in what two jobs differ; empty if they are the same."""
    names = sorted(name for name in {*known, *now} if known.get(name) != now.get(name))
    return "; ".join(f"{name} was {known.get(name)}, is {now.get(name)}" for name in names)


@dataclass(frozen=True)
class JournalEntry:
    """How far a run was when a part of its output ended.

    Attributes:
        parts: Metadata of the finished parts.
        position: Messages of the recording that are dealt with.
        report: ``BagReport.state``.
        memory: Of the stages, see ``BagConversion``.
    """

    parts: list[Metadata]
    position: int
    report: dict[str, Any]
    memory: dict[str, Any]


class Journal:
    """The journal of one output, in its hidden folder; written whole or not at all.

    Attributes:
        entry: Where an interrupted run was; None at the beginning.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        """Begin a new one.

        Args:
            folder: Of the unfinished output.
            identity: All that decides what the output will be, as JSON has it.
        """
        self.entry: JournalEntry | None = None
        self._path = folder / _NAME
        self._identity = in_json(identity)

    def load(self) -> None:
        """Read where an interrupted run of the same job was.

        Raises:
            BagError: If it was another job, or the journal cannot be read.
        """
        try:
            found = json.loads(self._path.read_text("utf-8"), object_hook=_from_json)
            known, entry = found["identity"], JournalEntry(**found["entry"])
            version = found["version"]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BagError(
                f"{self._path} of the interrupted run cannot be read ({error}); start again with "
                "--overwrite"
            ) from error
        changes = differences(known, self._identity)
        if changes or version != _VERSION:
            raise BagError(
                f"--resume: the interrupted run was another job: {changes or 'another version'}; "
                "give the same options, or start again with --overwrite"
            )
        self.entry = entry

    def write(self, entry: JournalEntry) -> None:
        """Replace the journal.

        Raises:
            BagError: If the disk refuses it.
        """
        made = {"version": _VERSION, "identity": self._identity, "entry": asdict(entry)}
        try:
            write_whole(self._path, json.dumps(made, default=_to_json).encode())
        except OSError as error:
            raise BagError(f"cannot write {self._path}: {error}") from error


def has_journal(folder: Path) -> bool:
    """Whether an interrupted run left something to go on with."""
    return (folder / _NAME).is_file()


def _to_json(value: Any) -> Any:
    """Arrays exactly, as base64."""
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        return {"__array__": [value.dtype.str, list(value.shape), data]}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not for a journal")


def _from_json(found: dict[str, Any]) -> Any:
    if set(found) != {"__array__"}:
        return found
    kind, shape, data = found["__array__"]
    return np.frombuffer(base64.b64decode(data), np.dtype(kind)).reshape(shape).copy()
