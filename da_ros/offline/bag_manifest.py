"""What was made of what, for machines: ``manifest.json`` in the finished bag."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch

from da_ros.errors import BagError
from da_ros.network.digest import cached_sha256
from da_ros.offline.bag_report import BagReport
from da_ros.offline.frame_log import FrameLog
from da_ros.pipeline import DepthPipeline

if TYPE_CHECKING:
    from da_ros.offline.bag_job import BagJob

NAME = "manifest.json"

_VERSIONED = ("da_ros", "rosbags", "numpy", "torch", "opencv-python-headless")
_LOWEST_PRIORITY = 19


class FileHashes:
    """Hashes files beside other work, in idle moments; a context manager.

    A hash is remembered, so a resumed run does not read a large file again.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._found: dict[Path, str] = {}
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> FileHashes:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()

    def found(self) -> dict[Path, str]:
        """Wait for the rest, and return the sha256 of every file; a word for one that fails."""
        self._thread.join()
        return self._found

    def _work(self) -> None:
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
        for file in self._files:
            if self._left.is_set():
                return
            try:
                self._found[file] = cached_sha256(file)
            except OSError as error:
                self._found[file] = f"unreadable: {error}"


def write_manifest(
    folder: Path,
    job: BagJob,
    report: BagReport,
    log: FrameLog,
    pipeline: DepthPipeline,
    hashes: Mapping[Path, str],
    identity: Mapping[str, Any],
) -> None:
    """Write the manifest of a finished run; ``identity``: all that decided what it made."""
    counts = {
        topic: {"in": report.read[topic], "out": report.copied[topic] + report.added[topic]}
        for topic in sorted({*report.read, *report.added})
    }
    made = {
        "complete": report.complete,
        "inputs": [
            {"path": str(path), "bytes": path.stat().st_size, "sha256": digest}
            for path, digest in hashes.items()
        ],
        "topics": counts,
        "images": {
            "in": report.images + report.skipped,
            "passed_over": report.skipped,
            "done": report.done,
            "failed": report.failed_images,
        },
        "failures": [
            {**row, "recorded_at_ns": report.moments[row["topic"], row["reason"]]}
            for row in _pairs(report.failures)
        ],
        "incomplete": _pairs(report.notes),
        "lost": _pairs(report.lost),
        "stopped": report.stopped,
        "evaluation": log.evaluation(),
        "evaluation_over_time": log.scores(),
        "model": {**asdict(pipeline.model), "kind": str(pipeline.model.kind)},
        "options": {name: _plain(value) for name, value in asdict(job).items()},
        "parameters": pipeline.params.values(),
        "device": str(pipeline.estimator.device),
        "threads_of_a_lane": torch.get_num_threads(),
        "versions": dict(_versions()),
        "identity": identity,
        "seconds": round(report.seconds, 3),
        "stage_seconds": {name: round(value, 3) for name, value in report.busy.items()},
    }
    (folder / NAME).write_text(json.dumps(made, indent=1) + "\n", "utf-8")


def read_manifest(target: Path) -> dict[str, Any] | None:
    """Read the manifest of a finished output; None if there is no output of ours at this path.

    Raises:
        BagError: If its manifest cannot be read.
    """
    path = target / NAME
    if not path.is_file():
        return None
    try:
        found = dict(json.loads(path.read_text("utf-8")))
        missing = {"identity", "complete", "images"} - set(found)
        if missing:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return found
    except (OSError, ValueError, TypeError) as error:
        raise BagError(
            f"{path} cannot be read ({error}); choose another output, or start again with "
            "--overwrite"
        ) from error


def _pairs(counter: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    return [
        {"topic": topic, "reason": reason, "count": count}
        for (topic, reason), count in sorted(counter.items())
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in _VERSIONED:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append((name, "not installed as a package"))
    return found
