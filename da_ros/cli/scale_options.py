"""The node's scale parameters as ``--scale-*`` options, made from the same declarations."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import typer

from da_ros.params import ScaleParams, field_specs

_BEGIN = "scale_"


def with_scale_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all of them; it takes them as one keyword argument ``scale``.

    Args:
        command: A typer command whose last parameter is ``scale: ScaleParams``.

    Returns:
        The command that typer is to have.
    """
    signature = inspect.signature(command, eval_str=True)
    kept = [item for name, item in signature.parameters.items() if name != "scale"]
    options = [
        inspect.Parameter(
            _BEGIN + spec.field,
            inspect.Parameter.KEYWORD_ONLY,
            default=typer.Option(
                spec.default,
                f"--scale-{spec.field.replace('_', '-')}",
                help=spec.description + (f" [{spec.unit}]" if spec.unit else ""),
                rich_help_panel="Scale",
            ),
            annotation=type(spec.default),
        )
        for spec in field_specs(ScaleParams)
    ]

    def run(**given: Any) -> Any:
        fields = {spec.field: given.pop(_BEGIN + spec.field) for spec in field_specs(ScaleParams)}
        return command(**given, scale=ScaleParams(**fields))

    keyword = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in kept]
    made: Any = run
    made.__signature__ = signature.replace(parameters=[*keyword, *options])
    hints = {name: hint for name, hint in get_type_hints(command).items() if name != "scale"}
    made.__annotations__ = hints | {item.name: item.annotation for item in options}
    made.__doc__ = command.__doc__
    return run
