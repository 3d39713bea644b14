"""Subscriptions that ask for what the publishers offer, and what to say where nothing fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

from da_ros.errors import ParameterError

OUTPUT_DEPTH = 2
"""Of publishers: one on its way, one to come."""


def output_profile(*, latched: bool = False) -> QoSProfile:
    """Of the outputs: what every subscriber can take; a latched one keeps its last message."""
    durable = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
    return QoSProfile(
        reliability=ReliabilityPolicy.RELIABLE,
        durability=durable,
        history=HistoryPolicy.KEEP_LAST,
        depth=1 if latched else OUTPUT_DEPTH,
    )


class AutoSubscription:
    """A subscription whose "auto" policies follow what all publishers of the topic offer.

    ``qos_overrides.<topic>.subscription.*`` are declared and win. All calls from one thread.

    Attributes:
        topic: Resolved name.
        choice: What is subscribed, in words.
        publishers: How many there were at the last look.
        fault: Why publishers are not heard, in words; empty if all are.
    """

    def __init__(
        self,
        node: Node,
        message_type: Any,
        topic: str,
        callback: Callable[[Any], None],
        *,
        depth: int,
        reliability: str = "auto",
        durability: str = "volatile",
    ) -> None:
        """Subscribe.

        Args:
            node: To subscribe with.
            message_type: Class of the messages.
            topic: Resolved name.
            callback: For each message.
            depth: Messages kept.
            reliability: auto, reliable or best_effort.
            durability: auto, volatile or transient_local.
        """
        self.topic = topic
        self.choice = ""
        self.publishers = 0
        self.fault = ""
        self._node, self._type, self._callback = node, message_type, callback
        defaults: dict[str, str | int] = {
            "history": "keep_last",
            "depth": depth,
            "reliability": reliability,
            "durability": durability,
        }
        self._policies = {
            name: _declared_override(node, topic, name, value) for name, value in defaults.items()
        }
        _check_policies(topic, self._policies)
        self._subscription: Any = None
        self.refresh()

    def refresh(self) -> bool:
        """Look at the publishers again; subscribe anew if they offer something else.

        Returns:
            Whether the subscription changed.
        """
        offers = self._node.get_publishers_info_by_topic(self.topic)
        self.publishers = len(offers)
        profile = profile_for(self._policies, offers)
        choice = words_of(profile)
        changed = choice != self.choice
        if changed:
            self.close()
            self._subscription = self._node.create_subscription(
                self._type, self.topic, self._callback, profile
            )
            self.choice = choice
        self.fault = _fault(self.topic, _type_name(self._type), profile, offers)
        return changed

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self.choice = ""


def profile_for(policies: dict[str, str | int], offers: Sequence[Any]) -> QoSProfile:
    """Decide what to ask for: with auto the most that every publisher offers.

    Args:
        policies: By name; reliability and durability may be auto.
        offers: Publishers, as ``get_publishers_info_by_topic`` lists them.
    """
    reliability, durability = policies["reliability"], policies["durability"]
    if reliability == "auto":
        all_reliable = offers and all(
            offer.qos_profile.reliability == ReliabilityPolicy.RELIABLE for offer in offers
        )
        reliability = "reliable" if all_reliable else "best_effort"
    if durability == "auto":
        all_local = offers and all(
            offer.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers
        )
        durability = "transient_local" if all_local else "volatile"
    return QoSProfile(
        reliability=ReliabilityPolicy[str(reliability).upper()],
        durability=DurabilityPolicy[str(durability).upper()],
        history=HistoryPolicy[str(policies["history"]).upper()],
        depth=int(policies["depth"]),
    )


def words_of(profile: QoSProfile) -> str:
    """A profile in words, such as "reliable, volatile, keep last 1"."""
    names = [profile.reliability.name, profile.durability.name, profile.history.name]
    return ", ".join(name.lower().replace("_", " ") for name in names) + f" {profile.depth}"


def misfit(offered: QoSProfile, requested: QoSProfile) -> str:
    """Why a subscription does not hear a publisher, in words; empty if it does.

    rclpy's own check knows more policies, but calls every remote endpoint's deadline a misfit.
    """
    if (
        requested.reliability == ReliabilityPolicy.RELIABLE
        and offered.reliability == ReliabilityPolicy.BEST_EFFORT
    ):
        return "it asks for reliable and is offered best effort"
    if (
        requested.durability == DurabilityPolicy.TRANSIENT_LOCAL
        and offered.durability == DurabilityPolicy.VOLATILE
    ):
        return "it asks for transient local and is offered volatile"
    return ""


def mismatches(topic: str, offered: QoSProfile, requests: Sequence[Any]) -> list[str]:
    """Say which subscribers of an output do not hear it, and why.

    Args:
        topic: Resolved name.
        offered: By us.
        requests: Subscriptions, as ``get_subscriptions_info_by_topic`` lists them.
    """
    whys = [(request.node_name, misfit(offered, request.qos_profile)) for request in requests]
    return [f"{name} does not hear {topic}: {why}" for name, why in whys if why]


def _fault(topic: str, wanted: str, profile: QoSProfile, offers: Sequence[Any]) -> str:
    for offer in offers:
        if offer.topic_type != wanted:
            return f"{topic} carries {offer.topic_type} from {offer.node_name}, not {wanted}"
        why = misfit(offer.qos_profile, profile)
        if why:
            return (
                f"{topic}: the subscription does not hear {offer.node_name}: {why}; image_qos and "
                "qos_overrides decide, auto takes what is offered"
            )
    return ""


def _type_name(message_type: Any) -> str:
    return f"{message_type.__module__.split('.')[0]}/msg/{message_type.__name__}"


_WORDS: dict[str, tuple[str, ...]] = {
    "history": ("keep_last", "keep_all"),
    "reliability": ("auto", "reliable", "best_effort"),
    "durability": ("auto", "transient_local", "volatile"),
}


def _check_policies(topic: str, policies: dict[str, str | int]) -> None:
    """Refuse words that are no policy, rather than fail on them at every look."""
    for name, words in _WORDS.items():
        if policies[name] not in words:
            raise ParameterError(
                f"parameter qos_overrides.{topic}.subscription.{name}: expected one of "
                f"{', '.join(words)}, got {policies[name]!r}"
            )


def _declared_override(node: Node, topic: str, policy: str, default: str | int) -> str | int:
    """Declare the standard parameter that overrides a policy, and read it."""
    name = f"qos_overrides.{topic}.subscription.{policy}"
    if not node.has_parameter(name):
        described = ParameterDescriptor(
            description=f"{policy} of the subscription of {topic}", read_only=True
        )
        try:
            node.declare_parameter(name, default, described)
        except InvalidParameterTypeException as error:
            kind = "a whole number" if isinstance(default, int) else "a word"
            raise ParameterError(f"parameter {name}: expected {kind}: {error}") from error
    value: str | int = node.get_parameter(name).value
    return value
