"""The stage to_depth: what a network's numbers become, and where depth is reported."""

from __future__ import annotations

import time
from dataclasses import replace

from torch import Tensor

from da_ros.errors import ParameterError
from da_ros.geometry.depth import (
    inverse_depth_to_depth,
    metric_to_depth,
    nominal_depth,
    resize_prediction,
)
from da_ros.params import METRIC_FAR_FRACTION, RELATIVE_FAR, DepthParams, PipelineParams
from da_ros.pictures.colormap import value_range
from da_ros.pipeline.frames import DepthFrame, Predicted, ms_since
from da_ros.scale.calibrator import Calibration
from da_ros.scale.filter import ScaleState
from da_ros.scale.uncertainty import depth_std
from da_ros.types import DepthRange, DepthScale, Kind, ModelInfo, ScaleShift

_NO_PIXELS = frozenset({"camera_info", "info", "scale"})
"""Outputs that need no depth at the size of the image."""

_FROM_METRES = frozenset({"depth", "depth_mm", "points", "std", "color"})

_COLOR_STEP = 8  # an adaptive colour range looks at every n-th row and column
_COLOR_PERCENT = (2.0, 98.0)


def depth_range(model: ModelInfo, params: DepthParams) -> DepthRange:
    """Return where depth is reported, with the model's own far if none is set.

    Raises:
        ParameterError: If near is not nearer than that.
    """
    far = params.far
    if not far and model.kind is Kind.METRIC_DEPTH and model.max_depth:
        far = METRIC_FAR_FRACTION * model.max_depth
    return DepthRange(params.near, far or RELATIVE_FAR)


def depth_of(predicted: Predicted, model: ModelInfo, params: PipelineParams) -> DepthFrame:
    """Turn one frame's numbers into what its outputs need, and nothing else.

    Metres come from a metric model, or with a scale that has evidence; a relative model without
    one gives inverse depth and, for viewing, nominal depth.
    """
    start = time.perf_counter()
    frame = predicted.frame
    made = DepthFrame(
        frame=frame,
        model=model,
        network_size=predicted.network_size,
        transform=_transform(predicted.calibration, model, params.scale.policy),
        calibration=predicted.calibration,
    )
    if frame.outputs - _NO_PIXELS:
        made = _filled(made, _at_image_size(predicted), params)
    spent = frame.times.to_depth_ms + ms_since(start)
    return replace(made, frame=replace(frame, times=replace(frame.times, to_depth_ms=spent)))


def _transform(
    calibration: Calibration | None, model: ModelInfo, policy: str
) -> ScaleShift | DepthScale | None:
    """How numbers become metres: as the model has it, or with evidence only."""
    if calibration is None:
        return DepthScale() if model.kind is Kind.METRIC_DEPTH else None
    estimate = calibration.estimate
    if policy == "refuse" and estimate.state is not ScaleState.CALIBRATED:
        return None
    return estimate.transform


def _filled(made: DepthFrame, values: Tensor, params: PipelineParams) -> DepthFrame:
    """Make the pictures.

    Args:
        made: With its transform.
        values: In the network's own unit, (H, W).
        params: Range and colours.
    """
    outputs, model = made.frame.outputs, made.model
    if made.transform is not None and outputs & _FROM_METRES:
        made = replace(made, depth=_metres(values, made.transform, model, params.depth))
    if "std" in outputs and made.depth is not None and made.calibration is not None:
        assert made.transform is not None, "there is no depth without one"
        error = made.calibration.estimate.pixel_error
        made = replace(made, std=depth_std(made.depth, values, made.transform, error))
    if model.kind is Kind.RELATIVE_INVERSE_DEPTH:
        made = replace(made, inverse_depth=values)
    if outputs & {"nominal_depth", "nominal_points"}:
        limits = depth_range(model, params.depth)
        viewed = nominal_depth(values, _reference(model, params.depth), limits)
        made = replace(made, nominal=viewed)
    if "color" not in outputs:
        return made
    painted = made.depth if made.depth is not None else made.inverse_depth
    if painted is None:  # a metric model whose scale has no evidence: for viewing, its own metres
        painted = _metres(values, DepthScale(), model, params.depth)
    made = replace(made, painted=painted)
    return replace(made, color_range=_color_range(made, painted, params))


def _metres(
    values: Tensor, transform: ScaleShift | DepthScale, model: ModelInfo, params: DepthParams
) -> Tensor:
    limits = depth_range(model, params)
    if isinstance(transform, DepthScale):
        return metric_to_depth(values, transform, limits)
    return inverse_depth_to_depth(values, transform, limits)


def _at_image_size(predicted: Predicted) -> Tensor:
    """Resize in the network's own unit; NaN where the image shows nothing or is masked."""
    height, width = predicted.frame.image.pixels.shape[:2]
    values = resize_prediction(predicted.values[None], height, width)[0]
    return predicted.frame.view.blanked(values)


def _reference(model: ModelInfo, params: DepthParams) -> float:
    found = params.nominal_d_ref or model.reference_inverse_depth
    if not found:
        raise ParameterError(f"model {model.model_id} has no d_ref of its own: set nominal_d_ref")
    return found


def _color_range(made: DepthFrame, painted: Tensor, params: PipelineParams) -> tuple[float, float]:
    """Return the values of the near and the far end of the colours."""
    color, metres = params.color, painted is not made.inverse_depth
    if color.range == "fixed" and metres:
        return color.min, color.max
    if color.range == "fixed" and (
        params.depth.nominal_d_ref or made.model.reference_inverse_depth
    ):
        return _reference(made.model, params.depth), 0.0
    low, high = value_range(painted[::_COLOR_STEP, ::_COLOR_STEP].cpu().numpy(), *_COLOR_PERCENT)
    near, far = (low, high) if metres else (high, low)
    return made.frame.stream.follow_color(near, far, metres=metres)
