"""Writing from parts gives the library's bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bag_maker
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from da_ros.offline.mcap_writer import PartsWriter


def written(
    kind: type[Writer], path: Path, storage: StoragePlugin, compression: CompressionMode
) -> bytes:
    """Some chunks of messages of all sizes on two topics, in parts if the writer takes them."""
    random = np.random.default_rng(0)
    writer = kind(path, version=8, storage_plugin=storage)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        topics = [
            writer.add_connection(name, bag_maker.IMAGE, typestore=bag_maker.STORE)
            for name in ("/a", "/b", "/never")
        ]
        for number in range(60):
            size = int(
                random.choice([0, 1, 17, 5000, 300_000, 2_000_000], p=[0.2] * 4 + [0.1] * 2)
            )
            raw = random.bytes(size)
            topic, at = topics[number % 2], int(random.integers(0, 10**12))
            if isinstance(writer, PartsWriter):
                cuts = sorted(random.integers(0, size + 1, 2).tolist())
                parts = [raw[: cuts[0]], memoryview(raw)[cuts[0] : cuts[1]], raw[cuts[1] :]]
                writer.write_parts(topic, at, parts)
            else:
                random.integers(0, size + 1, 2)
                writer.write(topic, at, raw)
    (file,) = (file for file in path.iterdir() if file.suffix != ".yaml")
    return file.read_bytes()


class TestPartsWriter:
    @pytest.mark.parametrize(
        ("storage", "compression"),
        [
            (StoragePlugin.MCAP, CompressionMode.NONE),
            (StoragePlugin.MCAP, CompressionMode.STORAGE),
            (StoragePlugin.SQLITE3, CompressionMode.NONE),
        ],
    )
    def test_the_library_s_bytes(self, tmp_path: Path, storage: Any, compression: Any) -> None:
        ours = written(PartsWriter, tmp_path / "ours" / "bag", storage, compression)
        theirs = written(Writer, tmp_path / "theirs" / "bag", storage, compression)
        assert ours == theirs

    def test_no_message_at_all(self, tmp_path: Path) -> None:
        for kind in (PartsWriter, Writer):
            with kind(
                tmp_path / kind.__name__ / "x", version=8, storage_plugin=StoragePlugin.MCAP
            ):
                pass
        files = [tmp_path / kind.__name__ / "x" / "x.mcap" for kind in (PartsWriter, Writer)]
        assert files[0].read_bytes() == files[1].read_bytes()
