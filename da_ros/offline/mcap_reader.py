"""rosbags' mcap reader, made to go on where a file is damaged, without copying messages.

The library stops at the first bad chunk and does not open a file without an end, which is what a
recorder leaves behind when its battery dies. Whole records are as good there as anywhere else.
"""

from __future__ import annotations

import heapq
import struct
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping
from io import BytesIO
from typing import Any, NamedTuple, cast

from rosbags.interfaces import Connection
from rosbags.rosbag2 import ReaderError
from rosbags.rosbag2.storage_mcap import (
    ChunkInfo,
    McapReader,
    Statistics,
    decompress,
    read_exact,
    read_string,
)

_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _FOOTER = 3, 4, 5, 6, 2
_BEGIN = b"\x89MCAP0\r\n\x01"
_RECORD = struct.Struct("<BQ")
_MESSAGE_HEAD = struct.Struct("<HIQQ")
_CHUNK_HEAD = struct.Struct("<QQQI")
_NEVER = 2**63 - 1

Item = tuple[int, int, int, Connection, "bytes | memoryview"]


class Fault(NamedTuple):
    """A damaged place of a bag.

    Attributes:
        reason: What and where.
        lost: Messages that are gone, by topic, where the index knows.
        cut: Whether reading ended there.
    """

    reason: str
    lost: Mapping[str, int]
    cut: bool


class PatientMcapReader(McapReader):
    """Skips damaged chunks, and reads a file without an end as far as it goes.

    Attributes:
        faults: What was damaged; complete once all messages have been read.
    """

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self._name = str(path.name)
        self.faults: list[Fault] = []
        self._names: dict[tuple[int, int], bytes] = {}
        self._tally: Counter[int] = Counter()
        self._lost: list[Fault] = []
        self._cut = ""

    def messages(
        self,
        connections: Collection[Connection],
        start: int | None = None,
        stop: int | None = None,
    ) -> Generator[tuple[Connection, int, bytes], None, None]:
        """Yield (connection, timestamp, raw) in order, as the library's; raw is a view."""
        known = {connection.id: connection for connection in connections}
        first, last = start or 0, _NEVER if stop is None else stop
        self._begin_faults()
        if not self.chunks:
            yield from self.messages_scan(connections, first, last)
            return
        sources = [
            self._of_chunk(chunk, known, first, last)
            for chunk in self.chunks
            if chunk.message_start_time < last
            and chunk.message_end_time >= first
            and (not chunk.channel_count or any(chunk.channel_count.get(n, 0) for n in known))
        ]
        for timestamp, _, place, connection, raw in heapq.merge(*sources):
            if place >= 0:
                yield connection, timestamp, cast("bytes", raw)  # a view, read like bytes

    def _begin_faults(self) -> None:
        """Name what was found when the file was opened."""
        self.faults = [*self._lost, *([Fault(self._cut, {}, cut=True)] if self._cut else [])]

    def _of_chunk(
        self, chunk: ChunkInfo, known: Mapping[int, Connection], first: int, last: int
    ) -> Iterator[Item]:
        """One chunk's messages in time order, after a marker that keeps it closed until then."""
        at = chunk.chunk_start_offset
        nobody: Any = None
        yield chunk.message_start_time, at, -1, nobody, b""
        found: list[Item] = []
        try:
            for place, (kind, body) in enumerate(_records(self._unpacked(chunk))):
                if kind != _MESSAGE:
                    continue
                number, _, timestamp, _ = _MESSAGE_HEAD.unpack_from(body)
                if number in known and first <= timestamp < last:
                    raw = body[_MESSAGE_HEAD.size :]
                    found.append((timestamp, at, place, known[number], raw))
        # Decompressors raise whatever they like on garbage.
        except Exception as error:
            self._miss(chunk, known, found, error)
        yield from sorted(found, key=lambda item: item[0])

    def _miss(
        self,
        chunk: ChunkInfo,
        known: Mapping[int, Connection],
        found: Collection[Item],
        error: Exception,
    ) -> None:
        """Say what is lost of a chunk."""
        counts = Counter({c.topic: chunk.channel_count.get(n, 0) for n, c in known.items()})
        counts.subtract(item[3].topic for item in found)
        lost = {topic: count for topic, count in counts.items() if count > 0}
        if self._cut and not lost:
            return  # the last chunk of a file without an end, which is named already
        name = f"{self._name}: damaged chunk at byte {chunk.chunk_start_offset}"
        self.faults.append(Fault(f"{name}: {error or type(error).__name__}", lost, cut=False))

    def _unpacked(self, chunk: ChunkInfo) -> memoryview:
        bio = self.bio
        assert bio is not None
        bio.seek(chunk.chunk_start_offset + _RECORD.size)
        crc = _CHUNK_HEAD.unpack(read_exact(bio, _CHUNK_HEAD.size))[3]
        bio.seek(chunk.chunk_start_offset + _RECORD.size + 40 + len(chunk.compression))
        packed = read_exact(bio, chunk.compressed_size)
        return memoryview(decompress(packed, chunk.compression, chunk.uncompressed_size, crc))

    # --- Files without an end ------------------------------------------------------------------

    def _open(self) -> None:
        try:
            super()._open()
        # A missing end shows as any error of a parser that reads what is not there.
        except Exception as error:
            if not self._open_unfinished():
                raise ReaderError(str(error) or type(error).__name__) from error
            self._begin_faults()

    def _open_unfinished(self) -> bool:
        """Index a file without a usable end from its beginning; False if it is no such file."""
        bio = self.bio
        assert bio is not None
        bio.seek(0)
        if bio.read(len(_BEGIN)) != _BEGIN:
            return False
        self.schemas.clear()
        self.channels.clear()
        self.connections.clear()
        self.chunks.clear()
        (length,) = struct.unpack("<Q", read_exact(bio, 8))
        self.data_start = self.data_end = len(_BEGIN) + 8 + length
        size = bio.seek(0, 2)
        while self._take_record(size):
            pass
        self._cut = f"{self._name} has no end; whole records end at byte {self.data_end}"
        self._adopt_names()
        return True

    def _take_record(self, size: int) -> bool:
        """Index the record at ``data_end`` and step over it; False where nothing whole follows."""
        bio, at = self.bio, self.data_end
        assert bio is not None
        bio.seek(at)
        if at + _RECORD.size > size:
            return False
        kind, length = _RECORD.unpack(read_exact(bio, _RECORD.size))
        end = at + _RECORD.size + length
        if kind == _CHUNK:
            self._take_chunk(at, min(end, size))
        elif end > size:
            return False
        elif kind in (_SCHEMA, _CHANNEL, _MESSAGE):
            self._take(kind, memoryview(read_exact(bio, length)), self._tally)
        self.data_end = min(end, size)
        return bool(end < size)

    def _take_chunk(self, at: int, end: int) -> None:
        """Index a chunk, or what there is of the last one if it is not compressed."""
        bio = self.bio
        assert bio is not None
        if end - at < _RECORD.size + 40:
            return
        first, last, full, _ = _CHUNK_HEAD.unpack(read_exact(bio, _CHUNK_HEAD.size))
        compression = read_string(bio)
        (packed,) = struct.unpack("<Q", read_exact(bio, 8))
        there = end - bio.tell()
        counts: Counter[int] = Counter()
        if there < packed and compression:
            return
        packed, full = min(packed, there), full if compression else min(full, there)
        chunk = ChunkInfo(first, last, at, end - at, {}, 0, compression, packed, full, counts)
        self.chunks.append(chunk)
        try:
            for kind, body in _records(self._unpacked(chunk)):
                self._take(kind, body, counts)
        except Exception as error:
            if end - at == packed + _RECORD.size + 40 + len(compression):
                name = f"{self._name}: damaged chunk at byte {at}"
                self._lost.append(Fault(f"{name}: {error or type(error).__name__}", {}, cut=False))
        self._tally.update(counts)

    def _take(self, kind: int, body: memoryview, counts: Counter[int]) -> None:
        if kind == _MESSAGE:
            counts[_MESSAGE_HEAD.unpack_from(body)[0]] += 1
        elif kind in (_SCHEMA, _CHANNEL):
            key = kind, struct.unpack_from("<H", body)[0]
            self._names.setdefault(key, _RECORD.pack(kind, len(body)) + bytes(body))

    def _adopt_names(self) -> None:
        """Let the library read the schemas and channels that were found, as if from an index."""
        records = b"".join(self._names[key] for key in sorted(self._names))
        real, end = self.bio, self.data_end
        self.bio, self.data_end = BytesIO(records + _RECORD.pack(_FOOTER, 0)), 0
        try:
            self.read_index()
        finally:
            self.bio, self.data_end = real, end
        times = [(chunk.message_start_time, chunk.message_end_time) for chunk in self.chunks]
        first, last = min((t[0] for t in times), default=0), max((t[1] for t in times), default=0)
        total, names = sum(self._tally.values()), (len(self.schemas), len(self.channels))
        self.statistics = Statistics(
            total, *names, 0, 0, len(self.chunks), first, last, dict(self._tally)
        )
        self.connections = [c._replace(msgcount=self._tally[c.id]) for c in self.connections]
        self.metadata = self.metadata._replace(
            duration=last - first + 1 if total else 0,
            start_time=first if total else _NEVER,
            end_time=last + 1 if total else 0,
            message_count=total,
        )


def _records(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Split bytes into (kind, body) of records; a record that does not fit is an error."""
    at = 0
    while at + _RECORD.size <= len(data):
        kind, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + length > len(data):
            raise ReaderError(f"record of {length} bytes where {len(data) - at} are left")
        yield kind, data[at : at + length]
        at += length
