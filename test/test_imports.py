"""Who imports whom: the table of rooms in docs/architecture.md, held against every import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

CORE = {"types", "errors", "params", "geometry", "scale", "network", "conversions"}
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "types": {"errors"},
    "params": {"types", "errors"},
    "message_definitions": {"errors"},
    "memory": set(),
    "files": set(),
    "geometry": {"types", "errors", "params"},
    "scale": {"types", "errors", "params", "geometry", "files"},
    "network": {"types", "errors", "params"},
    "conversions": {"types", "errors", "params"},
    "pictures": CORE,
    "evaluation": CORE,
    "training": CORE | {"memory", "files"},
    "pipeline": CORE | {"pictures"},
    "offline": CORE | {"pipeline", "pictures", "evaluation", "message_definitions", "files"},
    "ros": CORE | {"pipeline", "memory"},
    "cli": CORE
    | {
        "memory",
        "pipeline",
        "pictures",
        "evaluation",
        "training",
        "offline",
        "message_definitions",
    },
    "__main__": {"cli"},
}

ROS = re.compile(
    r"(rclpy|rcl_interfaces|builtin_interfaces|ament_index_python|cv_bridge|message_filters|tf2_ros"
    r"|launch|launch_ros|diagnostic_updater|rosbag2_py|std_srvs|\w+_msgs(_py)?|da_ros\.msg)(\.|$)"
)

ALWAYS_INSTALLED = {"torch"}
"""Besides requirements/base.txt: what every machine gets its own way."""

MODULES_OF_PACKAGE = {
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}


@dataclass(frozen=True)
class Import:
    """One imported name: ``a.b`` for ``import a.b`` and for ``from a import b`` alike."""

    module: Path
    line: int
    target: str
    at_import_time: bool

    @property
    def room(self) -> str:
        return self.module.parts[0].removesuffix(".py")

    def __str__(self) -> str:
        return f"da_ros/{self.module}:{self.line} imports {self.target}"


def imports_of(package: Path) -> list[Import]:
    """Every import of every file of a package, those inside functions too."""
    found = []
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        lazy = {id(node) for outer in ast.walk(tree) if is_lazy(outer) for node in ast.walk(outer)}
        for node in ast.walk(tree):
            found += [
                Import(path.relative_to(package), line, target, id(node) not in lazy)
                for line, target in targets(node)
            ]
    return found


def is_lazy(node: ast.AST) -> bool:
    """Whether what stands below does not run when the module is imported, or may fail there."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Try))


def targets(node: ast.AST) -> list[tuple[int, str]]:
    """Line and name of everything that one statement imports."""
    if isinstance(node, ast.Import):
        return [(node.lineno, alias.name) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        origin = "." * node.level + (node.module or "")
        return [(node.lineno, f"{origin}.{alias.name}") for alias in node.names]
    return []


def room_violations(imports: list[Import]) -> list[str]:
    """Imports of our own rooms that the table does not allow."""
    wrong = []
    for item in imports:
        own, _, rest = item.target.partition(".")
        to = rest.split(".")[0]
        if item.target.startswith("."):
            wrong.append(f"{item}: relative")
        elif own == "da_ros" and to not in {item.room, "msg", *MAY_IMPORT[item.room]}:
            wrong.append(str(item))
    return wrong


def ros_violations(imports: list[Import]) -> list[str]:
    """Imports of ROS anywhere but in ros/."""
    return [str(item) for item in imports if item.room != "ros" and ROS.match(item.target)]


def undeclared(imports: list[Import], declared: set[str], eager: set[str]) -> list[str]:
    """Third-party modules that no requirements file names, or that only an extra brings."""
    wrong = []
    for item in imports:
        top = item.target.split(".")[0]
        if top in sys.stdlib_module_names or top in {"", "da_ros"} or ROS.match(item.target):
            continue
        at_once = item.at_import_time and item.room != "training"
        if top not in (eager if at_once else declared):
            wrong.append(f"{item}{' when it is imported' if top in declared else ''}")
    return wrong


def modules_in(requirements: Path) -> set[str]:
    lines = requirements.read_text(encoding="utf-8").splitlines()
    names = [re.match(r"[A-Za-z0-9_.-]+", line) for line in lines]
    packages = {name.group() for name in names if name}
    return {MODULES_OF_PACKAGE.get(name, name.replace("-", "_")) for name in packages}


@pytest.fixture(scope="module")
def imports(repository: Path) -> list[Import]:
    found = imports_of(repository / "da_ros")
    assert len(found) > 20
    return found


def planted(tmp_path: Path, name: str, text: str) -> list[Import]:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return imports_of(tmp_path)


class TestRooms:
    def test_every_room_is_in_the_table(self, imports: list[Import]) -> None:
        assert {item.room for item in imports} <= set(MAY_IMPORT)

    def test_every_room_of_the_table_is_in_the_architecture(self, repository: Path) -> None:
        text = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
        rows = " ".join(re.findall(r"^\|(.*?)\|", text, re.MULTILINE))
        missing = {room for room in MAY_IMPORT if not room.startswith("__") and room not in rows}
        assert not missing

    def test_imports_follow_the_table(self, imports: list[Import]) -> None:
        assert room_violations(imports) == []

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("geometry/camera.py", "from da_ros.network import build\n"),
            ("geometry/camera.py", "from da_ros import pipeline\n"),
            ("geometry/camera.py", "import da_ros.scale.fit\n"),
            ("geometry/camera.py", "def lazily():\n    from da_ros.network import build\n"),
            ("types.py", "from da_ros.params import ModelParams\n"),
            ("offline/bag.py", "from da_ros.ros.depth_node import main\n"),
            ("ros/depth_node.py", "from da_ros.offline import bag\n"),
            ("cli/bag.py", "from da_ros.ros import depth_node\n"),
            ("network/hub.py", "from da_ros.training import loop\n"),
            ("network/hub.py", "from . import variants\n"),
        ],
    )
    def test_a_planted_import_is_caught(self, tmp_path: Path, name: str, text: str) -> None:
        assert len(room_violations(planted(tmp_path, name, text))) == 1


class TestPackages:
    def test_every_folder_with_modules_is_a_package(self, repository: Path) -> None:
        folders = {path.parent for path in (repository / "da_ros").rglob("*.py")}
        plain = {path.name for path in folders if not (path / "__init__.py").is_file()}
        assert plain == set(), "setuptools would leave these out"

    def test_the_generated_messages_have_their_name_to_themselves(self, repository: Path) -> None:
        assert not (repository / "da_ros" / "msg").exists()


class TestRos:
    def test_only_ros_imports_ros(self, imports: list[Import]) -> None:
        assert ros_violations(imports) == []

    @pytest.mark.parametrize(
        "text",
        [
            "import rclpy\n",
            "from sensor_msgs.msg import Image\n",
            "from std_srvs.srv import SetBool\n",
            "import sensor_msgs_py.point_cloud2\n",
            "from da_ros.msg import DepthInfo\n",
            "def lazily():\n    import cv_bridge\n",
        ],
    )
    def test_a_planted_import_is_caught(self, tmp_path: Path, text: str) -> None:
        assert len(ros_violations(planted(tmp_path, "offline/bag.py", text))) == 1

    def test_ros_may(self, tmp_path: Path) -> None:
        assert ros_violations(planted(tmp_path, "ros/depth_node.py", "import rclpy\n")) == []


class TestRequirements:
    def test_every_module_is_declared(self, imports: list[Import], repository: Path) -> None:
        folder = repository / "requirements"
        base = modules_in(folder / "base.txt") | ALWAYS_INSTALLED
        declared = base.union(*(modules_in(path) for path in folder.glob("*.txt")))
        assert undeclared(imports, declared, base) == []

    def test_a_robot_gets_the_rest_from_apt(self, repository: Path) -> None:
        folder = repository / "requirements"
        rest = modules_in(folder / "base.txt") - modules_in(folder / "robot.txt")
        keys = {"cv2": "python3-opencv", "PIL": "python3-pil", "yaml": "python3-yaml"}
        assert rest == set(keys)
        manifest = (repository / "package.xml").read_text(encoding="utf-8")
        for key in (*keys.values(), "python3-numpy"):
            assert f"<exec_depend>{key}</exec_depend>" in manifest

    def test_an_extra_must_be_imported_lazily(self, tmp_path: Path) -> None:
        eager = planted(tmp_path, "pictures/render.py", "import pyvista\n")
        assert undeclared(eager, {"pyvista"}, set()) != []
        lazy = planted(tmp_path, "pictures/render.py", "def draw():\n    import pyvista\n")
        assert undeclared(lazy, {"pyvista"}, set()) == []

    def test_an_undeclared_module_is_caught(self, tmp_path: Path) -> None:
        lazy = planted(tmp_path, "offline/bag.py", "def f():\n    import pandas\n")
        assert undeclared(lazy, {"pyvista"}, {"numpy"}) != []


class TestImportTime:
    def test_the_light_modules_leave_torch_alone(self) -> None:
        light = "da_ros, da_ros.types, da_ros.errors, da_ros.params, da_ros.message_definitions"
        heavy = "[m for m in ('torch', 'cv2', 'rclpy', 'rosbags') if m in sys.modules]"
        program = f"import sys, {light}; print({heavy})"
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert (result.returncode, result.stdout.strip()) == (0, "[]"), result.stderr


SETTERS = {"torch.cuda.set_device", "torch.cuda.device", "torch.set_default_device"}


def chosen_devices(tree: ast.AST) -> list[int]:
    """Lines that put something on a GPU by themselves; to ask for ``device.type`` is no choice."""
    asked = {
        id(constant)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and ast.unparse(node.left).endswith(".type")
        for constant in node.comparators
    }
    found = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"cuda(:\d*)?", node.value)
        and id(node) not in asked
    ]
    return found + [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (node.func.attr == "cuda" or ast.unparse(node.func) in SETTERS)
    ]


class TestOneDevice:
    """Pitfall 14: a part of the work that goes to a GPU of its own accord."""

    def test_one_module_chooses_it(self, repository: Path) -> None:
        package = repository / "da_ros"
        found = [
            f"{path.relative_to(package)}:{line}"
            for path in package.rglob("*.py")
            for line in chosen_devices(ast.parse(path.read_text("utf-8")))
        ]
        assert {entry.split(":")[0] for entry in found} == {"network/device.py"}

    @pytest.mark.parametrize(
        ("text", "caught"),
        [
            ("x = y.cuda()", True),
            ("x = y.to('cuda')", True),
            ("x = torch.device('cuda:0')", True),
            ("x = torch.device(f'cuda:{number}')", True),
            ("torch.cuda.set_device(0)", True),
            ("x = 'cuda' if torch.cuda.is_available() else 'cpu'", True),
            ("x = device.type == 'cuda'", False),
            ("torch.cuda.empty_cache()", False),
        ],
    )
    def test_a_planted_choice_is_caught(self, text: str, *, caught: bool) -> None:
        assert bool(chosen_devices(ast.parse(text))) is caught
