"""`da_ros demo` with the real scene generator."""

from __future__ import annotations

from pathlib import Path

import pytest

from da_ros.cli.main import main


class TestDemo:
    SMALL = ("--frames", "2", "--width", "128", "--height", "96")

    @pytest.fixture
    def model(self, nano_weights: Path) -> list[str]:
        return ["--model", str(nano_weights), "--variant", "nano"]

    def test_figures_bag_clouds_and_page(
        self, model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "made" / "demo"
        assert main(["demo", "-o", str(out), *self.SMALL, *model]) == 0
        stdout = capsys.readouterr().out
        for word in ("model: AbsRel", "row fit: AbsRel", "plane fit: AbsRel", "frames: 2"):
            assert word in stdout
        made = {path.name for path in out.iterdir()}
        assert made == {
            "recording",
            "with_depth",
            "index.html",
            "sheet.png",
            "points_true.ply",
            "points_predicted.ply",
        }
        assert (out / "with_depth" / "metadata.yaml").is_file()

    def test_seed_decides_the_scene(self, model: list[str], tmp_path: Path) -> None:
        clouds = []
        for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
            out = tmp_path / name
            assert main(["demo", "-o", str(out), "--seed", seed, *self.SMALL, *model]) == 0
            clouds.append((out / "points_true.ply").read_bytes())
        assert clouds[0] == clouds[1] != clouds[2]

    def test_generated_scenes_are_evaluated_too(
        self, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["eval", "--generated", "1", "--seed", "9", *model]) == 0
        assert "1 generated, seeds from 9" in capsys.readouterr().out


class TestRefusals:
    def test_no_frames(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "-o", str(tmp_path), "--frames", "0"]) == 2
        assert "--frames" in capsys.readouterr().err

    def test_unknown_model(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "-o", str(tmp_path / "out"), "--model", "huge"]) == 2
        assert "huge" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
