"""A recording cut into pieces that travel through the stages whole, in order.

A piece ends with the last image of a batch, so batches hold the images of fixed numbers (unless
too much lies between them), and what is written comes in the order of the recording: an image's
depth where the image was.
"""

from __future__ import annotations

from collections import deque
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
    """Cuts a recording into segments; where, depends on the recording alone.

    So a run that begins behind a part of the output cuts as the interrupted one would have.

    Attributes:
        batch: Images of a segment.
        split: Images of a part of the output.
        position: Messages of the recording so far.
    """

    batch: int
    split: int
    position: int = 0
    _open: list[Slot] = field(default_factory=list)
    _bytes: int = 0
    _images: int = 0
    _in_part: int = 0
    _whole: deque[Segment] = field(default_factory=deque)

    def pass_over(self) -> None:
        """Count a message that an earlier run has dealt with."""
        self.position += 1

    def add(self, slot: Slot) -> None:
        """Take the next message of the recording."""
        self.position += 1
        self._open.append(slot)
        self._bytes += len(slot.raw)
        self._images += slot.image is not None
        held = BATCH_HELD if self._images else COPIES_HELD
        if self._images >= self.batch or self._bytes > held:
            self._close()

    def full(self) -> Iterator[Segment]:
        """Take out the segments that are full and whose images are ready."""
        while self._whole and all(image.ready for image in self._whole[0].images):
            yield self._whole.popleft()

    def rest(self) -> Iterator[Segment]:
        """Take out all that is left; every image is ready."""
        if self._open:
            self._close()
        yield from self.full()

    def _close(self) -> None:
        self._in_part += self._images
        cut = self._in_part >= self.split
        if cut:
            self._in_part = 0
        self._whole.append(Segment(self._open, self.position, cut))
        self._open, self._bytes, self._images = [], 0, 0
