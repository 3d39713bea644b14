"""The whole tree pleases the tools that pyproject.toml configures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def tool(repository: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )


class TestTools:
    def test_ruff(self, repository: Path) -> None:
        result = tool(repository, "ruff", "check", "--quiet", "--no-cache", ".")
        assert result.returncode == 0, result.stdout

    @pytest.mark.slow
    def test_mypy(self, repository: Path, tmp_path: Path) -> None:
        result = tool(repository, "mypy", "--cache-dir", str(tmp_path))
        assert result.returncode == 0, result.stdout

    def test_ruff_sees_a_ros_import_outside_ros(self, repository: Path, tmp_path: Path) -> None:
        planted = tmp_path / "planted.py"
        planted.write_text('"""Planted."""\n\nimport rclpy\n\nrclpy.init()\n', encoding="utf-8")
        options = ["--no-cache", "--config", str(repository / "pyproject.toml")]
        result = tool(repository, "ruff", "check", *options, str(planted))
        assert "TID251" in result.stdout
