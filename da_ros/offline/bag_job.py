"""What to do with recordings, and what of it can be refused before any weights are read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from da_ros.errors import BagError, ParameterError
from da_ros.offline.bag_folder import unfinished_folder
from da_ros.offline.bag_input import BagInput
from da_ros.offline.bag_inputs import BagInputs
from da_ros.offline.bag_journal import has_journal
from da_ros.offline.bag_manifest import read_manifest
from da_ros.offline.bag_output import DEFAULT_STORAGE, BagOutput
from da_ros.offline.bag_scale import TopicChoice
from da_ros.params import BAG_BATCH, BAG_NAMESPACE, BAG_SPLIT


@dataclass(frozen=True)
class BagJob:
    """What to do with recordings.

    Attributes:
        sources: Bag folders, .mcap, .db3 or .bag files; together one recording.
        target: Folder to make.
        images: Image topics, with wildcards; empty finds them, see ``choose_cameras``.
        camera_infos: One for each of the images; empty takes those beside them.
        outputs: Some of ``params.OUTPUTS``; empty takes ``BAG_OUTPUTS`` as far as the model goes.
        passthrough: all, none, or wildcards of the topics that go through.
        storage: mcap or sqlite3; empty keeps the source's.
        compression: none or zstd.
        start: Leave out what was recorded before [s from the beginning].
        end: Leave out what was recorded after [s from the beginning]; 0 for nothing.
        every: Each n-th image of a camera.
        prefix: What added topics begin with.
        overwrite: Replace a bag that is there, and what an interrupted run left.
        resume: Go on where an interrupted run was.
        evaluate: Topic of depth images or clouds that depth is compared with; empty for none.
        measured: Topics that measure depth, of the sources of scale that the parameters switch on.
        batch: Images per network call.
        split: Images per file of the bag.
        lanes: Batches in the network at once, each with its share of the threads; 0 chooses.
    """

    sources: tuple[Path, ...]
    target: Path
    images: tuple[str, ...] = ()
    camera_infos: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    passthrough: tuple[str, ...] = ("all",)
    storage: str = ""
    compression: str = "none"
    start: float = 0.0
    end: float = 0.0
    every: int = 1
    prefix: str = BAG_NAMESPACE
    overwrite: bool = False
    resume: bool = False
    evaluate: str = ""
    measured: TopicChoice = field(default_factory=TopicChoice)
    batch: int = BAG_BATCH
    split: int = BAG_SPLIT
    lanes: int = 0


def check_job(job: BagJob) -> None:
    """Refuse what can be refused before any weights are read.

    Raises:
        BagError: If a source is no bag, or the target must not be written.
        ParameterError: If a number or a name is out of range.
    """
    for name, value, unit in (
        ("batch", job.batch, "image per network call"),
        ("every", job.every, "image"),
        ("split", job.split, "image per file"),
    ):
        if value < 1:
            raise ParameterError(f"{name}: expected at least 1 {unit}, got {value}")
    finite = math.isfinite(job.start) and math.isfinite(job.end)
    if not finite or not job.start >= 0 or not job.end >= 0 or 0 < job.end <= job.start:
        raise ParameterError(
            f"start and end: expected 0 <= start < end in seconds from the beginning, got "
            f"{job.start:g} and {job.end:g}"
        )
    if not job.sources:
        raise ParameterError("no bag to read was named")
    bags = BagInputs(job.sources).bags
    for bag in bags:
        bag.check()
    _refuse_twice(bags)
    # With resume one that is there may be this job's, complete: ``finished_before`` can tell.
    may_exist = job.resume and read_manifest(job.target) is not None
    BagOutput(
        job.target,
        job.storage or DEFAULT_STORAGE,
        overwrite=job.overwrite or may_exist,
        compression=job.compression,
    )
    for inside in (path.resolve() for path in job.sources):
        if job.target.resolve() in (inside, *inside.parents):
            raise BagError(f"output {job.target} would replace its own source {inside}")
    unfinished = unfinished_folder(job.target)
    if has_journal(unfinished) and not job.resume and not job.overwrite:
        raise BagError(
            f"{unfinished} holds an interrupted run for this output; go on with --resume, or "
            "start again with --overwrite"
        )


def _refuse_twice(bags: Sequence[BagInput]) -> None:
    """Refuse a file that is named twice: its messages would be there twice.

    Raises:
        BagError: If one is.
    """
    seen: set[Path] = set()
    for file in (file for bag in bags for file in bag.files):
        if file.resolve() in seen:
            raise BagError(f"{file} is named twice; name each bag or file once")
        seen.add(file.resolve())
