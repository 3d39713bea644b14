"""One camera of the node: its subscriptions, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from da_ros.params import CameraParams, NodeParams
from da_ros.pipeline import Evidence, Stream
from da_ros.ros.camera_info import CameraInfoCache, InfoCounts, Match
from da_ros.ros.camera_scale import CameraScale
from da_ros.ros.notices import Notices
from da_ros.ros.qos import AutoSubscription
from da_ros.types import Header

INFO_DEPTH = 10


class Camera:
    """Subscribes while it lives.

    Attributes:
        image_topic: Resolved, as subscribed.
        info_topic: Resolved.
        stream: What the pipeline remembers of it; for the worker's thread alone.
        infos: What has come on ``info_topic``.
        scale: Where its metres come from; None without a source of scale.
        last_image: What the last image was, in words.
    """

    def __init__(
        self,
        node: Node,
        params: NodeParams,
        on_image: Callable[[Any], None],
        notices: Notices,
        scale: CameraScale | None = None,
    ) -> None:
        """Subscribe.

        Args:
            node: To subscribe with.
            params: Transport and QoS.
            on_image: For each image.
            notices: Takes what is odd about this camera.
            scale: Where its metres come from; closed with the camera.
        """
        self.image_topic, self.info_topic = camera_topics(node, params.image_transport)
        self.scale = scale
        self.stream = Stream(self.image_topic, scale=None if scale is None else scale.stream)
        self.infos = CameraInfoCache()
        self._infos_before = InfoCounts()
        self.last_image = ""
        self._notices = notices
        self._told: dict[str, str] = {}
        self._on_image = on_image
        self._last_stamp: int | None = None
        compressed = params.image_transport == "compressed"
        self._images = AutoSubscription(
            node,
            CompressedImage if compressed else Image,
            self.image_topic,
            self._image_came,
            depth=1,
            reliability=params.image_qos,
        )
        self._infos = AutoSubscription(
            node,
            CameraInfo,
            self.info_topic,
            self.infos.add,
            depth=INFO_DEPTH,
            durability="auto",
        )

    @property
    def image_choice(self) -> str:
        """QoS of the image subscription, in words."""
        return self._images.choice

    @property
    def publishers(self) -> tuple[int, int]:
        """How many publish images, and camera_info."""
        return self._images.publishers, self._infos.publishers

    @property
    def faults(self) -> list[str]:
        """Why publishers are not heard."""
        others = [] if self.scale is None else [one.fault for one in self.scale.subscriptions]
        return [text for text in (self._images.fault, self._infos.fault, *others) if text]

    def refresh(self) -> list[str]:
        """Look at the publishers again; return what changed, in words."""
        changed = []
        others = [] if self.scale is None else self.scale.subscriptions
        for subscription in (self._images, self._infos, *others):
            subscription.refresh()
            count = subscription.publishers
            text = f"{subscription.topic}: {count} publisher(s), subscribed {subscription.choice}"
            told = self._told.get(subscription.topic, "")
            # Those that were there from the start are news too.
            if text != told and (told or count):
                self._told[subscription.topic] = text
                changed.append(text)
        return changed

    def info_for(self, header: Header, wait_s: float) -> Match:
        """Find the camera_info of an image; for the worker's thread."""
        match = self.infos.match(header, wait_s, has_publisher=self._infos.publishers > 0)
        self._note_infos(wait_s)
        return match

    def evidence_for(self, header: Header, wait_s: float) -> tuple[Evidence, ...]:
        """Find what other sensors measured at an image; for the worker's thread."""
        return () if self.scale is None else self.scale.evidence_for(header, wait_s)

    def note_header(self, header: Header, camera: CameraParams) -> None:
        """Look at an image's header; for the worker's thread."""
        self._note_frame(camera.frame_id_override or header.frame_id)
        if header.stamp_ns == 0:
            self._notices.once(
                "camera: stamp",
                f"{self.image_topic}: images have stamp 0; TF and synchronisation need real ones",
            )
        if self._last_stamp is not None and header.stamp_ns < self._last_stamp:
            self._notices.seldom(
                "input: stamps",
                f"{self.image_topic}: stamps went back by "
                f"{(self._last_stamp - header.stamp_ns) / 1e9:.3f} s (a bag that loops?); what is "
                "remembered over time starts anew",
            )
            self.stream.forget()
            self.infos.clear()
            if self.scale is not None:
                self.scale.start_anew()
        self._last_stamp = header.stamp_ns

    def close(self) -> None:
        """Unsubscribe."""
        self._images.close()
        self._infos.close()
        self.infos.close()
        if self.scale is not None:
            self.scale.close()

    def _image_came(self, image: Any) -> None:
        encoding = getattr(image, "encoding", None)
        self.last_image = (
            f"{image.format}, {len(image.data)} bytes"
            if encoding is None
            else f"{encoding}, {image.width} x {image.height} px"
        )
        self._on_image(image)

    def _note_infos(self, wait_s: float) -> None:
        """Say that camera_info comes too late, or changes."""
        before, self._infos_before = self._infos_before, self.infos.counts
        if self._infos_before.late > before.late:
            self._notices.once(
                "camera: late",
                f"{self.info_topic}: camera_info came later than {1000 * wait_s:.0f} ms after its "
                "image, so that the one before served; see camera_info_wait",
            )
        if self._infos_before.changes > before.changes:
            self._notices.once(
                "camera: changes",
                f"{self.info_topic}: camera_info describes another camera than before; each image "
                "is read with the one of its stamp, else with the latest",
            )

    def _note_frame(self, frame_id: str) -> None:
        if not frame_id:
            self._notices.once(
                "camera: frame_id",
                f"{self.image_topic}: images have no frame_id, so nothing can be placed in TF; "
                "set it in the driver, or frame_id_override here",
            )
        elif "optical" not in frame_id:
            self._notices.once(
                "camera: frame_id",
                f"{self.image_topic}: frame_id {frame_id!r} does not say optical; if its axes are "
                "not x right, y down, z forward (REP 103), clouds come out turned: see "
                "frame_id_override",
            )


def camera_topics(node: Node, transport: str) -> tuple[str, str]:
    """Resolve the topics of images and of camera_info.

    camera_info is the one beside the resolved image topic, as image_transport has it, unless it
    was remapped itself.
    """
    image = node.resolve_topic_name("image")
    info = node.resolve_topic_name("camera_info")
    if info == f"{node.get_namespace().rstrip('/')}/camera_info":
        info = f"{image.rpartition('/')[0]}/camera_info"
    return (f"{image}/compressed" if transport == "compressed" else image), info
