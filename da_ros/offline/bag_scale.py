"""Where a bag's metres come from: which topics measure depth, and the streams' scales."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from da_ros.conversions.depth_images import DEPTH_ENCODINGS
from da_ros.errors import DaRosError, InputError, ParameterError
from da_ros.offline.bag_cameras import BagCamera
from da_ros.offline.bag_input import BagInput
from da_ros.offline.bag_inputs import BagInputs
from da_ros.offline.bag_messages import read_message
from da_ros.offline.image_matching import EvidenceTopics, ImageMatching, Shelf
from da_ros.params import ScaleParams
from da_ros.pipeline import EvidenceShelf, StreamScale
from da_ros.pipeline.outputs import CAMERA_INFO, IMAGE, POINT_CLOUD
from da_ros.pipeline.stream import says_rect
from da_ros.scale.observations.transforms import TransformBuffer, TransformError
from da_ros.types import ModelInfo

Bag = BagInput | BagInputs

_LOOKED_AT = 5  # images of a topic, until one can be read


class Evaluation(Protocol):
    """What is measured only to be compared: ``BagEvaluation``."""

    params: ScaleParams

    def references(self) -> Mapping[str, tuple[EvidenceTopics, Shelf]]:
        """Topics and shelf by image topic."""
        ...


@dataclass(frozen=True)
class TopicChoice:
    """Which topics measure depth.

    Attributes:
        depth: Depth images: one for each camera, or one for all; empty finds it.
        cloud: Clouds, likewise.
    """

    depth: tuple[str, ...] = ()
    cloud: tuple[str, ...] = ()


@dataclass
class BagScale:
    """The scale sources of a run over a bag; its transforms are fed in the order of the images.

    Attributes:
        topics: Of each camera, by its image topic.
        transforms: Filled from /tf and /tf_static.
    """

    topics: dict[str, EvidenceTopics] = field(default_factory=dict)
    transforms: TransformBuffer = field(default_factory=TransformBuffer)

    @classmethod
    def of(
        cls,
        bag: Bag,
        cameras: Sequence[BagCamera],
        model: ModelInfo,
        params: ScaleParams,
        choice: TopicChoice,
    ) -> BagScale:
        """Find the topics, and give every camera's stream its scale.

        Raises:
            ParameterError: If a source is on and the bag has no topic for it, or a topic is named
                for a source that is off.
            InputError: If a saved calibration does not fit the model.
        """
        for named, on, option in (
            (choice.depth, params.depth_image, "depth-image"),
            (choice.cloud, params.point_cloud, "point-cloud"),
        ):
            if named and not on:
                raise ParameterError(
                    f"scale: {', '.join(named)} is named, but its source is off; add "
                    f"--scale-{option}"
                )
        made = cls()
        for place, camera in enumerate(cameras):
            depth = info = cloud = ""
            if params.depth_image:
                depth = _topic(bag, camera, _one_of(choice.depth, place, cameras), "depth")
                info = info_beside(bag, depth)
            if params.point_cloud:
                cloud = _topic(bag, camera, _one_of(choice.cloud, place, cameras), "cloud")
            made.topics[camera.image_topic] = EvidenceTopics(depth, info, cloud)
            camera.stream.scale = StreamScale.of(model, params, made.transforms)
        return made

    def matching(
        self,
        bag: Bag,
        cameras: Sequence[BagCamera],
        params: ScaleParams,
        evaluation: Evaluation | None = None,
    ) -> ImageMatching:
        """What belongs to the cameras' images in this bag."""
        measured = params.depth_image or params.point_cloud
        moving = needs_transforms(params)
        references = None
        if evaluation is not None:
            references = evaluation.references()
            moving = moving or needs_transforms(evaluation.params)
        shelves: dict[str, tuple[EvidenceTopics, Shelf]] = {
            topic: (chosen, EvidenceShelf(params, depth_rectified=says_rect(chosen.depth)))
            for topic, chosen in self.topics.items()
            if measured
        }
        dynamic = moving and "/tf" in bag.topics
        return ImageMatching(cameras, shelves, references, transforms=moving, dynamic=dynamic)

    def take(self, transforms: Sequence[tuple[bool, Any]]) -> list[tuple[str, DaRosError]]:
        """Add what an image carries; return the topics of transforms that are none, and why."""
        faults: list[tuple[str, DaRosError]] = []
        for static, message in transforms:
            for item in message.transforms:
                place, turn = item.transform.translation, item.transform.rotation
                stamp = item.header.stamp.sec * 1_000_000_000 + item.header.stamp.nanosec
                try:
                    self.transforms.add(
                        item.header.frame_id,
                        item.child_frame_id,
                        int(stamp),
                        (place.x, place.y, place.z),
                        (turn.x, turn.y, turn.z, turn.w),
                        static=static,
                    )
                except TransformError as error:
                    faults.append(("/tf_static" if static else "/tf", error))
        return faults


def needs_transforms(params: ScaleParams) -> bool:
    """Whether a source asks where the frames are."""
    return (params.point_cloud and params.fixed_pose is None) or (
        params.ground_plane and bool(params.base_frame)
    )


def depth_topics(bag: Bag) -> list[str]:
    """Topics of depth images, by the encoding of their first readable message."""
    images = {c.topic for c in bag.connections if c.msgtype == IMAGE}
    return sorted(
        topic
        for topic in images
        if "/da_ros/" not in topic and _encoding_of(bag, topic) in DEPTH_ENCODINGS
    )


def _encoding_of(bag: Bag, topic: str) -> str:
    """Encoding of a topic's first readable image; empty if none of the first few is."""
    for message in bag.first(topic, _LOOKED_AT):
        try:
            return str(read_message(message.raw, IMAGE).encoding)
        except InputError:
            continue  # the run counts it
    return ""


def cloud_topics(bag: Bag) -> list[str]:
    """Topics of clouds that are not da_ros's own."""
    return sorted(
        {
            connection.topic
            for connection in bag.connections
            if connection.msgtype == POINT_CLOUD and "/da_ros/" not in connection.topic
        }
    )


def _one_of(given: Sequence[str], place: int, cameras: Sequence[BagCamera]) -> str:
    """What was named for one camera.

    Raises:
        ParameterError: If neither one nor as many as there are cameras were named.
    """
    if len(given) not in (0, 1, len(cameras)):
        raise ParameterError(
            f"topics that measure depth: expected one, or one for each of the {len(cameras)} "
            f"cameras, got {', '.join(given)}"
        )
    return given[min(place, len(given) - 1)] if given else ""


def _topic(bag: Bag, camera: BagCamera, named: str, kind: str) -> str:
    """The named topic, or the one nearest to the camera by its name.

    Raises:
        ParameterError: If there is none.
    """
    known = depth_topics(bag) if kind == "depth" else cloud_topics(bag)
    if named and named not in known:
        raise ParameterError(
            f"{kind} topic {named}: the bag has none such; it has: {', '.join(known) or 'none'}"
        )
    if not known:
        raise ParameterError(
            f"scale: the bag has no {'depth images' if kind == 'depth' else 'point clouds'} to "
            "take it from"
        )
    if named:
        return named
    return max(known, key=lambda topic: _shared(topic, camera.image_topic))


def _shared(one: str, other: str) -> int:
    """How many names two topics begin with alike."""
    pairs = zip(one.split("/"), other.split("/"), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def info_beside(bag: Bag, depth: str) -> str:
    """The camera_info topic beside that of depth images; empty if there is none."""
    name = f"{depth.rpartition('/')[0]}/camera_info"
    types = {connection.topic: connection.msgtype for connection in bag.connections}
    return name if types.get(name) == CAMERA_INFO else ""
