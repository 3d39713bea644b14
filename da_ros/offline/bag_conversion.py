"""One run over one bag: read, pair with camera_info, send through the stages, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rosbags.interfaces import Connection

from da_ros.errors import BagError, DaRosError
from da_ros.offline.bag_cameras import BagCamera
from da_ros.offline.bag_input import BagInput, RawMessage
from da_ros.offline.bag_messages import read_message, read_stamp, write_message
from da_ros.offline.bag_output import BagOutput
from da_ros.offline.bag_report import BagReport
from da_ros.offline.info_matching import InfoMatcher
from da_ros.offline.stage_line import StageLine
from da_ros.pipeline import TOPIC_TYPES, DepthPipeline, ImageInput, PackedFrame
from da_ros.pipeline.outputs import CAMERA_INFO
from da_ros.types import StageTimes

Progress = Callable[[int, int], None]
"""Called with the images done and the images there are."""

_REASONS = 3  # named where nothing could be done


class _Ticket(NamedTuple):
    """An image on its way through the stages."""

    camera: BagCamera
    timestamp: int
    raw: bytes | memoryview
    info: Any


class _Serialised(NamedTuple):
    """What comes out for one image: (topic, raw message) in sending order."""

    messages: list[tuple[str, memoryview]]
    note: str
    times: StageTimes


_Passed = tuple[Sequence[_Ticket], Any]
"""Between the stages: the tickets of a batch, and what has become of them."""


class BagConversion:
    """One run over one bag."""

    def __init__(
        self,
        bag: BagInput,
        target: BagOutput,
        cameras: Sequence[BagCamera],
        topics: Sequence[str],
        pipeline: DepthPipeline,
        outputs: frozenset[str],
    ) -> None:
        self.report = BagReport()
        self._bag, self._target = bag, target
        self._pipeline, self._outputs = pipeline, outputs
        self._by_image = {camera.image_topic: camera for camera in cameras}
        self._matchers: dict[str, InfoMatcher[_Ticket]] = {
            camera.image_topic: InfoMatcher(has_info=camera.info_topic is not None)
            for camera in cameras
        }
        self._fed_by_info: dict[str, list[InfoMatcher[_Ticket]]] = {}
        for camera in cameras:
            if camera.info_topic is not None:
                matcher = self._matchers[camera.image_topic]
                self._fed_by_info.setdefault(camera.info_topic, []).append(matcher)
        self._copies = {source.id: target.copy_connection(source) for source in bag.connections}
        self._added: dict[str, Connection] = {
            name: target.add_topic(name, TOPIC_TYPES[topic])
            for camera in cameras
            for topic in topics
            for name in [f"{camera.namespace}/{topic}"]
        }

    def run(self, batch: int, progress: Progress) -> BagReport:
        """Read to the end; images go through the stages, everything is copied."""
        start = time.perf_counter()
        counts = self._bag.counts()
        total = sum(counts.get(topic, 0) for topic in self._by_image)
        waiting: list[_Ticket] = []
        with StageLine(self._read, self._infer, self._finish) as line:
            for message in self._bag.messages():
                self._copy(message)
                waiting += self._accept(message)
                while len(waiting) >= batch:
                    line.submit(waiting[:batch])
                    del waiting[:batch]
                    self._write(line, progress, total)
            waiting += self._take_ready(None)
            for first in range(0, len(waiting), batch):
                line.submit(waiting[first : first + batch])
            self._write(line, progress, total, all_of_them=True)
        self.report.stopped = self._bag.stopped
        self.report.seconds = time.perf_counter() - start
        self._refuse_nothing()
        return self.report

    def _copy(self, message: RawMessage) -> None:
        copy = self._copies[message.connection.id]
        self._target.write(copy, message.timestamp, message.raw)
        self.report.copied[message.connection.topic] += 1

    def _accept(self, message: RawMessage) -> list[_Ticket]:
        """Take what concerns a camera; return the images that are ready to be done."""
        topic = message.connection.topic
        try:
            if topic in self._fed_by_info:
                stamp = read_stamp(message.raw)
                info = read_message(message.raw, CAMERA_INFO)
                for matcher in self._fed_by_info[topic]:
                    matcher.add_info(stamp, info)
            elif topic in self._by_image:
                self.report.images += 1
                stamp = read_stamp(message.raw)
                ticket = _Ticket(self._by_image[topic], message.timestamp, message.raw, None)
                self._matchers[topic].add_image(stamp, message.timestamp, ticket)
        except DaRosError as error:
            if topic in self._by_image:
                self.report.fail_image(topic, error)
            else:
                self.report.failures[topic, str(error)] += 1
        return self._take_ready(message.timestamp)

    def _take_ready(self, now: int | None) -> list[_Ticket]:
        return [
            ticket._replace(info=info)
            for matcher in self._matchers.values()
            for ticket, info in matcher.ready(now)
        ]

    def _read(self, tickets: Sequence[_Ticket]) -> _Passed:
        """First stage: raw messages to the network's input."""
        frames = self._pipeline.decode([self._input(ticket) for ticket in tickets])
        return tickets, self._pipeline.prepare(frames)

    def _input(self, ticket: _Ticket) -> ImageInput | DaRosError:
        try:
            image = read_message(ticket.raw, ticket.camera.msgtype)
        except DaRosError as error:
            return error
        return ImageInput(image, ticket.info, ticket.camera.stream, self._outputs)

    def _infer(self, passed: _Passed) -> _Passed:
        tickets, batch = passed
        return tickets, self._pipeline.infer(batch)

    def _finish(self, passed: _Passed) -> _Passed:
        """Last stage: predictions to raw messages."""
        tickets, predicted = passed
        frames = self._pipeline.pack(self._pipeline.to_depth(predicted))
        return tickets, [_serialised(frame) for frame in frames]

    def _write(
        self, line: StageLine, progress: Progress, total: int, *, all_of_them: bool = False
    ) -> None:
        """Write what has come out of the stages."""
        for tickets, results in line.finished(all_of_them=all_of_them):
            for ticket, result in zip(tickets, results, strict=True):
                self._write_one(ticket, result)
            progress(self.report.done + self.report.failed_images, total)

    def _write_one(self, ticket: _Ticket, result: _Serialised | DaRosError) -> None:
        topic = ticket.camera.image_topic
        if isinstance(result, DaRosError):
            self.report.fail_image(topic, result)
            return
        for name, raw in result.messages:
            full = f"{ticket.camera.namespace}/{name}"
            self._target.write(self._added[full], ticket.timestamp, raw)
            self.report.added[full] += 1
        self.report.done += 1
        self.report.add_times(result.times)
        if result.note:
            self.report.notes[topic, result.note] += 1

    def _refuse_nothing(self) -> None:
        """Leave no bag behind that is only a copy."""
        if self.report.done:
            return
        reasons = [f"{topic}: {reason}" for topic, reason in self.report.failures]
        if self.report.stopped:
            reasons.append(f"the bag could not be read: {self.report.stopped}")
        why = "; ".join(reasons[:_REASONS]) or "there are none on " + ", ".join(self._by_image)
        raise BagError(f"bag {self._bag.path}: no image could be done: {why}")


def _serialised(frame: PackedFrame | DaRosError) -> _Serialised | DaRosError:
    if isinstance(frame, DaRosError):
        return frame
    messages = [
        (topic, write_message(frame.messages[topic], msgtype))
        for topic, msgtype in TOPIC_TYPES.items()
        if topic in frame.messages
    ]
    return _Serialised(messages, frame.note, frame.times)
