"""rosbags' sqlite3 reader, made to read what a cut file still holds.

SQLite refuses a file that is shorter than its header says. Told the full size, it gives every row
up to the first that needs a missing page.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Generator, Iterator
from contextlib import suppress
from typing import Any

import apsw
from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
)
from rosbags.rosbag2 import ReaderError
from rosbags.rosbag2.metadata import parse_qos
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader

from da_ros.offline.mcap_reader import Fault

_VFS = "da_ros_full"
_MAGIC = b"SQLite format 3\0"


class PatientSqliteReader(Sqlite3Reader):
    """Reads a damaged file row by row, as far as it goes.

    Attributes:
        faults: What was damaged; complete once all messages have been read.
    """

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self._name = str(path.name)
        self.faults: list[Fault] = []
        self._vfs: _FullVFS | None = None

    def open(self) -> None:
        """Open; a damaged file by its topics alone."""
        try:
            super().open()
        except ReaderError:
            if not self._open_damaged():
                raise

    def messages(
        self,
        connections: Collection[Connection],
        start: int | None = None,
        stop: int | None = None,
    ) -> Generator[tuple[Connection, int, bytes], None, None]:
        """Yield (connection, timestamp, raw): in order, and of a damaged file as recorded."""
        self.faults = []
        if self._vfs is None:
            yield from super().messages(connections, start, stop)
            return
        known = {connection.id: connection for connection in connections}
        assert self.dbconn is not None
        done = 0
        try:
            for number, timestamp, raw in self.dbconn.execute(
                "SELECT topic_id, timestamp, data FROM messages NOT INDEXED ORDER BY id"
            ):
                done += 1
                inside = (start or 0) <= timestamp and (stop is None or timestamp < stop)
                if number in known and inside:
                    yield known[number], timestamp, raw
        except apsw.Error as error:
            reason = f"{self._name} is cut or damaged after message {done}: {error}"
            self.faults = [Fault(reason, {}, cut=True)]

    def _open_damaged(self) -> bool:
        with self.path.open("rb") as file:
            head = file.read(32)
        if head[: len(_MAGIC)] != _MAGIC:
            return False
        page = struct.unpack(">H", head[16:18])[0]
        size = (65536 if page == 1 else page) * struct.unpack(">I", head[28:32])[0]
        self._vfs = _FullVFS(size)
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        with suppress(apsw.Error):
            self.dbconn = apsw.Connection(
                f"file:{self.path}?immutable=1", flags=flags, vfs=self._vfs.name
            )
            self.connections = list(self._topics(self.dbconn))
            return True
        return False

    def _topics(self, database: apsw.Connection) -> Iterator[Connection]:
        """Topics and their types, in whatever version of the schema."""
        columns = {row[1] for row in database.execute("PRAGMA table_info(topics)")}
        qos = "offered_qos_profiles" if "offered_qos_profiles" in columns else "''"
        digest = "type_description_hash" if "type_description_hash" in columns else "''"
        texts: dict[Any, MessageDefinition] = {}
        with suppress(apsw.Error):  # no such table before Iron
            for name, encoding, text in database.execute(
                "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
            ):
                idl = encoding == "ros2idl"
                kind = MessageDefinitionFormat.IDL if idl else MessageDefinitionFormat.MSG
                texts[name] = MessageDefinition(kind, str(text))
        none = MessageDefinition(MessageDefinitionFormat.NONE, "")
        rows: Any = database.execute(
            f"SELECT id, name, type, serialization_format, {qos}, {digest} FROM topics ORDER BY id"
        )
        for number, name, msgtype, form, profiles, known in rows:
            extra = ConnectionExtRosbag2(form, parse_qos(profiles))
            text = texts.get(msgtype, none)
            yield Connection(number, name, msgtype, text, known, 0, extra, self)


class _FullVFS(apsw.VFS):
    """Shows a file at its full size; reading what is missing is an error."""

    def __init__(self, size: int) -> None:
        self.name = f"{_VFS}_{id(self)}"
        self.size = size
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  # SQLite's name
        if name is None or not flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            return super().xOpen(name, flags)
        return _FullFile(name, flags, self.size)


class _FullFile(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], size: int) -> None:
        super().__init__("", name, flags)
        self._size = size

    def xFileSize(self) -> int:  # noqa: N802  # SQLite's name
        return max(self._size, super().xFileSize())

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802  # SQLite's name
        there = super().xFileSize()
        if offset + amount > there:
            raise apsw.IOError(f"the file ends at byte {there}")
        return super().xRead(amount, offset)
