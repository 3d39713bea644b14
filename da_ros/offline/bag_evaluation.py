"""Depth held against what another sensor in the bag measured: ``--evaluate TOPIC``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from da_ros.errors import DaRosError, ParameterError
from da_ros.offline.bag_cameras import BagCamera
from da_ros.offline.bag_input import BagInput
from da_ros.offline.bag_inputs import BagInputs
from da_ros.offline.bag_scale import cloud_topics, depth_topics, info_beside
from da_ros.offline.image_matching import EvidenceTopics, MatchedImage, Shelf
from da_ros.params import ScaleParams
from da_ros.pipeline import DepthFrame, EvidenceShelf, Predicted, StreamScale
from da_ros.pipeline.stream import says_rect
from da_ros.scale.observations.transforms import TransformBuffer
from da_ros.types import ModelInfo

Floats = npt.NDArray[np.float64]

_FEWEST = 20  # points that a frame is scored on
_NEAREST = 1e-3  # least inverse depth of a fit [1/m]


@dataclass(frozen=True)
class FrameScore:
    """One frame against measured points.

    Attributes:
        abs_rel: Mean of |predicted - measured| / measured.
        delta1: Share of points within a factor of 1.25.
        ratio: With metres the median of measured / predicted, which is 1 if the scale is right;
            without, the scale of the least-squares fit of this frame to the points.
    """

    abs_rel: float
    delta1: float
    ratio: float


class BagEvaluation:
    """Scores a run's frames against one topic, each camera on its own."""

    def __init__(
        self,
        bag: BagInput | BagInputs,
        topic: str,
        cameras: Sequence[BagCamera],
        model: ModelInfo,
        params: ScaleParams,
        transforms: TransformBuffer,
    ) -> None:
        """Set up.

        Args:
            bag: Open.
            topic: Depth images or clouds.
            cameras: Of the run.
            model: Of the run.
            params: Numbers of the sources (tolerances, noise, ranges); which are on plays no part.
            transforms: Filled in the order of the images.

        Raises:
            ParameterError: If the topic measures no depth.
        """
        depth = topic in depth_topics(bag)
        if not depth and topic not in cloud_topics(bag):
            known = ", ".join([*depth_topics(bag), *cloud_topics(bag)]) or "none"
            raise ParameterError(
                f"evaluate {topic}: no depth images or clouds; topics of these: {known}"
            )
        self.params = replace(
            params,
            depth_image=depth,
            point_cloud=not depth,
            ground_plane=False,
            calibration_file="",
        )
        self._topics = (
            EvidenceTopics(topic, info_beside(bag, topic))
            if depth
            else EvidenceTopics(cloud=topic)
        )
        self._scales = {
            camera.image_topic: StreamScale.of(model, self.params, transforms)
            for camera in cameras
        }

    def references(self) -> dict[str, tuple[EvidenceTopics, Shelf]]:
        """What the matching must gather for each camera."""
        rectified = says_rect(self._topics.depth)
        return {
            topic: (self._topics, EvidenceShelf(self.params, depth_rectified=rectified))
            for topic in self._scales
        }

    def score(
        self,
        image: MatchedImage,
        predicted: Predicted | DaRosError,
        frame: DepthFrame | DaRosError,
    ) -> FrameScore | None:
        """Score one frame; None if there is too little to score it on."""
        scale = self._scales[image.camera.image_topic]
        if scale is None or isinstance(predicted, DaRosError) or isinstance(frame, DaRosError):
            return None
        found = scale.measure(predicted, image.reference)
        measured = np.concatenate([np.zeros(0), *(points.depth for points in found)])
        pixels = np.concatenate([np.zeros((0, 2)), *(points.pixels for points in found)])
        if frame.depth is not None:
            return against(_at(frame.depth.cpu().numpy(), pixels), measured)
        if frame.inverse_depth is not None:
            return fitted(_at(frame.inverse_depth.cpu().numpy(), pixels), measured)
        return None


def against(predicted: Floats, measured: Floats) -> FrameScore | None:
    """Score metres; where either is not finite there is no point."""
    valid = np.isfinite(predicted) & np.isfinite(measured) & (predicted > 0) & (measured > 0)
    predicted, measured = predicted[valid], measured[valid]
    if len(measured) < _FEWEST:
        return None
    quotient = measured / predicted
    return FrameScore(
        abs_rel=float(np.mean(np.abs(predicted - measured) / measured)),
        delta1=float(np.mean(np.maximum(quotient, 1.0 / quotient) < 1.25)),
        ratio=float(np.median(quotient)),
    )


def fitted(relative: Floats, measured: Floats) -> FrameScore | None:
    """Score inverse depth without a unit, after its own scale and shift (least squares in 1/z)."""
    valid = np.isfinite(relative) & np.isfinite(measured) & (measured > 0)
    relative, measured = relative[valid], measured[valid]
    if len(measured) < _FEWEST:
        return None
    columns = np.stack([relative, np.ones_like(relative)], -1)
    (scale, shift), *_ = np.linalg.lstsq(columns, 1.0 / measured, rcond=None)
    score = against(1.0 / np.maximum(columns @ (scale, shift), _NEAREST), measured)
    return None if score is None else replace(score, ratio=float(scale))


def _at(values: npt.NDArray[np.float32], pixels: Floats) -> Floats:
    """Values of the nearest pixels."""
    height, width = values.shape
    u = np.clip(np.rint(pixels[:, 0]), 0, width - 1).astype(np.intp)
    v = np.clip(np.rint(pixels[:, 1]), 0, height - 1).astype(np.intp)
    return values[v, u].astype(np.float64)
