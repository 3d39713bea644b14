"""A ROS 1 bag, read as if it were a ROS 2 one: types renamed, messages as CDR."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from functools import partial
from pathlib import Path
from typing import Any

from rosbags.convert.converter import LATCH, STATIC_MSGTYPE_RENAMES, is_same_wireformat
from rosbags.convert.converter import migrate_bytes as migrate
from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag1,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
)
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from da_ros.offline.mcap_reader import Fault
from da_ros.offline.ros1_patient import PatientRos1Reader

Converter = Callable[["bytes | memoryview"], memoryview]


class Ros1Reader:
    """Reads a .bag through rosbags, and gives what its converter would have written.

    Known types become those of ROS 2 Jazzy (camera_info's D K R P are d k r p there, a Header has
    no seq); others keep their fields.

    Attributes:
        connections: With ROS 2 types, definitions and hashes.
        faults: What was damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connections: list[Connection] = []
        self.faults: list[Fault] = []
        self._reader = PatientRos1Reader(path)
        self._source = get_typestore(Stores.EMPTY)
        self._target = get_typestore(Stores.ROS2_JAZZY)
        self._cache: dict[str, object] = {}
        self._converters: dict[str, Converter] = {}

    @property
    def start_time(self) -> int:
        """Timestamp of the first message [ns]."""
        return int(self._reader.start_time)

    @property
    def end_time(self) -> int:
        """Timestamp after the last message [ns]."""
        return int(self._reader.end_time)

    def open(self) -> None:
        """Open, and learn the bag's own types."""
        self._reader.open()
        for connection in self._reader.connections:
            types = get_types_from_msg(connection.msgdef.data, connection.msgtype)
            self._source.register({k: v for k, v in types.items() if k not in self._known})
        for connection in self._reader.connections:
            self.connections.append(self._translated(connection))

    def close(self) -> None:
        """Close."""
        self._reader.close()

    def messages(
        self,
        connections: Collection[Connection],
        start: int | None = None,
        stop: int | None = None,
    ) -> Generator[tuple[Connection, int, bytes | memoryview], None, None]:
        """Yield (connection, timestamp, CDR) in order; what cannot be turned is a fault."""
        self.faults = []
        ours = {connection.id: connection for connection in connections}
        chosen = [c for c in self._reader.connections if c.id in ours]
        for connection, timestamp, raw in self._reader.messages(chosen, start, stop):
            try:
                turned = self._converters[connection.msgtype](raw)
            # Generated readers raise whatever comes on garbage.
            except Exception as error:
                reason = f"{self.path.name}: {connection.msgtype} is no ROS 1 message: {error}"
                self.faults.append(Fault(reason, {connection.topic: 1}, cut=False))
                continue
            yield ours[connection.id], timestamp, turned
        self.faults += self._reader.faults

    @property
    def _known(self) -> Collection[str]:
        return self._source.fielddefs.keys()

    def _translated(self, source: Connection) -> Connection:
        msgtype = STATIC_MSGTYPE_RENAMES.get(source.msgtype, source.msgtype)
        if msgtype not in self._target.fielddefs:
            text, _ = self._source.generate_msgdef(source.msgtype, ros_version=2)
            types = get_types_from_msg(text, msgtype)
            known = self._target.fielddefs
            self._target.register({k: v for k, v in types.items() if k not in known})
        self._converters[source.msgtype] = self._converter(source.msgtype, msgtype)
        text, _ = self._target.generate_msgdef(msgtype, ros_version=2)
        assert isinstance(source.ext, ConnectionExtRosbag1)
        return Connection(
            id=source.id,
            topic=source.topic,
            msgtype=msgtype,
            msgdef=MessageDefinition(MessageDefinitionFormat.MSG, text),
            digest=self._target.hash_rihs01(msgtype),
            msgcount=source.msgcount,
            ext=ConnectionExtRosbag2("cdr", LATCH if source.ext.latching else []),
            owner=self,
        )

    def _converter(self, source: str, target: str) -> Converter:
        stores: tuple[Typestore, Typestore] = self._source, self._target
        if is_same_wireformat(*stores, source, target):
            to_cdr: Any = partial(self._target.ros1_to_cdr, typename=target)
            return lambda raw: memoryview(to_cdr(raw))
        return lambda raw: migrate(
            *stores, source, target, self._cache, raw, src_is2=False, dst_is2=True
        )
