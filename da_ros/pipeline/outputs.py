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
}

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


def available_outputs(model: ModelInfo, nominal_d_ref: float = 0.0) -> frozenset[str]:
    """Return what a model can give without a calibration: metres, or no metres.

    Args:
        model: Which weights.
        nominal_d_ref: The parameter; 0 takes the checkpoint's own, which may have none.

    Returns:
        Some of :data:`~da_ros.params.OUTPUTS`.
    """
    found = set(_OF_KIND[model.kind])
    relative = model.kind is Kind.RELATIVE_INVERSE_DEPTH
    if relative and not (nominal_d_ref or model.reference_inverse_depth):
        found -= {"nominal_depth", "nominal_points", "camera_info"}
    return frozenset(found)


def checked_outputs(
    names: Iterable[str], model: ModelInfo, nominal_d_ref: float = 0.0
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
    available = available_outputs(model, nominal_d_ref)
    missing = sorted(wanted - available)
    if missing:
        raise ParameterError(
            f"model {model.model_id} gives {model.kind} and no {', '.join(missing)}; it gives "
            f"{', '.join(sorted(available))}; metres need a metric model, such as "
            "metric-indoor-small"
        )
    return wanted


def topics_of(outputs: frozenset[str], kind: Kind) -> list[str]:
    """Topics on which these outputs of a model of this kind appear, in sending order."""
    topics = {_TOPICS[name] for name in outputs if name in _TOPICS}
    if "camera_info" in outputs:
        topics.add(camera_info_topic(kind))
    return [topic for topic in TOPIC_TYPES if topic in topics]


def camera_info_topic(kind: Kind) -> str:
    """Beside which depth image the camera_info goes."""
    metric = kind is Kind.METRIC_DEPTH
    return "depth/camera_info" if metric else "nominal/depth/camera_info"
