"""``da_ros bag``: a bag in, the same bag with depth out; every image once, the rest untouched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from da_ros.errors import BagError, ParameterError
from da_ros.offline.bag_cameras import BagCamera, choose_cameras
from da_ros.offline.bag_conversion import BagConversion, Progress
from da_ros.offline.bag_input import BagInput
from da_ros.offline.bag_output import DEFAULT_STORAGE, BagOutput
from da_ros.offline.bag_report import BagReport
from da_ros.params import BAG_BATCH, BAG_NAMESPACE, BAG_OUTPUTS
from da_ros.pipeline import DepthPipeline, available_outputs, checked_outputs, topics_of


@dataclass(frozen=True)
class BagJob:
    """What to do with a bag.

    Attributes:
        source: Bag folder, .mcap or .db3.
        target: Folder to make.
        images: Image topics; empty finds them, see ``choose_cameras``.
        camera_infos: One for each of the images; empty takes those beside them.
        outputs: Some of ``params.OUTPUTS``; empty takes ``BAG_OUTPUTS`` as far as the model goes.
        storage: mcap or sqlite3; empty keeps the source's.
        prefix: What added topics begin with.
        overwrite: Replace a bag that is there.
        batch: Images per network call.
    """

    source: Path
    target: Path
    images: tuple[str, ...] = ()
    camera_infos: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    storage: str = ""
    prefix: str = BAG_NAMESPACE
    overwrite: bool = False
    batch: int = BAG_BATCH


def convert_bag(
    job: BagJob, pipeline: DepthPipeline, progress: Progress | None = None
) -> BagReport:
    """Copy a bag and add depth to it.

    Args:
        job: What to do.
        pipeline: Made with ``info_times=False``, or the same input gives other bytes each time.
        progress: Told after every batch.

    Returns:
        What was done; the target is complete when this returns.

    Raises:
        BagError: If the source cannot be read, the target must not be written, or no image at all
            could be done; then there is no target.
        ParameterError: If topics or outputs do not fit bag and model.
    """
    check_job(job)
    outputs = _outputs(job, pipeline)
    with BagInput(job.source) as bag:
        cameras = choose_cameras(bag, job.images, job.camera_infos, job.prefix)
        topics = topics_of(outputs, pipeline.model.kind)
        _check_names(bag, cameras, topics)
        target = BagOutput(job.target, job.storage or bag.storage, overwrite=job.overwrite)
        with target:
            conversion = BagConversion(bag, target, cameras, topics, pipeline, outputs)
            return conversion.run(job.batch, progress or (lambda done, total: None))


def check_job(job: BagJob) -> None:
    """Refuse what can be refused before any weights are read.

    Raises:
        BagError: If the source is no bag, or the target must not be written.
        ParameterError: If a number or the storage is out of range.
    """
    if job.batch < 1:
        raise ParameterError(f"batch: expected at least 1 image per network call, got {job.batch}")
    BagInput(job.source).check()
    BagOutput(job.target, job.storage or DEFAULT_STORAGE, overwrite=job.overwrite)
    inside = job.source.resolve()
    if job.target.resolve() in (inside, *inside.parents):
        raise BagError(f"output {job.target} would replace its own source {job.source}")


def _outputs(job: BagJob, pipeline: DepthPipeline) -> frozenset[str]:
    reference = pipeline.params.depth.nominal_d_ref
    if job.outputs:
        return checked_outputs(job.outputs, pipeline.model, reference)
    return frozenset(BAG_OUTPUTS) & available_outputs(pipeline.model, reference)


def _check_names(bag: BagInput, cameras: Sequence[BagCamera], topics: Sequence[str]) -> None:
    planned = [f"{camera.namespace}/{topic}" for camera in cameras for topic in topics]
    taken = sorted(set(planned) & bag.topics)
    if taken:
        raise BagError(
            f"bag {bag.path} already has {', '.join(taken)}; put the new ones elsewhere with "
            "--prefix, such as --prefix /da_ros_2"
        )
