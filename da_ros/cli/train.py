"""``da_ros train``: make nano anew, from scenes to the files that ship."""

from __future__ import annotations

from pathlib import Path

import typer

HELP = """Train nano from scratch on generated scenes; interrupted, the same command goes on.

\b
  da_ros train -o run                            all of it: about 90 minutes on one core
  da_ros train -o run --scenes 256 --samples 512 a short trial
  da_ros train -o run --minutes 30               half an hour of it; call again to go on

Writes run/scenes (once), run/checkpoint.pt, run/log.jsonl, run/curve.png and, at the end,
run/nano.safetensors with run/nano.json. Needs: pip install 'da_ros[train]'.
"""

OUT = typer.Option(..., "-o", "--out", help="Folder of the run.")
SCENES = typer.Option(5120, "--scenes", min=128, help="Scenes to write before training.")
SAMPLES = typer.Option(0, "--samples", min=0, help="Pictures drawn in all; 0 = the recipe's.")
MINUTES = typer.Option(0.0, "--minutes", min=0.0, help="Stop and save after this long; 0 = never.")
DEVICE = typer.Option("auto", "--device", help="auto, cpu, cuda or cuda:N.")
THREADS = typer.Option(0, "--threads", min=0, help="CPU threads; 0 = torch's choice.")
INSTALL = typer.Option(False, "--install", help="Also put the result where da_ros loads it from.")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("train", help=HELP)(train)


def train(
    out: Path = OUT,
    scenes: int = SCENES,
    samples: int = SAMPLES,
    minutes: float = MINUTES,
    device: str = DEVICE,
    threads: int = THREADS,
    install: bool = INSTALL,
) -> None:
    """Write scenes, train, validate, export."""
    import torch

    from da_ros.network.device import choose_device
    from da_ros.training.run import RunPlan, run

    if threads:
        torch.set_num_threads(threads)
    plan = RunPlan(out, scenes, samples or None, minutes * 60 or None, install)
    result = run(plan, choose_device(device))
    typer.echo(result)
