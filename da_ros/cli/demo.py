"""``da_ros demo``: a generated scene with known depth through everything."""

from __future__ import annotations

from pathlib import Path

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
from da_ros.params import DEMO_FRAMES, DEMO_HEIGHT, DEMO_SEED, DEMO_WIDTH, EVALUATION_CAP

HELP = """Render a short sequence with known depth, run the model on it, compare.

\b
  da_ros demo
  da_ros demo -o my_demo --seed 7 --frames 20
  da_ros demo --model metric-indoor-small

Needs no download and no ROS. Writes a bag as a robot would record it, the same bag with depth (for
`ros2 bag play`, RViz, Foxglove), clouds (PLY), a picture sheet and a page, index.html.
"""

OUT = typer.Option(
    Path("da_ros_demo"),
    "-o",
    "--out",
    help="Folder for what is made.",
    metavar="OUT",
    parser=path_of,
)
SEED = typer.Option(
    DEMO_SEED, "--seed", min=0, max=2**63 - 1, help="Another number is another scene."
)
FRAMES = typer.Option(DEMO_FRAMES, "--frames", min=1, max=1000, help="Length of the sequence.")
WIDTH = typer.Option(DEMO_WIDTH, "--width", min=64, max=4096, help="Of the pictures [px].")
HEIGHT = typer.Option(DEMO_HEIGHT, "--height", min=64, max=4096, help="Of the pictures [px].")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("demo", help=HELP)(_demo)


def _demo(
    out: Path = OUT,
    seed: int = SEED,
    frames: int = FRAMES,
    width: int = WIDTH,
    height: int = HEIGHT,
    model: str = MODEL,
    variant: str = VARIANT,
    size: int = SIZE,
    device: str = DEVICE,
    precision: str = PRECISION,
) -> None:
    import numpy as np

    from da_ros.offline.demo import KnownSequence, demo_figures, run_demo
    from da_ros.offline.words import describe_model

    estimator = load_estimator(model, variant, device, precision, size)
    created(out)
    from da_ros.training.scenes import render_sequence

    typer.echo(f"rendering {frames} frames of {width} x {height} px ...", err=True)
    scene = render_sequence(seed, frames, height, width)
    sequence = KnownSequence(np.asarray(scene.rgb), np.asarray(scene.depth), scene.camera)
    result = run_demo(sequence, estimator, out, EVALUATION_CAP)
    typer.echo(describe_model(estimator.info))
    for name, text in {**demo_figures(result), **result.files}.items():
        typer.echo(f"{name}: {text}")
