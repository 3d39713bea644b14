"""A bag to read: opened, its messages in order, and how far it could be read."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader

from da_ros.errors import BagError

SUFFIXES = {".mcap": "mcap", ".db3": "sqlite3"}
"""Storage plugin by the ending of its files."""


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


class BagInput:
    """A ROS 2 bag: a folder with metadata.yaml, or a single .mcap or .db3 file.

    Use it as a context manager.

    Attributes:
        path: Of the bag.
        stopped: Why reading ended before the end of the bag; empty if it did not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stopped = ""
        self._reader: Reader | None = None

    def __enter__(self) -> BagInput:
        self.check()
        try:
            self._reader = Reader(self.path)
            self._reader.open()
        # The door to a library that lets through whatever its parsers raise on a damaged file.
        except Exception as error:
            raise BagError(
                f"bag {self.path} cannot be read: {_in_words(error)}; `ros2 bag info` and "
                "`mcap recover` may help"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @property
    def storage(self) -> str:
        """Storage plugin: mcap or sqlite3."""
        files = [self.path] if self.path.is_file() else sorted(self.path.iterdir())
        # A compressed file is called x.db3.zstd.
        found = (SUFFIXES[end] for file in files for end in file.suffixes if end in SUFFIXES)
        return next(found, "mcap")

    @property
    def connections(self) -> list[Connection]:
        """Every topic with its type, definition, hash and QoS."""
        return self._open().connections

    @property
    def topics(self) -> set[str]:
        """Names of all topics."""
        return {connection.topic for connection in self.connections}

    def counts(self) -> dict[str, int]:
        """Messages by topic, as the bag's index says."""
        found: dict[str, int] = {}
        for connection in self.connections:
            found[connection.topic] = found.get(connection.topic, 0) + connection.msgcount
        return found

    def first(self, topic: str, count: int = 1) -> list[RawMessage]:
        """Return the first messages of a topic, as far as they can be read."""
        chosen = [item for item in self.connections if item.topic == topic]
        if not chosen:
            return []  # an empty choice means all topics to the reader
        found: list[RawMessage] = []
        # What stops the reading here stops it in messages() too, which says so.
        with contextlib.suppress(Exception):
            for item in itertools.islice(self._open().messages(chosen), count):
                found.append(RawMessage(*item))
        return found

    def messages(self) -> Iterator[RawMessage]:
        """Read all messages in the order of their timestamps, as far as the bag can be read.

        A damaged chunk or a cut file ends the reading; ``stopped`` then says why.
        """
        self.stopped = ""
        if not self.connections:
            return
        source = iter(self._open().messages())
        while True:
            try:
                item = next(source)
            except StopIteration:
                return
            # As in __enter__: zstd, lz4, sqlite and struct errors all mean a damaged file.
            except Exception as error:
                self.stopped = _in_words(error)
                return
            yield RawMessage(*item)

    def check(self) -> None:
        """Refuse what is no bag, and say what to give instead; reads no message.

        Raises:
            BagError: If there is no bag at this path.
        """
        path = self.path
        if not path.exists():
            raise BagError(f"bag {path} does not exist")
        if path.is_file() and path.suffix not in SUFFIXES:
            raise BagError(
                f"bag {path}: expected a folder with metadata.yaml, a .mcap or a .db3 file"
            )
        if path.is_dir() and not (path / "metadata.yaml").is_file():
            inside = [str(file) for file in sorted(path.iterdir()) if file.suffix in SUFFIXES]
            hint = f"give the file itself: {inside[0]}" if inside else "this is no bag"
            raise BagError(f"bag {path} has no metadata.yaml; {hint}")

    def _open(self) -> Reader:
        if self._reader is None:
            raise BagError(f"bag {self.path} is not open")
        return self._reader


def _in_words(error: Any) -> str:
    return f"{error}" or type(error).__name__
