"""The typer app and the error boundary around every command.

Exit codes: 0 all done, 1 a bug in da_ros (traceback and a hint), 2 nothing done for a stated
reason (one line), 3 some inputs failed and the rest was done, 130 interrupted.

Command modules are imported for their options, so they import nothing slow themselves: torch, cv2
and the other rooms come in when a command runs.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer

from da_ros.errors import DaRosError
from da_ros.memory import keep_freed_memory

EXIT_BUG, EXIT_ERROR, EXIT_SOME_FAILED, EXIT_INTERRUPTED = 1, 2, 3, 130

COMMANDS = ("image", "bag", "calibrate", "demo", "models", "evaluate", "train")
"""Modules of da_ros.cli, in the order in which the help names them."""

PACKAGE_OF_MODULE = {
    "torch": "torch (on a robot: the wheel of your board; elsewhere: the line that "
    "https://pytorch.org shows for your machine)",
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "yaml": "pyyaml",
}
"""How a user gets a module that da_ros needs; a module not named here has its package's name."""

DISK_FAULTS = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.ENAMETOOLONG,
        errno.EISDIR,
        errno.ENOTDIR,
    }
)
"""What the user's disk can refuse anywhere: no mistake of da_ros."""

BUG_HINT = (
    "da_ros: this is a bug in da_ros, not a mistake of yours; please report it with the command "
    "and the lines below."
)

HELP = """Dense depth from any robot camera, with small Depth Anything models.

\b
  da_ros demo                                  see it work, nothing to download
  da_ros image photo.jpg -o out                a photo in; depth, colours and a cloud out
  da_ros bag recording -o with_depth           a ROS 2 bag in; the same bag with depth out
  da_ros calibrate rec --depth T -o scale.yaml a bag with measured depth in; its scale out
  da_ros models list                           what can be loaded, and under which licence
"""

# One home for what typer calls ClickException: typer carries its own copy of click since 0.20, and
# uses the installed click before.
_UsageFault: type[Exception] = typer.BadParameter.__mro__[2]


def build_app() -> typer.Typer:
    """Make the app with every command on it.

    Returns:
        The app; ``main`` runs it inside the error boundary.
    """
    app = typer.Typer(
        name="da_ros",
        help=HELP,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_top_level)
    for name in COMMANDS:
        importlib.import_module(f"da_ros.cli.{name}").register(app)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and say in one line what went wrong.

    Args:
        argv: Words after the program's name; None takes those of this process.

    Returns:
        The exit code, as the module's docstring lists them.

    Raises:
        Exception: A bug, which goes through with its traceback after a hint.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        keep_freed_memory()
    debug = _take_debug_flag(words)
    try:
        return _run(words)
    except Exception as error:
        line = _stated_reason(error)
        if line is None:
            print(BUG_HINT, file=sys.stderr)
            raise
        if debug:
            traceback.print_exc()
        print(f"da_ros: error: {line}", file=sys.stderr)
        return EXIT_ERROR


def _run(words: list[str]) -> int:
    """Parse and run; exit code of the command."""
    command = typer.main.get_command(build_app())
    try:
        result: Any = command.main(words, prog_name="da_ros", standalone_mode=False)
    except KeyboardInterrupt:
        result = EXIT_INTERRUPTED
    except typer.Abort as abort:
        # Typer turns every EOFError into Abort, also that of a truncated file inside a command.
        if isinstance(abort.__cause__, EOFError):
            raise abort.__cause__ from None
        result = EXIT_INTERRUPTED
    if result == EXIT_INTERRUPTED:
        print("da_ros: interrupted", file=sys.stderr)
    return result if isinstance(result, int) else 0


def _stated_reason(error: Exception) -> str | None:
    """One line for what the user can mend; None for a bug."""
    if isinstance(error, DaRosError):
        return _one_line(str(error))
    if isinstance(error, _UsageFault):
        return _one_line(_usage_line(error))
    if isinstance(error, OSError) and error.errno in DISK_FAULTS:
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return _one_line(f"{where}{error.strerror}")
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.split(".")[0]
        if top not in sys.stdlib_module_names and top != "da_ros":
            return f"this needs the Python module {top}: install {PACKAGE_OF_MODULE.get(top, top)}"
    return None


def _usage_line(error: Any) -> str:
    """What is wrong with the command line, and where its help is."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "da_ros"
    return f"{error.format_message()} (see: {where} --help)"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _take_debug_flag(words: list[str]) -> bool:
    """Remove --debug wherever it stands before ``--``; people add it at the end."""
    options = words[: words.index("--")] if "--" in words else words
    if "--debug" not in options:
        return False
    words.remove("--debug")
    return True


def _top_level(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    del debug  # taken off the line by main, declared here for the help
    if version:
        typer.echo(f"da_ros {installed_version()}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


_top_level.__doc__ = HELP


def installed_version() -> str:
    """Version of the installed package, or what a plain source tree can say.

    Returns:
        Such as ``0.1.0``; ``(source tree)`` where no installed package is found.
    """
    from importlib import metadata

    try:
        return metadata.version("da_ros")
    except metadata.PackageNotFoundError:
        return "(source tree)"
