"""What a run over recordings would do: ``da_ros bag --dry-run``."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from da_ros.errors import DaRosError
from da_ros.offline.bag import Work, chosen_outputs, prepared
from da_ros.offline.bag_cameras import BagCamera
from da_ros.offline.bag_inputs import BagInputs
from da_ros.offline.bag_job import BagJob
from da_ros.offline.bag_messages import read_message, write_message
from da_ros.offline.image_matching import MatchedImage
from da_ros.offline.lanes import choose_lanes, threads_in_lanes
from da_ros.pipeline import TOPIC_TYPES, DepthPipeline, ImageInput

_TIMED = 5  # calls, after two to warm up
_MOST_MESSAGES = 5000  # that are read to find some images with what belongs to them


@dataclass(frozen=True)
class BagPlan:
    """What would be done.

    Attributes:
        read: Messages by topic, as the index says.
        copied: Topics that go through.
        cameras: Whose images.
        images: How many of them.
        added: Topics that come, each with one message per image of its camera.
        source_bytes: Size of the sources.
        added_bytes: Estimated size of what comes.
        seconds: Estimated time; None if no image could be tried.
    """

    read: dict[str, int]
    copied: list[str]
    cameras: list[BagCamera]
    images: int
    added: list[str]
    source_bytes: int
    added_bytes: int
    seconds: float | None

    def lines(self) -> Iterator[str]:
        """Say it."""
        for topic in sorted(self.read):
            fate = "copied" if topic in self.copied else "left out"
            work = " -> depth" if topic in {c.image_topic for c in self.cameras} else ""
            yield f"  {topic}: {self.read[topic]} messages, {fate}{work}"
        for topic in self.added:
            yield f"  {topic}: new"
        size = f"{self.source_bytes / 1e6:.0f} MB in, about {self.added_bytes / 1e6:.0f} MB more"
        took = "unknown" if self.seconds is None else f"about {self.seconds:.0f} s"
        yield f"{self.images} images, {size}, {took}; nothing was written"


def plan_bag(job: BagJob, pipeline: DepthPipeline) -> BagPlan:
    """Look at the recording, and try the pipeline on its first images.

    Raises:
        DaRosError: As ``convert_bag`` before it writes anything.
    """
    outputs = chosen_outputs(job, pipeline)
    job = replace(job, lanes=choose_lanes(job.lanes, pipeline.estimator))
    with threads_in_lanes(job.lanes), BagInputs(job.sources) as source:
        work = prepared(job, source, pipeline, outputs)
        choice, images = work.selection, work.selection.expected
        first = _first_images(source, work)
        counts = source.counts()
        size, seconds = 0.0, 0.0
        known = True
        for camera in choice.cameras:
            tried = _tried(first[camera.image_topic], pipeline, outputs)
            known = known and tried is not None
            each_bytes, each_seconds = tried or (0.0, 0.0)
            size += each_bytes * images[camera.image_topic]
            seconds += each_seconds * images[camera.image_topic] / job.lanes
        return BagPlan(
            read=counts,
            copied=[topic for topic in counts if choice.copied(topic)],
            cameras=list(choice.cameras),
            images=sum(images.values()),
            added=[f"{c.namespace}/{topic}" for c in choice.cameras for topic in work.topics],
            source_bytes=sum(file.stat().st_size for file in source.files),
            added_bytes=round(size),
            seconds=seconds if known else None,
        )


def _first_images(source: BagInputs, work: Work) -> dict[str, list[MatchedImage]]:
    """Read on until there is a batch of every camera, with what belongs to the images."""
    choice, matching = work.selection, work.matching
    found: dict[str, list[MatchedImage]] = {camera.image_topic: [] for camera in choice.cameras}

    def take(now: int | None) -> bool:
        for image in matching.ready(now):
            work.scale.take(image.transforms)
            found[image.camera.image_topic].append(image)
        return all(len(images) >= choice.batch for images in found.values())

    messages = source.messages(choice.start, choice.stop)
    for message in itertools.islice(messages, _MOST_MESSAGES):
        if message.connection.topic in matching.topics:
            with contextlib.suppress(DaRosError):  # the run counts it
                matching.feed(message)
        if take(message.timestamp):
            return found
    take(None)
    return found


def _tried(
    images: list[MatchedImage], pipeline: DepthPipeline, outputs: frozenset[str]
) -> tuple[float, float] | None:
    """Bytes and seconds of one image, from some; None if they cannot be done."""
    given = []
    for image in images:
        with contextlib.suppress(DaRosError):
            message = read_message(image.raw, image.camera.msgtype)
            stream, evidence = image.camera.stream, image.evidence
            given.append(ImageInput(message, image.info, stream, outputs, evidence))
    times, sizes = [], [0]
    for _ in range(2 + _TIMED if given else 0):
        given[0].stream.forget()  # each time as if for the first
        start = time.perf_counter()
        done = [frame for frame in pipeline.run(given) if not isinstance(frame, DaRosError)]
        sizes = [
            sum(len(write_message(fields, TOPIC_TYPES[topic])) for topic, fields in made)
            for made in (frame.messages.items() for frame in done)
        ]
        times.append((time.perf_counter() - start) / max(1, len(done)))
    return (sum(sizes) / len(sizes), min(times[2:])) if times and sizes else None
