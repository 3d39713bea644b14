"""The stage pack: depth into message fields, each output only if it is wanted."""

from __future__ import annotations

import time
from dataclasses import replace

from torch import Tensor

from da_ros.conversions import (
    Fields,
    camera_info_fields,
    cloud_fields,
    depth_info_fields,
    image_fields,
)
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.cloud import pack_cloud
from da_ros.geometry.depth import depth_to_millimetres
from da_ros.params import PipelineParams
from da_ros.pictures.colormap import colorize
from da_ros.pipeline.depths import painted
from da_ros.pipeline.frames import DepthFrame, PackedFrame, ms_since
from da_ros.pipeline.outputs import camera_info_topic

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
        )
    note = frame.view.note if outputs & _NEED_CAMERA else ""
    return PackedFrame(frame.header, messages, note, times)


def _pictures(made: DepthFrame, params: PipelineParams) -> dict[str, Fields]:
    """Make the images."""
    header, outputs = made.frame.header, made.frame.outputs
    messages: dict[str, Fields] = {}
    for name, topic, values in (
        ("depth", "depth/image", made.depth),
        ("inverse_depth", "inverse_depth/image", made.inverse_depth),
        ("nominal_depth", "nominal/depth/image", made.nominal),
    ):
        if name in outputs and values is not None:
            messages[topic] = image_fields(header, values.cpu().numpy(), "32FC1")
    if "depth_mm" in outputs and made.depth is not None:
        millimetres = depth_to_millimetres(made.depth).cpu().numpy()
        messages["depth/image_raw"] = image_fields(header, millimetres, "16UC1")
    if made.color_range is not None:
        colors = colorize(painted(made).cpu().numpy(), *made.color_range, params.color.map)
        messages["depth/color"] = image_fields(header, colors, "rgb8")
    return messages


def _with_camera(
    made: DepthFrame, camera: PinholeCamera, params: PipelineParams
) -> dict[str, Fields]:
    """Make what needs intrinsics."""
    header, outputs = made.frame.header, made.frame.outputs
    messages: dict[str, Fields] = {}
    if "camera_info" in outputs:
        topic = camera_info_topic(made.model.kind)
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
    return cloud_fields(made.frame.header, points.cpu().numpy())
