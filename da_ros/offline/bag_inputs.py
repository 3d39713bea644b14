"""Several bags as one recording."""

from __future__ import annotations

import contextlib
import heapq
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import yaml
from rosbags.interfaces import Connection

from da_ros.errors import BagError
from da_ros.offline.bag_input import (
    METADATA,
    SUFFIXES,
    BagInput,
    RawMessage,
    counts_of,
    storage_of,
)

_NAMES = "relative_file_paths"


class BagInputs:
    """Several bags as one recording, their messages merged by time; a context manager.

    A topic that several bags have alike (type, hash, QoS) is one connection. Of a folder without
    metadata.yaml, as a killed recorder leaves it, the files are read one by one. So are those of a
    folder of which one is missing or cannot be opened; ``stopped`` then says which.

    Attributes:
        bags: That are read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.bags = [BagInput(file) for path in paths for file in _readable(path)]
        self._unread: list[str] = []
        self._stack = contextlib.ExitStack()
        self._merged: list[Connection] = []
        self._of: dict[tuple[int, int], Connection] = {}

    def __enter__(self) -> BagInputs:
        with contextlib.ExitStack() as stack:
            opened, faults = _opened(self.bags, stack)
            if not opened:
                raise faults[0]
            self.bags, self._unread = opened, [str(fault) for fault in faults]
            self._merge()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return ", ".join(str(bag.path) for bag in self.bags)

    @property
    def storage(self) -> str:
        """Storage plugin of the first bag."""
        return self.bags[0].storage

    @property
    def files(self) -> list[Path]:
        """What the bags consist of."""
        return [file for bag in self.bags for file in bag.files]

    @property
    def connections(self) -> list[Connection]:
        """Every topic with its type, definition, hash and QoS; ids are unique."""
        return self._merged

    @property
    def topics(self) -> set[str]:
        """Names of all topics."""
        return {connection.topic for connection in self._merged}

    @property
    def times(self) -> tuple[int, int]:
        """When the first message was recorded, and the last [ns]; (0, 0) if nobody knows."""
        known = [bag.times for bag in self.bags if bag.times != (0, 0)]
        return min((t[0] for t in known), default=0), max((t[1] for t in known), default=0)

    @property
    def stopped(self) -> str:
        """Why reading ended before the end of a bag, or did not begin; empty if all was read."""
        stopped = (bag.stopped for bag in self.bags if bag.stopped)
        return "; ".join([*self._unread, *stopped])

    @property
    def lost(self) -> Counter[tuple[str, str]]:
        """Messages that could not be read, by topic and reason, see ``BagInput``."""
        return sum((bag.lost for bag in self.bags), Counter())

    def counts(self) -> dict[str, int]:
        """Messages by topic, as the bags' indexes say."""
        return counts_of(self._merged)

    def first(self, topic: str, count: int = 1) -> list[RawMessage]:
        """Return the first messages of a topic in the first bag that has it."""
        return next((found for bag in self.bags if (found := bag.first(topic, count))), [])

    def latched(self, stop: int) -> Iterator[RawMessage]:
        """Read what was recorded before a time [ns] on topics that late listeners get too."""
        for place, bag in enumerate(self.bags):
            yield from self._translated(place, bag.latched(stop))

    def messages(self, start: int | None = None, stop: int | None = None) -> Iterator[RawMessage]:
        """Read all messages in the order of their timestamps; see ``BagInput.messages``."""
        sources = [
            self._translated(place, bag.messages(start, stop))
            for place, bag in enumerate(self.bags)
        ]
        if len(sources) == 1:
            return sources[0]
        return heapq.merge(*sources, key=lambda message: message.timestamp)

    def _translated(self, place: int, messages: Iterator[RawMessage]) -> Iterator[RawMessage]:
        for connection, timestamp, raw in messages:
            yield RawMessage(self._of[place, connection.id], timestamp, raw)

    def _merge(self) -> None:
        self._merged.clear()
        for bag in self.bags:
            for source in bag.connections:
                same = next((known for known in self._merged if _alike(known, source)), None)
                if same is None:
                    self._merged.append(source._replace(id=len(self._merged)))
                else:
                    count = same.msgcount + source.msgcount
                    self._merged[same.id] = same._replace(msgcount=count)
        for place, bag in enumerate(self.bags):
            for source in bag.connections:
                same = next(known for known in self._merged if _alike(known, source))
                self._of[place, source.id] = same


def _opened(
    bags: Sequence[BagInput], stack: contextlib.ExitStack
) -> tuple[list[BagInput], list[BagError]]:
    """Open what can be opened, of a folder at least some files; and say what cannot, and why."""
    opened: list[BagInput] = []
    faults: list[BagError] = []
    for bag in bags:
        try:
            opened.append(stack.enter_context(bag))
        except BagError as fault:
            files, missing = _parts(bag.path)
            some, others = _opened([BagInput(file) for file in files], stack)
            opened += some
            faults += [*others, *missing] if some else [fault]
    return opened, faults


def _parts(path: Path) -> tuple[list[Path], list[BagError]]:
    """Files of a folder with metadata.yaml, and what to say of those that are not there."""
    if not (path / METADATA).is_file():
        return [], []
    try:
        document = yaml.safe_load((path / METADATA).read_text("utf-8"))
        names = [str(name) for name in document["rosbag2_bagfile_information"][_NAMES]]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return _in_order(path), []
    files = [path / Path(name).name for name in names if storage_of(Path(name))]
    there = [file for file in files if file.is_file()]
    return there, [BagError(f"bag {file} is missing") for file in files if file not in there]


def _readable(path: Path) -> list[Path]:
    """A bag, or the files of one without metadata.yaml in the order of their numbers."""
    if not path.is_dir() or (path / METADATA).is_file():
        return [path]
    return _in_order(path) or [path]


def _in_order(path: Path) -> list[Path]:
    files = [file for file in path.iterdir() if storage_of(file)]
    # The recorder removes a file only when it has compressed all of it.
    files = [
        file for file in files if file.suffix in SUFFIXES or file.with_suffix("") not in files
    ]
    numbers = {file: [int(word) for word in re.findall(r"\d+", file.name)] for file in files}
    return sorted(files, key=lambda file: (numbers[file], file.name))


def _alike(one: Connection, other: Connection) -> bool:
    if one.topic != other.topic or one.msgtype != other.msgtype or one.ext != other.ext:
        return False
    return not one.digest or not other.digest or one.digest == other.digest
