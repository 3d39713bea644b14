"""`da_ros eval` on folders made here and on the real set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from da_ros.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three samples in two groups; the last has no valid depth."""
    rng = np.random.default_rng(2)
    for name in ("a_1", "b_1", "b_2"):
        here = tmp_path / "set" / name
        here.mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (64, 96, 3), np.uint8)).save(here / "rgb.png")
        depth = rng.integers(500, 9000, (64, 96)).astype(np.uint16)
        Image.fromarray(depth if name != "b_2" else 0 * depth).save(here / "depth.png")
        (here / "meta.json").write_text(json.dumps({"depth_scale": 1000}))
    return tmp_path / "set"


@pytest.fixture
def model(nano_weights: Path) -> list[str]:
    return ["--model", str(nano_weights), "--variant", "nano"]


class TestEval:
    def test_table_json_and_sheet(
        self,
        folder: Path,
        model: list[str],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        out = tmp_path / "out"
        assert main(["eval", str(folder), *model, "-o", str(out)]) == 0
        stdout = capsys.readouterr().out
        assert "mean of groups" in stdout
        assert "1 of 3 images were not scored" in stdout
        assert "unverified" in stdout
        figures = json.loads((out / "evaluation.json").read_text())
        assert set(figures["groups"]) == {"a", "b"}
        assert figures["settings"]["protocol"] == "depth_from_disp_ls"
        assert figures["settings"]["cap"] == "80 m"
        assert figures["settings"]["model"]["model_id"] == "nano"
        assert figures["settings"]["model"]["verified"] is False
        with Image.open(out / "sheet.png") as sheet:
            assert sheet.width > 4 * 320

    def test_fit_has_no_more_error_than_a_constant(
        self, folder: Path, model: list[str], tmp_path: Path
    ) -> None:
        """Least squares in disparity: any image explains at least as much as the mean alone."""
        out = tmp_path / "out"
        words = ["eval", str(folder), *model, "--protocol", "disp_ls", "-o", str(out)]
        assert main(words) == 0
        for image in json.loads((out / "evaluation.json").read_text())["images"][:2]:
            depth = np.array(Image.open(folder / image["name"] / "depth.png")) / 1000.0
            assert image["scores"]["model"]["rmse"] <= (1.0 / depth).std() * (1 + 1e-9)

    def test_without_out_nothing_is_written(
        self, folder: Path, model: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        assert main(["eval", str(folder), *model]) == 0
        assert list((tmp_path / "here").iterdir()) == []

    @pytest.mark.parametrize(
        ("extra", "message"),
        [
            (["--protocol", "best"], "expected one of disp_ls, depth_from_disp_ls, metric_raw"),
            (["--protocol", "metric_raw"], "expected a metric model"),
            (["--crop", "middle"], "expected one of none, garg, eigen"),
            (["--crop", "eigen"], "expected images of 480 x 640, got 64 x 96"),
            (["--generated", "3"], "give either DIR or --generated N"),
            (["--cap", "0"], "expected a distance above 0 m, got 0"),
        ],
    )
    def test_refusals(
        self,
        folder: Path,
        model: list[str],
        capsys: pytest.CaptureFixture[str],
        extra: list[str],
        message: str,
    ) -> None:
        assert main(["eval", str(folder), *model, *extra]) == 2
        stderr = capsys.readouterr().err.splitlines()
        assert len(stderr) == 1
        assert message in stderr[0]

    def test_nothing_to_score(self, model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["eval", *model]) == 2
        assert "give either DIR or --generated N" in capsys.readouterr().err

    def test_folder_without_samples(
        self, tmp_path: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["eval", str(tmp_path), *model]) == 2
        assert "no sample in" in capsys.readouterr().err

    def test_real_set(
        self, shared_data: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Random weights score badly, and the baselines as the issue says."""
        assert main(["eval", str(shared_data / "rgbd"), *model]) == 0
        rows = {
            line.split()[0]: line for line in capsys.readouterr().out.splitlines() if " / " in line
        }
        assert "0.0945" in rows["arc"]
        assert "0.2367" in rows["tum"]
        assert "0.1418" in rows["tum"]
