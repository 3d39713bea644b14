"""The second way in: the ROS wheels and `pip install .` in one fresh venv, messages and all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installation:
    """A venv with the package in it."""

    venv: Path
    source: Path
    environment: dict[str, str]

    @property
    def python(self) -> str:
        return str(self.venv / "bin" / "python")


@pytest.fixture(scope="module", params=["jazzy", "kilted"])
def installation(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    source_tree: Path,
    ros_venv: Path,
    make_venv: Callable[[Path], Path],
    user_environment: Callable[[Path], dict[str, str]],
    run: Callable[..., str],
) -> Installation:
    venv = make_venv(tmp_path_factory.mktemp("pip ros") / "venv")
    environment = user_environment(venv)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-qq"]
    wheels = source_tree / "requirements" / f"ros-{request.param}.txt"
    run([*pip, "-r", str(wheels)], env=environment)
    run([*pip, str(source_tree)], env=environment | {"DA_ROS_MESSAGES": "1"})
    return Installation(venv, source_tree, environment)


class TestPipWithRos:
    def test_messages_travel_between_processes(
        self, installation: Installation, sent_and_received: Callable[..., None]
    ) -> None:
        sent_and_received([installation.python], installation.environment, installation.venv)

    def test_type_support_is_where_it_is_looked_for(self, installation: Installation) -> None:
        assert list((installation.venv / "lib").glob("libda_ros__rosidl_typesupport_c.so"))

    def test_the_package_is_found_with_its_data(
        self, installation: Installation, run: Callable[..., str]
    ) -> None:
        program = (
            "from ament_index_python import get_package_share_directory as share;"
            "from da_ros.message_definitions import message_definition as text;"
            "print(share('da_ros')); print(text('ScaleEstimate'))"
        )
        environment = installation.environment | {"AMENT_PREFIX_PATH": str(installation.venv)}
        out = run([installation.python, "-c", program], env=environment, cwd="/")
        found, _, text = out.partition("\n")
        assert Path(found) == installation.venv / "share" / "da_ros"
        source = installation.source / "msg" / "ScaleEstimate.msg"
        assert text.strip() == source.read_text().strip()
        profile = "config/fastdds_shm.xml"
        assert (Path(found) / profile).read_text() == (installation.source / profile).read_text()

    def test_a_source_tree_in_front_still_finds_the_messages(
        self, installation: Installation, run: Callable[..., str]
    ) -> None:
        program = "import da_ros, da_ros.msg; print(da_ros.__file__); print(da_ros.msg.__file__)"
        environment = installation.environment | {"PYTHONPATH": str(installation.source)}
        code, messages = run(
            [installation.python, "-c", program], env=environment, cwd="/"
        ).splitlines()
        assert installation.source in Path(code).parents
        assert installation.venv in Path(messages).parents
