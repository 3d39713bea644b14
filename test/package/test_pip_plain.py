"""The third way in: `pip install .` in a fresh venv without any ROS, at first without torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TORCH = (
    *("torch", "torchgen", "functorch", "sympy", "mpmath"),
    *("networkx", "jinja2", "markupsafe", "filelock", "fsspec"),
)
"""The CPU build of torch and what it imports; half a gigabyte that need not be installed again."""


@dataclass(frozen=True)
class Installation:
    """A venv with the package in it."""

    venv: Path
    source: Path
    environment: dict[str, str]

    @property
    def python(self) -> str:
        return str(self.venv / "bin" / "python")

    @property
    def da_ros(self) -> str:
        return str(self.venv / "bin" / "da_ros")


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory,
    source_tree: Path,
    make_venv: Callable[[Path], Path],
    user_environment: Callable[[Path], dict[str, str]],
    run: Callable[..., str],
) -> Installation:
    venv = make_venv(tmp_path_factory.mktemp("pip plain") / "venv")
    environment = user_environment(venv)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-qq"]
    run([*pip, str(source_tree)], env=environment)
    return Installation(venv, source_tree, environment)


@pytest.fixture(scope="module")
def torch_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the torch of the tests' venv in it."""
    folder = tmp_path_factory.mktemp("torch")
    for name in TORCH:
        spec = importlib.util.find_spec(name)
        if spec and spec.origin:
            (folder / name).symlink_to(Path(spec.origin).parent)
    assert (folder / "torch").exists()
    return folder


def modules(source: Path) -> list[str]:
    """Every module that must import without ROS, except those that run when imported."""
    names = []
    for path in sorted((source / "da_ros").rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        if parts[1] != "ros" and parts[-1] not in ("__main__", "__init__"):
            names.append(".".join(parts))
    return names


class TestPipWithoutRos:
    def test_there_is_no_ros(self, installation: Installation, run: Callable[..., str]) -> None:
        for name in ("rclpy", "da_ros.msg", "std_msgs", "torch"):
            command = [installation.python, "-c", f"import {name}"]
            out = run(command, expect=1, env=installation.environment, cwd="/")
            assert "ModuleNotFoundError" in out

    def test_the_wheel_is_for_every_platform(self, installation: Installation) -> None:
        (wheel,) = installation.venv.glob("lib/python*/site-packages/da_ros-*.dist-info/WHEEL")
        assert "Tag: py3-none-any" in wheel.read_text()

    def test_help_needs_no_torch(
        self, installation: Installation, run: Callable[..., str]
    ) -> None:
        out = run([installation.da_ros, "--help"], env=installation.environment, cwd="/")
        assert "da_ros demo" in out

    @pytest.mark.parametrize("command", ["demo", "image"])
    def test_missing_torch_is_one_line(
        self, command: str, installation: Installation, run: Callable[..., str], tmp_path: Path
    ) -> None:
        photo = tmp_path / "photo.png"
        program = f"import PIL.Image as I; I.new('RGB', (64, 48)).save({str(photo)!r})"
        run([installation.python, "-c", program], env=installation.environment)
        arguments = [str(photo)] if command == "image" else []
        line = [installation.da_ros, command, *arguments, "-o", str(tmp_path / "out")]
        out = run(line, expect=2, env=installation.environment, cwd="/")
        assert out.count("\n") == 1
        assert "torch" in out

    def test_every_room_but_ros_imports(
        self, installation: Installation, torch_folder: Path, run: Callable[..., str]
    ) -> None:
        names = modules(installation.source)
        assert len(names) > 20
        program = (
            f"import importlib, sys; [importlib.import_module(n) for n in {names!r}];"
            "print(sorted({m for m in sys.modules if m.endswith('_msgs') or m == 'rclpy'}))"
        )
        environment = installation.environment | {"PYTHONPATH": str(torch_folder)}
        out = run([installation.python, "-c", program], env=environment, cwd="/")
        assert out.strip().splitlines()[-1] == "[]"

    def test_the_demo_runs(
        self,
        installation: Installation,
        torch_folder: Path,
        run: Callable[..., str],
        tmp_path: Path,
    ) -> None:
        if not (
            installation.source / "da_ros" / "network" / "data" / "nano.safetensors"
        ).is_file():
            pytest.skip("nano is not trained yet")
        environment = installation.environment | {"PYTHONPATH": str(torch_folder)}
        small = ["--frames", "1", "--width", "160", "--height", "128"]
        command = [installation.da_ros, "demo", "-o", str(tmp_path / "out"), *small]
        run(command, env=environment, cwd="/")
        assert (tmp_path / "out" / "index.html").is_file()

    def test_message_texts_are_there(
        self, installation: Installation, run: Callable[..., str]
    ) -> None:
        program = (
            "from da_ros.message_definitions import message_definitions as texts;"
            "print(''.join(texts().values()))"
        )
        out = run([installation.python, "-c", program], env=installation.environment, cwd="/")
        names = ("DepthInfo", "ScaleEstimate")
        texts = [(installation.source / "msg" / f"{name}.msg").read_text() for name in names]
        assert out.strip() == "".join(texts).strip()

    def test_messages_on_demand_are_refused(
        self, installation: Installation, run: Callable[..., str], tmp_path: Path
    ) -> None:
        pip = [installation.python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path)]
        environment = installation.environment | {"DA_ROS_MESSAGES": "1"}
        out = run([*pip, str(installation.source)], expect=1, env=environment)
        assert "the messages cannot be built: no ROS wheels in" in out
