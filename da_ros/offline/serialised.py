"""One image's messages as they are written."""

from __future__ import annotations

from typing import NamedTuple

from da_ros.errors import DaRosError
from da_ros.offline.bag_messages import message_parts
from da_ros.offline.mcap_writer import Parts
from da_ros.pipeline import TOPIC_TYPES, PackedFrame
from da_ros.scale.calibrator import Calibration
from da_ros.scale.observations import static
from da_ros.types import StageTimes


class Serialised(NamedTuple):
    """What comes out for one image.

    Attributes:
        messages: (topic relative to the node, parts of the raw message) in sending order.
        note: What is missing and why; empty if nothing is.
        times: Of the stages.
    """

    messages: list[tuple[str, Parts]]
    note: str
    times: StageTimes


def serialised(frame: PackedFrame | DaRosError, metric: frozenset[str]) -> Serialised | DaRosError:
    """Turn a frame into raw messages; ``metric``: its topics that need metres."""
    if isinstance(frame, DaRosError):
        return frame
    messages: list[tuple[str, Parts]] = [
        (topic, message_parts(frame.messages[topic], msgtype))
        for topic, msgtype in TOPIC_TYPES.items()
        if topic in frame.messages
    ]
    note, calibration = frame.note, frame.calibration
    if calibration is not None and metric and not metric & frame.messages.keys():
        note = note or _without_metres(calibration)
    return Serialised(messages, note, frame.times)


def _without_metres(calibration: Calibration) -> str:
    """Why a frame has none, in words that many frames share, since they are counted."""
    why = [
        f"{report.source}: "
        # A measurement's message has numbers of this frame; that of a saved calibration has none.
        + (report.message if report.source == static.SOURCE else report.reason.replace("_", " "))
        for report in calibration.reports
        if report.reason
    ]
    state = f"no metres: the scale is {calibration.estimate.state}"
    return f"{state} ({'; '.join(why)})" if why else state
