"""The whole way from nothing to the shipped files, each step skipped where it is done."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from da_ros.memory import keep_freed_memory
from da_ros.network.spec import NanoSpec
from da_ros.training.curve import check_matplotlib, draw_curve
from da_ros.training.data import HELD_OUT_SEED, SHARD, Shards, ShardSpec, write_shard
from da_ros.training.encoder import pretrained_file
from da_ros.training.export import export, install, shipped_network
from da_ros.training.loop import Recipe, Trainer, read_log
from da_ros.training.scenes.textures import make_atlas
from da_ros.training.validation import Validation

HEIGHT, WIDTH = 208, 272  # of the scenes on disk: a little larger than what is trained on [px]
FIRST_SEED = 1000
HELD_OUT = 64  # pictures
TOGETHER_ON_GPU = 32


@dataclass(frozen=True)
class RunPlan:
    """What to do.

    Attributes:
        folder: Of the run.
        scenes: How many to write.
        samples: Pictures drawn in all, or None for the recipe's.
        seconds: Stop and save after this long, or None.
        install: Whether the result also goes to da_ros/network/data.
        shard: Scenes written in one go.
    """

    folder: Path
    scenes: int
    samples: int | None
    seconds: float | None
    install: bool
    shard: int = SHARD


def run(plan: RunPlan, device: torch.device) -> str:
    """Do what is left of a plan.

    Args:
        plan: The same plan goes on where it stopped.
        device: Where scenes are rendered and the network is trained.

    Returns:
        One line for people: done, or how to go on.

    Raises:
        DaRosError: If something that training needs is not installed.
    """
    end = time.monotonic() + (plan.seconds or float("inf"))
    check_matplotlib()
    pretrained_file()
    keep_freed_memory(all_of_it=True)
    if not _write_scenes(plan, device, end):
        return f"stopped while writing scenes; call again to go on ({plan.folder / 'scenes'})"
    validation = Validation.load(plan.folder / "held_out" / "shard_00000.npz", HELD_OUT)
    recipe = Recipe() if plan.samples is None else Recipe(samples=plan.samples)
    trainer = Trainer(plan.folder, recipe, device)
    trainer.train(Shards(plan.folder / "scenes"), end - time.monotonic(), validation)
    draw_curve(read_log(plan.folder), plan.folder / "curve.png")
    if not trainer.done:
        drawn = trainer.step * trainer.recipe.batch
        return f"stopped after {drawn} of {trainer.recipe.samples} samples; call again to go on"
    return _finish(plan, trainer, validation)


def _write_scenes(plan: RunPlan, device: torch.device, end: float) -> bool:
    """All shards, held-out ones first; False where time ran out."""
    shards = -(-plan.scenes // plan.shard)
    folders = [
        (plan.folder / "held_out", HELD_OUT_SEED, 1),
        (plan.folder / "scenes", FIRST_SEED, shards),
    ]
    if all(len(list(folder.glob("shard_*.npz"))) >= count for folder, _, count in folders):
        return True
    atlas = make_atlas(photos=True, device=device)
    together = TOGETHER_ON_GPU if device.type == "cuda" else 1
    with tqdm(total=shards + 1, desc="scenes", unit="shard") as bar:
        for folder, seed, count in folders:
            for number in range(count):
                if time.monotonic() > end:
                    return False
                spec = ShardSpec(HEIGHT, WIDTH, seed, plan.shard)
                write_shard(folder, number, spec, atlas, together)
                bar.update()
    return True


def _finish(plan: RunPlan, trainer: Trainer, validation: Validation) -> str:
    """Export; one line with the held-out figures."""
    network = shipped_network(trainer.average.cpu(), validation)
    figures = validation.figures(network)
    provenance = {
        "samples": str(trainer.step * trainer.recipe.batch),
        "recipe": str(trainer.recipe),
        "held_out": ", ".join(f"{name} {value:.4f}" for name, value in figures.items()),
    }
    path = export(network, NanoSpec(), plan.folder, provenance, trainer.recipe.height)
    if plan.install:
        path = install(plan.folder)
    return f"{path}: held-out {provenance['held_out']}"
