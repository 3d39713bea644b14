"""The publishers of a node: who listens, and sending a frame's messages."""

from __future__ import annotations

from typing import Any

from rclpy.exceptions import InvalidParameterTypeException
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions

from da_ros.conversions import Fields, retracted_estimate
from da_ros.errors import ParameterError
from da_ros.params import OUTPUTS
from da_ros.pipeline import TOPIC_TYPES, PackedFrame, available_outputs, topics_of
from da_ros.pipeline.outputs import SCALE_ESTIMATE
from da_ros.ros.messages import ReusedMessages, message_class
from da_ros.ros.qos import mismatches, output_profile
from da_ros.types import ModelInfo

SCALE_TOPIC = "scale"


class Outputs:
    """One publisher for each topic that the model can fill.

    Attributes:
        left_out: Topics whose message was not built into this installation.
    """

    def __init__(self, node: LifecycleNode, model: ModelInfo, *, scaled: bool = False) -> None:
        """Advertise.

        Args:
            node: Whose ``~/`` topics they are.
            model: Decides which: a metric one has no inverse depth, a relative one no metres.
            scaled: Whether a source of scale is on, so that a relative one can have them.
        """
        # With a reference of any size: nominal_d_ref may still be set, and then they can be made.
        possible = available_outputs(model, nominal_d_ref=1.0, scaled=scaled)
        self._last_scale: Fields | None = None
        self.left_out: list[str] = []
        self._node = node
        self._names = {
            topic: name
            for name in OUTPUTS
            if name in possible
            for topic in topics_of(frozenset({name}), model.kind, scaled=scaled)
        }
        self._profiles: dict[str, QoSProfile] = {}
        self._full_names: dict[str, str] = {}
        self._publishers: dict[str, Any] = {}
        self._messages = ReusedMessages()
        try:
            for topic in TOPIC_TYPES:
                if topic in self._names:
                    self._advertise(topic)
        except BaseException:
            self.close()
            raise

    @property
    def are_gone(self) -> bool:
        """Whether nothing can be published any more, since the process is being ended."""
        return not self._node.context.ok()

    def wanted(self) -> frozenset[str]:
        """Names of the outputs that somebody subscribes."""
        return frozenset(
            self._names[topic]
            for topic, publisher in self._publishers.items()
            if publisher.get_subscription_count()
        )

    def publish(self, frame: PackedFrame) -> None:
        """Send a frame's messages, in the order of :data:`~da_ros.pipeline.TOPIC_TYPES`."""
        for topic, publisher in self._publishers.items():
            if topic in frame.messages:
                fields = frame.messages[topic]
                publisher.publish(self._messages.filled(topic, fields, TOPIC_TYPES[topic]))
        self._last_scale = frame.messages.get(SCALE_TOPIC, self._last_scale)

    def retract_scale(self, reason: str) -> None:
        """Say why what was said of the scale holds no more."""
        if self._last_scale is not None and SCALE_TOPIC in self._publishers:
            fields = retracted_estimate(self._last_scale, reason)
            message = self._messages.filled(SCALE_TOPIC, fields, SCALE_ESTIMATE)
            self._publishers[SCALE_TOPIC].publish(message)

    def look(self) -> tuple[dict[str, int], list[str]]:
        """Count the subscribers of each topic, and say which do not hear us, and why."""
        counts, deaf = {}, []
        for topic, full in self._full_names.items():
            requests = self._node.get_subscriptions_info_by_topic(full)
            counts[topic] = len(requests)
            deaf += mismatches(full, self._profiles[topic], requests)
        return counts, deaf

    def close(self) -> None:
        """Take the publishers away."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def _advertise(self, topic: str) -> None:
        message = message_class(TOPIC_TYPES[topic])
        if message is None:
            self.left_out.append(topic)
            return
        profile = output_profile(latched=topic == SCALE_TOPIC)  # overrides are written into it
        try:
            self._publishers[topic] = self._node.create_lifecycle_publisher(
                message,
                f"~/{topic}",
                profile,
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
        except (RuntimeError, TypeError, InvalidParameterTypeException) as error:
            raise ParameterError(
                f"qos_overrides of {topic}: expected history keep_last or keep_all, depth a whole "
                f"number, reliability reliable or best_effort, got {error}"
            ) from error
        self._profiles[topic] = profile
        self._full_names[topic] = self._publishers[topic].topic_name
