"""The parameters of :mod:`da_ros.params` as ROS parameters: declared, checked, refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from da_ros.errors import ParameterError
from da_ros.params import DepthNodeParams, ParamSpec, field_specs

SPECS: dict[str, ParamSpec] = {
    spec.name: spec
    for group in DepthNodeParams().groups().values()
    for spec in field_specs(type(group))
}
"""Every parameter by its public name."""


class NodeParameters:
    """What is declared on a node, and what its values are now.

    A value that is not allowed does not stop the node from being built: ``current`` says what is
    wrong, and the parameter can be set right.
    """

    def __init__(
        self,
        node: Node,
        is_configured: Callable[[], bool],
        accept: Callable[[DepthNodeParams], None],
    ) -> None:
        """Declare all.

        Args:
            node: To declare on.
            is_configured: Whether only dynamic parameters may change.
            accept: Called with the new values while configured; a ParameterError refuses them.
        """
        self._is_configured = is_configured
        self._accept = accept
        self._given: dict[str, object] = {
            name: _declare(node, spec) for name, spec in SPECS.items()
        }
        node.add_on_set_parameters_callback(self._on_set)

    def current(self) -> DepthNodeParams:
        """Return the values.

        Raises:
            ParameterError: With everything that is not allowed.
        """
        faults = _faults(self._given)
        if faults:
            raise ParameterError("; ".join(faults.values()))
        return DepthNodeParams().with_values(self._given)

    def _on_set(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        new = {p.name: p.value for p in parameters if p.name in SPECS}
        try:
            self._set(new)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _set(self, new: dict[str, object]) -> None:
        if not new:
            return
        for name, value in new.items():
            checked = SPECS[name].checked(value)
            if self._is_configured() and not SPECS[name].dynamic and checked != self._given[name]:
                raise ParameterError(
                    f"parameter {name} is fixed while the node is configured: clean up, set, "
                    "configure again"
                )
        together = self._given | new
        if not _faults(together):  # else configure names what is still wrong with the others
            params = DepthNodeParams().with_values(together)
            if self._is_configured():
                self._accept(params)
        self._given = together


def _declare(node: Node, spec: ParamSpec) -> Any:
    """Declare one and return what it was given, allowed or not."""
    # rclpy would raise where a value from outside is out of range or of another type, also for an
    # integer where a double is meant; our own check knows better, and says it in configure.
    value = node.declare_parameter(spec.name, spec.default, _descriptor(spec, ranged=False)).value
    if not _faults({spec.name: value}):
        node.set_descriptor(spec.name, _descriptor(spec, ranged=True))
    return value


def _descriptor(spec: ParamSpec, *, ranged: bool) -> ParameterDescriptor:
    when = "acts on the next frame" if spec.dynamic else "fixed while configured"
    descriptor = ParameterDescriptor(
        name=spec.name,
        description=spec.description,
        additional_constraints=f"{spec.type}, {spec.allowed}; {when}",
        dynamic_typing=True,
    )
    if ranged and spec.bounds is not None:
        low, high = spec.bounds
        if spec.type == "double":
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
            ]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(low), to_value=int(high), step=1)
            ]
    return descriptor


def _faults(values: dict[str, object]) -> dict[str, str]:
    """Say what is wrong with single values, by name."""
    faults = {}
    for name, value in values.items():
        try:
            SPECS[name].checked(value)
        except ParameterError as error:
            faults[name] = str(error)
    return faults
