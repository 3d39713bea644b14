"""A recording with measured depth in, the fit of every frame out: ``da_ros calibrate``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from da_ros.errors import BagError, DaRosError, InputError, ParameterError
from da_ros.offline.bag_cameras import BagCamera, choose_cameras
from da_ros.offline.bag_inputs import BagInputs
from da_ros.offline.bag_messages import read_message
from da_ros.offline.bag_scale import BagScale, TopicChoice
from da_ros.offline.image_matching import ImageMatching, MatchedImage
from da_ros.params import BAG_BATCH, BAG_NAMESPACE
from da_ros.pipeline import DepthPipeline, ImageInput
from da_ros.pipeline.frames import Predicted
from da_ros.pipeline.mounting import MountingWatch
from da_ros.scale.calibrator import SourceReport
from da_ros.scale.extrinsic import MountingCheck
from da_ros.scale.filter import Observed
from da_ros.scale.observations import static
from da_ros.scale.observations.points import PixelDepths, sample_bilinear
from da_ros.scale.observations.static import StaticCalibration, calibration_of_fits
from da_ros.types import Kind, ModelInfo

Floats = NDArray[np.float64]

_KEPT = 200  # Points of a frame that plot and residuals are made of.
_MOUNTING_FRAMES = 20


@dataclass(frozen=True)
class CalibrationJob:
    """What to calibrate from.

    Attributes:
        sources: Bags.
        image: Topic; empty finds the one camera.
        camera_info: Its camera_info; empty takes that beside it.
        topics: What measures depth.
        every: Each n-th image.
        batch: Images per network call.
    """

    sources: tuple[Path, ...]
    image: str = ""
    camera_info: str = ""
    topics: TopicChoice = field(default_factory=TopicChoice)
    every: int = 1
    batch: int = BAG_BATCH


@dataclass(frozen=True, eq=False)
class FrameFit:
    """What was measured of one image.

    Attributes:
        stamp_ns: Of the image.
        reports: Of each source that had something to say.
        observed: Its own fit, of all sources fused; None if there is none.
        network: What the network says at some of the measured points, (n,).
        depth: What was measured there, (n,) [m].
    """

    stamp_ns: int
    reports: tuple[SourceReport, ...]
    observed: Observed | None
    network: Floats
    depth: Floats


@dataclass(eq=False)
class Gathered:
    """All of a recording.

    Attributes:
        model: Whose numbers.
        camera: Image topic.
        frames: In the order of the recording, those with something measured.
        input_size: (height, width) of the network's input [px].
        images: Looked at.
        alone: Of these, without a measurement near them.
        failures: Images that could not be read, by reason.
        stopped: Why reading ended before the end of the bag; empty if it did not.
        mounting: Whether the cloud's edges are the picture's; None if no cloud was used.
    """

    model: ModelInfo
    camera: str
    frames: list[FrameFit] = field(default_factory=list)
    input_size: tuple[int, int] = (0, 0)
    images: int = 0
    alone: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    mounting: MountingCheck | None = None

    @property
    def fitted(self) -> list[FrameFit]:
        """Frames with a fit."""
        return [frame for frame in self.frames if frame.observed is not None]

    def reasons(self) -> Counter[str]:
        """Why frames have no fit, by source and reason."""
        return Counter(
            f"{report.source}: {report.message or report.reason}"
            for frame in self.frames
            for report in frame.reports
            if report.reason
        )

    def calibration(self, date: str, *, static_camera: bool) -> StaticCalibration:
        """Sum up.

        Args:
            date: ISO 8601.
            static_camera: Whether the camera stood still.

        Raises:
            InputError: If no frame could be fitted, with the commonest reasons.
        """
        if not self.fitted:
            known = [*self.failures.most_common(2), *self.reasons().most_common(3)]
            why = "; ".join(f"{reason} ({count}x)" for reason, count in known)
            raise InputError(
                f"no frame of {self.images} on {self.camera} could be fitted: "
                + (why or "nothing was measured near any image (stamps, topics)")
            )
        return calibration_of_fits(
            [frame.observed for frame in self.fitted if frame.observed is not None],
            self.model,
            self.input_size,
            "+".join(sorted({r.source for f in self.fitted for r in f.reports if not r.reason})),
            date,
            static_camera,
        )


def check_job(job: CalibrationJob, sources: Sequence[str]) -> None:
    """Refuse what can be refused before any weights are read.

    Args:
        job: What to do.
        sources: Of scale, that are switched on.

    Raises:
        BagError: If a source is no bag.
        ParameterError: If nothing measures, or a number is out of range.
    """
    if not job.sources:
        raise ParameterError("no bag to read was named")
    if not sources:
        raise ParameterError(
            "nothing to calibrate from: expected --depth TOPIC, --points TOPIC or "
            "--ground-height METRES"
        )
    if static.SOURCE in sources:
        raise ParameterError("calibrate makes a calibration file; it does not take one")
    for name, value in (("every", job.every), ("batch", job.batch)):
        if value < 1:
            raise ParameterError(f"{name}: expected at least 1 image, got {value}")
    for bag in BagInputs(job.sources).bags:
        bag.check()


def gather(
    job: CalibrationJob,
    pipeline: DepthPipeline,
    progress: Callable[[int, int], None] | None = None,
) -> Gathered:
    """Fit every image of a recording that something was measured beside.

    Args:
        job: What to do.
        pipeline: Its parameters say which sources are on.
        progress: Told images done and images there are.

    Returns:
        All fits; also if there are none.

    Raises:
        BagError: If the recording cannot be read, or has not one camera to choose.
        ParameterError: If a topic is not in it.
    """
    params = pipeline.params.scale
    check_job(job, params.sources)
    with BagInputs(job.sources) as bag:
        camera = _camera(bag, job)
        scale = BagScale.of(bag, [camera], pipeline.model, params, job.topics)
        run = _Run(job, pipeline, camera, scale, progress or (lambda done, total: None))
        return run.over(bag, scale.matching(bag, [camera], params))


def _camera(bag: BagInputs, job: CalibrationJob) -> BagCamera:
    infos = [job.camera_info] if job.camera_info else []
    if infos and not job.image:
        raise ParameterError("--camera-info needs --image beside it")
    found = choose_cameras(bag, [job.image] if job.image else [], infos, BAG_NAMESPACE)
    if len(found) != 1:
        names = ", ".join(camera.image_topic for camera in found)
        raise BagError(f"bag {bag.name} has several cameras; choose one with --image: {names}")
    return found[0]


class _Run:
    """One pass over a recording."""

    def __init__(
        self,
        job: CalibrationJob,
        pipeline: DepthPipeline,
        camera: BagCamera,
        scale: BagScale,
        progress: Callable[[int, int], None],
    ) -> None:
        self._job, self._pipeline, self._camera = job, pipeline, camera
        self._scale, self._progress = scale, progress
        self._ground = pipeline.params.scale.ground_plane
        self.found = Gathered(pipeline.model, camera.image_topic)

    def over(self, bag: BagInputs, matching: ImageMatching) -> Gathered:
        """Read it."""
        assert self._camera.stream.scale is not None  # BagScale.of gave it one: a source is on
        self._camera.stream.scale.watch = watch = MountingWatch(_MOUNTING_FRAMES)
        total = -(-bag.counts().get(self._camera.image_topic, 0) // self._job.every)
        waiting: list[MatchedImage] = []
        for image in self._images(bag, matching):
            waiting.append(image)
            if len(waiting) == self._job.batch:
                self._take(waiting)
                waiting.clear()
                self._progress(self.found.images, total)
        self._take(waiting)
        self._progress(self.found.images, total)
        self.found.stopped, self.found.mounting = bag.stopped, watch.found
        return self.found

    def _images(self, bag: BagInputs, matching: ImageMatching) -> Iterator[MatchedImage]:
        seen = 0
        for message in bag.messages():
            topic = message.connection.topic
            if topic == self._camera.image_topic:
                seen += 1
                if (seen - 1) % self._job.every:
                    continue
            if topic in matching.topics:
                try:
                    matching.feed(message)
                except DaRosError as error:
                    self.found.failures[f"{topic}: {error}"] += 1
            yield from matching.ready(message.timestamp)
        yield from matching.ready(None)

    def _take(self, images: Sequence[MatchedImage]) -> None:
        """Run the network over those that something was measured beside, and fit them."""
        self.found.images += len(images)
        inputs: list[ImageInput | DaRosError] = []
        transforms: list[list[tuple[bool, Any]]] = [[]]  # those up to each input, and the rest
        for image in images:
            transforms[-1] += image.transforms
            if not image.evidence and not self._ground:
                self.found.alone += 1
                continue
            inputs.append(self._input(image))
            transforms.append([])
        batch = self._pipeline.prepare(self._pipeline.decode(inputs))
        # One by one: tf forgets what is ten seconds old, and a batch may span more.
        for item, given in zip(self._pipeline.infer(batch), transforms, strict=False):
            self._scale.take(given)
            self._fit(item)
        self._scale.take(transforms[-1])

    def _input(self, image: MatchedImage) -> ImageInput | DaRosError:
        try:
            message = read_message(image.raw, image.camera.msgtype)
        except DaRosError as error:
            return error
        stream = self._camera.stream
        return ImageInput(message, image.info, stream, frozenset(), tuple(image.evidence))

    def _fit(self, item: Predicted | DaRosError) -> None:
        if isinstance(item, DaRosError):
            self.found.failures[str(item)] += 1
            return
        if self.found.frames and item.network_size != self.found.input_size:
            first = self.found.input_size
            self.found.failures[
                f"the network's input is {item.network_size[1]}x{item.network_size[0]} px, that "
                f"of the first image {first[1]}x{first[0]} px; one calibration holds for one size"
            ] += 1
            return
        self.found.input_size = item.network_size
        scale = self._camera.stream.scale
        assert scale is not None  # BagScale.of gave it one: a source is on
        said = scale.observe(item)
        network, depth = _sampled(item, scale.measured(item))
        stamp = item.frame.header.stamp_ns
        self.found.frames.append(FrameFit(stamp, said.reports, said.observed, network, depth))


def _sampled(item: Predicted, points: Sequence[PixelDepths]) -> tuple[Floats, Floats]:
    """The network's values and the measured depth at some of the points."""
    size = item.frame.image.pixels.shape[:2]
    values = item.values.detach().cpu().numpy()
    pixels = np.concatenate([one.pixels for one in points] or [np.zeros((0, 2))])
    depth = np.concatenate([one.depth for one in points] or [np.zeros(0)])
    some = np.linspace(0, len(depth) - 1, min(_KEPT, len(depth))).astype(np.intp)
    network = sample_bilinear(values, pixels[some], (int(size[0]), int(size[1])))
    known = np.isfinite(network) & np.isfinite(depth[some]) & (depth[some] > 0)
    return np.asarray(network[known], np.float64), np.asarray(depth[some][known], np.float64)


def metres(coefficients: Floats, network: Floats, kind: Kind) -> Floats:
    """Depth that a fit makes of the network's values [m]; NaN behind infinity."""
    if kind is Kind.METRIC_DEPTH:
        return np.asarray(coefficients[0] * network)
    y = coefficients[0] * network + coefficients[1]
    return np.where(y > 0, 1.0 / np.where(y > 0, y, 1.0), np.nan)
