"""Fields of da_ros's own messages: how a frame was made, and what is known of its scale."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from da_ros.conversions.fields import Fields
from da_ros.types import (
    DepthScale,
    Header,
    Kind,
    ModelInfo,
    ScaleObservation,
    ScaleShift,
    ScaleSupport,
    StageTimes,
)

KIND_CODES = {
    Kind.RELATIVE_INVERSE_DEPTH: 1,
    Kind.RELATIVE_DEPTH: 2,
    Kind.METRIC_DEPTH: 3,
}
"""``DepthInfo.KIND_*``."""

TRANSFORM_NONE, TRANSFORM_INVERSE_AFFINE, TRANSFORM_SCALE = 0, 1, 2

SOURCE_NONE, SOURCE_MODEL = 0, 1
SOURCE_CODES = {"depth_image": 2, "point_cloud": 4, "ground_plane": 8, "static": 16}
"""``SOURCE_*`` of both messages, to be added up."""

STATE_CODES = {"none": 0, "calibrated": 1, "held": 2, "stale": 3}
"""``STATE_*`` of both messages."""


def depth_info_fields(
    header: Header,
    model: ModelInfo,
    transform: ScaleShift | DepthScale | None,
    image_size: tuple[int, int],
    network_size: tuple[int, int],
    times: StageTimes | None,
    support: ScaleSupport | None = None,
) -> Fields:
    """Fields of a da_ros/DepthInfo.

    Args:
        header: Goes into the message unchanged.
        model: Which weights.
        transform: How their numbers became metres; None if none were made.
        image_size: (height, width) as received [px].
        network_size: (height, width) of the network's input [px].
        times: What each stage took; None, where they are not this frame's own, becomes NaN.
        support: What the transform rests on; None where no calibrator is at work.
    """
    return {
        "header": header,
        "model_id": model.model_id,
        "model_sha256": model.sha256,
        "model_verified": model.verified,
        "kind": KIND_CODES[model.kind],
        **_transform_fields(transform),
        **_support_fields(transform, support),
        "image_width": image_size[1],
        "image_height": image_size[0],
        "network_width": network_size[1],
        "network_height": network_size[0],
        **_time_fields(times),
    }


def scale_estimate_fields(
    header: Header,
    model: ModelInfo,
    network_size: tuple[int, int],
    transform: ScaleShift | DepthScale | None,
    support: ScaleSupport,
    observation: ScaleObservation,
    sigma_5m: float,
) -> Fields:
    """Fields of a da_ros/ScaleEstimate.

    Args:
        header: Of the image.
        model: Which weights.
        network_size: (height, width) of the network's input [px].
        transform: The estimate; None if there is none.
        support: What it rests on.
        observation: What this message answers.
        sigma_5m: Standard deviation of a depth of 5 m [m]; NaN without an estimate.
    """
    known = _transform_fields(transform)
    return {
        "header": header,
        "model_id": model.model_id,
        "model_sha256": model.sha256,
        "network_width": network_size[1],
        "network_height": network_size[0],
        **{name: known[name] for name in ("transform", "scale", "shift")},
        "covariance": np.array(_covariance(transform), np.float64),
        "state": STATE_CODES[support.state],
        "age": support.age,
        "sigma_5m": sigma_5m,
        "source": source_code(observation.sources),
        "points_offered": observation.offered,
        "points_used": observation.used,
        "inliers": observation.inliers,
        "residual": observation.residual,
        "refusal": observation.refusal,
    }


def retracted_estimate(fields: Fields, reason: str) -> Fields:
    """Fields of a ScaleEstimate that says of the same image why there is none any more."""
    names = ("scale", "shift", "age", "sigma_5m", "residual")
    counts = ("source", "points_offered", "points_used", "inliers")
    return {
        **fields,
        **dict.fromkeys(names, math.nan),
        **dict.fromkeys(counts, 0),
        "transform": TRANSFORM_NONE,
        "covariance": np.full(4, math.nan),
        "state": STATE_CODES["none"],
        "refusal": reason,
    }


def source_code(sources: Iterable[str]) -> int:
    """Add up the constants of some sources; one that occurs twice counts once."""
    return sum(SOURCE_CODES[name] for name in set(sources))


def _transform_fields(transform: ScaleShift | DepthScale | None) -> Fields:
    found: Fields = {
        "transform": TRANSFORM_NONE,
        "scale": math.nan,
        "shift": math.nan,
        "scale_std": math.nan,
        "shift_std": math.nan,
    }
    if isinstance(transform, DepthScale):
        std = math.sqrt(transform.variance) if transform.variance > 0 else math.nan
        found |= {"transform": TRANSFORM_SCALE, "scale": transform.factor, "scale_std": std}
    elif transform is not None:
        variances = transform.covariance[0], transform.covariance[2]
        stds = [math.sqrt(value) if value > 0 else math.nan for value in variances]
        found |= {"transform": TRANSFORM_INVERSE_AFFINE, "scale": transform.scale}
        found |= {"shift": transform.shift, "scale_std": stds[0], "shift_std": stds[1]}
    return found


def _covariance(transform: ScaleShift | DepthScale | None) -> tuple[float, float, float, float]:
    """Of (scale, shift), row-major."""
    if transform is None:
        return (math.nan,) * 4
    if isinstance(transform, DepthScale):
        return (transform.variance, math.nan, math.nan, math.nan)
    scale, both, shift = transform.covariance
    return (scale, both, both, shift)


def _support_fields(
    transform: ScaleShift | DepthScale | None, support: ScaleSupport | None
) -> Fields:
    """Where the scale came from; no source where no metres were made."""
    if support is None:
        of_model = isinstance(transform, DepthScale)
        support = ScaleSupport((), "none", math.nan, 0)
        source = SOURCE_MODEL if of_model else SOURCE_NONE
    else:
        source = SOURCE_NONE if transform is None else source_code(support.sources)
    return {
        "scale_source": source,
        "scale_state": STATE_CODES[support.state],
        "scale_age": support.age,
        "scale_inliers": support.inliers,
    }


def _time_fields(times: StageTimes | None) -> Fields:
    stages = ("decode_ms", "prepare_ms", "infer_ms", "to_depth_ms", "pack_ms")
    return {name: math.nan if times is None else getattr(times, name) for name in stages}
