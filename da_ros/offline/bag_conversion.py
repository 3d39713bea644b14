"""One run over a recording: read, pair, send through the stages, write in the same order."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from da_ros.errors import BagError, DaRosError
from da_ros.offline.bag_cameras import BagCamera
from da_ros.offline.bag_evaluation import BagEvaluation
from da_ros.offline.bag_input import RawMessage
from da_ros.offline.bag_inputs import BagInputs
from da_ros.offline.bag_journal import Journal, JournalEntry
from da_ros.offline.bag_messages import read_message
from da_ros.offline.bag_output import BagOutput
from da_ros.offline.bag_report import BagReport
from da_ros.offline.bag_scale import BagScale
from da_ros.offline.bag_segments import Segment, Segmenter, Slot
from da_ros.offline.frame_log import FrameLog
from da_ros.offline.image_matching import ImageMatching, MatchedImage
from da_ros.offline.serialised import Serialised, serialised
from da_ros.offline.stage_line import StageLine
from da_ros.pipeline import (
    TOPIC_TYPES,
    DepthPipeline,
    ImageInput,
    Predicted,
    Stream,
)

STAGES = ("read", "decode", "network", "depth", "write")
"""What a frame's time goes into; depth is all from the network's numbers to raw messages."""

_METRIC = frozenset({"depth/image", "depth/image_raw", "points"})

_REASONS = 3  # named where nothing could be done


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: Images done, failed ones among them.
        total: Images there are, as the index says.
        behind: Of them, those that an interrupted run had done.
        busy: Seconds that each stage has worked, by its name.
    """

    done: int
    total: int
    behind: int
    busy: Mapping[str, float]


@dataclass(frozen=True)
class Selection:
    """What of a recording is worked on and copied.

    Attributes:
        cameras: Whose images.
        expected: About how many there are to be done, by image topic.
        copied: Which topics go through.
        every: Each n-th image of a camera.
        start: From when [ns]; None from the beginning.
        stop: Until before when [ns]; None to the end.
        batch: Images per network call.
        split: Images per file of the output.
        lanes: Batches in the network at once.
    """

    cameras: Sequence[BagCamera]
    expected: Mapping[str, int]
    copied: Callable[[str], bool]
    every: int
    start: int | None
    stop: int | None
    batch: int
    split: int
    lanes: int


@dataclass
class _Piece:
    """A segment on its way, and what has become of its images.

    Attributes:
        segment: What it was.
        work: Of its images, whatever the last stage made.
        memory: What the stages remember behind it, where a part ends.
        faults: Transforms that are none: topic, time of the image that carries them, why.
    """

    segment: Segment
    work: Any = None
    memory: dict[str, Any] = field(default_factory=dict)
    faults: list[tuple[str, int, DaRosError]] = field(default_factory=list)


class BagConversion:
    """One run over one recording, from its beginning or from where a journal says."""

    def __init__(
        self,
        source: BagInputs,
        target: BagOutput,
        selection: Selection,
        matching: ImageMatching,
        pipeline: DepthPipeline,
        outputs: frozenset[str],
        topics: Sequence[str],
        log: FrameLog,
        scale: BagScale,
        evaluation: BagEvaluation | None = None,
    ) -> None:
        self.report = BagReport()
        self.log = log
        self._scale, self._evaluation = scale, evaluation
        self._source, self._target, self._choice = source, target, selection
        self._matching, self._pipeline, self._outputs = matching, pipeline, outputs
        self._images = {camera.image_topic for camera in selection.cameras}
        self._copies: dict[int, int] = {
            connection.id: target.copy_connection(connection)
            for connection in source.connections
            if selection.copied(connection.topic)
        }
        self._added = {
            name: target.add_topic(name, TOPIC_TYPES[topic])
            for camera in selection.cameras
            for topic in topics
            for name in [f"{camera.namespace}/{topic}"]
        }
        self._metric = _METRIC & frozenset(topics)
        self._seen: Counter[str] = Counter()
        self._wanted = matching.topics
        self._segments = Segmenter(selection.batch, selection.split)
        self._behind = 0  # messages of the recording that an interrupted run has dealt with
        self._reading = self._writing = 0.0

    def run(self, journal: Journal, progress: Callable[[Progress], None]) -> BagReport:
        """Read to the end; images go through the stages, the rest is copied between them."""
        start = time.perf_counter()
        self._take_up(journal)
        before, total = self.report.seconds, sum(self._choice.expected.values())
        earlier = Counter(self.report.busy)  # of an interrupted run
        behind = self.report.done + self.report.failed_images
        widths = (1, self._choice.lanes, 1)
        with StageLine(self._decode, self._infer, self._finish, widths=widths) as line:

            def write(*, all_of_them: bool = False) -> None:
                for piece in line.finished(all_of_them=all_of_them):
                    self._write(piece)
                    self.report.seconds = before + time.perf_counter() - start
                    self.report.busy = earlier + Counter(self._busy(line))
                    if piece.segment.cut:
                        self._note(piece, journal)
                    done = self.report.done + self.report.failed_images
                    progress(Progress(done, total, behind, self._busy(line)))

            for segment in self._read():
                line.submit(_Piece(segment))
                write()
            write(all_of_them=True)
            self.report.busy = earlier + Counter(self._busy(line))
        self.report.stopped, self.report.lost = self._source.stopped, self._source.lost
        self.report.seconds = before + time.perf_counter() - start
        self._refuse_nothing()
        return self.report

    def _busy(self, line: StageLine) -> dict[str, float]:
        return dict(zip(STAGES, [self._reading, *line.busy, self._writing], strict=True))

    def _take_up(self, journal: Journal) -> None:
        """Go on where an interrupted run was."""
        entry = journal.entry
        if entry is None:
            return
        self._target.resume(entry.parts)
        self._behind = entry.position
        self.report = BagReport.of_state(entry.report)
        self.log.restore(entry.memory["log"])
        for stream, state in zip(self._streams(), entry.memory["streams"], strict=True):
            stream.restore(state)

    def _note(self, piece: _Piece, journal: Journal) -> None:
        """End a part of the output, and note what a later run needs to go on behind it."""
        parts = self._target.cut()
        position = piece.segment.position
        journal.write(JournalEntry(parts, position, self.report.state(), piece.memory))

    def _streams(self) -> list[Stream]:
        return [camera.stream for camera in self._choice.cameras]

    # --- Reading -------------------------------------------------------------------------------

    def _read(self) -> Iterator[Segment]:
        """Cut the recording into segments, those of an interrupted run left out."""
        source = self._messages()
        while True:
            start = time.perf_counter()
            message = next(source, None)
            if message is not None:
                self._take(message)
            for image in self._matching.ready(None if message is None else message.timestamp):
                if image.done:  # else its slot has it
                    self._scale.take(image.transforms)
            done = message is None
            full = list(self._segments.rest() if done else self._segments.full())
            self._reading += time.perf_counter() - start
            yield from full
            if done:
                return

    def _messages(self) -> Iterator[RawMessage]:
        """The chosen span; what was latched before it comes first, at its beginning."""
        start = self._choice.start
        if start is not None:
            for message in self._source.latched(start):
                yield message._replace(timestamp=start)
        yield from self._source.messages(start, self._choice.stop)

    def _take(self, message: RawMessage) -> None:
        """Put a message into its slot, and let the matching see what concerns it."""
        topic, image, error = message.connection.topic, None, None
        if self._is_chosen(topic):
            try:
                image = self._matching.feed(message)
            except DaRosError as fault:
                error = fault
        if self._segments.position < self._behind:
            self._segments.pass_over()
            if image is not None:
                image.done = True
            return
        copy = self._copies.get(message.connection.id)
        raw = message.raw if copy is not None else b""
        self._segments.add(Slot(topic, copy, message.timestamp, raw, image, error))

    def _is_chosen(self, topic: str) -> bool:
        """Whether a message is for the matching: all but the images that ``every`` passes over."""
        if topic not in self._images:
            return topic in self._wanted
        self._seen[topic] += 1
        return (self._seen[topic] - 1) % self._choice.every == 0

    # --- The stages ----------------------------------------------------------------------------

    def _decode(self, piece: _Piece) -> _Piece:
        """Raw messages to the network's input."""
        frames = self._pipeline.decode([self._input(image) for image in piece.segment.images])
        piece.work = self._pipeline.prepare(frames)
        return piece

    def _input(self, image: MatchedImage) -> ImageInput | DaRosError:
        try:
            message = read_message(image.raw, image.camera.msgtype)
        except DaRosError as error:
            return error
        stream, evidence = image.camera.stream, image.evidence
        return ImageInput(message, image.info, stream, self._outputs, evidence)

    def _infer(self, piece: _Piece) -> _Piece:
        piece.work = self._pipeline.infer(piece.work)
        return piece

    def _finish(self, piece: _Piece) -> _Piece:
        """Predictions to raw messages; the stage that remembers, so in order."""
        images = piece.segment.images
        predicted: list[Predicted | DaRosError] = []
        for image, item in zip(images, piece.work, strict=True):
            for topic, fault in self._scale.take(image.transforms):
                piece.faults.append((topic, image.timestamp, fault))
            predicted += self._pipeline.scale([item])
        frames = self._pipeline.to_depth(predicted)
        for image, item, frame in zip(images, predicted, frames, strict=True):
            judge = self._evaluation
            self.log.take(image, frame, judge.score(image, item, frame) if judge else None)
        piece.work = [serialised(frame, self._metric) for frame in self._pipeline.pack(frames)]
        if piece.segment.cut:
            streams = [stream.state() for stream in self._streams()]
            piece.memory = {"log": self.log.state(), "streams": streams}
        return piece

    # --- Writing -------------------------------------------------------------------------------

    def _write(self, piece: _Piece) -> None:
        """Write a finished piece in the order of the recording, and count."""
        start = time.perf_counter()
        results = iter(piece.work)
        for fault in piece.faults:
            self.report.fail(*fault)
        for slot in piece.segment.slots:
            self.report.read[slot.topic] += 1
            if slot.copy is not None:
                self._target.write(slot.copy, slot.timestamp, slot.raw)
                self.report.copied[slot.topic] += 1
            if slot.error is not None and slot.topic not in self._images:
                self.report.fail(slot.topic, slot.timestamp, slot.error)
            elif slot.topic in self._images:
                self._write_image(slot, results)
        self._writing += time.perf_counter() - start

    def _write_image(self, slot: Slot, results: Iterator[Serialised | DaRosError]) -> None:
        if slot.image is None and slot.error is None:
            self.report.skipped += 1
            return
        self.report.images += 1
        result = slot.error or next(results)
        if isinstance(result, DaRosError):
            self.report.fail_image(slot.topic, slot.timestamp, result)
            return
        assert slot.image is not None
        for name, parts in result.messages:
            full = f"{slot.image.camera.namespace}/{name}"
            if full not in self._added:
                continue  # a camera_info without its image
            self._target.write_parts(self._added[full], slot.timestamp, parts)
            self.report.added[full] += 1
        self.report.done += 1
        self.report.add_times(result.times)
        if result.note:
            self.report.notes[slot.topic, result.note] += 1

    def _refuse_nothing(self) -> None:
        """Leave no bag behind that is only a copy."""
        if self.report.done:
            return
        self._target.discard()
        reasons = [f"{topic}: {reason}" for topic, reason in self.report.failures]
        reasons += [reason for _, reason in self.report.lost]
        if self.report.stopped:
            reasons.append(f"the bag could not be read: {self.report.stopped}")
        why = "; ".join(reasons[:_REASONS]) or "there are none on " + ", ".join(self._images)
        raise BagError(f"bag {self._source.name}: no image could be done: {why}")
