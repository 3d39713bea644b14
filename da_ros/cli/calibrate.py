"""``da_ros calibrate``: a recording with measured depth in, a model's scale and a verdict out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from da_ros.cli.options import DEVICE, MODEL, PRECISION, SIZE, VARIANT, path_of
from da_ros.cli.scale_options import with_scale_options
from da_ros.params import BAG_BATCH, PipelineParams, ScaleParams

if TYPE_CHECKING:
    from da_ros.offline.calibration import CalibrationJob, Gathered
    from da_ros.offline.calibration_verdict import Verdict
    from da_ros.scale.observations.static import StaticCalibration

HELP = """Find the scale of a model on a camera from a bag with measured depth.

\b
  da_ros calibrate rec --depth /camera/depth/image_raw --model metric-indoor-small -o k.yaml
  da_ros calibrate rec --image /front/image_raw --points /velodyne_points -o k.yaml
  da_ros calibrate rec --ground-height 0.42 --scale-camera-pitch 0.2 -o k.yaml
  da_ros calibrate rec --depth /depth/image --static-camera -o hall.yaml    a fixed camera

Prints a table, and in words whether a saved calibration is good enough for this camera or a live
source is needed; draws the line, its residuals and the scale over time. A metric model gets a
factor k with its spread between frames. Scale and shift of a relative model change with what is
seen: they are saved only with --static-camera. Use the file as parameter scale.calibration_file,
or with da_ros bag --scale-calibration-file; other models and input sizes refuse it.

Exit code 0: written; 3: measured, but nothing of use could be saved, or some images or the plot
failed; 2: nothing done.
"""

SOURCE = typer.Argument(
    help="Bag folders, or .mcap, .db3 or ROS 1 .bag files.", metavar="BAG...", parser=path_of
)
TARGET = typer.Option(
    ..., "-o", "--output", help="Calibration file to write.", metavar="YAML", parser=path_of
)
IMAGE = typer.Option("", "--image", metavar="TOPIC", help="Image topic. Default: the one camera.")
INFO = typer.Option(
    "", "--camera-info", metavar="TOPIC", help="Its camera_info. Default: the one beside it."
)
DEPTH = typer.Option("", "--depth", metavar="TOPIC", help="Depth images registered to it.")
POINTS = typer.Option("", "--points", metavar="TOPIC", help="Point clouds (LiDAR, landmarks).")
GROUND = typer.Option(
    0.0, "--ground-height", metavar="M", help="Height of the camera over flat ground [m]."
)
STATIC = typer.Option(
    False, "--static-camera", help="The camera stands still and looks at the same scene, always."
)
PLOT = typer.Option(
    None, "--plot", metavar="PNG", help="Picture to draw. Default: beside YAML.", parser=path_of
)
EVERY = typer.Option(1, "--every", help="Take every n-th image.")
BATCH = typer.Option(BAG_BATCH, "--batch", help="Images per network call.")
OVERWRITE = typer.Option(False, "--overwrite", help="Replace files that are there.")

_REASONS = 4


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command(name="calibrate", help=HELP)(with_scale_options(_calibrate))


def _calibrate(
    source: list[Path] = SOURCE,
    target: Path = TARGET,
    image: str = IMAGE,
    camera_info: str = INFO,
    depth: str = DEPTH,
    points: str = POINTS,
    ground_height: float = GROUND,
    static_camera: bool = STATIC,
    model: str = MODEL,
    variant: str = VARIANT,
    plot: Path | None = PLOT,
    every: int = EVERY,
    overwrite: bool = OVERWRITE,
    device: str = DEVICE,
    precision: str = PRECISION,
    size: int = SIZE,
    batch: int = BATCH,
    scale: ScaleParams = ScaleParams(),  # noqa: B008 - frozen; with_scale_options fills it
) -> int:
    from da_ros.offline.bag_scale import TopicChoice
    from da_ros.offline.calibration import CalibrationJob, check_job

    scale = replace(
        scale,
        depth_image=scale.depth_image or bool(depth),
        point_cloud=scale.point_cloud or bool(points),
        ground_plane=scale.ground_plane or ground_height != 0.0,
        camera_height=ground_height or scale.camera_height,
        static_camera=scale.static_camera or static_camera,
    )
    topics = TopicChoice((depth,) if depth else (), (points,) if points else ())
    job = CalibrationJob(tuple(source), image, camera_info, topics, every, batch)
    check_job(job, scale.sources)
    picture = _picture(target, plot, overwrite=overwrite)
    values = {"model_variant": variant, "device": device, "precision": precision}
    params = replace(PipelineParams().with_values({**values, "input_size": size}), scale=scale)
    found = _gathered(job, model, params)
    return _report(found, target, picture, static_camera=scale.static_camera)


def _picture(target: Path, plot: Path | None, *, overwrite: bool) -> Path | None:
    """Where the plot goes; refuses what must not be written before the work."""
    from da_ros.errors import InputError
    from da_ros.offline.calibration_plot import can_plot, check_matplotlib

    for path in (target, plot):
        if path is not None and path.is_dir():
            raise InputError(f"{path}: expected the name of a file to write, got a folder")
    if plot is not None:
        check_matplotlib(plot)
    picture = plot if plot is not None else target.with_suffix(".png")
    there = [str(path) for path in (target, picture) if path.exists()]
    if there and not overwrite:
        raise InputError(f"{', '.join(there)}: already there; --overwrite replaces")
    for path in (target, picture):
        if not path.resolve().parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.resolve().parent}")
    if not can_plot():
        typer.echo("no plot: it needs matplotlib (pip install 'da_ros[plot]')", err=True)
        return None
    return picture


def _gathered(job: CalibrationJob, model: str, params: PipelineParams) -> Gathered:
    """Load the model and go through the bag, with a progress bar on stderr."""
    from tqdm import tqdm

    from da_ros.network.estimator import DepthEstimator
    from da_ros.offline.calibration import gather
    from da_ros.pipeline import DepthPipeline

    pipeline = DepthPipeline(DepthEstimator.load(model, params.model), params)
    with tqdm(unit=" images", dynamic_ncols=True, disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return gather(job, pipeline, show)


def _report(found: Gathered, target: Path, picture: Path | None, *, static_camera: bool) -> int:
    """Table, verdict, files; exit code."""
    from datetime import datetime, timezone

    from da_ros.cli.main import EXIT_SOME_FAILED
    from da_ros.errors import InputError
    from da_ros.offline.calibration_plot import draw_calibration
    from da_ros.offline.calibration_verdict import table, verdict_of

    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    calibration = found.calibration(date, static_camera=static_camera)
    verdict = verdict_of(found, calibration)
    for line in [*table(found), *_losses(found), *verdict.words]:
        typer.echo(line)
    _save(calibration, verdict, target)
    whole = verdict.usable and not found.failures and not found.stopped
    if picture is not None:
        try:
            draw_calibration(found, calibration, verdict, picture)
            typer.echo(f"{picture}: plot")
        except InputError as error:  # the file is written all the same
            typer.echo(f"no plot: {error}", err=True)
            whole = False
    return 0 if whole else EXIT_SOME_FAILED


def _save(calibration: StaticCalibration, verdict: Verdict, target: Path) -> None:
    from da_ros.scale.observations.static import save_calibration

    if not verdict.usable:
        typer.echo(f"{target}: not written, it could not be used")
        return
    save_calibration(calibration, target)
    typer.echo(f"{target}: calibration of {calibration.model_id}, {calibration.frames} frames")


def _losses(found: Gathered) -> list[str]:
    """What did not enter, and why."""
    lines = [
        f"{found.images} images of {found.camera}: {len(found.fitted)} fitted, "
        f"{len(found.frames) - len(found.fitted)} refused, {found.alone} without a measurement "
        f"near them, {sum(found.failures.values())} failed"
    ]
    for title, reasons in (("refused", found.reasons()), ("failed", found.failures)):
        lines += [f"  {title}: {why} ({count}x)" for why, count in reasons.most_common(_REASONS)]
    if found.stopped:
        lines.append(f"  the bag could not be read to its end: {found.stopped}")
    return lines
