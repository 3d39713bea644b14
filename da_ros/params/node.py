"""The node's own parameters; see :mod:`da_ros.params.groups` for the rest."""

from __future__ import annotations

from dataclasses import dataclass, field

from da_ros.params.groups import PipelineParams
from da_ros.params.scale import ScaleNodeParams
from da_ros.params.spec import ParamGroup, param


@dataclass(frozen=True)
class NodeParams(ParamGroup):
    """How the node takes images and when it works; the command line has none of these."""

    autostart: bool = param(
        True, "Configure and activate at start; off for a lifecycle manager such as nav2's."
    )
    image_transport: str = param(
        "raw",
        "raw: sensor_msgs/Image on the topic image. compressed: CompressedImage (JPEG, PNG) on "
        "the resolved image topic + /compressed.",
        choices=("raw", "compressed"),
    )
    image_qos: str = param(
        "auto",
        "Reliability of the image subscription. auto: reliable if every publisher offers it, else "
        "best effort. qos_overrides win.",
        choices=("auto", "reliable", "best_effort"),
    )
    camera_info_wait: float = param(
        0.05,
        "How long an image waits for the camera_info of its own stamp; then the one before serves "
        "if size and frame agree.",
        unit="s",
        bounds=(0.0, 1.0),
        dynamic=True,
    )
    max_rate: float = param(
        0.0,
        "Images worked on per second at most; 0 is as many as the device can do.",
        unit="Hz",
        bounds=(0.0, 1000.0),
        dynamic=True,
    )
    keep_alive_rate: float = param(
        0.0,
        "Images per second that the network sees even while nobody subscribes; 0 is none.",
        unit="Hz",
        bounds=(0.0, 1000.0),
        dynamic=True,
    )
    warm_up_width: int = param(
        640, "Width of the image that the network is warmed up with.", unit="px", bounds=(32, 8192)
    )
    warm_up_height: int = param(480, "Height of it.", unit="px", bounds=(32, 8192))


@dataclass(frozen=True)
class DepthNodeParams(PipelineParams):
    """All that the node declares: the pipeline's groups and its own."""

    scale_node: ScaleNodeParams = field(default_factory=ScaleNodeParams)
    node: NodeParams = field(default_factory=NodeParams)
