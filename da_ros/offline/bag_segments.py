"""A recording cut into pieces that travel through the stages whole, in order.

A piece ends with the last image of a batch, so batches hold the images of fixed numbers, and what
is written comes in the order of the recording: an image's depth where the image was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from da_ros.errors import DaRosError
from da_ros.offline.image_matching import MatchedImage

COPIES_HELD = 8 << 20
"""Bytes of messages between two images from which they travel on alone."""

BATCH_HELD = 64 << 20
"""Bytes that may wait for a batch to fill; then it goes as it is."""


class Slot(NamedTuple):
    """One message of the recording, in its place.

    Attributes:
        topic: Of the source.
        copy: Topic of the output to copy it to; None if it is not copied.
        timestamp: [ns].
        raw: As recorded; empty if it is not copied.
        image: What is made of it; None if nothing is.
        error: Why it cannot be used; None if it can.
    """

    topic: str
    copy: int | None
    timestamp: int
    raw: bytes | memoryview
    image: MatchedImage | None = None
    error: DaRosError | None = None


@dataclass
class Segment:
    """A piece of the recording.

    Attributes:
        slots: Its messages.
        position: Messages of the recording up to its end.
        cut: Whether a part of the output ends with it.
    """

    slots: list[Slot]
    position: int
    cut: bool = False

    @property
    def images(self) -> list[MatchedImage]:
        """Its images, in order; all are ready."""
        return [slot.image for slot in self.slots if slot.image is not None]


@dataclass
class Segmenter:
    """Collects messages until a segment is full.

    Attributes:
        batch: Images of a segment.
        split: Images of a part of the output.
        position: Messages of the recording so far.
    """

    batch: int
    split: int
    position: int = 0
    _slots: list[tuple[int, Slot]] = field(default_factory=list)
    _bytes: int = 0
    _images: int = 0
    _in_part: int = 0

    def pass_over(self) -> None:
        """Count a message that an earlier run has dealt with."""
        self.position += 1

    def add(self, slot: Slot) -> None:
        """Take the next message of the recording."""
        self.position += 1
        self._slots.append((self.position, slot))
        self._bytes += len(slot.raw)
        self._images += slot.image is not None

    def full(self) -> Iterator[Segment]:
        """Take out the segments that are full."""
        while self._images >= self.batch:
            end = self._end_of(self.batch)
            if end is None:
                break
            yield self._take(end)
        if not self._images and self._bytes > COPIES_HELD:
            yield self._take(len(self._slots))
        if self._images and self._bytes > BATCH_HELD:
            ready = self._ready()
            if ready:
                yield self._take(ready)

    def rest(self) -> Iterator[Segment]:
        """Take out all that is left; every image is ready."""
        yield from self.full()
        if self._slots:
            yield self._take(len(self._slots))

    def _end_of(self, count: int) -> int | None:
        """Slots up to the last of so many images; None if one of them is not ready."""
        for place, (_, slot) in enumerate(self._slots):
            if slot.image is None:
                continue
            if not slot.image.ready:
                return None
            count -= 1
            if not count:
                return place + 1
        return None

    def _ready(self) -> int:
        """Slots up to the first image that is not ready."""
        waiting = (
            place
            for place, (_, slot) in enumerate(self._slots)
            if slot.image is not None and not slot.image.ready
        )
        return next(waiting, len(self._slots))

    def _take(self, end: int) -> Segment:
        taken, self._slots = self._slots[:end], self._slots[end:]
        slots = [slot for _, slot in taken]
        images = sum(slot.image is not None for slot in slots)
        self._bytes -= sum(len(slot.raw) for slot in slots)
        self._images -= images
        self._in_part += images
        cut = self._in_part >= self.split
        if cut:
            self._in_part = 0
        return Segment(slots, taken[-1][0], cut)
