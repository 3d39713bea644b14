"""metadata.yaml of a bag in several files, from that of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Metadata = dict[str, Any]
"""Content of metadata.yaml below rosbag2_bagfile_information."""

_ROOT = "rosbag2_bagfile_information"
_NAME = "metadata.yaml"


def metadata_of(folder: Path) -> Metadata:
    """Read a bag folder's metadata."""
    found: Metadata = yaml.safe_load((folder / _NAME).read_text("utf-8"))[_ROOT]
    return found


def write_metadata(folder: Path, parts: list[Metadata]) -> None:
    """Write the metadata of a bag that consists of these parts, in this order."""
    text = yaml.safe_dump({_ROOT: joined(parts)}, default_flow_style=False, sort_keys=False)
    (folder / _NAME).write_text(text, "utf-8")


def joined(parts: list[Metadata]) -> Metadata:
    """Metadata of all parts together; they have the same topics."""
    filled = [part for part in parts if part["message_count"]] or parts[:1]
    starts = [part["starting_time"]["nanoseconds_since_epoch"] for part in filled]
    ends = [
        start + part["duration"]["nanoseconds"] for start, part in zip(starts, filled, strict=True)
    ]
    topics = [dict(topic) for topic in parts[0]["topics_with_message_count"]]
    for place, topic in enumerate(topics):
        topic["message_count"] = sum(
            part["topics_with_message_count"][place]["message_count"] for part in parts
        )
    return {
        **parts[0],
        "relative_file_paths": [name for part in parts for name in part["relative_file_paths"]],
        "files": [file for part in parts for file in part["files"]],
        "starting_time": {"nanoseconds_since_epoch": min(starts)},
        "duration": {"nanoseconds": max(ends) - min(starts)},
        "message_count": sum(part["message_count"] for part in parts),
        "topics_with_message_count": topics,
    }
