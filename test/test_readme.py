"""README.md speaks of what is there: its commands, files and links."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

FIRST, SECOND = "bash scripts/demo.sh", "bash scripts/test.sh"


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


def shell_lines(text: str) -> list[str]:
    """Commands of all shell blocks, without comments."""
    blocks = re.findall(r"^```(?:bash|sh)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in (re.sub(r"\s+#.*", "", line) for line in lines) if line.strip()]


class TestCommands:
    def test_the_two_commands_come_first_and_in_order(self, readme: str) -> None:
        assert [line.strip() for line in shell_lines(readme)][:2] == [FIRST, SECOND]

    def test_every_script_named_exists(self, readme: str, repository: Path) -> None:
        named = re.findall(r"(?:bash|sh) (\S+\.sh)", readme)
        assert len(named) >= 2
        assert [name for name in named if not (repository / name).is_file()] == []

    @pytest.mark.parametrize("script", ["demo.sh", "test.sh", "setup_venv.sh", "environment.sh"])
    def test_scripts_parse(self, script: str, repository: Path) -> None:
        command = ["bash", "-n", str(repository / "scripts" / script)]
        assert subprocess.run(command, check=False).returncode == 0

    def test_ci_runs_the_second(self, repository: Path) -> None:
        ci = repository / ".ci" / "run"
        assert os.access(ci, os.X_OK)
        last = ci.read_text(encoding="utf-8").rstrip().splitlines()[-1]
        assert "/../scripts/test.sh" in last
        assert last.split()[:2] == ["exec", "bash"]

    def test_every_da_ros_command_is_in_the_help(self, readme: str) -> None:
        from typer.main import get_command

        from da_ros.cli.main import build_app

        known = set(getattr(get_command(build_app()), "commands", {}))
        words = [shlex.split(line) for line in shell_lines(readme)]
        used = {line[1] for line in words if Path(line[0]).name == "da_ros" and len(line) > 1}
        assert {name for name in used if not name.startswith("-")} <= known


class TestLinks:
    def test_every_relative_link_leads_to_a_file(self, readme: str, repository: Path) -> None:
        targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", readme)
        assert targets
        assert [target for target in targets if not (repository / target).exists()] == []


class TestCaller:
    """The scripts themselves, as far as they can be tried without an installation."""

    @pytest.mark.parametrize("script", ["demo.sh", "test.sh"])
    def test_an_old_python_is_one_clear_line(
        self, script: str, repository: Path, tmp_path: Path
    ) -> None:
        old = tmp_path / "old python"
        old.write_text("#!/bin/sh\necho Python 3.8.10\nexit 1\n", encoding="utf-8")
        old.chmod(0o755)
        environment = os.environ | {
            "PYTHON": str(old),
            "DA_ROS_VENV": str(tmp_path / "venv"),
        }
        out = tmp_path / "out"
        result = subprocess.run(
            ["bash", str(repository / "scripts" / script), str(out)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 2
        (line,) = result.stderr.splitlines()
        assert line.startswith(
            "da_ros: error: Python 3.10 or newer is needed, found Python 3.8.10"
        )

    def test_a_python_without_venv_is_one_clear_line(
        self, repository: Path, tmp_path: Path
    ) -> None:
        bare = tmp_path / "python3"
        answers = '[ "$1" = -m ] && exit 1\n[ "$1" = --version ] && echo Python 3.11.2\n'
        bare.write_text(f"#!/bin/sh\n{answers}exit 0\n", encoding="utf-8")
        bare.chmod(0o755)
        environment = os.environ | {"PYTHON": str(bare), "DA_ROS_VENV": str(tmp_path / "venv")}
        command = ["bash", str(repository / "scripts" / "setup_venv.sh")]
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 2
        assert "sudo apt install python3-venv" in result.stderr.splitlines()[-1]

    @pytest.mark.slow
    def test_no_network_is_one_clear_line(self, repository: Path, tmp_path: Path) -> None:
        unreachable = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": "",
            "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
            "PIP_RETRIES": "0",
        }
        environment = os.environ | unreachable | {"DA_ROS_VENV": str(tmp_path / "venv")}
        command = ["bash", str(repository / "scripts" / "demo.sh"), str(tmp_path / "out")]
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 2
        last = result.stderr.splitlines()[-1]
        assert "could not install build tools: is the package index reachable" in last
