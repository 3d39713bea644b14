"""Every parameter of da_ros, declared once; see :mod:`da_ros.params.groups`."""

from __future__ import annotations

from da_ros.params.groups import (
    BAG_BATCH,
    BAG_NAMESPACE,
    BAG_OUTPUTS,
    CLI_MODEL,
    DEMO_FRAMES,
    DEMO_HEIGHT,
    DEMO_SEED,
    DEMO_WIDTH,
    EVALUATION_CAP,
    EVALUATION_SEED,
    IMAGE_FOV_DEG,
    IMAGE_POINTS,
    METRIC_FAR_FRACTION,
    OUTPUTS,
    RELATIVE_FAR,
    CameraParams,
    CloudParams,
    ColorParams,
    DepthParams,
    ModelParams,
    OutputParams,
    PipelineParams,
)
from da_ros.params.node import DepthNodeParams, NodeParams
from da_ros.params.scale import ScaleNodeParams, ScaleParams
from da_ros.params.spec import ParamGroup, ParamSpec, Value, field_specs, param
from da_ros.params.text import parameters_markdown, parameters_yaml

__all__ = [
    "BAG_BATCH",
    "BAG_NAMESPACE",
    "BAG_OUTPUTS",
    "CLI_MODEL",
    "DEMO_FRAMES",
    "DEMO_HEIGHT",
    "DEMO_SEED",
    "DEMO_WIDTH",
    "EVALUATION_CAP",
    "EVALUATION_SEED",
    "IMAGE_FOV_DEG",
    "IMAGE_POINTS",
    "METRIC_FAR_FRACTION",
    "OUTPUTS",
    "RELATIVE_FAR",
    "CameraParams",
    "CloudParams",
    "ColorParams",
    "DepthNodeParams",
    "DepthParams",
    "ModelParams",
    "NodeParams",
    "OutputParams",
    "ParamGroup",
    "ParamSpec",
    "PipelineParams",
    "ScaleNodeParams",
    "ScaleParams",
    "Value",
    "field_specs",
    "param",
    "parameters_markdown",
    "parameters_yaml",
]
