"""Bags whose compressed files are cut, damaged, or without the metadata.yaml that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from rosbags.rosbag2 import reader as _library

zstd: Any = vars(_library)["zstd"]
"""What the library itself decompresses with: Python's own module from 3.14 on, or its backport."""

DAMAGED = (EOFError, zstd.ZstdError)
"""What decompressing a cut or damaged file raises."""

_PIECE = 1 << 20
_MAGIC = b"\x28\xb5\x2f\xfd"  # of zstd; a CDR message begins with a zero
_METADATA = "metadata.yaml"


def decompress_folder(folder: Path, target: Path) -> None:
    """Write a bag's files without compression, each as far as it can be read.

    Args:
        folder: With metadata.yaml, its files compressed whole.
        target: An empty folder.
    """
    document = yaml.safe_load((folder / _METADATA).read_text("utf-8"))
    information = document["rosbag2_bagfile_information"]
    names = [Path(name).name for name in information["relative_file_paths"]]
    for name in names:
        decompress(folder / name, target / Path(name).stem)
    information["relative_file_paths"] = [Path(name).stem for name in names]
    information |= {"compression_format": "", "compression_mode": ""}
    (target / _METADATA).write_text(yaml.safe_dump(document), "utf-8")


def inflated(raw: bytes | memoryview) -> bytes | memoryview:
    """Return a message that was compressed on its own as it was recorded; others as they are.

    Raises:
        ZstdError: If it is damaged.
    """
    if raw[:4] != _MAGIC:
        return raw
    whole: bytes = zstd.decompress(raw)
    return whole


def decompress(source: Path, target: Path) -> None:
    """Write a file without compression, as far as it can be read.

    Args:
        source: Compressed whole, by zstd.
        target: To write.
    """
    with zstd.open(source, "rb") as compressed, target.open("wb") as file:
        try:
            # read1, since read would drop what it has when the end is missing.
            while piece := compressed.read1(_PIECE):
                file.write(piece)
        except DAMAGED:
            return  # what the file holds is then cut, which its reader says
