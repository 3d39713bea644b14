"""What can be made of an image, under which topics, as messages of which type.

Topics are relative to the node (``~/`` in ROS, ``/da_ros/`` in a bag).
"""

from __future__ import annotations

from collections.abc import Iterable

from da_ros.errors import ParameterError
from da_ros.params import OUTPUTS
from da_ros.types import Kind, ModelInfo

IMAGE = "sensor_msgs/msg/Image"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
POINT_CLOUD = "sensor_msgs/msg/PointCloud2"
DEPTH_INFO = "da_ros/msg/DepthInfo"
SCALE_ESTIMATE = "da_ros/msg/ScaleEstimate"

TOPIC_TYPES = {
    "depth/image": IMAGE,
    "depth/image_raw": IMAGE,
    "depth/camera_info": CAMERA_INFO,
    "points": POINT_CLOUD,
    "inverse_depth/image": IMAGE,
    "nominal/depth/image": IMAGE,
    "nominal/depth/camera_info": CAMERA_INFO,
    "nominal/points": POINT_CLOUD,
    "depth/color": IMAGE,
    "depth_info": DEPTH_INFO,
    "depth/std": IMAGE,
    "scale": SCALE_ESTIMATE,
}
"""Message type of every topic, in the order in which a frame's messages are sent."""

_TOPICS = {
    "depth": "depth/image",
    "depth_mm": "depth/image_raw",
    "points": "points",
    "inverse_depth": "inverse_depth/image",
    "nominal_depth": "nominal/depth/image",
    "nominal_points": "nominal/points",
    "color": "depth/color",
    "info": "depth_info",
    "std": "depth/std",
    "scale": "scale",
}

_HAVE_CAMERA = {"depth", "depth_mm", "points", "nominal_depth", "nominal_points"}

_OF_KIND = {
    Kind.METRIC_DEPTH: {"depth", "depth_mm", "camera_info", "points", "color", "info"},
    Kind.RELATIVE_INVERSE_DEPTH: {
        "camera_info",
        "inverse_depth",
        "nominal_depth",
        "nominal_points",
        "color",
        "info",
    },
    # No model of this kind is in the registry yet; what its numbers may become is not decided.
    Kind.RELATIVE_DEPTH: {"info"},
}

_METRIC = frozenset({"depth", "depth_mm", "camera_info", "points"})
"""What a scale adds to a relative model."""


def available_outputs(
    model: ModelInfo, nominal_d_ref: float = 0.0, *, scaled: bool = False
) -> frozenset[str]:
    """Return what a model can give: metres, or no metres.

    Args:
        model: Which weights.
        nominal_d_ref: The parameter; 0 takes the checkpoint's own, which may have none.
        scaled: Whether a scale source is switched on, so that a relative model can give metres.

    Returns:
        Some of :data:`~da_ros.params.OUTPUTS`.
    """
    found = set(_OF_KIND[model.kind])
    relative = model.kind is Kind.RELATIVE_INVERSE_DEPTH
    if relative and not (nominal_d_ref or model.reference_inverse_depth):
        found -= {"nominal_depth", "nominal_points", "camera_info"}
    if scaled and model.kind is not Kind.RELATIVE_DEPTH:
        found |= _METRIC | {"std", "scale"}
    return frozenset(found)


def checked_outputs(
    names: Iterable[str], model: ModelInfo, nominal_d_ref: float = 0.0, *, scaled: bool = False
) -> frozenset[str]:
    """Refuse outputs that the model cannot give.

    Raises:
        ParameterError: With what it can give, and how to get the rest.
    """
    wanted = frozenset(names)
    unknown = sorted(wanted - set(OUTPUTS))
    if unknown:
        raise ParameterError(
            f"unknown output {', '.join(unknown)}; expected some of {', '.join(OUTPUTS)}"
        )
    available = available_outputs(model, nominal_d_ref, scaled=scaled)
    missing = sorted(wanted - available)
    if missing:
        raise ParameterError(
            f"model {model.model_id} gives {model.kind} and no {', '.join(missing)}; it gives "
            f"{', '.join(sorted(available))}; metres need a metric model, such as "
            "metric-indoor-small, or a source of scale (parameters scale.*)"
        )
    return wanted


def topics_of(outputs: frozenset[str], kind: Kind, *, scaled: bool = False) -> list[str]:
    """Topics on which these outputs of a model of this kind can appear, in sending order.

    A camera_info goes with the depth or the cloud that it is of; with none of either, each does.
    """
    topics = {_TOPICS[name] for name in outputs if name in _TOPICS}
    if "camera_info" in outputs:
        every = camera_info_topics(kind, scaled=scaled)
        is_nominal = {name.startswith("nominal_") for name in outputs & _HAVE_CAMERA}
        topics |= {info for info in every if info.startswith("nominal/") in is_nominal} or every
    return [topic for topic in TOPIC_TYPES if topic in topics]


def camera_info_topics(kind: Kind, *, scaled: bool) -> set[str]:
    """Beside which depth images a camera_info goes."""
    metric = {"depth/camera_info"} if kind is Kind.METRIC_DEPTH or scaled else set()
    nominal = {"nominal/depth/camera_info"} if kind is not Kind.METRIC_DEPTH else set()
    return metric | nominal
