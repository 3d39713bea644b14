"""The first way in: `colcon build`, with and without --symlink-install, then two processes."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Workspace:
    """A built colcon workspace."""

    root: Path
    symlinked: bool
    environment: dict[str, str]

    @property
    def prefix(self) -> Path:
        return self.root / "install" / "da_ros"

    def sourced(self, *command: str) -> list[str]:
        """The command in a shell that has sourced the workspace, as a user types it."""
        setup = shlex.quote(str(self.root / "install" / "setup.bash"))
        return ["bash", "-c", f'source {setup} && exec "$@"', "bash", *command]


@pytest.fixture(scope="module", params=[False, True], ids=["copied", "symlinked"])
def workspace(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    source_tree: Path,
    ros_venv: Path,
    user_environment: Callable[[Path], dict[str, str]],
    run: Callable[..., str],
) -> Workspace:
    root = tmp_path_factory.mktemp("workspace")
    shutil.copytree(source_tree, root / "src" / "da_ros")
    environment = user_environment(ros_venv)
    # The wheels' way of saying `source /opt/ros/<distro>/setup.bash`.
    environment |= {"AMENT_PREFIX_PATH": str(ros_venv), "CMAKE_PREFIX_PATH": str(ros_venv)}
    options = ["--symlink-install"] if request.param else []
    run(["colcon", "build", *options], cwd=root, env=environment)
    return Workspace(root, request.param, environment)


class TestColconBuild:
    def test_messages_travel_between_processes(
        self, workspace: Workspace, sent_and_received: Callable[..., None]
    ) -> None:
        sent_and_received(workspace.sourced("python3"), workspace.environment, workspace.prefix)

    def test_modules_are_ours_and_follow_the_source(self, workspace: Workspace) -> None:
        installed = next(workspace.prefix.glob("**/da_ros/__init__.py"))
        source = workspace.root / "src" / "da_ros" / "da_ros" / "__init__.py"
        assert installed.read_text() == source.read_text()
        assert installed.is_symlink() == workspace.symlinked

    def test_the_package_is_found_with_its_data(
        self, workspace: Workspace, run: Callable[..., str]
    ) -> None:
        program = (
            "from ament_index_python import get_package_share_directory as share;"
            "from da_ros.message_definitions import message_definition as text;"
            "print(share('da_ros')); print(text('DepthInfo'))"
        )
        command = workspace.sourced("python3", "-c", program)
        found, _, text = run(command, env=workspace.environment, cwd="/").partition("\n")
        source = workspace.root / "src" / "da_ros"
        assert text.strip() == (source / "msg" / "DepthInfo.msg").read_text().strip()
        for folder in ("config", "launch"):
            for path in (source / folder).glob("*.*"):
                assert (Path(found) / folder / path.name).read_text() == path.read_text()

    def test_the_command_line_runs(self, workspace: Workspace, run: Callable[..., str]) -> None:
        command = workspace.sourced("python3", "-m", "da_ros", "--help")
        assert "da_ros demo" in run(command, env=workspace.environment, cwd="/")

    def test_the_node_is_an_executable_where_there_is_one(self, workspace: Workspace) -> None:
        source = workspace.root / "src" / "da_ros" / "da_ros" / "ros" / "depth_node.py"
        executable = workspace.prefix / "lib" / "da_ros" / "depth_node"
        assert executable.is_file() == source.is_file()
