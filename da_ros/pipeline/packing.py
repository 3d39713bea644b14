"""The stage pack: depth into message fields, each output only if it is wanted."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from da_ros.conversions import (
    Fields,
    camera_info_fields,
    cloud_fields,
    depth_info_fields,
    image_fields,
    scale_estimate_fields,
)
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.cloud import pack_cloud
from da_ros.geometry.depth import depth_to_millimetres
from da_ros.params import PipelineParams
from da_ros.pictures.colormap import colorize, colorize_on_device
from da_ros.pipeline.frames import DepthFrame, PackedFrame, ms_since
from da_ros.pipeline.outputs import camera_info_topics
from da_ros.pipeline.transfer import to_host
from da_ros.scale.calibrator import Calibration
from da_ros.scale.observations import static
from da_ros.scale.uncertainty import sigma_at
from da_ros.types import ScaleObservation, ScaleSupport

_SIGMA_AT = 5.0  # [m]

_NEED_CAMERA = frozenset({"camera_info", "points", "nominal_points"})


def packed(made: DepthFrame, params: PipelineParams, info_times: bool) -> PackedFrame:
    """Make one frame's messages.

    Args:
        made: With depth.
        params: Of the cloud and the colours.
        info_times: Whether DepthInfo says what the stages took.
    """
    start = time.perf_counter()
    frame, outputs = made.frame, made.frame.outputs
    messages = _pictures(made, params)
    if frame.camera is not None:
        messages |= _with_camera(made, frame.camera, params)
    times = replace(frame.times, pack_ms=ms_since(start))
    if "info" in outputs:
        messages["depth_info"] = depth_info_fields(
            frame.header,
            made.model,
            made.transform,
            frame.image_size,
            made.network_size,
            times if info_times else None,
            None if made.calibration is None else support_of(made.calibration),
        )
    if "scale" in outputs and made.calibration is not None and made.calibration.is_news:
        messages["scale"] = scale_message(made, made.calibration)
    return PackedFrame(
        frame.header,
        messages,
        frame.view.note if outputs & _NEED_CAMERA else "",
        times,
        made.calibration,
        made.network_size,
        frame.view.note,
    )


def _pictures(made: DepthFrame, params: PipelineParams) -> dict[str, Fields]:
    """Make the images."""
    header, outputs = made.frame.header, made.frame.outputs
    messages: dict[str, Fields] = {}
    for name, topic, values in (
        ("depth", "depth/image", made.depth),
        ("inverse_depth", "inverse_depth/image", made.inverse_depth),
        ("nominal_depth", "nominal/depth/image", made.nominal),
        ("std", "depth/std", made.std),
    ):
        if name in outputs and values is not None:
            messages[topic] = image_fields(header, to_host(values), "32FC1")
    if "depth_mm" in outputs and made.depth is not None:
        millimetres = to_host(depth_to_millimetres(made.depth))
        messages["depth/image_raw"] = image_fields(header, millimetres, "16UC1")
    if made.painted is not None and made.color_range is not None:
        colors = _painted(made.painted, made.color_range, params.color.map)
        messages["depth/color"] = image_fields(header, colors, "rgb8")
    return messages


def _painted(values: Tensor, ends: tuple[float, float], colormap: str) -> npt.NDArray[np.uint8]:
    """Paint where the values are; NumPy's way is the faster one on a CPU."""
    if values.device.type == "cpu":
        return colorize(values.numpy(), *ends, colormap)
    return to_host(colorize_on_device(values, *ends, colormap))


def _with_camera(
    made: DepthFrame, camera: PinholeCamera, params: PipelineParams
) -> dict[str, Fields]:
    """Make what needs intrinsics."""
    header, outputs = made.frame.header, made.frame.outputs
    messages: dict[str, Fields] = {}
    if "camera_info" in outputs:
        has_nominal = params.depth.nominal_d_ref or made.model.reference_inverse_depth
        for topic in camera_info_topics(made.model.kind, scaled=made.calibration is not None):
            if has_nominal if topic.startswith("nominal") else made.transform is not None:
                messages[topic] = camera_info_fields(header, camera.fields())
    if "points" in outputs and made.depth is not None:
        messages["points"] = _cloud(made, made.depth, camera, params)
    if "nominal_points" in outputs and made.nominal is not None:
        messages["nominal/points"] = _cloud(made, made.nominal, camera, params)
    return messages


def _cloud(
    made: DepthFrame, depth: Tensor, camera: PinholeCamera, params: PipelineParams
) -> Fields:
    cloud, image = params.cloud, made.frame.image
    points = pack_cloud(
        depth,
        camera,
        image.pixels if cloud.color else None,
        stride=cloud.stride,
        max_range=cloud.max_range or None,
        edge_threshold=cloud.edge_threshold or None,
        bgr=image.bgr,
    )
    return cloud_fields(made.frame.header, to_host(points))


def scale_message(made: DepthFrame, calibration: Calibration) -> Fields:
    """What is known of the scale, as ScaleEstimate has it."""
    estimate = calibration.estimate
    return scale_estimate_fields(
        made.frame.header,
        made.model,
        made.network_size,
        estimate.transform,
        support_of(calibration),
        observation_of(calibration),
        sigma_5m(calibration),
    )


def sigma_5m(calibration: Calibration) -> float:
    """Standard deviation of a depth of 5 m [m]; NaN without a scale."""
    estimate = calibration.estimate
    if estimate.transform is None:
        return math.nan
    return sigma_at(_SIGMA_AT, estimate.transform, estimate.pixel_error)


def support_of(calibration: Calibration) -> ScaleSupport:
    """What the scale of a frame rests on."""
    estimate, basis = calibration.estimate, calibration.basis
    return ScaleSupport(basis.sources, str(estimate.state), estimate.age, basis.inliers)


def observation_of(calibration: Calibration) -> ScaleObservation:
    """What was measured at a frame."""
    reports = calibration.reports
    residuals = [report.residual for report in reports if math.isfinite(report.residual)]
    saved = [name for name in calibration.basis.sources if name == static.SOURCE]
    return ScaleObservation(
        sources=(*(report.source for report in reports), *saved),
        offered=sum(report.offered for report in reports),
        used=sum(report.used for report in reports),
        inliers=sum(report.inliers for report in reports if not report.reason),
        residual=max(residuals, default=math.nan),
        refusal=calibration.refusal,
    )
