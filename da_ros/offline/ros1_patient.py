"""A ROS 1 bag read as far as it goes: without its index, cut short, or with damaged chunks."""

from __future__ import annotations

import heapq
import os
import re
import struct
from collections import Counter, defaultdict
from collections.abc import Collection, Generator
from io import BytesIO
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag1 import Reader, ReaderError
from rosbags.rosbag1.reader import (
    Chunk,
    ChunkInfo,
    Header,
    IndexData,
    RecordType,
    decompressors,
    read_bytes,
    read_uint32,
)

from da_ros.offline.mcap_reader import Fault

_MAGIC = re.compile(rb"#ROSBAG V2\.0\n")


class PatientRos1Reader(Reader):
    """Where the index is missing or cut off, the records themselves are gone through once.

    Attributes:
        cut: Why the index could not be used, and how far the records went; empty if it could.
        faults: What was damaged; complete once all messages have been read.
    """

    cut = ""

    @property
    def _name(self) -> str:
        return Path(str(self.path)).name

    def open(self) -> None:
        """Open, by the index if there is one.

        Raises:
            ReaderError: If it is no ROS 1 bag, or nothing of it can be read.
        """
        self.faults: list[Fault] = []
        self._damaged: dict[int, str] = {}
        try:
            super().open()
        except (ReaderError, AssertionError, IndexError, struct.error) as error:
            self._open_without_index(error)

    def messages(
        self,
        connections: Collection[Connection] = (),
        start: int | None = None,
        stop: int | None = None,
    ) -> Generator[tuple[Connection, int, bytes], None, None]:
        """Yield (connection, timestamp, raw) in order; chunks that are damaged are left out."""
        self.faults = [Fault(self.cut, {}, cut=True)] if self.cut else []
        chosen = connections or self.connections
        by_id = {connection.id: connection for connection in self.connections}
        lost: dict[str, Counter[str]] = defaultdict(Counter)
        indexes = ([(entry, one.id) for entry in self.indexes[one.id]] for one in chosen)
        for entry, number in heapq.merge(*indexes, key=lambda pair: pair[0].time):
            if start is not None and entry.time < start:
                continue
            if stop is not None and entry.time >= stop:
                break
            try:
                raw = self._message(entry)
            # Decompressors raise whatever their libraries do.
            except Exception as error:
                reason = f"{self._name}: chunk at byte {entry.chunk_pos} is damaged: {error}"
                lost[reason][by_id[number].topic] += 1
                continue
            yield by_id[number], entry.time, raw
        self.faults += [Fault(reason, counts, cut=False) for reason, counts in lost.items()]

    def _message(self, entry: IndexData) -> bytes:
        """One message's data."""
        if self.current_chunk[0] != entry.chunk_pos:
            self.current_chunk = (entry.chunk_pos, BytesIO(self._chunk(entry.chunk_pos)))
        chunk = self.current_chunk[1]
        chunk.seek(entry.offset)
        while True:
            header = Header.read(chunk)
            if header.get_uint8("op") != RecordType.CONNECTION:
                break
            chunk.seek(read_uint32(chunk), os.SEEK_CUR)
        if header.get_uint8("op") != RecordType.MSGDATA or header.get_time("time") != entry.time:
            raise ReaderError("the index points at something else")
        return read_bytes(chunk, read_uint32(chunk))

    def _chunk(self, position: int) -> bytes:
        """What a chunk holds, decompressed; one that cannot be is not tried for each message."""
        assert self.bio is not None
        if position in self._damaged:
            raise ReaderError(self._damaged[position])
        found = self.chunks[position]
        self.bio.seek(found.datapos)
        try:
            return found.decompressor(read_bytes(self.bio, found.datasize))
        except Exception as error:
            self._damaged[position] = str(error)
            raise

    # --- Without an index ----------------------------------------------------------------------

    def _open_without_index(self, error: Exception) -> None:
        self.bio = self.path.open("rb")
        if not _MAGIC.match(self.bio.read(13)):
            self.close()
            raise error
        records = _Records(self)
        why = records.read()
        if not records.connections:
            self.close()
            raise ReaderError(f"{error} and no message could be found without its index")
        self.indexes = {key: sorted(records.indexes[key]) for key in records.connections}
        self.connections = [
            Connection(*one[0:5], len(self.indexes[one.id]), *one[6:])
            for one in records.connections.values()
        ]
        self.chunks, self.chunk_infos = records.chunks, records.infos
        self.cut = (
            f"{self._name} has no whole index ({error}), as one whose recorder was killed or "
            f"that was cut; its records were read to {why}"
        )


class _Records:
    """Goes through the records of a bag once, and makes the index anew."""

    def __init__(self, reader: PatientRos1Reader) -> None:
        self._reader = reader
        self.connections: dict[int, Connection] = {}
        self.indexes: dict[int, list[IndexData]] = defaultdict(list)
        self.chunks: dict[int, Chunk] = {}
        self.infos: list[ChunkInfo] = []

    def read(self) -> str:
        """All records; says where that ended."""
        bio: Any = self._reader.bio
        end = self._reader.path.stat().st_size
        while (position := bio.tell()) < end:
            try:
                header = Header.read(bio)
                if header.get_uint8("op") == RecordType.CHUNK:
                    self._chunk(position, header, bio, end)
                else:
                    bio.seek(read_uint32(bio), os.SEEK_CUR)
            except (ReaderError, struct.error, ValueError) as error:
                return f"byte {position} of {end}: {error}"
        return f"their end at byte {end}"

    def _chunk(self, position: int, header: Header, bio: Any, end: int) -> None:
        compression = header.get_string("compression")
        size, start = read_uint32(bio), bio.tell()
        kept = min(size, end - start)
        self.chunks[position] = Chunk(kept, start, decompressors[compression])
        try:
            content = decompressors[compression](read_bytes(bio, kept))
        # As in messages(): a chunk that is cut or damaged costs itself alone.
        except Exception as error:
            raise ReaderError(f"a chunk cannot be decompressed: {error}") from error
        self._inside(position, BytesIO(content), len(content))
        if kept < size:
            raise ReaderError(f"the chunk there has {kept} of {size} bytes")
        bio.seek(start + size)

    def _inside(self, position: int, chunk: BytesIO, size: int) -> None:
        """Connections and messages of a chunk, as far as they are whole."""
        times: list[int] = []
        while (offset := chunk.tell()) < size:
            try:
                header = Header.read(chunk)
                after = read_uint32(chunk) + chunk.tell()
            except ReaderError:
                break
            if after > size:
                break
            if header.get_uint8("op") == RecordType.MSGDATA:
                times.append(header.get_time("time"))
                number = header.get_uint32("conn")
                self.indexes[number].append(IndexData(times[-1], position, offset))
            elif header.get_uint8("op") == RecordType.CONNECTION:
                self._connection(chunk, offset)
            chunk.seek(after)
        if times:
            self.infos.append(ChunkInfo(position, min(times), max(times) + 1, {}))

    def _connection(self, chunk: BytesIO, offset: int) -> None:
        """Let the library read a connection record, which it does from its file."""
        reader, file = self._reader, self._reader.bio
        chunk.seek(offset)
        reader.bio = chunk
        try:
            found = reader.read_connection()
        finally:
            reader.bio = file
        self.connections[found.id] = found
