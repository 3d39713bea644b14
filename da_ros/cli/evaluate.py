"""``da_ros eval``: how good is a model, on folders of images with depth."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

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
from da_ros.params import EVALUATION_CAP, EVALUATION_SEED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

    from da_ros.evaluation import Evaluated, ImageResult, Protocol, Sample
    from da_ros.network.estimator import DepthEstimator
    from da_ros.offline.evaluation_report import WorstSheet

HELP = """Score a model on images with known depth, beside two baselines.

\b
  da_ros eval rgbd/ -o scores
  da_ros eval rgbd/ --model metric-indoor-small --protocol metric_raw --crop eigen
  da_ros eval rgbd/ --cap 10 --protocol disp_ls
  da_ros eval --generated 20

DIR holds folders of rgb.png or rgb.jpg, depth.png (uint16, 0 = unknown) and meta.json with
depth_scale (depth [m] = value / depth_scale). A folder's group is its name up to the first _.

\b
  depth_from_disp_ls   scale and shift of inverse depth fitted per image; errors in depth
  disp_ls              the same fit; errors in disparity, as the papers' tables have them
  metric_raw           metres as they come (metric models only)

The row fit predicts from the image row alone, the plane fit from row and column: what no network
is needed for. -o writes evaluation.json and sheet.png (worst images first).
"""

DIR = typer.Argument(
    None, metavar="DIR", help="Folder of samples, or one sample's folder.", parser=path_of
)
GENERATED = typer.Option(
    0, "--generated", min=0, help="Instead of DIR: score on this many generated scenes."
)
SEED = typer.Option(
    EVALUATION_SEED,
    "--seed",
    min=0,
    max=2**62,
    help="Of the first generated scene; the next ones count up.",
)
PROTOCOL = typer.Option(
    "depth_from_disp_ls", "--protocol", help="disp_ls, depth_from_disp_ls or metric_raw."
)
CAP = typer.Option(EVALUATION_CAP, "--cap", help="Truth from here on is not scored [m].")
CROP = typer.Option("none", "--crop", help="Part that is scored: none, garg or eigen.")
GENERATED_SIZE = (480, 640)
OUT = typer.Option(
    None,
    "-o",
    "--out",
    help="Folder for evaluation.json and sheet.png.",
    metavar="OUT",
    parser=path_of,
)


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("eval", help=HELP)(_eval)


def _eval(
    folder: Path | None = DIR,
    generated: int = GENERATED,
    seed: int = SEED,
    protocol: str = PROTOCOL,
    cap: float = CAP,
    crop: str = CROP,
    out: Path | None = OUT,
    model: str = MODEL,
    variant: str = VARIANT,
    size: int = SIZE,
    device: str = DEVICE,
    precision: str = PRECISION,
) -> None:
    from da_ros.evaluation import summarize
    from da_ros.offline.evaluation_report import evaluation_json, evaluation_text
    from da_ros.offline.words import describe_model

    chosen = _protocol(protocol, cap, crop)
    samples = _samples(folder, generated, seed)
    estimator = load_estimator(model, variant, device, precision, size)
    results, sheet = _scored(samples, estimator, chosen, cap, crop)
    settings = {
        "protocol": protocol,
        "cap": f"{cap:g} m",
        "crop": crop,
        "images": folder.name if folder else f"{generated} generated, seeds from {seed}",
        "input size": size or "the model's own",
        "precision": str(estimator.precision).removeprefix("torch."),
        "model": asdict(estimator.info),
    }
    summary = summarize(results)
    typer.echo(describe_model(estimator.info))
    typer.echo(evaluation_text(results, summary, settings))
    if out is not None:
        _write(created(out), evaluation_json(results, summary, settings), sheet.picture())


def _samples(folder: Path | None, generated: int, seed: int) -> Iterable[Sample]:
    from da_ros.errors import ParameterError
    from da_ros.evaluation import folder_samples

    if (folder is None) == (generated == 0):
        raise ParameterError("give either DIR or --generated N (see: da_ros eval --help)")
    if folder is not None:
        return folder_samples(folder)
    return _generated(generated, seed)


def _generated(count: int, seed: int) -> Iterator[Sample]:
    """Render scenes with known depth, one at a time."""
    import numpy as np

    from da_ros.evaluation import Sample
    from da_ros.training.scenes import render_sequence

    for number in range(seed, seed + count):
        scene = render_sequence(number, 1, *GENERATED_SIZE, family=None)
        rgb, depth = np.asarray(scene.rgb)[0], np.asarray(scene.depth)[0]
        yield Sample(f"{scene.scene.family}_{number}", scene.scene.family, rgb, depth)


def _scored(
    samples: Iterable[Sample], estimator: DepthEstimator, protocol: Protocol, cap: float, crop: str
) -> tuple[list[ImageResult], WorstSheet]:
    """Run the model over all samples."""
    from da_ros.evaluation import evaluate
    from da_ros.offline.evaluation_report import WorstSheet, predictor

    sheet, results = WorstSheet(protocol, cap, crop), []
    kind, predict = estimator.info.kind, predictor(estimator)
    for item in _shown(evaluate(samples, predict, kind, protocol, cap, crop)):
        sheet.add(item)
        results.append(item.result)
    return results, sheet


def _protocol(name: str, cap: float, crop: str) -> Protocol:
    """Check the options that need no data."""
    from da_ros.errors import ParameterError
    from da_ros.evaluation import CROPS, Protocol

    names = [protocol.value for protocol in Protocol]
    if name not in names:
        raise ParameterError(f"--protocol: expected one of {', '.join(names)}, got {name!r}")
    if crop not in CROPS:
        raise ParameterError(f"--crop: expected one of {', '.join(CROPS)}, got {crop!r}")
    if not cap > 0.0:
        raise ParameterError(f"--cap: expected a distance above 0 m, got {cap:g}")
    return Protocol(name)


def _shown(items: Iterable[Evaluated]) -> Iterator[Evaluated]:
    """Count on stderr while a run takes its time; the number of samples is not known before."""
    for count, item in enumerate(items, start=1):
        if sys.stderr.isatty():
            print(f"\rimages: {count}", end="", file=sys.stderr, flush=True)
        yield item
    if sys.stderr.isatty():
        print(file=sys.stderr)


def _write(out: Path, figures: dict[str, Any], sheet: npt.NDArray[np.uint8]) -> None:
    from PIL import Image

    (out / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    Image.fromarray(sheet).save(out / "sheet.png")
    typer.echo(f"\n{out / 'evaluation.json'}\n{out / 'sheet.png'}")
