"""A bag to write: under a temporary name, and under its own one when it is complete."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Literal

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
from rosbags.rosbag2 import StoragePlugin, Writer

from da_ros.errors import BagError, ParameterError
from da_ros.offline.bag_messages import definition, typestore

STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}

DEFAULT_STORAGE = "mcap"

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

    An error inside the ``with`` leaves what was there before.
    """

    def __init__(self, path: Path, storage: str, *, overwrite: bool = False) -> None:
        """Check the target; nothing is written yet.

        Args:
            path: Folder to make.
            storage: mcap or sqlite3.
            overwrite: Replace a bag of that name.

        Raises:
            ParameterError: If the storage is unknown.
            BagError: If the target exists and may not be replaced, or is named like a file.
        """
        if storage not in STORAGES:
            raise ParameterError(f"storage {storage!r}: expected one of {', '.join(STORAGES)}")
        self.path = path
        self._plugin = STORAGES[storage]
        self._writer: Writer | None = None
        self._folder = Path()
        _check_target(path, overwrite)

    def __enter__(self) -> BagOutput:
        parent = self.path.absolute().parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(
                tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".partial", dir=parent)
            )
        except OSError as error:
            raise BagError(f"cannot write {self.path}: {error}") from error
        # The storage file is named after its folder, so the folder has its final name from the
        # start, inside the temporary one.
        self._writer = Writer(
            self._folder / self.path.name, version=_VERSION, storage_plugin=self._plugin
        )
        self._writer.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._open().__exit__(None, None, None)
                self._publish()
            else:
                self._open().__exit__(kind, error, trace)
        except _DISK_FAULTS as failure:
            raise BagError(f"cannot write {self.path}: {failure}") from failure
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def copy_connection(self, source: Connection) -> Connection:
        """Add a topic of another bag: same type, definition, hash, QoS."""
        extra, writer = source.ext, self._open()
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

    def add_topic(self, topic: str, msgtype: str) -> Connection:
        """Add a topic of our own, with the QoS of the node."""
        text, digest = definition(msgtype)
        return self._open().add_connection(
            topic, msgtype, msgdef=text, rihs01=digest, offered_qos_profiles=[PUBLISHED_QOS]
        )

    def write(self, connection: Connection, timestamp: int, raw: bytes | memoryview) -> None:
        """Write one message.

        Raises:
            BagError: If the disk refuses it.
        """
        try:
            self._open().write(connection, timestamp, raw)
        except _DISK_FAULTS as error:
            raise BagError(f"cannot write {self.path}: {error}") from error

    def _open(self) -> Writer:
        if self._writer is None:
            raise BagError(f"bag {self.path} is not open")
        return self._writer

    def _publish(self) -> None:
        """Give the finished bag its name."""
        if self.path.exists():
            self.path.rename(self._folder / "replaced")
        (self._folder / self.path.name).rename(self.path)


def _check_target(path: Path, overwrite: bool) -> None:
    if path.suffix in (".mcap", ".db3"):
        raise BagError(
            f"output {path}: a bag is a folder here, as `ros2 bag` makes it; leave {path.suffix} "
            "away and choose with --storage"
        )
    if not path.exists():
        return
    if not overwrite:
        raise BagError(f"output {path} exists; choose another name or say --overwrite")
    if not (path / "metadata.yaml").is_file():
        raise BagError(f"output {path} is no bag, so --overwrite does not replace it")
