"""The whole way from nothing to the shipped files, each step skipped where it is done."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from da_ros.errors import ParameterError
from da_ros.files import write_whole
from da_ros.memory import keep_freed_memory
from da_ros.network.nano_card import NANO_FILE
from da_ros.network.spec import NanoSpec
from da_ros.training.curve import check_matplotlib, draw_curve
from da_ros.training.data import HELD_OUT_SEED, SHARD, Shards, ShardSpec
from da_ros.training.encoder import pretrained_file
from da_ros.training.export import export, install, shipped_network
from da_ros.training.loop import LONG, POLISH, START_FILE, Recipe, Trainer, read_log
from da_ros.training.scenes.textures import photo_paths
from da_ros.training.validation import Validation
from da_ros.training.writing import Task, write_shards

HEIGHT, WIDTH = 208, 272  # of the scenes on disk: a little larger than what is trained on [px]
HELD_OUT = 64  # pictures
COURSE_FILE = "course.txt"  # says in a run's folder which it is


@dataclass(frozen=True)
class Course:
    """How much a run does.

    Attributes:
        scenes: How many to write.
        recipe: How the network is trained on them.
        first_seed: Of the scenes; the next ones count up.
        then: What goes on from its result, in a folder ``polish`` inside the run's, or None.
        name: In COURSES; empty for one that is not there.
    """

    scenes: int
    recipe: Recipe
    first_seed: int = 1_000
    then: Course | None = None
    name: str = ""

    def shortened(self, scenes: int | None, samples: int | None) -> Course:
        """The same with as many scenes and samples in each of its parts; None: its own."""
        recipe = replace(self.recipe, samples=samples or self.recipe.samples)
        then = self.then.shortened(scenes, samples) if self.then else None
        return replace(self, scenes=scenes or self.scenes, recipe=recipe, then=then)


_POLISH = Course(38_400, POLISH, first_seed=30_000_000, name="polish")
COURSES = {
    course.name: course
    for course in (
        Course(5_120, Recipe(), name="short"),
        Course(8_064, LONG, then=_POLISH, name="long"),
        _POLISH,
    )
}


def choose_course(name: str, device: torch.device, folder: Path) -> Course:
    """One of COURSES.

    Args:
        name: Its name, or ``auto``: that of the run in the folder; where there is none, long on a
            GPU and short elsewhere.
        device: Where it will be run.
        folder: Of the run.

    Raises:
        ParameterError: If there is none of this name, or the run is of another.
    """
    noted = folder / COURSE_FILE
    begun = noted.read_text(encoding="utf-8").strip() if noted.is_file() else ""
    if name == "auto":
        name = begun or ("short" if device.type == "cpu" else "long")
    if name not in COURSES:
        raise ParameterError(f"no course is called {name!r}; there are auto, {', '.join(COURSES)}")
    if begun not in ("", name):
        raise ParameterError(f"{folder}: expected course {begun}, as it was begun, got {name}")
    return COURSES[name]


@dataclass(frozen=True)
class RunPlan:
    """What to do.

    Attributes:
        folder: Of the run.
        course: What to write and how to train; a run that is there goes on with its own recipe.
        seconds: Stop and save after this long, or None.
        install: Whether the result also goes to da_ros/network/data.
        workers: Processes that write scenes.
        shard: Scenes written in one go.
    """

    folder: Path
    course: Course
    seconds: float | None = None
    install: bool = False
    workers: int = 1
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
    photo_paths()  # here, since a process that writes scenes could say it only in a traceback
    keep_freed_memory(all_of_it=True)
    if plan.course.name:
        plan.folder.mkdir(parents=True, exist_ok=True)
        write_whole(plan.folder / COURSE_FILE, f"{plan.course.name}\n".encode())
    while True:
        said = _run_course(plan, device, end)
        if plan.course.then is None or not (plan.folder / NANO_FILE).exists():
            return said
        plan = _next_plan(plan, plan.course.then)


def _next_plan(plan: RunPlan, course: Course) -> RunPlan:
    """The part of a plan that goes on from the result of the one before."""
    folder = plan.folder / "polish"
    folder.mkdir(exist_ok=True)
    if not (start := folder / START_FILE).exists():
        write_whole(start, (plan.folder / NANO_FILE).read_bytes())
    return replace(plan, folder=folder, course=course)


def _run_course(plan: RunPlan, device: torch.device, end: float) -> str:
    """One part of a plan; one line for people."""
    if not _write_scenes(plan, device, end):
        return f"stopped while writing scenes; call again to go on ({plan.folder / 'scenes'})"
    validation = Validation.load(plan.folder / "held_out" / "shard_00000.npz", HELD_OUT)
    trainer = Trainer(plan.folder, plan.course.recipe, device)
    pool = Shards(plan.folder / "scenes", device)
    trainer.train(pool, end - time.monotonic(), validation)
    rows = read_log(plan.folder)
    (plan.folder / "curve.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    draw_curve(rows, plan.folder / "curve.png")
    if not trainer.done:
        drawn = trainer.step * trainer.recipe.batch
        of = f"{drawn} of {trainer.recipe.samples} samples"
        return f"stopped after {of}; call again to go on ({plan.folder})"
    return _finish(plan, trainer, validation)


def _write_scenes(plan: RunPlan, device: torch.device, end: float) -> bool:
    """All shards, the held-out one first; False where time ran out."""
    course = plan.course
    size, shard = (HEIGHT, WIDTH), plan.shard
    held_out = ShardSpec(*size, HELD_OUT_SEED, shard)
    spec = ShardSpec(*size, course.first_seed, shard)
    tasks = [Task(plan.folder / "held_out", 0, held_out)]
    tasks += [Task(plan.folder / "scenes", k, spec) for k in range(-(-course.scenes // shard))]
    return write_shards(tasks, device, plan.workers, end)


def _finish(plan: RunPlan, trainer: Trainer, validation: Validation) -> str:
    """Export; one line with the held-out figures."""
    network = shipped_network(trainer.result().cpu(), validation)
    figures = validation.figures(network)
    provenance = {
        "samples": str(trainer.step * trainer.recipe.batch),
        "recipe": str(trainer.recipe),
        "held_out": ", ".join(f"{name} {value:.4f}" for name, value in figures.items()),
    }
    if (start := plan.folder / START_FILE).exists():
        provenance["start_sha256"] = hashlib.sha256(start.read_bytes()).hexdigest()
    path = export(network, NanoSpec(), plan.folder, provenance, trainer.recipe.height)
    if plan.install and plan.course.then is None:
        path = install(plan.folder)
    return f"{path}: held-out {provenance['held_out']}"
