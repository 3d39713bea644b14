"""The text of our own messages, for bags, which carry it, and for readers without ROS."""

from __future__ import annotations

from pathlib import Path

from da_ros.errors import DaRosError

MESSAGE_NAMES = ("DepthInfo", "ScaleEstimate")
"""Every message of da_ros/msg."""


def message_definition(name: str) -> str:
    """Read one message file, wherever this installation keeps it.

    Args:
        name: One of ``MESSAGE_NAMES``.

    Returns:
        Text of ``<name>.msg``.

    Raises:
        DaRosError: If there is no such message, or the installation lost its file.
    """
    if name not in MESSAGE_NAMES:
        raise DaRosError(f"message {name!r}: expected one of {', '.join(MESSAGE_NAMES)}")
    folders = definition_folders(Path(__file__))
    for folder in folders:
        path = folder / f"{name}.msg"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    looked = ", ".join(str(folder) for folder in folders)
    raise DaRosError(f"{name}.msg is missing: looked in {looked}; install da_ros again")


def message_definitions() -> dict[str, str]:
    """Read all messages.

    Returns:
        Texts by full name, such as ``da_ros/msg/DepthInfo``.

    Raises:
        DaRosError: If the installation lost one of the files.
    """
    return {f"da_ros/msg/{name}": message_definition(name) for name in MESSAGE_NAMES}


def definition_folders(module: Path) -> list[Path]:
    """List where the message files of an installed package can be, best first.

    A source tree has them beside the package. pip and colcon put them under ``share/`` of a
    prefix, and that prefix is an ancestor of the package, however deep the Python folder lies in
    it (``lib/python3.11/site-packages``, ``local/lib/python3.10/dist-packages``, or none).

    Args:
        module: A file of the package ``da_ros``, as it was imported.

    Returns:
        Folders that may or may not exist.
    """
    package = module.parent
    shares = [ancestor / "share" / "da_ros" / "msg" for ancestor in package.parents]
    return [package.parent / "msg", *shares]
