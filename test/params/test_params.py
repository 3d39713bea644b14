"""The declarations, what they refuse, and the files made of them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from da_ros import params as module
from da_ros.errors import ParameterError
from da_ros.params import (
    BAG_OUTPUTS,
    OUTPUTS,
    CameraParams,
    CloudParams,
    ColorParams,
    DepthNodeParams,
    DepthParams,
    ModelParams,
    NodeParams,
    OutputParams,
    ParamGroup,
    ParamSpec,
    PipelineParams,
    ScaleNodeParams,
    ScaleParams,
    field_specs,
    param,
    parameters_markdown,
    parameters_yaml,
)

PIPELINE_GROUPS = (
    ModelParams, DepthParams, CameraParams, CloudParams, ColorParams, OutputParams, ScaleParams,
)  # fmt: skip
PIPELINE_SPECS = [spec for group in PIPELINE_GROUPS for spec in field_specs(group)]
SPECS = [*PIPELINE_SPECS, *field_specs(ScaleNodeParams), *field_specs(NodeParams)]
PYTHON_TYPES = {"bool": bool, "int": int, "double": float, "string": str}


@dataclasses.dataclass(frozen=True)
class Oven(ParamGroup):
    PREFIX = "oven."

    heat: float = param(180.0, "How hot.", unit="degC", bounds=(50.0, 250.0), dynamic=True)
    shelf: int = param(2, "Which shelf.", bounds=(1, 4))
    mode: str = param("fan", "What heats.", choices=("fan", "grill"))
    light: bool = param(False, "Lamp.")
    name: str = param("a1", "Letter and digit.", pattern=r"[a-z]\d")


class TestFieldSpecs:
    def test_a_spec_holds_all_that_was_declared(self) -> None:
        heat = field_specs(Oven)[0]
        assert heat == ParamSpec(
            "oven.heat", "heat", "double", 180.0, "How hot.", "degC", (50.0, 250.0), dynamic=True
        )
        assert [spec.type for spec in field_specs(Oven)] == [
            "double", "int", "string", "bool", "string",
        ]  # fmt: skip

    def test_what_is_allowed_is_said_in_words(self) -> None:
        assert [spec.allowed for spec in field_specs(Oven)] == [
            "50 to 250 degC",
            "1 to 4",
            "one of fan, grill",
            "true or false",
            r"text like [a-z]\d",
        ]


class TestParamGroup:
    def test_defaults_pass_their_own_checks(self) -> None:
        assert Oven() == Oven(180.0, 2, "fan", False, "a1")

    def test_a_double_takes_an_integer_and_becomes_one(self) -> None:
        oven = Oven(heat=100)
        assert oven.heat == 100.0
        assert type(oven.heat) is float

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"heat": 251.0}, r"oven\.heat: 251\.0 is not allowed; allowed: 50 to 250 degC"),
            ({"heat": float("nan")}, r"oven\.heat: nan is not allowed"),
            ({"heat": float("inf")}, r"oven\.heat: inf is not allowed"),
            ({"heat": "hot"}, r"oven\.heat: expected double, got 'hot' \(string\)"),
            ({"heat": True}, r"oven\.heat: expected double, got True \(bool\)"),
            ({"shelf": 2.0}, r"oven\.shelf: expected int, got 2\.0 \(double\)"),
            ({"shelf": True}, r"oven\.shelf: expected int, got True \(bool\)"),
            ({"shelf": 0}, r"oven\.shelf: 0 is not allowed; allowed: 1 to 4"),
            ({"mode": "steam"}, r"oven\.mode: 'steam' is not allowed; allowed: one of fan, grill"),
            ({"light": 1}, r"oven\.light: expected bool, got 1 \(int\)"),
            ({"name": "a12"}, r"oven\.name: 'a12' is not allowed"),
            ({"name": None}, r"oven\.name: expected string, got None \(NoneType\)"),
        ],
    )
    def test_refuses_naming_parameter_value_and_what_is_allowed(
        self, values: dict[str, object], message: str
    ) -> None:
        with pytest.raises(ParameterError, match=message):
            Oven(**values)  # type: ignore[arg-type]

    def test_replace_validates_too(self) -> None:
        with pytest.raises(ParameterError, match=r"oven\.shelf"):
            dataclasses.replace(Oven(), shelf=9)

    @given(st.floats(50.0, 250.0))
    def test_every_value_within_the_bounds_is_kept(self, heat: float) -> None:
        assert Oven(heat=heat).heat == heat


class TestDeclarations:
    @pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
    def test_each_is_described_and_its_default_allowed(self, spec: ParamSpec) -> None:
        assert spec.description.endswith(".")
        assert type(spec.default) is PYTHON_TYPES[spec.type]
        assert spec.checked(spec.default) == spec.default

    def test_public_names_are_unique(self) -> None:
        names = [spec.name for spec in SPECS]
        assert len(names) == len(set(names))

    def test_numbers_have_bounds(self) -> None:
        assert [s.name for s in SPECS if s.type in ("int", "double") and s.bounds is None] == []

    def test_outputs_are_the_pipelines(self) -> None:
        assert tuple(spec.field for spec in field_specs(OutputParams)) == OUTPUTS
        assert set(BAG_OUTPUTS) < set(OUTPUTS)

    @pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:3"])
    def test_devices(self, device: str) -> None:
        assert ModelParams(device=device).device == device

    @pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu0", ""])
    def test_devices_refused(self, device: str) -> None:
        with pytest.raises(ParameterError, match="device"):
            ModelParams(device=device)

    def test_near_must_be_nearer_than_far(self) -> None:
        with pytest.raises(ParameterError, match=r"near 5 m and far 2 m"):
            DepthParams(near=5.0, far=2.0)
        assert DepthParams(near=5.0, far=0.0).far == 0.0

    def test_colour_ends_must_differ(self) -> None:
        with pytest.raises(ParameterError, match=r"color\.min and color\.max"):
            ColorParams(min=4.0, max=4.0)

    def test_colour_maps_are_those_that_exist(self) -> None:
        from da_ros.pictures.colormap import COLORMAPS

        spec = next(spec for spec in SPECS if spec.name == "color.map")
        assert spec.choices == COLORMAPS


class TestPipelineParams:
    def test_values_name_every_parameter(self) -> None:
        known = {spec.name: spec.default for spec in PIPELINE_SPECS}
        assert PipelineParams().values() == known

    def test_the_node_has_its_own_besides(self) -> None:
        node = DepthNodeParams()
        assert node.values() == {spec.name: spec.default for spec in SPECS}
        changed = node.with_values({"max_rate": 5, "cloud.stride": 2})
        assert (changed.node.max_rate, changed.cloud.stride) == (5.0, 2)

    def test_with_values_sets_by_public_name(self) -> None:
        changed = PipelineParams().with_values({"cloud.stride": 4, "near": 1})
        assert changed.cloud == CloudParams(stride=4)
        assert changed.depth == DepthParams(near=1.0)
        assert changed.camera == CameraParams()

    def test_near_and_far_move_together(self) -> None:
        params = PipelineParams().with_values({"near": 1.0, "far": 2.0})
        assert params.with_values({"near": 3.0, "far": 4.0}).depth == DepthParams(3.0, 4.0)

    def test_with_values_refuses_an_unknown_name(self) -> None:
        with pytest.raises(ParameterError, match=r"unknown parameter stride; known: model_size"):
            PipelineParams().with_values({"stride": 4})

    def test_with_values_refuses_a_bad_value(self) -> None:
        with pytest.raises(ParameterError, match=r"cloud\.stride: 0 is not allowed"):
            PipelineParams().with_values({"cloud.stride": 0})


class TestGeneratedFiles:
    def test_yaml_is_the_defaults(self) -> None:
        flat: dict[str, object] = {}
        for name, value in yaml.safe_load(parameters_yaml())["/**"]["ros__parameters"].items():
            if isinstance(value, dict):
                flat |= {f"{name}.{key}": inner for key, inner in value.items()}
            else:
                flat[name] = value
        assert flat == DepthNodeParams().values()
        assert [type(v) for v in flat.values()] == [type(s.default) for s in SPECS]

    def test_markdown_has_a_row_each(self) -> None:
        rows = [line for line in parameters_markdown().splitlines() if line.startswith("| `")]
        assert [row.split("`")[1] for row in rows] == [spec.name for spec in SPECS]
        cells = {len(row.replace("\\|", "").split("|")) for row in rows}
        assert cells == {8}

    @pytest.mark.parametrize(
        ("path", "make"),
        [("config/depth.yaml", parameters_yaml), ("docs/parameters.md", parameters_markdown)],
    )
    def test_the_committed_file_is_up_to_date(self, repository: Path, path: str, make) -> None:  # type: ignore[no-untyped-def]
        assert (repository / path).read_text(encoding="utf-8") == make(), (
            "run `python -m da_ros.params`"
        )


class TestImport:
    def test_needs_neither_torch_nor_cv2(self) -> None:
        code = (
            f"import sys, {module.__name__}; "
            "sys.exit(' '.join({'torch', 'cv2', 'numpy'} & set(sys.modules)) or None)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
