"""``da_ros image``: photos in, depth and pictures out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from da_ros.cli.main import EXIT_ERROR, EXIT_SOME_FAILED
from da_ros.cli.options import (
    DEVICE,
    MODEL,
    PRECISION,
    SIZE,
    VARIANT,
    created,
    load_estimator,
    path_of,
)
from da_ros.params import IMAGE_FOV_DEG, IMAGE_POINTS

if TYPE_CHECKING:
    from da_ros.offline.images import PhotoResult
    from da_ros.offline.photos import CameraChoice
    from da_ros.types import ModelInfo

HELP = f"""Make depth, a colour picture, a point cloud and a page of photos.

\b
  da_ros image photo.jpg -o out
  da_ros image holiday/ more/x.png -o out --fov 75
  da_ros image frame.png -o out --camera camera.yaml --model metric-indoor-small
  da_ros image photo.jpg -o out --model weights.pth --variant v2-small

Open out/index.html. A metric model writes NAME_depth.npy (float32 metres), NAME_depth_mm.png
(16 bit) and NAME_points.ply. A relative one knows no metres: it writes NAME_inverse_depth.npy, and
NAME_nominal_depth.npy and NAME_nominal_points.ply for viewing only. Both write NAME_color.png.

The shape of the cloud needs the camera: --camera (the YAML of ROS's camera_calibration), --fov, or
EXIF; without any, {IMAGE_FOV_DEG:g} degrees are assumed. Exit code 3: some photos failed.
"""

PHOTOS = typer.Argument(
    metavar="PHOTO|DIR...", help="Photos, and folders of photos.", parser=path_of
)
OUT = typer.Option(
    ..., "-o", "--out", help="Folder for what is made.", metavar="OUT", parser=path_of
)
CAMERA = typer.Option(
    None,
    "--camera",
    help="Calibration file of ROS's camera_calibration.",
    metavar="YAML",
    parser=path_of,
)
FOV = typer.Option(None, "--fov", help="Horizontal field of view [deg].")
STRIDE = typer.Option(
    0,
    "--stride",
    min=0,
    help="The cloud takes every n-th row and column; 0: as many as give at most "
    f"{IMAGE_POINTS:,} points.",
)


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("image", help=HELP)(_image)


def _image(
    photos: list[Path] = PHOTOS,
    out: Path = OUT,
    model: str = MODEL,
    variant: str = VARIANT,
    camera: Path | None = CAMERA,
    fov: float | None = FOV,
    stride: int = STRIDE,
    size: int = SIZE,
    device: str = DEVICE,
    precision: str = PRECISION,
) -> int:
    from da_ros.errors import InputError
    from da_ros.offline.image_page import write_image_page
    from da_ros.offline.images import convert_photos, plan_photos
    from da_ros.params import CloudParams, PipelineParams
    from da_ros.pipeline import DepthPipeline

    choice = _camera_choice(camera, fov)
    plan = plan_photos(photos, out)
    estimator = load_estimator(model, variant, device, precision, size)
    created(out)
    params = PipelineParams(cloud=CloudParams(stride=max(stride, 1)))
    pipeline = DepthPipeline(estimator, params)
    most_points = IMAGE_POINTS if stride == 0 else 2**63
    work = convert_photos(plan, pipeline, choice, most_points)
    with typer.progressbar(work, length=len(plan), label="photos", file=sys.stderr) as bar:
        results = list(bar)
    if all(result.error for result in results):
        raise InputError(_nothing_done(results))
    write_image_page(out / "index.html", results, estimator.info)
    return _report(results, estimator.info, out)


def _camera_choice(camera: Path | None, fov: float | None) -> CameraChoice:
    from da_ros.errors import ParameterError
    from da_ros.geometry.camera import PinholeCamera
    from da_ros.offline.photos import CameraChoice

    if camera is not None and fov is not None:
        raise ParameterError("--camera and --fov both say what the camera is: give one of them")
    if fov is not None and not 0.0 < fov < 180.0:
        raise ParameterError(f"--fov: expected an angle between 0 and 180 degrees, got {fov:g}")
    known = None if camera is None else PinholeCamera.from_yaml(camera)
    return CameraChoice(known, fov, IMAGE_FOV_DEG)


def _nothing_done(results: Sequence[PhotoResult]) -> str:
    first = f"{results[0].path}: {results[0].error}"
    return first if len(results) == 1 else f"none of {len(results)} photos; the first: {first}"


def _report(results: Sequence[PhotoResult], model: ModelInfo, out: Path) -> int:
    """Say what was made; return the exit code."""
    from da_ros.offline.words import NO_METRES, describe_model
    from da_ros.types import Kind

    typer.echo(describe_model(model))
    for result in results:
        if result.error:
            typer.echo(f"{result.path}: failed: {result.error}", err=True)
            continue
        typer.echo(f"{result.path}: {', '.join(path.name for path in result.files.values())}")
        for name, value in result.facts.items():
            typer.echo(f"  {name}: {value}")
    if model.kind is not Kind.METRIC_DEPTH:
        typer.echo(NO_METRES)
    failed = sum(bool(result.error) for result in results)
    typer.echo(f"{len(results) - failed} of {len(results)} photos; see {out / 'index.html'}")
    if failed == len(results):
        return EXIT_ERROR
    return EXIT_SOME_FAILED if failed else 0
