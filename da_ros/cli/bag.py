"""``da_ros bag``: recorded images in, the same bag with depth and clouds out, without ROS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from da_ros.cli.options import DEVICE, MODEL, PRECISION, SIZE, VARIANT
from da_ros.params import (
    BAG_BATCH,
    BAG_NAMESPACE,
    BAG_OUTPUTS,
    OUTPUTS,
    CloudParams,
    PipelineParams,
)

if TYPE_CHECKING:
    from da_ros.offline.bag import BagJob
    from da_ros.offline.bag_report import BagReport

HELP = """Add depth to a ROS 2 bag: every image once, everything else copied bit for bit.

\b
  da_ros bag recording -o with_depth
  da_ros bag recording -o with_depth --model metric-indoor-small
  da_ros bag walk.mcap -o out --image /front/image_raw/compressed
  da_ros bag two_cameras -o out --image /left/image_raw --image /right/image_raw
  da_ros bag recording -o small --outputs depth,info --storage sqlite3
  da_ros bag recording -o thin --outputs depth,points --stride 4 --max-range 8

A metric model adds /da_ros/depth/image, /da_ros/depth/camera_info and /da_ros/points (metres). A
relative one has no metres: it adds /da_ros/inverse_depth/image and, for viewing only,
/da_ros/nominal/depth/image, /da_ros/nominal/depth/camera_info and /da_ros/nominal/points. Both
add /da_ros/depth_info. Stamps and frames are those of the images. With several cameras each has
its own namespace first: /left/image_raw gives /left/da_ros/depth/image.

Exit code 0: all done; 3: some images failed, which ones is said; 2: nothing done.
"""

SOURCE = typer.Argument(help="Bag folder, or a single .mcap or .db3 file.", metavar="IN")
TARGET = typer.Option(..., "-o", "--output", help="Bag folder to make.", metavar="OUT")
IMAGE = typer.Option(
    [],
    "--image",
    metavar="TOPIC",
    help="Image topic, raw or compressed; may be given several times. Default: every colour image "
    "topic with a camera_info beside it.",
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
STORAGE = typer.Option("", "--storage", help="mcap or sqlite3. Default: as IN.")
PREFIX = typer.Option(BAG_NAMESPACE, "--prefix", help="What added topics begin with.")
OVERWRITE = typer.Option(False, "--overwrite", help="Replace the bag OUT, once the new is done.")
STRIDE = typer.Option(CloudParams().stride, "--stride", help="Every n-th pixel in the clouds.")
MAX_RANGE = typer.Option(
    CloudParams().max_range, "--max-range", help="Farthest point of the clouds [m]; 0 keeps all."
)
BATCH = typer.Option(BAG_BATCH, "--batch", help="Images per network call.")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command(name="bag", help=HELP)(_bag)


def _bag(
    source: Path = SOURCE,
    target: Path = TARGET,
    image: list[str] = IMAGE,
    camera_info: list[str] = CAMERA_INFO,
    model: str = MODEL,
    variant: str = VARIANT,
    outputs: str = WANTED,
    storage: str = STORAGE,
    prefix: str = PREFIX,
    overwrite: bool = OVERWRITE,
    stride: int = STRIDE,
    max_range: float = MAX_RANGE,
    device: str = DEVICE,
    precision: str = PRECISION,
    size: int = SIZE,
    batch: int = BATCH,
) -> None:
    from da_ros.offline.bag import BagJob

    values = {
        "model_variant": variant,
        "device": device,
        "precision": precision,
        "input_size": size,
        "cloud.stride": stride,
        "cloud.max_range": max_range,
    }
    params = PipelineParams().with_values(values)
    job = BagJob(
        source=source,
        target=target,
        images=tuple(image),
        camera_infos=tuple(camera_info),
        outputs=tuple(name.strip() for name in outputs.split(",") if name.strip()),
        storage=storage,
        prefix=prefix,
        overwrite=overwrite,
        batch=batch,
    )
    report = _convert(job, model, params)
    typer.echo(f"{target}: {'complete' if report.complete else 'INCOMPLETE'}, model {model}")
    for line in report.lines():
        typer.echo(line)
    if not report.complete:
        from da_ros.cli.main import EXIT_SOME_FAILED

        raise typer.Exit(EXIT_SOME_FAILED)


def _convert(job: BagJob, model: str, params: PipelineParams) -> BagReport:
    """Load the model and run, with a progress bar on stderr."""
    from tqdm import tqdm

    from da_ros.network.estimator import DepthEstimator
    from da_ros.offline.bag import check_job, convert_bag
    from da_ros.pipeline import DepthPipeline

    check_job(job)  # before the weights are read
    estimator = DepthEstimator.load(model, params.model)
    pipeline = DepthPipeline(estimator, params, info_times=False)
    with tqdm(unit=" frames", dynamic_ncols=True, disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return convert_bag(job, pipeline, show)
