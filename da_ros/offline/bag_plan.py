"""What a run over recordings would do: ``da_ros bag --dry-run``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from da_ros.errors import DaRosError
from da_ros.offline.bag import BagJob, chosen_outputs, select
from da_ros.offline.bag_cameras import BagCamera
from da_ros.offline.bag_inputs import BagInputs
from da_ros.offline.bag_messages import read_message, write_message
from da_ros.pipeline import TOPIC_TYPES, DepthPipeline, ImageInput, topics_of
from da_ros.pipeline.outputs import CAMERA_INFO

_TIMED = 5  # calls, after two to warm up


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
    with BagInputs(job.sources) as source:
        choice = select(job, source)
        counts = source.counts()
        topics = topics_of(outputs, pipeline.model.kind, scaled=pipeline.is_scaled)
        images = choice.expected
        size, seconds = 0.0, 0.0
        known = True
        for camera in choice.cameras:
            tried = _tried(source, camera, pipeline, outputs, job.batch)
            known = known and tried is not None
            each_bytes, each_seconds = tried or (0.0, 0.0)
            size += each_bytes * images[camera.image_topic]
            seconds += each_seconds * images[camera.image_topic]
        return BagPlan(
            read=counts,
            copied=[topic for topic in counts if choice.copied(topic)],
            cameras=list(choice.cameras),
            images=sum(images.values()),
            added=[f"{c.namespace}/{topic}" for c in choice.cameras for topic in topics],
            source_bytes=sum(file.stat().st_size for file in source.files),
            added_bytes=round(size),
            seconds=seconds if known else None,
        )


def _tried(
    source: BagInputs,
    camera: BagCamera,
    pipeline: DepthPipeline,
    outputs: frozenset[str],
    batch: int,
) -> tuple[float, float] | None:
    """Bytes and seconds of one image, from its first ones; None if they cannot be done."""
    try:
        found = source.first(camera.image_topic, batch)
        images = [read_message(message.raw, camera.msgtype) for message in found]
        infos = source.first(camera.info_topic, 1) if camera.info_topic else []
        info = read_message(infos[0].raw, CAMERA_INFO) if infos else None
        given = [ImageInput(image, info, camera.stream, outputs) for image in images]
        times = []
        for _ in range(2 + _TIMED):
            start = time.perf_counter()
            done = [frame for frame in pipeline.run(given) if not isinstance(frame, DaRosError)]
            raws = [
                write_message(fields, TOPIC_TYPES[topic])
                for frame in done
                for topic, fields in frame.messages.items()
            ]
            times.append(time.perf_counter() - start)
    except DaRosError:
        return None
    if not done:
        return None
    return sum(map(len, raws)) / len(done), min(times[2:]) / len(done)
