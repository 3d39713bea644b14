"""A bag to write: under a temporary name, and under its own one when it is complete."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from da_ros.errors import BagError, ParameterError
from da_ros.offline.bag_folder import (
    check_target,
    empty_folder,
    locked_folder,
    unfinished_folder,
)
from da_ros.offline.bag_messages import definition, typestore
from da_ros.offline.bag_metadata import Metadata, metadata_of, write_metadata
from da_ros.offline.mcap_writer import Parts, PartsWriter

STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}

DEFAULT_STORAGE = "mcap"

COMPRESSIONS = ("none", "zstd")

# What ros2 bag reads of each storage: compressed chunks of an mcap file, compressed files else.
_COMPRESSED = {"mcap": CompressionMode.STORAGE, "sqlite3": CompressionMode.FILE}

# Version 9 spells QoS in a way that Humble's reader does not know; Jazzy and Kilted read both.
_VERSION: Literal[8] = 8

_DISK_FAULTS = (OSError, sqlite3.Error)  # sqlite has its own word for a full disk

_FOREVER = QosTime(9223372036, 854775807)  # RMW_DURATION_INFINITE
PUBLISHED_QOS = Qos(
    history=QosHistory.KEEP_LAST,
    depth=5,
    reliability=QosReliability.RELIABLE,
    durability=QosDurability.VOLATILE,
    deadline=_FOREVER,
    lifespan=_FOREVER,
    liveliness=QosLiveliness.AUTOMATIC,
    liveliness_lease_duration=_FOREVER,
    avoid_ros_namespace_conventions=False,
)
"""How the node publishes, and so how `ros2 bag play` offers what it would have published."""


class BagOutput:
    """A new bag folder, as a context manager: it appears complete, or not at all.

    It is written in parts, ``NAME_0.mcap``, ``NAME_1.mcap`` ..., as ``ros2 bag record`` splits
    one. An error inside the ``with`` leaves what was there before; of a resumable one also the
    finished parts, under a hidden name beside it.

    Attributes:
        path: Folder to make.
        folder: Hidden folder that everything is written in until then.
    """

    def __init__(
        self,
        path: Path,
        storage: str,
        *,
        overwrite: bool = False,
        compression: str = "none",
        resumable: bool = False,
        resume: bool = False,
    ) -> None:
        """Check the target; nothing is written yet.

        Args:
            path: Folder to make.
            storage: mcap or sqlite3.
            overwrite: Replace a bag of that name.
            compression: none or zstd.
            resumable: Keep finished parts when it is left with an error.
            resume: Leave what an earlier one kept; else it is removed.

        Raises:
            ParameterError: If the storage or the compression is unknown.
            BagError: If the target exists and may not be replaced, or is named like a file.
        """
        for name, value, known in (
            ("storage", storage, tuple(STORAGES)),
            ("compression", compression, COMPRESSIONS),
        ):
            if value not in known:
                raise ParameterError(f"{name} {value!r}: expected one of {', '.join(known)}")
        self.path = path
        self.folder = Path()
        self._storage, self._compression = storage, compression
        self._resumable, self._resume = resumable, resume
        self._parts: list[Metadata] = []
        self._topics: list[Callable[[Writer], Connection]] = []
        self._writer: PartsWriter | None = None
        self._connections: list[Connection] = []
        self._keep = False
        self._lock: int | None = None
        check_target(path, overwrite)

    def __enter__(self) -> BagOutput:
        try:
            if self._resumable:
                self.folder = unfinished_folder(self.path)
                self.folder.mkdir(parents=True, exist_ok=True)
                self._lock = locked_folder(self.folder)
                self._put_back()
                if not self._resume:
                    empty_folder(self.folder)
            else:
                parent = self.path.absolute().parent
                parent.mkdir(parents=True, exist_ok=True)
                made = tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".tmp", dir=parent)
                self.folder = Path(made)
            shutil.rmtree(self._work, ignore_errors=True)
            self.content.mkdir(exist_ok=True)
            self._keep = any(self.content.iterdir())  # of an interrupted run
        except OSError as error:
            raise BagError(f"cannot write {self.path}: {error}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                if self._writer is not None or not self._parts:
                    self._finish_part()
                write_metadata(self.content, self._parts)
                self._publish()
        except _DISK_FAULTS as failure:
            raise BagError(f"cannot write {self.path}: {failure}") from failure
        finally:
            if self._writer is not None:
                self._writer.__exit__(BagError, None, None)
            self._clear()
            if self._lock is not None:
                os.close(self._lock)

    @property
    def content(self) -> Path:
        """Folder of what will be the bag: other files put there come along."""
        return self.folder / "bag"

    @property
    def _work(self) -> Path:
        return self.folder / "work"

    @property
    def _replaced(self) -> Path:
        """Where the bag that was there before waits while the new one gets its name."""
        return self.folder / "replaced"

    def copy_connection(self, source: Connection) -> int:
        """Add a topic of another bag: same type, definition, hash, QoS; returns its handle."""
        self._topics.append(lambda writer: _copied(writer, source))
        return len(self._topics) - 1

    def add_topic(self, topic: str, msgtype: str) -> int:
        """Add a topic of our own, with the QoS of the node; returns its handle."""
        text, digest = definition(msgtype)
        self._topics.append(
            lambda writer: writer.add_connection(
                topic, msgtype, msgdef=text, rihs01=digest, offered_qos_profiles=[PUBLISHED_QOS]
            )
        )
        return len(self._topics) - 1

    def write(self, topic: int, timestamp: int, raw: bytes | memoryview) -> None:
        """Write one message on a topic, by its handle.

        Raises:
            BagError: If the disk refuses it.
        """
        self.write_parts(topic, timestamp, [raw])

    def write_parts(self, topic: int, timestamp: int, parts: Parts) -> None:
        """Write one message given in parts, see ``bag_messages.message_parts``.

        Raises:
            BagError: If the disk refuses it.
        """
        try:
            writer = self._writer or self._open_part()
            writer.write_parts(self._connections[topic], timestamp, parts)
        except _DISK_FAULTS as error:
            raise BagError(f"cannot write {self.path}: {error}") from error

    def cut(self) -> list[Metadata]:
        """Finish the part that is being written; of a resumable output it is kept from now on.

        Returns:
            What ``resume`` needs of all parts so far.

        Raises:
            BagError: If the disk refuses it.
        """
        self._finish_part()
        self._keep = self._resumable
        return self._parts

    def _finish_part(self) -> None:
        try:
            writer = self._writer or self._open_part()
            self._writer = None
            writer.__exit__(None, None, None)
            made = metadata_of(writer.path)
            for name in made["relative_file_paths"]:
                (writer.path / name).replace(self.content / name)
            shutil.rmtree(writer.path)
        except _DISK_FAULTS as error:
            raise BagError(f"cannot write {self.path}: {error}") from error
        self._parts.append(made)

    def resume(self, parts: list[Metadata]) -> None:
        """Take up the finished parts of an interrupted run, and go on behind them.

        Raises:
            BagError: If one of them is gone.
        """
        for name in (name for part in parts for name in part["relative_file_paths"]):
            if not (self.content / name).is_file():
                raise BagError(
                    f"{self.content / name} of the interrupted run is gone; start again with "
                    "--overwrite"
                )
        self._parts = list(parts)
        self._keep = True

    def discard(self) -> None:
        """Keep nothing if it is left with an error."""
        self._keep = False

    def _open_part(self) -> PartsWriter:
        # The storage file is named after its folder.
        name = f"{self.path.name}_{len(self._parts)}"
        writer = PartsWriter(
            self._work / name, version=_VERSION, storage_plugin=STORAGES[self._storage]
        )
        if self._compression != "none":
            writer.set_compression(_COMPRESSED[self._storage], CompressionFormat.ZSTD)
        writer.open()
        self._writer = writer
        self._connections = [add(writer) for add in self._topics]
        return writer

    def _publish(self) -> None:
        """Give the finished bag its name; whatever interrupts that, one of the two has it."""
        try:
            if self.path.exists():
                self.path.rename(self._replaced)
            self.content.rename(self.path)
        except BaseException:
            self._put_back()
            raise

    def _put_back(self) -> None:
        """Give a bag that was being replaced its name again, unless the new one has it."""
        if not self._replaced.exists():
            return
        if self.path.exists():
            shutil.rmtree(self._replaced)
        else:
            self._replaced.rename(self.path)

    def _clear(self) -> None:
        """Remove everything once the bag has its name; else what a later run cannot use."""
        published = not self.content.exists()
        if published or not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            shutil.rmtree(self._work, ignore_errors=True)


def _copied(writer: Writer, source: Connection) -> Connection:
    extra: Any = source.ext
    assert isinstance(extra, ConnectionExtRosbag2)
    for known in writer.connections:
        # Merged files may hold a topic twice over; a bag holds it once.
        if (known.topic, known.msgtype, known.ext) == (source.topic, source.msgtype, extra):
            return known
    text, digest = source.msgdef.data, source.digest
    if not text and source.msgtype in typestore().fielddefs:
        text, digest = definition(source.msgtype)  # as recorded before Iron: not at all
    if not digest and source.msgtype in typestore().fielddefs:
        digest = typestore().hash_rihs01(source.msgtype)  # a lone .mcap does not say
    connection = writer.add_connection(
        source.topic,
        source.msgtype,
        msgdef=text,
        rihs01=digest or "unknown",
        serialization_format=extra.serialization_format,
        offered_qos_profiles=extra.offered_qos_profiles,
    )
    if digest:
        return connection
    # The writer insists on a hash; the metadata may well have none.
    writer.connections[-1] = connection._replace(digest="")
    return writer.connections[-1]
