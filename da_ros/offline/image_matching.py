"""What belongs to each image of a recording: its camera_info, other sensors' evidence, transforms.

Drivers publish image and camera_info back to back, in either order; scanners and TF come later
than what they describe. So an image waits until nothing nearer can come, at most half a second of
the recording. Images come out in the order in which they were recorded, whatever camera they are
of; what comes out depends on the recording alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from da_ros.offline.bag_cameras import BagCamera
from da_ros.offline.bag_input import RawMessage
from da_ros.offline.bag_messages import TF_MESSAGE, read_message, read_stamp
from da_ros.pipeline.outputs import CAMERA_INFO, IMAGE, POINT_CLOUD

WAIT_NS = 500_000_000
"""How much later than its image something that belongs to it may have been recorded."""

TF_TOPICS = {"/tf": False, "/tf_static": True}
"""Where transforms are, and whether they hold for ever."""

_REMEMBERED = 256  # camera_info messages


@dataclass(frozen=True)
class EvidenceTopics:
    """Topics of what measures depth beside a camera; empty where there is none.

    Attributes:
        depth: Image messages in metres or millimetres, registered to the camera.
        depth_info: Their CameraInfo.
        cloud: PointCloud2 messages.
    """

    depth: str = ""
    depth_info: str = ""
    cloud: str = ""

    @property
    def types(self) -> dict[str, str]:
        """Message type by topic."""
        named = {self.depth: IMAGE, self.depth_info: CAMERA_INFO, self.cloud: POINT_CLOUD}
        return {topic: msgtype for topic, msgtype in named.items() if topic}


class Shelf(Protocol):
    """Keeps evidence until the image comes that it belongs to: ``pipeline.EvidenceShelf``."""

    def add_depth(self, message: Any) -> None:
        """Take a depth image."""

    def add_depth_info(self, message: Any) -> None:
        """Take a camera_info of the depth images."""

    def add_cloud(self, message: Any) -> None:
        """Take a cloud."""

    def match(self, stamp_ns: int) -> tuple[Any, ...]:
        """Return what belongs to the image of a stamp."""

    def is_complete(self, stamp_ns: int) -> bool:
        """Whether nothing nearer can still come."""


@dataclass(eq=False)
class MatchedImage:
    """One image of a recording, with all that belongs to it once it is ready.

    Attributes:
        camera: Whose.
        timestamp: When it was recorded [ns].
        stamp: Of its header [ns].
        raw: Its CDR.
        info: CameraInfo message, or None.
        evidence: What other sensors measured at the time.
        reference: What is only compared with.
        transforms: (holds for ever, TFMessage) that became known since the image before.
        ready: Whether the rest is filled in.
        done: Whether an interrupted run has done it.
    """

    camera: BagCamera
    timestamp: int
    stamp: int
    raw: bytes | memoryview
    info: Any = None
    evidence: tuple[Any, ...] = ()
    reference: tuple[Any, ...] = ()
    transforms: tuple[tuple[bool, Any], ...] = ()
    ready: bool = False
    done: bool = False


@dataclass
class _Side:
    """What is known beside one camera's images."""

    infos: InfoHistory
    evidence: tuple[EvidenceTopics, Shelf] | None
    reference: tuple[EvidenceTopics, Shelf] | None

    @property
    def shelves(self) -> list[tuple[EvidenceTopics, Shelf]]:
        """All there are."""
        return [one for one in (self.evidence, self.reference) if one is not None]


class ImageMatching:
    """Takes a recording message by message; gives its images back with what belongs to them."""

    def __init__(
        self,
        cameras: Sequence[BagCamera],
        evidence: Mapping[str, tuple[EvidenceTopics, Shelf]] | None = None,
        reference: Mapping[str, tuple[EvidenceTopics, Shelf]] | None = None,
        *,
        transforms: bool = False,
        dynamic: bool = False,
    ) -> None:
        """Set up.

        Args:
            cameras: Whose images.
            evidence: Topics and shelf by image topic, of the cameras that have any.
            reference: The same, of what is only compared with.
            transforms: Whether images carry transforms.
            dynamic: Whether they wait for those of /tf.
        """
        self._cameras = {camera.image_topic: camera for camera in cameras}
        self._sides: dict[str, _Side] = {}
        for camera in cameras:
            name = camera.image_topic
            infos = InfoHistory(has_info=camera.info_topic is not None)
            self._sides[name] = _Side(
                infos, (evidence or {}).get(name), (reference or {}).get(name)
            )
        self._waiting: deque[MatchedImage] = deque()
        self._transforms = transforms
        self._waits_for_tf = transforms and dynamic
        self._new_transforms: list[tuple[bool, Any]] = []
        self._newest_transform = -(2**63)
        self._types = self._wanted()

    @property
    def topics(self) -> set[str]:
        """What must be fed."""
        return {*self._cameras, *self._types}

    def feed(self, message: RawMessage) -> MatchedImage | None:
        """Take a message of the recording, in order; what concerns no camera is ignored.

        Returns:
            The image if it is one of a camera; ``ready`` gives it out later.

        Raises:
            InputError: If it is damaged.
        """
        topic = message.connection.topic
        if topic in self._types:
            self._take(topic, read_message(message.raw, self._types[topic]), message.raw)
        if topic not in self._cameras:
            return None
        stamp = read_stamp(message.raw)
        image = MatchedImage(self._cameras[topic], message.timestamp, stamp, message.raw)
        self._waiting.append(image)
        return image

    def ready(self, now: int | None) -> Iterator[MatchedImage]:
        """Take out, in order, the images that need not wait any longer.

        Args:
            now: Time in the recording [ns]; None at its end.
        """
        while self._waiting:
            image = self._waiting[0]
            expired = now is None or now - image.timestamp > WAIT_NS
            if not expired and not self._is_settled(image):
                return
            self._waiting.popleft()
            side = self._sides[image.camera.image_topic]
            image.info = side.infos.pick(image.stamp)
            if side.evidence is not None:
                image.evidence = side.evidence[1].match(image.stamp)
            if side.reference is not None:
                image.reference = side.reference[1].match(image.stamp)
            image.transforms = tuple(self._new_transforms)
            self._new_transforms.clear()
            image.ready = True
            yield image

    def _wanted(self) -> dict[str, str]:
        """Message type of every topic beside the images."""
        types: dict[str, str] = {}
        for camera in self._cameras.values():
            if camera.info_topic is not None:
                types[camera.info_topic] = CAMERA_INFO
            for topics, _ in self._sides[camera.image_topic].shelves:
                types |= topics.types
        return types | (dict.fromkeys(TF_TOPICS, TF_MESSAGE) if self._transforms else {})

    def _take(self, topic: str, message: Any, raw: bytes | memoryview) -> None:
        if topic in TF_TOPICS:
            self._new_transforms.append((TF_TOPICS[topic], message))
            if not TF_TOPICS[topic]:
                stamps = (_stamp_of(item.header) for item in message.transforms)
                self._newest_transform = max(self._newest_transform, *stamps, -(2**63))
            return
        for image_topic, side in self._sides.items():
            if topic == self._cameras[image_topic].info_topic:
                side.infos.add(read_stamp(raw), message)
            for topics, shelf in side.shelves:
                if topic == topics.depth:
                    shelf.add_depth(message)
                if topic == topics.depth_info:
                    shelf.add_depth_info(message)
                if topic == topics.cloud:
                    shelf.add_cloud(message)

    def _is_settled(self, image: MatchedImage) -> bool:
        side = self._sides[image.camera.image_topic]
        if self._waits_for_tf and self._newest_transform < image.stamp:
            return False
        if not all(shelf.is_complete(image.stamp) for _, shelf in side.shelves):
            return False
        return side.infos.is_settled(image.stamp)


@dataclass
class InfoHistory:
    """The newest camera_info of a camera: an image's is that of equal stamp, else the one before.

    Attributes:
        has_info: Whether there is a topic at all; nothing waits for one that is not there.
    """

    has_info: bool = True
    _known: dict[int, Any] = field(default_factory=dict)
    _newest: int | None = None

    def add(self, stamp: int, info: Any) -> None:
        """Remember a camera_info by its stamp [ns]."""
        self._known.pop(stamp, None)
        self._known[stamp] = info
        self._newest = stamp if self._newest is None else max(self._newest, stamp)
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]

    def is_settled(self, stamp: int) -> bool:
        """Whether the one for an image has come: its own, or a later one."""
        return not self.has_info or (self._newest is not None and self._newest >= stamp)

    def pick(self, stamp: int) -> Any:
        """The one for an image: its own, else the one before, else the first; None of none."""
        if stamp in self._known:
            return self._known[stamp]
        before = [known for known in self._known if known < stamp]
        nearest = max(before) if before else min(self._known, default=None)
        return None if nearest is None else self._known[nearest]


def _stamp_of(header: Any) -> int:
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)
