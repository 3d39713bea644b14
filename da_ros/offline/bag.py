"""``da_ros bag``: recordings in, a bag with depth out; every image once, the rest untouched."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from da_ros.errors import BagError, ParameterError
from da_ros.offline.bag_cameras import BagCamera, choose_cameras
from da_ros.offline.bag_conversion import BagConversion, Progress, Selection
from da_ros.offline.bag_evaluation import BagEvaluation
from da_ros.offline.bag_inputs import BagInputs
from da_ros.offline.bag_job import BagJob, check_job
from da_ros.offline.bag_journal import Journal, differences, has_journal, in_json
from da_ros.offline.bag_manifest import FileHashes, read_manifest, write_manifest
from da_ros.offline.bag_output import BagOutput
from da_ros.offline.bag_page import NAME as PAGE
from da_ros.offline.bag_page import write_bag_page
from da_ros.offline.bag_report import BagReport
from da_ros.offline.bag_scale import BagScale
from da_ros.offline.frame_log import FrameLog
from da_ros.offline.image_matching import ImageMatching
from da_ros.offline.lanes import choose_lanes, threads_in_lanes
from da_ros.params import BAG_OUTPUTS
from da_ros.pipeline import DepthPipeline, available_outputs, checked_outputs, topics_of

_NS = 1_000_000_000


def convert_bag(
    job: BagJob, pipeline: DepthPipeline, progress: Callable[[Progress], None] | None = None
) -> BagReport:
    """Copy recordings and add depth to them.

    Args:
        job: What to do.
        pipeline: Made with ``info_times=False``, or the same input gives other bytes each time.
        progress: Told after every batch.

    Returns:
        What was done; the target is complete when this returns.

    Raises:
        BagError: If a source cannot be read, the target must not be written, or no image at all
            could be done; then there is no target, but what is needed to resume.
        ParameterError: If topics, outputs or lanes do not fit bag, model and machine.
    """
    check_job(job)
    outputs = chosen_outputs(job, pipeline)
    job = replace(job, lanes=choose_lanes(job.lanes, pipeline.estimator))
    with threads_in_lanes(job.lanes), BagInputs(job.sources) as source:
        work = prepared(job, source, pipeline, outputs)
        selection, scale, evaluation = work.selection, work.scale, work.evaluation
        target = BagOutput(
            job.target,
            job.storage or source.storage,
            overwrite=job.overwrite,
            compression=job.compression,
            resumable=True,
            resume=job.resume,
        )
        with target, FileHashes(source.files) as hashes:
            identity = _identity(job, source, pipeline, outputs)
            journal = Journal(target.folder, identity)
            if has_journal(target.folder):
                journal.load()
            log = FrameLog(target.folder / "frames", selection.expected)
            conversion = BagConversion(
                source,
                target,
                selection,
                work.matching,
                pipeline,
                outputs,
                work.topics,
                log,
                scale,
                evaluation,
            )
            try:
                report = conversion.run(journal, progress or (lambda state: None))
                title = f"Depth of {source.name}"
                page = target.content / PAGE
                write_bag_page(page, title, report, log, selection.cameras, pipeline.model)
                write_manifest(
                    target.content, job, report, log, pipeline, hashes.found(), identity
                )
            except OSError as error:  # pictures, page and manifest fill a disk too
                raise BagError(f"cannot write {job.target}: {error}") from error
            return report


@dataclass(frozen=True)
class Work:
    """What a job comes to on an open recording.

    Attributes:
        selection: Of the recording.
        topics: What each camera gets, relative to its namespace.
        scale: Where metres come from.
        evaluation: What depth is compared with; None for nothing.
        matching: Brings together what belongs to an image.
    """

    selection: Selection
    topics: tuple[str, ...]
    scale: BagScale
    evaluation: BagEvaluation | None
    matching: ImageMatching


def prepared(
    job: BagJob, source: BagInputs, pipeline: DepthPipeline, outputs: frozenset[str]
) -> Work:
    """Find all that a run needs, or refuse it.

    Raises:
        BagError: If there is no camera, or a name is taken.
        ParameterError: If topics do not fit the bag.
        InputError: If a saved calibration does not fit the model.
    """
    selection, params = select(job, source), pipeline.params.scale
    topics = topics_of(outputs, pipeline.model.kind, scaled=pipeline.is_scaled)
    _check_names(source, selection, topics)
    scale = BagScale.of(source, selection.cameras, pipeline.model, params, job.measured)
    evaluation = _evaluation(job, source, selection, pipeline, scale)
    matching = scale.matching(source, selection.cameras, params, evaluation)
    return Work(selection, tuple(topics), scale, evaluation, matching)


def finished_before(job: BagJob, pipeline: DepthPipeline) -> dict[str, Any] | None:
    """Look whether there is nothing to resume, since the target is this very job's, finished.

    Returns:
        Its manifest, which says whether every image was done; None if there is work to do.

    Raises:
        BagError: If it is another job's, or a source cannot be read.
        ParameterError: If outputs do not fit the model.
    """
    found = read_manifest(job.target) if job.resume and not job.overwrite else None
    if found is None:
        return None
    lanes = choose_lanes(job.lanes, pipeline.estimator)
    with threads_in_lanes(lanes), BagInputs(job.sources) as source:
        now = in_json(_identity(job, source, pipeline, chosen_outputs(job, pipeline)))
    changes = differences(found["identity"], now)
    if changes:
        raise BagError(
            f"--resume: {job.target} is complete, of another job: {changes}; choose another "
            "output, or start again with --overwrite"
        )
    return found


def _evaluation(
    job: BagJob,
    source: BagInputs,
    selection: Selection,
    pipeline: DepthPipeline,
    scale: BagScale,
) -> BagEvaluation | None:
    """What compares depth with what was measured, if that was asked for."""
    if not job.evaluate:
        return None
    return BagEvaluation(
        source,
        job.evaluate,
        selection.cameras,
        pipeline.model,
        pipeline.params.scale,
        scale.transforms,
    )


def select(job: BagJob, source: BagInputs) -> Selection:
    """Find the cameras, and say what of an open recording is worked on.

    Raises:
        BagError: If there is no camera.
        ParameterError: If topics do not fit the bag.
    """
    cameras = choose_cameras(source, job.images, job.camera_infos, job.prefix)
    first, last = source.times
    if (job.start or job.end) and not last:
        raise BagError(
            f"bag {source.name} is damaged: it does not say when it begins, so start and end "
            "cannot be found; leave them away"
        )
    if job.start * _NS > last - first:
        raise ParameterError(
            f"start: the recording is {(last - first) / _NS:.3f} s long, got {job.start:g}"
        )
    start = first + round(job.start * _NS) if job.start else None
    behind = job.end * _NS >= last - first
    stop = (last if behind else first + round(job.end * _NS)) + 1 if job.end else None
    share = _share(source.times, start, stop) / job.every
    counts = source.counts()
    return Selection(
        cameras=cameras,
        expected={c.image_topic: math.ceil(counts[c.image_topic] * share) for c in cameras},
        copied=_passes(job.passthrough, source),
        every=job.every,
        start=start,
        stop=stop,
        batch=job.batch,
        split=job.split,
        lanes=job.lanes,
    )


def _passes(patterns: Sequence[str], source: BagInputs) -> Callable[[str], bool]:
    """Which topics go through.

    Raises:
        ParameterError: If a pattern fits no topic: a typing mistake would lose data.
    """
    if list(patterns) == ["none"]:
        return lambda topic: False
    wanted = ["*" if pattern == "all" else pattern for pattern in patterns]
    for pattern in wanted:
        if source.topics and not fnmatch.filter(source.topics, pattern):
            raise ParameterError(
                f"passthrough {pattern!r}: no such topic; the bag has: "
                + ", ".join(sorted(source.topics))
            )
    return lambda topic: any(fnmatch.fnmatchcase(topic, pattern) for pattern in wanted)


def _share(times: tuple[int, int], start: int | None, stop: int | None) -> float:
    """Which part of the recording is chosen, by its time."""
    first, last = times
    begin, end = max(first, start or first), min(last, (stop or last + 1) - 1)
    return max(0.0, (end - begin) / (last - first)) if last > first else 1.0


def _identity(
    job: BagJob, source: BagInputs, pipeline: DepthPipeline, outputs: frozenset[str]
) -> dict[str, Any]:
    """All that decides what the output is: a run is only resumed with the same."""
    options = {
        name: getattr(job, name)
        for name in (
            *("images", "camera_infos", "passthrough", "storage", "compression", "start", "end"),
            *("every", "prefix", "batch", "split", "evaluate"),
        )
    }
    return {
        **options,
        "measured": [job.measured.depth, job.measured.cloud],
        "inputs": [
            [str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns]
            for file in source.files
        ],
        "outputs": sorted(outputs),
        "model": [pipeline.model.model_id, pipeline.model.sha256],
        "parameters": pipeline.params.values(),
        "device": pipeline.estimator.device.type,
        "threads_of_a_lane": torch.get_num_threads(),
    }


def chosen_outputs(job: BagJob, pipeline: DepthPipeline) -> frozenset[str]:
    """What is made of each image.

    Raises:
        ParameterError: If the model cannot give it.
    """
    reference = pipeline.params.depth.nominal_d_ref
    scaled = pipeline.is_scaled
    if job.outputs:
        return checked_outputs(job.outputs, pipeline.model, reference, scaled=scaled)
    # Where there are metres, nobody needs made-up ones.
    wanted = frozenset(BAG_OUTPUTS) - ({"nominal_depth", "nominal_points"} if scaled else set())
    return wanted & available_outputs(pipeline.model, reference, scaled=scaled)


def _check_names(source: BagInputs, selection: Selection, topics: Sequence[str]) -> None:
    cameras: Sequence[BagCamera] = selection.cameras
    planned = [f"{camera.namespace}/{topic}" for camera in cameras for topic in topics]
    taken = sorted(name for name in set(planned) & source.topics if selection.copied(name))
    if taken:
        raise BagError(
            f"bag {source.name} already has {', '.join(taken)}; put the new ones elsewhere with "
            "--prefix, such as --prefix /da_ros_2"
        )
