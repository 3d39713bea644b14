from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import rclpy
from rclpy.parameter import Parameter

from da_ros.errors import ParameterError
from da_ros.params import DepthNodeParams
from da_ros.ros.declare import SPECS, NodeParameters


class Declared:
    """A bare node with the parameters on it."""

    def __init__(self, context: Any, **given: object) -> None:
        overrides = [Parameter(name.replace("__", "."), value=v) for name, v in given.items()]
        self.node = rclpy.create_node("bare", context=context, parameter_overrides=overrides)
        self.configured = False
        self.accepted: list[DepthNodeParams] = []
        self.parameters = NodeParameters(self.node, lambda: self.configured, self.accept)

    def accept(self, params: DepthNodeParams) -> None:
        if params.depth.near > 15.0:
            raise ParameterError("planted: the model sees 15 m")
        self.accepted.append(params)

    def set(self, name: str, value: object) -> str:
        """Set one; the reason of a refusal, empty if there was none."""
        (result,) = self.node.set_parameters([Parameter(name, value=value)])
        return "" if result.successful else str(result.reason)


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    made = rclpy.Context()
    rclpy.init(context=made)
    yield made
    made.try_shutdown()


@pytest.fixture
def declared(context: Any) -> Iterator[Declared]:
    made = Declared(context)
    yield made
    made.node.destroy_node()


class TestDeclaration:
    def test_values_are_the_defaults(self, declared: Declared) -> None:
        assert declared.parameters.current() == DepthNodeParams()

    def test_descriptors_carry_description_and_range(self, declared: Declared) -> None:
        for name, spec in SPECS.items():
            found = declared.node.describe_parameter(name)
            assert found.description == spec.description
            assert not found.read_only
            ranges = [*found.floating_point_range, *found.integer_range]
            expected = [] if spec.bounds is None else [spec.bounds]
            assert [(r.from_value, r.to_value) for r in ranges] == expected, name

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"near": -1.0}, r"parameter near: -1\.0 is not allowed; allowed: 0\.001 to 1000 m"),
            ({"cloud__stride": 0}, r"cloud\.stride: 0 is not allowed"),
            ({"device": 0}, r"parameter device: expected string, got 0 \(int\)"),
            ({"model_path": [1, 2]}, r"parameter model_path: expected string"),
            ({"near": 5.0, "far": 2.0}, r"near 5 m and far 2 m"),
            ({"near": -1.0, "device": "gpu"}, r"parameter device.*; parameter near"),
        ],
    )
    def test_a_wrong_start_value_is_named_and_can_be_mended(
        self, context: Any, given: dict[str, object], message: str
    ) -> None:
        made = Declared(context, **given)
        with pytest.raises(ParameterError, match=message):
            made.parameters.current()
        for name in given:
            public = name.replace("__", ".")
            assert made.set(public, SPECS[public].default) == ""
        assert made.parameters.current() == DepthNodeParams()
        made.node.destroy_node()

    def test_doubles_take_integers_at_start_and_later(self, context: Any) -> None:
        made = Declared(context, far=20)
        assert made.parameters.current().depth.far == 20.0
        assert made.set("far", 7) == ""
        assert made.parameters.current().depth.far == 7.0
        made.node.destroy_node()


class TestSet:
    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("far", -3.0, "far"),
            ("far", -3, "far"),
            ("near", float("nan"), "near"),
            ("near", "close", "expected double, got 'close'"),
            ("near", None, "expected double, got None"),
            ("cloud.stride", 0, "cloud.stride"),
            ("cloud.stride", 2.0, r"expected int, got 2.0"),
            ("rotate_180", 1, "expected bool, got 1"),
            ("model_size", "huge", "one of nano, small"),
            ("near", 50.0, ""),
        ],
    )
    def test_refusals_name_the_parameter(
        self, declared: Declared, name: str, value: object, message: str
    ) -> None:
        declared.set("far", 10.0)
        reason = declared.set(name, value)
        assert message in reason
        assert name.rpartition(".")[2] in reason
        assert declared.parameters.current().depth.far == 10.0

    def test_while_configured_only_dynamic_ones_change(self, declared: Declared) -> None:
        declared.configured = True
        assert "clean up, set, configure again" in declared.set("device", "cpu")
        assert declared.set("device", "auto") == "", "it already is"
        assert declared.set("cloud.stride", 3) == ""
        assert declared.accepted[-1].cloud.stride == 3
        declared.configured = False
        assert declared.set("device", "cpu") == ""
        assert declared.parameters.current().model.device == "cpu"

    def test_dynamic_is_what_the_declaration_says(self, declared: Declared) -> None:
        declared.configured = True
        for name, spec in SPECS.items():
            other = {
                "bool": not spec.default,
                "int": 33,
                "double": 0.9 if name in ("far", "color.max") else 0.5,
                "string": spec.choices[-1] if spec.choices else "cpu",
            }[spec.type]
            reason = declared.set(name, other)
            assert (reason == "") == spec.dynamic, f"{name}: {reason}"

    def test_the_model_may_refuse(self, declared: Declared) -> None:
        declared.configured = True
        assert declared.set("near", 16.0) == "planted: the model sees 15 m"
        assert declared.parameters.current() == DepthNodeParams()

    def test_together_they_may_pass_where_one_by_one_they_would_not(
        self, declared: Declared
    ) -> None:
        declared.set("far", 2.0)
        result = declared.node.set_parameters_atomically(
            [Parameter("near", value=3.0), Parameter("far", value=4.0)]
        )
        assert result.successful
        assert declared.parameters.current().depth.near == 3.0

    def test_parameters_of_others_are_none_of_our_business(self, declared: Declared) -> None:
        assert declared.set("use_sim_time", True) == ""
