"""Options that several commands share, with the defaults and words of the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from da_ros.params import CLI_MODEL, ModelParams, field_specs

if TYPE_CHECKING:
    from da_ros.network.estimator import DepthEstimator

_SPECS = {spec.field: spec for spec in field_specs(ModelParams)}


def _of(name: str, *flags: str, help: str = "") -> Any:
    spec = _SPECS[name]
    choices = f" One of: {', '.join(map(str, spec.choices))}." if spec.choices else ""
    return typer.Option(spec.default, *flags, help=(help or spec.description) + choices)


MODEL = typer.Option(
    CLI_MODEL,
    "--model",
    help="Name from `da_ros models list`, or a weights file (.pth, .safetensors).",
)
VARIANT = typer.Option(
    "",
    "--variant",
    help="With a weights file that is not in the registry: the name of the model it belongs to.",
)
DEVICE = _of("device", "--device")
PRECISION = _of("precision", "--precision")
SIZE = _of("input_size", "--size")


def path_of(word: str | Path) -> Path:
    """Take a word of the command line as a path; an empty one would be the folder one is in.

    Raises:
        typer.BadParameter: If it is empty.
    """
    if str(word) == "":
        raise typer.BadParameter(
            "expected a path, got an empty word (a shell variable that is not set?)"
        )
    return Path(word)


def load_estimator(
    model: str, variant: str, device: str, precision: str, size: int
) -> DepthEstimator:
    """Load the model that the shared options name.

    Args:
        model: Registry name or weights file.
        variant: Registry name that an unknown file belongs to; empty for none.
        device: As the parameter.
        precision: As the parameter.
        size: As the parameter ``input_size`` [px].

    Returns:
        The estimator.

    Raises:
        DaRosError: As ``DepthEstimator.load``.
    """
    params = ModelParams(
        model_variant=variant, device=device, precision=precision, input_size=size
    )
    from da_ros.network.estimator import DepthEstimator

    return DepthEstimator.load(model, params)


def created(folder: Path) -> Path:
    """Make a folder for outputs, with its parents.

    Args:
        folder: Which.

    Returns:
        The same.

    Raises:
        InputError: If it cannot be made.
    """
    from da_ros.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{folder}: cannot be made a folder for the outputs: {reason}") from error
    return folder
