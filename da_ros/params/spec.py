"""How a parameter is declared and checked, once for the command line, the node and the tests."""

from __future__ import annotations

import math
import re
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar

from da_ros.errors import ParameterError

Value = bool | int | float | str

_TYPE_NAMES = {bool: "bool", int: "int", float: "double", str: "string"}


@dataclass(frozen=True)
class ParamSpec:
    """One parameter, as the declaration and the documentation need it.

    Attributes:
        name: Public name, ``PREFIX + field``.
        field: Attribute of the group.
        type: bool, int, double or string.
        default: What it is unless set.
        description: One or two sentences.
        unit: Of the value, empty if it has none.
        bounds: Lowest and highest allowed value, both included.
        choices: All allowed values.
        pattern: Regular expression that the whole text must match.
        dynamic: Whether a new value acts on the next frame of a configured node.
    """

    name: str
    field: str
    type: str
    default: Value
    description: str
    unit: str = ""
    bounds: tuple[float, float] | None = None
    choices: tuple[str, ...] | None = None
    pattern: str | None = None
    dynamic: bool = False

    @property
    def allowed(self) -> str:
        """What may be set, in words."""
        if self.choices is not None:
            return "one of " + ", ".join(self.choices)
        if self.bounds is not None:
            low, high = self.bounds
            return f"{low:g} to {high:g}" + (f" {self.unit}" if self.unit else "")
        if self.pattern is not None:
            return f"text like {self.pattern}"
        return {"bool": "true or false", "string": "any text"}.get(self.type, f"any {self.type}")

    def checked(self, value: object) -> Value:
        """Return the value in the parameter's own type (a double takes an integer).

        Raises:
            ParameterError: If type or value is not allowed.
        """
        wanted = type(self.default)
        if wanted is float and type(value) is int:
            value = float(value)
        if type(value) is not wanted:
            raise ParameterError(
                f"parameter {self.name}: expected {self.type}, got {value!r} "
                f"({_TYPE_NAMES.get(type(value), type(value).__name__)}); allowed: {self.allowed}"
            )
        if not self._allows(value):
            raise ParameterError(
                f"parameter {self.name}: {value!r} is not allowed; allowed: {self.allowed}"
            )
        return value

    def _allows(self, value: Any) -> bool:
        if isinstance(value, float) and not math.isfinite(value):
            return False
        if self.bounds is not None and not self.bounds[0] <= value <= self.bounds[1]:
            return False
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            return False
        return self.choices is None or value in self.choices


def param(
    default: Value,
    description: str,
    *,
    unit: str = "",
    bounds: tuple[float, float] | None = None,
    choices: tuple[str, ...] | None = None,
    pattern: str | None = None,
    dynamic: bool = False,
) -> Any:  # a field stands where its value is annotated, as dataclasses.field does
    """Declare one parameter: a dataclass field whose metadata holds all there is to know."""
    spec = {
        "default": default,
        "description": description,
        "unit": unit,
        "bounds": bounds,
        "choices": choices,
        "pattern": pattern,
        "dynamic": dynamic,
    }
    return field(default=default, metadata=spec)


class ParamGroup:
    """Base of the groups: validates every field whenever one is built or replaced."""

    PREFIX: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for spec in field_specs(type(self)):
            object.__setattr__(self, spec.field, spec.checked(getattr(self, spec.field)))
        self._check_together()

    def _check_together(self) -> None:
        """Refuse combinations; a group with any overrides this."""


def field_specs(group: type[ParamGroup]) -> list[ParamSpec]:
    """List the parameters of a group in declaration order."""
    declared: tuple[Field[Any], ...] = fields(group)  # type: ignore[arg-type]  # all are dataclasses
    return [
        ParamSpec(
            name=group.PREFIX + item.name,
            field=item.name,
            type=_TYPE_NAMES[type(item.default)],
            **item.metadata,
        )
        for item in declared
    ]
