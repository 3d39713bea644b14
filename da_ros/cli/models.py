"""``da_ros models``: what can be loaded, from where, and under which licence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from da_ros.cli.options import path_of

if TYPE_CHECKING:
    from da_ros.network.digest import Progress
    from da_ros.network.variants import Registry, Variant

HELP = """List, fetch and check the weights of the models.

\b
  da_ros models list                                 what there is, and what is on this disk
  da_ros models fetch metric-indoor-small            metres, indoors, 99 MB, Apache-2.0
  da_ros models fetch v2-base --accept-license       not for commercial use
  da_ros models verify                               hash every weights file on this disk
  da_ros models verify ~/Downloads/unknown.pth       is it whole, and which model is it?
  da_ros models path v2-small                        where it lies, for scripts

Weights lie in ~/.cache/da_ros/weights, or where DA_ROS_WEIGHTS says; what other programs left in
the Hugging Face cache is used too. HF_ENDPOINT names a mirror. On a machine without network, put
the file into that folder under its own name, or load it from anywhere with model_path.
"""

LIST_HELP = """List the models, their licences, and what is on this disk.

\b
  da_ros models list
  da_ros models list | grep metric     those that give metres

The name is what --model, `fetch` and `path` take; model_size and model_family of the node mean the
same rows.
"""

PATH_HELP = """Print where the weights of a model lie.

\b
  da_ros models path nano
  cp "$(da_ros models path v2-small)" /media/usb    for a robot without network

Ends with exit code 2, and the command that fetches them, if they are not on this disk.
"""

FETCH_HELP = """Download the weights of a model, unless they are on this disk already.

\b
  da_ros models fetch v2-small
  da_ros models fetch metric-outdoor-large --accept-license
  HF_ENDPOINT=https://a-mirror.example da_ros models fetch v2-small

A download that was cut goes on where it stopped. The file takes its name only once its sha256 is
right.
"""

VERIFY_HELP = """Hash weights files and say which models they are.

\b
  da_ros models verify                       all that are on this disk
  da_ros models verify weights.pth           one file, from anywhere

Ends with exit code 2 if a file is damaged, or is not what its name says.
"""

STATE_WORDS = {
    "ready": "yes",
    "unchecked": "yes, not yet checked",
    "wrong": "damaged",
    "absent": "no",
}


NAME = typer.Argument(help="Registry name, as `da_ros models list` shows it.")
ACCEPT = typer.Option(
    False, "--accept-license", help="Accept a licence that forbids commercial use."
)
FILE = typer.Argument(
    None, metavar="FILE", parser=path_of, help="A weights file; without one, all that are here."
)


def register(app: typer.Typer, registry: Registry | None = None) -> None:
    """Add the commands to the app.

    Args:
        app: Where they go.
        registry: Rows to work on; None takes da_ros's own.
    """
    rows = _rows(registry)
    models = typer.Typer(help=HELP, invoke_without_command=True, rich_markup_mode=None)

    @models.callback()
    def explain(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    @models.command("list", help=LIST_HELP)
    def list_models() -> None:
        _list(rows())

    @models.command(help=FETCH_HELP)
    def fetch(name: str = NAME, accept_license: bool = ACCEPT) -> None:
        _fetch(rows(), name, accept_license)

    @models.command(help=VERIFY_HELP)
    def verify(path: Path | None = FILE) -> None:
        _verify(rows(), path)

    @models.command(help=PATH_HELP)
    def path(name: str = NAME) -> None:
        _path(rows(), name)

    app.add_typer(models, name="models")


def _rows(registry: Registry | None) -> Callable[[], Registry]:
    """The registry, imported when a command runs."""

    def rows() -> Registry:
        from da_ros.network.variants import REGISTRY

        return REGISTRY if registry is None else registry

    return rows


def _list(registry: Registry) -> None:
    from da_ros.network.locations import weights_folder

    table = [("name", "gives", "size", "licence", "on disk")]
    table += [_line(variant) for variant in registry.values()]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
    typer.echo(f"\nfolder: {weights_folder()}")
    if any(variant.non_commercial for variant in registry.values()):
        typer.echo("NC: not for commercial use; fetching it takes --accept-license")


def _line(variant: Variant) -> tuple[str, str, str, str, str]:
    from da_ros.network.locations import state_on_disk

    licence = variant.licence
    if variant.non_commercial and "NC" not in licence:
        licence += f", from {variant.ancestry.split(' from ')[-1]}"
    if not variant.checkpoints:
        here = "not trained yet" if variant.family == "nano" else "never published"
        return variant.name, _meaning(variant), "-", licence, here
    size = variant.checkpoints[0].size_bytes
    megabytes = f"{size / 1e6:,.0f} MB" if size else "?"
    return (
        variant.name,
        _meaning(variant),
        megabytes,
        licence,
        STATE_WORDS[state_on_disk(variant)],
    )


def _meaning(variant: Variant) -> str:
    if variant.max_depth is not None:
        return f"metres to {variant.max_depth:.0f} m"
    return "relative inverse depth"


def _fetch(registry: Registry, name: str, accept_license: bool) -> None:
    from da_ros.network.hub import fetch_weights
    from da_ros.network.variants import get_variant

    variant = get_variant(name, registry)
    typer.echo(f"{variant.name}: licence {variant.licence_line}", err=True)
    path = fetch_weights(variant, accept_license, progress=True)
    typer.echo(path)


def _path(registry: Registry, name: str) -> None:
    from da_ros.network.locations import find_weights
    from da_ros.network.variants import get_variant

    typer.echo(find_weights(get_variant(name, registry)))


def _verify(registry: Registry, path: Path | None) -> None:
    if path is not None:
        typer.echo(_verdict(registry, path))
        return
    from da_ros.errors import WeightsError
    from da_ros.network.locations import candidates

    bad = []
    places = [place for row in registry.values() for place in candidates(row)]
    for place in (place for place in places if place.path.is_file()):
        try:
            typer.echo(_verdict(registry, place.path, place.checkpoint.sha256))
        except (WeightsError, OSError) as error:
            typer.echo(str(error), err=True)
            bad.append(str(place.path))
    if bad:
        raise WeightsError(
            "hash_mismatch", f"{len(bad)} damaged: {', '.join(bad)}; delete and fetch again"
        )
    if not any(place.path.is_file() for place in places):
        typer.echo("no weights on this disk")


def _verdict(registry: Registry, path: Path, expected: str | None = None) -> str:
    """One line about a file, hashed anew behind a progress bar."""
    from da_ros.errors import WeightsError
    from da_ros.network.hub import verify

    with _bar(path) as progress:
        digest, variant = verify(path, registry, progress)
    if expected is not None and digest != expected:
        raise WeightsError(
            "hash_mismatch", f"{path} has sha256 {digest}, expected {expected}: it is damaged"
        )
    if variant is None:
        return f"{path}: not in the registry, sha256 {digest} (loads as unverified)"
    return f"{path}: {variant.name}, whole, sha256 {digest}"


@contextmanager
def _bar(path: Path) -> Iterator[Progress | None]:
    """A progress bar on stderr, where that is a terminal."""
    import sys

    if not sys.stderr.isatty() or not path.is_file():
        yield None
        return
    length, label = path.stat().st_size, f"hashing {path.name}"
    with typer.progressbar(length=length, label=label, file=sys.stderr) as bar:
        seen = 0

        def progress(done: int, total: int) -> None:
            nonlocal seen
            bar.update(done - seen)
            seen = done

        yield progress
