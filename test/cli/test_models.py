from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from da_ros.cli import models
from da_ros.cli.main import main
from da_ros.errors import ParameterError, WeightsError
from da_ros.network.checkpoints import Checkpoint
from da_ros.network.variants import REGISTRY

CONTENT = b"\x08\0\0\0\0\0\0\0{}      "  # the smallest .safetensors file
DIGEST = hashlib.sha256(CONTENT).hexdigest()
FILE = Checkpoint("org/Small", "a.pth", "main", DIGEST, len(CONTENT), "official")
ROWS = {
    "nano": replace(REGISTRY["nano"], checkpoints=()),
    "v2-small": replace(REGISTRY["v2-small"], checkpoints=(FILE,)),
    "metric-outdoor-base": REGISTRY["metric-outdoor-base"],
    "v2-giant": REGISTRY["v2-giant"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DA_ROS_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def run(*words: str) -> str:
    """Standard output of a command on ROWS; what it raises comes out."""
    app = typer.Typer()
    models.register(app, ROWS)
    done = CliRunner().invoke(
        app, ["models", *words], catch_exceptions=False, standalone_mode=False
    )
    return done.stdout


class TestAlone:
    def test_explains_itself(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models"]) == 0
        shown = capsys.readouterr()
        assert "da_ros models fetch v2-base --accept-license" in shown.out
        assert shown.err == ""


class TestList:
    def test_a_line_per_model(self, folder: Path) -> None:
        lines = run("list").splitlines()
        assert [line.split("  ")[0] for line in lines[:5]] == ["name", *ROWS]
        assert lines[1].endswith("not trained yet")
        assert lines[2].split("  ")[-1].strip() == "no"
        assert "Apache-2.0, from v2-base (CC-BY-NC-4.0)" in lines[3]
        assert "metres to 80 m" in lines[3]
        assert "390 MB" in lines[3]
        assert lines[4].endswith("never published")
        assert f"folder: {folder}" in lines

    def test_says_what_is_here(self, folder: Path) -> None:
        path = folder / "a.pth"
        path.write_bytes(CONTENT)
        assert "yes, not yet checked" in run("list")
        run("verify")
        assert run("list").splitlines()[2].endswith("  yes")
        path.write_bytes(CONTENT[:-2])
        assert run("list").splitlines()[2].endswith("  damaged")


class TestPath:
    def test_prints_the_path_alone(self, folder: Path) -> None:
        (folder / "a.pth").write_bytes(CONTENT)
        assert run("path", "v2-small") == f"{folder / 'a.pth'}\n"

    def test_missing(self) -> None:
        with pytest.raises(WeightsError, match="da_ros models fetch v2-small"):
            run("path", "v2-small")

    def test_unknown_name(self) -> None:
        with pytest.raises(ParameterError, match=r"called 'x'; there are nano, v2-small"):
            run("path", "x")


class TestFetch:
    def test_what_is_here_is_not_downloaded(self, folder: Path) -> None:
        (folder / "a.pth").write_bytes(CONTENT)
        assert run("fetch", "v2-small").endswith(f"{folder / 'a.pth'}\n")

    def test_non_commercial(self) -> None:
        with pytest.raises(WeightsError, match="--accept-license") as caught:
            run("fetch", "metric-outdoor-base")
        assert caught.value.fault == "licence"


class TestVerify:
    def test_nothing_here(self) -> None:
        assert run("verify") == "no weights on this disk\n"

    def test_all_that_is_here(self, folder: Path) -> None:
        (folder / "a.pth").write_bytes(CONTENT)
        assert run("verify") == f"{folder / 'a.pth'}: v2-small, whole, sha256 {DIGEST}\n"

    def test_damage_that_size_and_time_hide(self, folder: Path) -> None:
        path = folder / "a.pth"
        path.write_bytes(CONTENT)
        os.utime(path, ns=(1, 1))
        run("verify")
        path.write_bytes(CONTENT[:-1] + b"\n")
        os.utime(path, ns=(1, 1))
        with pytest.raises(WeightsError, match=f"1 damaged: {path}; delete and fetch again"):
            run("verify")

    def test_one_file_of_another_place(self, tmp_path: Path) -> None:
        path = tmp_path / "x.safetensors"
        path.write_bytes(CONTENT)
        assert run("verify", str(path)) == f"{path}: v2-small, whole, sha256 {DIGEST}\n"

    def test_a_strange_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x.safetensors"
        path.write_bytes(b"\x08\0\0\0\0\0\0\0{ }     ")
        assert "not in the registry, sha256" in run("verify", str(path))

    def test_a_page(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        path.write_bytes(b"<html>")
        with pytest.raises(WeightsError, match="web page"):
            run("verify", str(path))


class TestInTheProgram:
    """Under da_ros's own error boundary, on the real registry."""

    @pytest.mark.parametrize(
        ("words", "code", "line"),
        [
            (["path", "v2-small"], 2, "no weights of v2-small here; fetch them with"),
            (["fetch", "v1-giant"], 2, "no model is called 'v1-giant'; there are nano, metric-"),
            (["fetch", "v2-giant"], 2, "nothing to fetch for v2-giant: they were never published"),
            (["fetch"], 2, "Missing argument"),
            (["verify", "/nowhere/x.pth"], 2, "there is no file /nowhere/x.pth"),
        ],
    )
    def test_errors_are_one_line(
        self, capsys: pytest.CaptureFixture[str], words: list[str], code: int, line: str
    ) -> None:
        assert main(["models", *words]) == code
        shown = capsys.readouterr().err.strip().splitlines()
        assert shown[-1].startswith("da_ros: error: ")
        assert line in shown[-1]
        assert "Traceback" not in "".join(shown)

    @pytest.mark.parametrize("words", [[], ["fetch"], ["verify"]])
    def test_help_teaches_by_example(
        self, capsys: pytest.CaptureFixture[str], words: list[str]
    ) -> None:
        assert main(["models", *words, "--help"]) == 0
        assert "  da_ros models " in capsys.readouterr().out

    def test_list_names_every_model(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models", "list"]) == 0
        shown = capsys.readouterr().out
        assert all(f"\n{name} " in shown for name in REGISTRY)
