"""``da_ros train``: make nano anew, from scenes to the files that ship."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from da_ros.cli.options import path_of

HELP = """Train nano from scratch on generated scenes; interrupted, the same command goes on.

\b
  da_ros train -o run                            all of it: tens of minutes on a GPU (the long
                                                 course and its polish), about 90 minutes on one
                                                 core (the short one)
  da_ros train -o run --scenes 256 --samples 512 a short trial
  da_ros train -o run --minutes 30               half an hour of it; call again to go on
  da_ros train -o run2 --course polish           nearly six hours on two cores, from what ships

Writes run/course.txt, run/scenes (once), run/checkpoint.pt, run/log.jsonl, run/curve.png with
curve.json and, at the end, run/nano.safetensors with run/nano.json; after the long course, the
same of its polish in run/polish. Needs: pip install 'da_ros[train]'.
"""

OUT = typer.Option(..., "-o", "--out", help="Folder of the run.", metavar="OUT", parser=path_of)
COURSE = typer.Option(
    "auto",
    "--course",
    help="long (ends with a polish), short, polish (from the weights that da_ros loads, at small "
    "rates), or auto: that of the run in OUT, else long on a GPU and short without.",
)
SCENES = typer.Option(
    None,
    "--scenes",
    min=128,
    help="Scenes to write, of each part of a course; default: the course's.",
)
SAMPLES = typer.Option(
    0, "--samples", min=0, help="Pictures drawn, in each part; 0 = the course's."
)
MINUTES = typer.Option(0.0, "--minutes", min=0.0, help="Stop and save after this long; 0 = never.")
DEVICE = typer.Option("auto", "--device", help="auto, cpu, cuda or cuda:N.")
THREADS = typer.Option(0, "--threads", min=0, help="CPU threads; 0 = torch's choice.")
WORKERS = typer.Option(
    0, "--workers", min=0, help="Processes that write scenes; 0 = one per core, 16 at most."
)
INSTALL = typer.Option(False, "--install", help="Also put the result where da_ros loads it from.")

MOST_WORKERS = 16


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("train", help=HELP)(train)


def train(
    out: Path = OUT,
    course: str = COURSE,
    scenes: int | None = SCENES,
    samples: int = SAMPLES,
    minutes: float = MINUTES,
    device: str = DEVICE,
    threads: int = THREADS,
    workers: int = WORKERS,
    install: bool = INSTALL,
) -> None:
    """Write scenes, train, validate, export."""
    import torch

    from da_ros.network.device import choose_device
    from da_ros.training.run import RunPlan, choose_course, run

    if threads:
        torch.set_num_threads(threads)
    chosen = choose_device(device)
    plan = RunPlan(
        out,
        choose_course(course, chosen, out).shortened(scenes, samples or None),
        minutes * 60 or None,
        install,
        workers or min(len(os.sched_getaffinity(0)), MOST_WORKERS),
    )
    typer.echo(run(plan, chosen))
