"""From image messages to depth messages, batch-first; see :mod:`da_ros.pipeline.stages`."""

from __future__ import annotations

from da_ros.pipeline.evidence import EvidenceShelf
from da_ros.pipeline.frames import (
    Batch,
    CloudEvidence,
    DepthEvidence,
    DepthFrame,
    DeviceImage,
    Evidence,
    Frame,
    Group,
    ImageInput,
    PackedFrame,
    Predicted,
)
from da_ros.pipeline.outputs import (
    TOPIC_TYPES,
    available_outputs,
    checked_outputs,
    topics_of,
)
from da_ros.pipeline.scale import StreamScale
from da_ros.pipeline.stages import DepthPipeline, Estimator
from da_ros.pipeline.stream import Stream, View, says_rect

__all__ = [
    "TOPIC_TYPES",
    "Batch",
    "CloudEvidence",
    "DepthEvidence",
    "DepthFrame",
    "DepthPipeline",
    "DeviceImage",
    "Estimator",
    "Evidence",
    "EvidenceShelf",
    "Frame",
    "Group",
    "ImageInput",
    "PackedFrame",
    "Predicted",
    "Stream",
    "StreamScale",
    "View",
    "available_outputs",
    "checked_outputs",
    "says_rect",
    "topics_of",
]
