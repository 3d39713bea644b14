"""pip's way in. colcon reads package.xml, which says ament_cmake, and never runs this file.

``pip install .`` in a venv that has the ROS wheels of requirements/ros-*.txt also builds the
messages, with the package's own CMakeLists.txt. Anywhere else it installs everything but
``da_ros.msg``. The environment variable DA_ROS_MESSAGES says otherwise: 0 never builds them, 1
fails where they cannot be built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

from setuptools import Distribution, find_packages, setup
from setuptools.command.build_py import build_py

PACKAGE = "da_ros"
ROOT = Path(__file__).resolve().parent
CMAKE_PROJECT = ["CMakeLists.txt", "package.xml", "config", "launch", "msg", "scripts", "da_ros"]
PREFIX_DATA = {
    "share/ament_index/resource_index/packages": ["resource/da_ros"],
    "share/da_ros": ["package.xml"],
    "share/da_ros/config": ["config/*"],
    "share/da_ros/launch": ["launch/*.py"],
    "share/da_ros/msg": ["msg/*.msg"],
}


def requirements(name: str) -> list[str]:
    """Lines of one file of requirements/, without its comments."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def manifest_text(tag: str) -> str:
    """Text of one element of package.xml, the home of version and description."""
    text = ElementTree.parse(ROOT / "package.xml").findtext(tag)
    if text is None:
        raise SystemExit(f"package.xml: expected an element <{tag}>")
    return " ".join(text.split())


@cache
def wants_messages() -> bool:
    """Whether this installation gets da_ros.msg; says in one line why not."""
    wish = os.environ.get("DA_ROS_MESSAGES", "auto")
    if wish == "0":
        return False
    generators = Path(sys.prefix, "share", "rosidl_default_generators", "cmake")
    if not generators.is_dir():
        reason = f"no ROS wheels in {sys.prefix}"
    elif not cmake():
        reason = "no cmake"
    else:
        return True
    if wish == "1":
        raise SystemExit(f"DA_ROS_MESSAGES=1, but the messages cannot be built: {reason}")
    print(f"{PACKAGE}: {reason}; installed without its messages", file=sys.stderr)
    return False


def cmake() -> str | None:
    """The venv's cmake, which is new enough, before the system's."""
    folders = os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ.get("PATH", "")])
    return shutil.which("cmake", path=folders)


def install_with_cmake(prefix: Path) -> None:
    """Configure, build and install the package's CMake project into an empty prefix."""
    # pip's build isolation works through PYTHONPATH; the generators are in the venv itself.
    hidden = ("PYTHONPATH", "PYTHONNOUSERSITE")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"AMENT_PREFIX_PATH": sys.prefix, "CMAKE_PREFIX_PATH": sys.prefix}
    program = str(cmake())
    with tempfile.TemporaryDirectory() as folder:
        source, build = Path(folder, "source"), Path(folder, "build")
        copy_cmake_project(source)
        configure = [
            *("-S", str(source), "-B", str(build), f"-DCMAKE_INSTALL_PREFIX={prefix}"),
            *(f"-DPython3_EXECUTABLE={sys.executable}", "-DBUILD_TESTING=OFF"),
            "-DCMAKE_BUILD_TYPE=Release",
        ]
        compile_all = ["--build", str(build), "--parallel", str(os.cpu_count() or 1)]
        for arguments in (configure, compile_all, ["--install", str(build)]):
            subprocess.run([program, *arguments], check=True, env=environment)


def copy_cmake_project(folder: Path) -> None:
    """Copy what CMakeLists.txt reads.

    CMake refuses to export a target whose headers lie below its source folder, and NumPy's do when
    the venv is in the checkout.
    """
    for name in CMAKE_PROJECT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
        elif (ROOT / name).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


class BuildWithMessages(build_py):
    """Adds the generated da_ros.msg, its libraries and its ament index entries to the wheel."""

    def run(self) -> None:
        # A module deleted from the tree would otherwise live on in the build folder.
        shutil.rmtree(Path(self.build_lib, PACKAGE), ignore_errors=True)
        super().run()
        if not self.editable_mode and wants_messages():
            self.add_messages()

    def add_messages(self) -> None:
        prefix = Path(self.get_finalized_command("build").build_base).resolve() / "ros_prefix"
        shutil.rmtree(prefix, ignore_errors=True)
        install_with_cmake(prefix)
        installed = next(prefix.glob(f"**/{PACKAGE}/__init__.py")).parent
        ours = Path(self.build_lib, PACKAGE)
        shutil.copytree(installed / "msg", ours / "msg", ignore=shutil.ignore_patterns("*.c"))
        for library in installed.glob("*.so"):
            shutil.copy2(library, ours)
        self.distribution.data_files = prefix_files(prefix)


def prefix_files(prefix: Path) -> list[tuple[str, list[str]]]:
    """What of a CMake prefix belongs into the venv's own: share/, and every library.

    Type support is opened by its bare name, which no RPATH reaches: it must be in <venv>/lib, the
    folder that the ROS wheels put on LD_LIBRARY_PATH.
    """
    files: dict[str, list[str]] = {}
    executables = prefix.glob(f"lib/{PACKAGE}/*")
    for path in (*prefix.glob("lib/*.so"), *executables, *prefix.glob("share/**/*")):
        if path.is_file():
            folder = str(path.parent.relative_to(prefix))
            files.setdefault(folder, []).append(os.path.relpath(path, ROOT))
    return list(files.items())


def plain_files() -> list[tuple[str, list[str]]]:
    """The same of a source tree, where no messages are built."""
    found = []
    for folder, patterns in PREFIX_DATA.items():
        paths = [path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()]
        found.append((folder, sorted(str(path.relative_to(ROOT)) for path in paths)))
    return [(folder, paths) for folder, paths in found if paths]


class PlatformDistribution(Distribution):
    """A wheel with messages in it is for one platform and one Python."""

    def has_ext_modules(self) -> bool:
        return wants_messages()


setup(
    name=PACKAGE,
    version=manifest_text("version"),
    description=manifest_text("description"),
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={"": ["py.typed", "data/*", "assets/*"]},
    data_files=plain_files(),
    install_requires=requirements("base"),
    extras_require={
        "ros-jazzy": requirements("ros-jazzy"),
        "ros-kilted": requirements("ros-kilted"),
        "test": requirements("test"),
        "train": requirements("train"),
        "render": requirements("render"),
        "plot": requirements("plot"),
    },
    entry_points={
        "console_scripts": [
            "da_ros = da_ros.cli.main:main",
            "depth_node = da_ros.ros.start:main",
        ]
    },
    cmdclass={"build_py": BuildWithMessages},
    distclass=PlatformDistribution,
)
