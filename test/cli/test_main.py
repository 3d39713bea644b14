"""The error boundary, with the real program in its own process where that matters."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

import da_ros.cli.main as cli
from da_ros.errors import InputError


def run(*words: str, program: str = "-m da_ros") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program.split(), *words], capture_output=True, text=True, check=False
    )


def with_command(monkeypatch: pytest.MonkeyPatch, body: object) -> None:
    """An app whose only command is ``go``, inside the real boundary."""
    app = typer.Typer()
    app.callback(invoke_without_command=True)(cli._top_level)
    app.command("go")(body)
    monkeypatch.setattr(cli, "build_app", lambda: app)


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


class TestHelp:
    def test_teaches_by_example(self) -> None:
        got = run("--help")
        assert got.returncode == 0
        assert "da_ros image photo.jpg -o out" in got.stdout
        assert "da_ros demo" in got.stdout

    def test_no_words_is_help(self) -> None:
        assert run().stdout == run("--help").stdout

    def test_needs_nothing_slow(self) -> None:
        """Help of every command, without torch, OpenCV, ROS or the readers of bags."""
        script = (
            "import sys; from da_ros.cli.main import main, COMMANDS\n"
            "main(['--help'])\n"
            "slow = {'torch', 'cv2', 'rosbags', 'rclpy', 'transformers', 'pyvista'}\n"
            "sys.exit(str(slow & set(sys.modules)) if slow & set(sys.modules) else 0)\n"
        )
        got = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert got.returncode == 0, got.stderr

    def test_version(self) -> None:
        got = run("--version")
        assert got.returncode == 0
        assert got.stdout.startswith("da_ros ")


class TestErrors:
    @pytest.mark.parametrize(
        "words", [("--nothing",), ("nothing",), ("image",), ("image", "--nothing", "x")]
    )
    def test_usage_is_one_line_and_2(self, words: tuple[str, ...]) -> None:
        got = run(*words)
        assert got.returncode == 2
        assert len(lines(got.stderr)) == 1
        assert got.stderr.startswith("da_ros: error: ")
        assert "--help)" in got.stderr

    def test_da_ros_error_is_one_line_and_2(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def go() -> None:
            raise InputError("the photo\n  is upside down")

        with_command(monkeypatch, go)
        assert cli.main(["go"]) == 2
        assert capsys.readouterr().err == "da_ros: error: the photo is upside down\n"

    @pytest.mark.parametrize("words", [["--debug", "go"], ["go", "--debug"]])
    def test_debug_adds_the_traceback(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        words: list[str],
    ) -> None:
        def go() -> None:
            raise InputError("bad photo")

        with_command(monkeypatch, go)
        assert cli.main(words) == 2
        stderr = capsys.readouterr().err
        assert "Traceback" in stderr
        assert stderr.endswith("da_ros: error: bad photo\n")

    def test_a_file_may_be_called_debug(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = []

        def go(names: list[str]) -> None:
            seen.extend(names)

        with_command(monkeypatch, go)
        assert cli.main(["go", "--", "--debug"]) == 0
        assert seen == ["--debug"]

    def test_missing_module_is_one_line_and_2(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)

        def go() -> None:
            import torch.nn  # noqa: F401

        with_command(monkeypatch, go)
        assert cli.main(["go"]) == 2
        stderr = capsys.readouterr().err
        assert len(lines(stderr)) == 1
        assert "needs the Python module torch" in stderr

    def test_missing_part_of_da_ros_is_a_bug(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def go() -> None:
            import da_ros.no_such_room  # noqa: F401

        with_command(monkeypatch, go)
        with pytest.raises(ModuleNotFoundError, match="no_such_room"):
            cli.main(["go"])
        assert "this is a bug" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("fault", "said"),
        [
            (PermissionError(errno.EACCES, "Permission denied", "a"), "a: Permission denied"),
            (OSError(errno.EROFS, "Read-only file system", b"c"), "c: Read-only file system"),
            (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        ],
    )
    def test_what_the_disk_refuses_is_one_line_and_2(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        fault: OSError,
        said: str,
    ) -> None:
        def go() -> None:
            raise fault

        with_command(monkeypatch, go)
        assert cli.main(["go"]) == 2
        assert capsys.readouterr().err == f"da_ros: error: {said}\n"

    @pytest.mark.parametrize(
        "bug", [KeyError("x"), EOFError("cut"), RuntimeError("x"), FileNotFoundError(2, "no", "x")]
    )
    def test_bug_goes_through_after_a_hint(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        bug: Exception,
    ) -> None:
        def go() -> None:
            raise bug

        with_command(monkeypatch, go)
        with pytest.raises(type(bug)):
            cli.main(["go"])
        assert "please report it" in capsys.readouterr().err


class TestEmptyWords:
    """What a shell makes of "$PHOTO" where PHOTO is not set; Path("") would be the folder."""

    @pytest.mark.parametrize(
        "words",
        [
            ("image", ""),
            ("image", "a.png", "-o", ""),
            ("image", "a.png", "-o", "out", "--camera", ""),
            ("bag", "", "-o", "out"),
            ("bag", "in", "-o", ""),
            ("calibrate", "", "-o", "a.yaml"),
            ("calibrate", "in", "-o", ""),
            ("calibrate", "in", "-o", "a.yaml", "--plot", ""),
            ("demo", "-o", ""),
            ("eval", ""),
            ("eval", "in", "-o", ""),
            ("train", "-o", ""),
            ("models", "verify", ""),
        ],
    )
    def test_are_no_paths(
        self, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(words) == 2
        said = lines(capsys.readouterr().err)
        assert len(said) == 1
        assert "expected a path, got an empty word" in said[0]


class TestExitCodes:
    def test_command_chooses_its_code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def go() -> None:
            raise typer.Exit(cli.EXIT_SOME_FAILED)

        with_command(monkeypatch, go)
        assert cli.main(["go"]) == 3

    def test_done_is_0(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with_command(monkeypatch, lambda: None)
        assert cli.main(["go"]) == 0

    def test_interrupt_is_130(self, tmp_path: Path) -> None:
        """A real SIGINT to a real process in the middle of a command."""
        script = (
            "import signal, sys, time, typer, pathlib\n"
            # A suite in the background of a shell hands down an ignored SIGINT.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "import da_ros.cli.main as cli\n"
            "app = typer.Typer()\n"
            "app.callback(invoke_without_command=True)(cli._top_level)\n"
            "@app.command()\n"
            "def go():\n"
            "    pathlib.Path(sys.argv[1]).touch()\n"
            "    time.sleep(60)\n"
            "cli.build_app = lambda: app\n"
            "sys.exit(cli.main(['go']))\n"
        )
        started = tmp_path / "started"
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(started)], stderr=subprocess.PIPE, text=True
        )
        while not started.exists():
            assert child.poll() is None
            time.sleep(0.02)
        os.kill(child.pid, signal.SIGINT)
        _, stderr = child.communicate(timeout=30)
        assert child.returncode == 130
        assert lines(stderr) == ["da_ros: interrupted"]
