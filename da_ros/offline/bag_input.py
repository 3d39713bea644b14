"""A bag to read: opened, its messages in order, and what of it could not be read."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, NamedTuple

from rosbags.interfaces import Connection, ConnectionExtRosbag2, QosDurability
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.reader import DirectoryReader

from da_ros.errors import BagError
from da_ros.offline.bag_salvage import DAMAGED, decompress, decompress_folder, inflated
from da_ros.offline.mcap_reader import Fault, PatientMcapReader
from da_ros.offline.ros1_reader import Ros1Reader
from da_ros.offline.sqlite_reader import PatientSqliteReader

SUFFIXES = {".mcap": "mcap", ".db3": "sqlite3"}
"""Storage plugin by the ending of its files."""

COMPRESSED_SUFFIX = ".zstd"
"""What rosbag2 appends to the name of a file that it compressed whole."""

ROS1_SUFFIX = ".bag"

METADATA = "metadata.yaml"
"""What makes a folder a bag."""


class RawMessage(NamedTuple):
    """One recorded message.

    Attributes:
        connection: Topic, type and the rest.
        timestamp: When it was recorded [ns].
        raw: CDR, as recorded.
    """

    connection: Connection
    timestamp: int
    raw: bytes | memoryview


class _Folder(DirectoryReader):
    """Reads compressed files that are cut, too."""

    STORAGE_PLUGINS: Mapping[str, Any] = {  # as the library declares it
        "mcap": PatientMcapReader,
        "sqlite3": PatientSqliteReader,
    }

    def open(self) -> None:
        """Open; where a file cannot be decompressed to its end, what there is of it."""
        try:
            super().open()
        except DAMAGED:
            whole, folder = Path(str(self.path)), TemporaryDirectory()
            try:
                decompress_folder(whole, Path(folder.name))
                self.path = Path(folder.name)
                super().open()
            except BaseException:
                folder.cleanup()
                raise
            assert self.stack is not None, "it is open"
            self.stack.callback(folder.cleanup)


class _Ros2Reader(Reader):
    STORAGE_PLUGINS: Mapping[str, Any] = {  # as the library declares it
        "dir": _Folder,
        ".mcap": PatientMcapReader,
        ".db3": PatientSqliteReader,
    }


class BagInput:
    """One bag: a folder with metadata.yaml, a single .mcap or .db3, or a ROS 1 .bag.

    Use it as a context manager. A single file may be compressed (.mcap.zstd), or its messages be.

    Attributes:
        path: Of the bag.
        stopped: Why reading ended before the end of the bag, as far as that shows when it is
            opened, and all of it after ``messages``; empty if it did not.
        lost: Messages that could not be read, by topic and reason; a topic is empty, and the
            count 1, where the index does not tell.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stopped = ""
        self.lost: Counter[tuple[str, str]] = Counter()
        self._early: Counter[tuple[str, str]] = Counter()  # lost while latched() read
        self._reader: Any = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> BagInput:
        self.check()
        with contextlib.ExitStack() as stack:
            try:
                reader = self._reader_of(stack)
                reader.open()
            # The door to a library that lets through whatever its parsers raise on a damaged file.
            except Exception as error:
                raise BagError(
                    f"bag {self.path} cannot be read: {_in_words(error)}; `ros2 bag info` and "
                    "`mcap recover` may help"
                ) from error
            stack.callback(reader.close)
            self._stack = stack.pop_all()
        self._reader = reader
        self.stopped = next((fault.reason for fault in self._faults() if fault.cut), "")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader = None
        self._stack.close()

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return str(self.path)

    @property
    def storage(self) -> str:
        """Storage plugin: mcap or sqlite3; mcap for a ROS 1 bag, which has none."""
        return next((found for file in self.files if (found := storage_of(file))), "mcap")

    @property
    def files(self) -> list[Path]:
        """What the bag consists of."""
        if self.path.is_file():
            return [self.path]
        return sorted(file for file in self.path.iterdir() if file.is_file())

    @property
    def connections(self) -> list[Connection]:
        """Every topic with its type, definition, hash and QoS."""
        found: list[Connection] = self._open().connections
        return found

    @property
    def topics(self) -> set[str]:
        """Names of all topics."""
        return {connection.topic for connection in self.connections}

    @property
    def times(self) -> tuple[int, int]:
        """When the first message was recorded, and the last [ns]; (0, 0) if nobody knows."""
        first, last = self._open().start_time, self._open().end_time
        return (int(first), int(last) - 1) if last > first else (0, 0)

    def counts(self) -> dict[str, int]:
        """Messages by topic, as the bag's index says."""
        return counts_of(self.connections)

    def first(self, topic: str, count: int = 1) -> list[RawMessage]:
        """Return the first messages of a topic, as far as they can be read."""
        chosen = [item for item in self.connections if item.topic == topic]
        if not chosen:
            return []  # an empty choice means all topics to the reader
        found: list[RawMessage] = []
        # What stops the reading here stops it in messages() too, which says so.
        with contextlib.suppress(Exception):
            found.extend(itertools.islice(self._raw(chosen), count))
        return found

    def latched(self, stop: int) -> Iterator[RawMessage]:
        """Read what was recorded before a time [ns] on topics that late listeners get too."""
        chosen = [item for item in self.connections if is_latched(item)]
        if not chosen:
            return
        try:
            yield from self._raw(chosen, None, stop)
        except Exception as error:  # as in messages(), whose span may begin behind the damage
            self._early = Counter({("", _in_words(error)): 1})

    def messages(self, start: int | None = None, stop: int | None = None) -> Iterator[RawMessage]:
        """Read all messages in the order of their timestamps, as far as the bag can be read.

        What is damaged is skipped if it can be; ``stopped`` and ``lost`` then say what.

        Args:
            start: Leave out what was recorded before [ns].
            stop: Leave out what was recorded then or later [ns].
        """
        self.stopped = ""
        self.lost.clear()
        self.lost.update(self._early)
        if not self.connections:
            self._take_faults()
            return
        source = self._raw(self.connections, start, stop)
        while True:
            try:
                message = next(source)
            except StopIteration:
                self._take_faults()
                return
            # As in __enter__: zstd, lz4, sqlite and struct errors all mean a damaged file.
            except Exception as error:
                self._take_faults()
                self.stopped = _in_words(error)
                return
            yield message

    def _reader_of(self, stack: contextlib.ExitStack) -> Any:
        """What reads this bag, not yet open; what it needs meanwhile goes onto the stack."""
        if self.path.suffix == ROS1_SUFFIX:
            return Ros1Reader(self.path)
        if self.path.suffix != COMPRESSED_SUFFIX:
            return _Ros2Reader(self.path)
        unpacked = Path(stack.enter_context(TemporaryDirectory())) / self.path.stem
        decompress(self.path, unpacked)
        return _Ros2Reader(unpacked)

    def _raw(
        self, chosen: Sequence[Connection], start: int | None = None, stop: int | None = None
    ) -> Iterator[RawMessage]:
        """Messages as the library reads them; raises whatever its parsers do."""
        alone = self.path.is_file()  # without the metadata.yaml that says what is compressed
        for connection, timestamp, raw in self._open().messages(chosen, start, stop):
            yield RawMessage(connection, timestamp, inflated(raw) if alone else raw)

    def _take_faults(self) -> None:
        for fault in self._faults():
            if fault.cut:
                self.stopped = fault.reason
                continue
            for topic, count in (fault.lost or {"": 1}).items():
                self.lost[topic, fault.reason] += count

    def _faults(self) -> Iterator[Fault]:
        storage = getattr(self._open(), "storage", self._open())
        for part in getattr(storage, "storages", [storage]):
            yield from part.faults

    def check(self) -> None:
        """Refuse what is no bag, and say what to give instead; reads no message.

        Raises:
            BagError: If there is no bag at this path.
        """
        path = self.path
        if not path.exists():
            is_topic = path.is_absolute() and not path.parent.exists()
            hint = "; is it a topic? Those go with an option, such as --image or --evaluate"
            raise BagError(f"bag {path} does not exist{hint if is_topic else ''}")
        if path.is_file() and not storage_of(path) and path.suffix != ROS1_SUFFIX:
            raise BagError(
                f"bag {path}: expected a folder with metadata.yaml, a .mcap or .db3 (also .zstd) "
                "or a ROS 1 .bag file"
            )
        if path.is_dir() and not (path / METADATA).is_file():
            inside = [str(file) for file in self.files if storage_of(file)]
            hint = (
                f"its recorder was killed; give the files themselves: {' '.join(inside)}"
                if inside
                else "this is no bag"
            )
            raise BagError(f"bag {path} has no metadata.yaml; {hint}")

    def _open(self) -> Any:
        if self._reader is None:
            raise BagError(f"bag {self.path} is not open")
        return self._reader


def storage_of(file: Path) -> str:
    """Storage plugin of a rosbag2 file by its name, compressed or not; empty if it is none."""
    name = Path(file.stem) if file.suffix == COMPRESSED_SUFFIX else file
    return SUFFIXES.get(name.suffix, "")


def is_latched(connection: Connection) -> bool:
    """Whether a topic was offered to late listeners too, as /tf_static is."""
    assert isinstance(connection.ext, ConnectionExtRosbag2)
    profiles = connection.ext.offered_qos_profiles
    return any(qos.durability is QosDurability.TRANSIENT_LOCAL for qos in profiles)


def counts_of(connections: Sequence[Connection]) -> dict[str, int]:
    """Messages by topic, as connections say."""
    found: dict[str, int] = {}
    for connection in connections:
        found[connection.topic] = found.get(connection.topic, 0) + connection.msgcount
    return found


def _in_words(error: Any) -> str:
    return f"{error}" or type(error).__name__
