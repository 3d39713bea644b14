"""``da_ros bag``: recorded images in, the same bag with depth and clouds out, without ROS."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from da_ros.cli.options import DEVICE, MODEL, PRECISION, SIZE, VARIANT, path_of
from da_ros.cli.scale_options import with_scale_options
from da_ros.errors import BagError
from da_ros.params import (
    BAG_BATCH,
    BAG_NAMESPACE,
    BAG_OUTPUTS,
    BAG_SPLIT,
    OUTPUTS,
    CloudParams,
    PipelineParams,
    ScaleParams,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from da_ros.offline.bag_conversion import Progress
    from da_ros.offline.bag_job import BagJob
    from da_ros.offline.bag_report import BagReport
    from da_ros.pipeline import DepthPipeline
    from da_ros.types import ModelInfo

HELP = """Add depth to recordings: every image once, everything else copied bit for bit.

\b
  da_ros bag recording -o with_depth
  da_ros bag recording -o with_depth --model metric-indoor-small
  da_ros bag walk_0.mcap walk_1.mcap -o out --image '/front/*/compressed'
  da_ros bag ros1.bag -o out --image /left/image_raw --image /right/image_raw
  da_ros bag recording -o small --outputs depth,info --passthrough '/tf*' --compression zstd
  da_ros bag recording -o thin --every 3 --start 10 --end 60 --stride 4 --max-range 8
  da_ros bag rgbd -o metres --scale-depth-image        metres from the depth camera in it
  da_ros bag robot -o metres --scale-point-cloud       metres from its LiDAR, through TF
  da_ros bag recording -o with_depth --resume          after it was interrupted

A metric model adds /da_ros/depth/image, /da_ros/depth/camera_info and /da_ros/points (metres). A
relative one has no metres unless a source of scale is switched on (--scale-*): it adds
/da_ros/inverse_depth/image and, for viewing only, /da_ros/nominal/depth/image,
/da_ros/nominal/depth/camera_info and /da_ros/nominal/points. All add /da_ros/depth_info. Stamps
and frames are those of the images. With several cameras each has its own namespace first:
/left/image_raw gives /left/da_ros/depth/image.

OUT also holds manifest.json (counts, versions, hashes, failures) and report.html.

Exit code 0: all done; 3: some images failed or could not be read, which ones is said; 2: nothing
done.
"""

SOURCES = typer.Argument(
    help="Bag folders, .mcap or .db3 files, ROS 1 .bag files; together one recording.",
    metavar="IN...",
    parser=path_of,
)
TARGET = typer.Option(
    ..., "-o", "--output", help="Bag folder to make.", metavar="OUT", parser=path_of
)
IMAGE = typer.Option(
    [],
    "--image",
    metavar="TOPIC",
    help="Image topic, raw or compressed, with * for any text; may be given several times. "
    "Default: every colour image topic with a camera_info beside it.",
)
CAMERA_INFO = typer.Option(
    [],
    "--camera-info",
    metavar="TOPIC",
    help="camera_info of each --image, in the same order. Default: the one beside it.",
)
WANTED = typer.Option(
    "",
    "--outputs",
    metavar="A,B",
    help=f"Some of {', '.join(OUTPUTS)}. Default: of {', '.join(BAG_OUTPUTS)}, what the model "
    "can give.",
)
PASSTHROUGH = typer.Option(
    ["all"],
    "--passthrough",
    metavar="all|none|TOPIC",
    help="Which topics of IN go through, with * for any text; may be given several times.",
)
STORAGE = typer.Option("", "--storage", help="mcap or sqlite3. Default: as IN.")
COMPRESSION = typer.Option(
    "none", "--compression", help="none, or zstd: chunks of an mcap, files of sqlite3."
)
START = typer.Option(0.0, "--start", help="Leave out what is before [s from the beginning].")
END = typer.Option(
    0.0, "--end", help="Leave out what is after [s from the beginning]; 0: nothing."
)
EVERY = typer.Option(1, "--every", help="Each n-th image of a camera.")
PREFIX = typer.Option(BAG_NAMESPACE, "--prefix", help="What added topics begin with.")
OVERWRITE = typer.Option(
    False,
    "--overwrite",
    help="Replace the bag OUT, once the new is done; start from the beginning.",
)
RESUME = typer.Option(False, "--resume", help="Go on where an interrupted run for OUT was.")
STRIDE = typer.Option(CloudParams().stride, "--stride", help="Every n-th pixel in the clouds.")
MAX_RANGE = typer.Option(
    CloudParams().max_range, "--max-range", help="Farthest point of the clouds [m]; 0 keeps all."
)
BATCH = typer.Option(BAG_BATCH, "--batch", help="Images per network call.")
LANES = typer.Option(
    0,
    "--lanes",
    help="Batches in the network at once, each with its share of the CPU's threads; more "
    "throughput, more memory. 0: up to 4 on a CPU, 1 on a GPU. With 1 the network computes as "
    "in the node, to the bit.",
)
SPLIT = typer.Option(
    BAG_SPLIT, "--split", help="Images per file of OUT; a resumed run repeats at most these."
)
EVALUATE = typer.Option(
    "",
    "--evaluate",
    metavar="TOPIC",
    help="Depth images or clouds in IN to compare with: AbsRel, delta1 and the drift of the scale "
    "go into report.html and manifest.json.",
)
DEPTH_TOPIC = typer.Option(
    [],
    "--scale-depth-topic",
    metavar="TOPIC",
    help="Depth images for --scale-depth-image: one for all cameras, or one for each --image. "
    "Default: the nearest by name.",
)
CLOUD_TOPIC = typer.Option(
    [],
    "--scale-cloud-topic",
    metavar="TOPIC",
    help="Clouds for --scale-point-cloud, likewise.",
)
DRY_RUN = typer.Option(
    False, "--dry-run", help="Say what would be done, how large and how long; write nothing."
)


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command(name="bag", help=HELP)(with_scale_options(_bag))


def _bag(
    sources: list[Path] = SOURCES,
    target: Path = TARGET,
    image: list[str] = IMAGE,
    camera_info: list[str] = CAMERA_INFO,
    model: str = MODEL,
    variant: str = VARIANT,
    outputs: str = WANTED,
    passthrough: list[str] = PASSTHROUGH,
    storage: str = STORAGE,
    compression: str = COMPRESSION,
    start: float = START,
    end: float = END,
    every: int = EVERY,
    prefix: str = PREFIX,
    resume: bool = RESUME,
    overwrite: bool = OVERWRITE,
    stride: int = STRIDE,
    max_range: float = MAX_RANGE,
    device: str = DEVICE,
    precision: str = PRECISION,
    size: int = SIZE,
    batch: int = BATCH,
    split: int = SPLIT,
    lanes: int = LANES,
    dry_run: bool = DRY_RUN,
    evaluate: str = EVALUATE,
    depth_topic: list[str] = DEPTH_TOPIC,
    cloud_topic: list[str] = CLOUD_TOPIC,
    *,
    scale: ScaleParams,
) -> None:
    # Waiting threads that spin take the cores from the other stages; read when torch comes in.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from da_ros.offline.bag import finished_before
    from da_ros.offline.bag_job import BagJob
    from da_ros.offline.bag_scale import TopicChoice

    values = {
        "model_variant": variant,
        "device": device,
        "precision": precision,
        "input_size": size,
        "cloud.stride": stride,
        "cloud.max_range": max_range,
    }
    job = BagJob(
        sources=tuple(sources),
        target=target,
        images=tuple(image),
        camera_infos=tuple(camera_info),
        outputs=tuple(name.strip() for name in outputs.split(",") if name.strip()),
        passthrough=tuple(passthrough),
        storage=storage,
        compression=compression,
        start=start,
        end=end,
        every=every,
        prefix=prefix,
        resume=resume,
        overwrite=overwrite,
        evaluate=evaluate,
        measured=TopicChoice(tuple(depth_topic), tuple(cloud_topic)),
        batch=batch,
        split=split,
        lanes=lanes,
    )
    params = replace(PipelineParams().with_values(values), scale=scale)
    pipeline = _pipeline(job, model, params)
    if dry_run:
        from da_ros.offline.bag_plan import plan_bag

        for line in plan_bag(job, pipeline).lines():
            typer.echo(line)
        return
    before = finished_before(job, pipeline)
    if before is not None:
        _say_finished(job, before)
        return
    _say(job, _convert(job, pipeline), pipeline.model)


def _pipeline(job: BagJob, model: str, params: PipelineParams) -> DepthPipeline:
    """Load the model, once it is known that there is something to do."""
    from da_ros.network.estimator import DepthEstimator
    from da_ros.offline.bag_job import check_job
    from da_ros.pipeline import DepthPipeline

    check_job(job)
    return DepthPipeline(DepthEstimator.load(model, params.model), params, info_times=False)


def _convert(job: BagJob, pipeline: DepthPipeline) -> BagReport:
    """Run, with a progress bar on stderr."""
    from tqdm import tqdm

    from da_ros.offline.bag import convert_bag
    from da_ros.offline.bag_folder import unfinished_folder
    from da_ros.offline.bag_journal import has_journal

    try:
        with tqdm(unit=" frames", dynamic_ncols=True, disable=None, smoothing=0.05) as bar:
            return convert_bag(job, pipeline, _shown_on(bar))
    except (KeyboardInterrupt, BagError):
        if has_journal(unfinished_folder(job.target)):
            typer.echo("da_ros: the finished files are kept; go on with --resume", err=True)
        raise


def _shown_on(bar: object) -> Callable[[Progress], None]:
    """Frames, rate and ETA are the bar's own; behind them the share of each stage."""
    tqdm_bar: Any = bar

    def show(state: Progress) -> None:
        if tqdm_bar.total is None and state.behind:
            tqdm_bar.initial = tqdm_bar.n = state.behind
        tqdm_bar.total = max(state.total, state.done)
        work = sum(state.busy.values()) or 1.0
        shares = (f"{name} {100 * spent / work:.0f}%" for name, spent in state.busy.items())
        tqdm_bar.set_postfix_str(" ".join(shares), refresh=False)
        tqdm_bar.update(state.done - tqdm_bar.n)

    return show


def _say_finished(job: BagJob, manifest: dict[str, Any]) -> None:
    """Say that there is nothing to resume, with the exit code of the run that finished."""
    if manifest["complete"]:
        typer.echo(f"{job.target}: complete already, nothing to resume")
        return
    from da_ros.cli.main import EXIT_SOME_FAILED

    images = manifest["images"]
    typer.echo(
        f"{job.target}: finished before, INCOMPLETE: {images['done']} of {images['in']} images "
        f"done, {images['failed']} failed; why, says {job.target / 'manifest.json'}. --overwrite "
        "starts again"
    )
    raise typer.Exit(EXIT_SOME_FAILED)


def _say(job: BagJob, report: BagReport, model: ModelInfo) -> None:
    """Say what was done, and end with the exit code that says it to a script."""
    state = "complete" if report.complete else "INCOMPLETE"
    typer.echo(f"{job.target}: {state}, model {model}, see {job.target / 'report.html'}")
    for line in report.lines():
        typer.echo(line)
    if not report.complete:
        from da_ros.cli.main import EXIT_SOME_FAILED

        raise typer.Exit(EXIT_SOME_FAILED)
