"""The stage to_depth: what a network's numbers become, and where depth is reported."""

from __future__ import annotations

import time
from dataclasses import replace

from torch import Tensor

from da_ros.errors import ParameterError
from da_ros.geometry.depth import metric_to_depth, nominal_depth, resize_prediction
from da_ros.params import METRIC_FAR_FRACTION, RELATIVE_FAR, DepthParams, PipelineParams
from da_ros.pictures.colormap import value_range
from da_ros.pipeline.frames import DepthFrame, Predicted, ms_since
from da_ros.types import DepthRange, DepthScale, Kind, ModelInfo

_PICTURES = frozenset({"camera_info", "info"})
"""Outputs that need no depth at the size of the image."""

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

    Metres come from a metric model; a relative one without a scale gives inverse depth and,
    for viewing, nominal depth.
    """
    start = time.perf_counter()
    frame = predicted.frame
    values = _at_image_size(predicted) if frame.outputs - _PICTURES else None
    scale = DepthScale() if model.kind is Kind.METRIC_DEPTH else None
    made = DepthFrame(
        frame=frame,
        model=model,
        depth=None,
        inverse_depth=values if model.kind is Kind.RELATIVE_INVERSE_DEPTH else None,
        nominal=None,
        transform=scale,
        color_range=None,
        network_size=predicted.network_size,
    )
    if values is not None and scale is not None:
        metres = metric_to_depth(values, scale, depth_range(model, params.depth))
        made = replace(made, depth=metres)
    if values is not None and frame.outputs & {"nominal_depth", "nominal_points"}:
        limits = depth_range(model, params.depth)
        viewed = nominal_depth(values, _reference(model, params.depth), limits)
        made = replace(made, nominal=viewed)
    if "color" in frame.outputs:
        made = replace(made, color_range=_color_range(made, params))
    times = replace(frame.times, to_depth_ms=ms_since(start))
    return replace(made, frame=replace(frame, times=times))


def painted(made: DepthFrame) -> Tensor:
    """Return what the colour picture shows: depth if there is any, else inverse depth."""
    values = made.depth if made.depth is not None else made.inverse_depth
    assert values is not None, "colours were asked for, so to_depth has made values"
    return values


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


def _color_range(made: DepthFrame, params: PipelineParams) -> tuple[float, float]:
    """Return the values of the near and the far end of the colours."""
    color, metres = params.color, made.depth is not None
    if color.range == "fixed" and metres:
        return color.min, color.max
    if color.range == "fixed" and (
        params.depth.nominal_d_ref or made.model.reference_inverse_depth
    ):
        return _reference(made.model, params.depth), 0.0
    sample = painted(made)[::_COLOR_STEP, ::_COLOR_STEP].cpu().numpy()
    low, high = value_range(sample, *_COLOR_PERCENT)
    near, far = (low, high) if metres else (high, low)
    return made.frame.stream.follow_color(near, far)
