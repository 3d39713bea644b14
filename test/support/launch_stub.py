"""The few classes of launch and launch_ros that our files use, recording what they are given.

The real packages have no wheels. Where they are installed, the tests hold these keywords to them
and read the files with them as well; that was done by hand with ros2/launch 09403fc and
ros2/launch_ros 62c56e5 (both Jazzy).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class Recorded:
    """Keeps its arguments; refuses keywords that the real class has not."""

    positional: tuple[str, ...] = ()
    keywords: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        unknown = set(kwargs) - self.keywords
        assert not unknown, f"{type(self).__name__} has no argument {unknown}"
        assert len(args) <= len(self.positional)
        self.given = dict(zip(self.positional, args, strict=False)) | kwargs


class DeclareLaunchArgument(Recorded):
    positional = ("name",)
    keywords = frozenset({"name", "default_value", "description", "choices"})


class OpaqueFunction(Recorded):
    keywords = frozenset({"function", "args", "kwargs"})


class ExecuteProcess(Recorded):
    keywords = frozenset({"cmd", "output", "name", "shell", "cwd", "env", "additional_env"})


class IncludeLaunchDescription(Recorded):
    positional = ("launch_description_source",)
    keywords = frozenset({"launch_description_source", "launch_arguments"})


class Node(Recorded):
    keywords = frozenset(
        {
            "executable", "package", "name", "namespace", "exec_name", "parameters", "remappings",
            "ros_arguments", "arguments", "output",
        }
    )  # fmt: skip


class PythonLaunchDescriptionSource(Recorded):
    positional = ("launch_file_path",)
    keywords = frozenset({"launch_file_path"})


class LaunchDescription(Recorded):
    positional = ("initial_entities",)
    keywords = frozenset({"initial_entities", "deprecated_reason"})

    @property
    def entities(self) -> list[Any]:
        """What is launched."""
        return list(self.given["initial_entities"])


class LaunchConfiguration(Recorded):
    positional = ("variable_name",)
    keywords = frozenset({"variable_name", "default"})

    def perform(self, context: dict[str, str]) -> str:
        """Look the argument up."""
        return context[self.given["variable_name"]]


MODULES: dict[str, tuple[type, ...]] = {
    "launch": (LaunchDescription,),
    "launch.actions": (
        DeclareLaunchArgument,
        ExecuteProcess,
        IncludeLaunchDescription,
        OpaqueFunction,
    ),
    "launch.launch_description_sources": (PythonLaunchDescriptionSource,),
    "launch.substitutions": (LaunchConfiguration,),
    "launch_ros": (),
    "launch_ros.actions": (Node,),
}


@contextmanager
def installed() -> Iterator[None]:
    """The stub in place of the packages, while a launch file is read."""
    before = {name: sys.modules.get(name) for name in MODULES}
    for name, classes in MODULES.items():
        module = ModuleType(name)
        for one in classes:
            setattr(module, one.__name__, one)
        sys.modules[name] = module
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
