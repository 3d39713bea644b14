"""The node and the pipeline run offline make the same bytes of the same frames and evidence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import scale_robot
from ramp_estimator import ramp_estimator
from robot import LATCHED, RELIABLE, NodeProcess, Robot
from scale_robot import FIXED, REMAP, Rig, subscribed
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from da_ros.msg import DepthInfo, ScaleEstimate
from da_ros.offline.bag_messages import typestore, write_message
from da_ros.params import OUTPUTS, PipelineParams
from da_ros.pipeline import (
    TOPIC_TYPES,
    CloudEvidence,
    DepthEvidence,
    DepthPipeline,
    ImageInput,
    PackedFrame,
    Stream,
    StreamScale,
    available_outputs,
    topics_of,
)
from da_ros.types import Kind

CLASSES = {
    "sensor_msgs/msg/Image": Image,
    "sensor_msgs/msg/CameraInfo": CameraInfo,
    "sensor_msgs/msg/PointCloud2": PointCloud2,
    "da_ros/msg/DepthInfo": DepthInfo,
    "da_ros/msg/ScaleEstimate": ScaleEstimate,
}
SETTINGS = {
    "scale.depth_image": True,
    "scale.point_cloud": True,
    "scale.fixed_transform": FIXED,
    "scale.stale_after": 1.5,
    "scale.held_after": 0.4,
}
STEPS = (
    ("depth", 0), ("", 300), ("", 700), ("cloud", 900), ("", 1700), ("", 2450), ("depth", 2600),
)  # fmt: skip
"""What is measured at which millisecond: calibrated, held, by the other sensor, held, stale."""

TIMES = ("decode_ms", "prepare_ms", "infer_ms", "to_depth_ms", "pack_ms")


def canonical(raw: bytes, msgtype: str) -> bytes:
    """The same message with zeros between its fields, and without the times of the stages."""
    store = typestore()
    message: Any = store.deserialize_cdr(raw, msgtype)
    if msgtype == "da_ros/msg/DepthInfo":
        message = dataclasses.replace(message, **dict.fromkeys(TIMES, math.nan))
    return bytes(store.serialize_cdr(message, msgtype))


def offline(rig: Rig, kind: Kind) -> dict[str, list[bytes]]:
    """What the pipeline makes of the steps."""
    params = PipelineParams().with_values(SETTINGS)
    pipeline = DepthPipeline(ramp_estimator(kind), params, info_times=False)
    stream = Stream("/front/image", scale=StreamScale.of(pipeline.model, params.scale))
    found: dict[str, list[bytes]] = {}
    for what, at_ms in STEPS:
        image, info = rig.image(stamp_ns(at_ms)), rig.info()
        info.header = image.header
        given = ImageInput(image, info, stream, frozenset(OUTPUTS), evidence(rig, what, at_ms))
        done = pipeline.run([given])[0]
        assert isinstance(done, PackedFrame), done
        for topic, fields in done.messages.items():
            raw = bytes(write_message(fields, TOPIC_TYPES[topic]))
            found.setdefault(topic, []).append(raw)
    return found


def stamp_ns(at_ms: int) -> int:
    return 50_000_000_000 + at_ms * 1_000_000


def evidence(rig: Rig, what: str, at_ms: int) -> tuple[Any, ...]:
    if what == "depth":
        return (DepthEvidence(scale_robot.depth_image(rig.truth, stamp_ns(at_ms + 7))),)
    if what == "cloud":
        return (CloudEvidence(scale_robot.scan(rig.truth, stamp_ns(at_ms - 5))),)
    return ()


@pytest.mark.parametrize("kind", [Kind.RELATIVE_INVERSE_DEPTH, Kind.METRIC_DEPTH], ids=str)
def test_byte_for_byte(kind: Kind, robot: Robot, start_node: Callable[..., NodeProcess]) -> None:
    rig = Rig(robot, kind)
    expected = offline(rig, kind)
    model = ramp_estimator(kind).info
    assert set(expected) == set(
        topics_of(available_outputs(model, scaled=True), kind, scaled=True)
    )
    assert len(expected["depth/image"]) == 6  # stale at one of the seven
    settings = {**SETTINGS, "scale.wait": 0.0}
    words = [word for name, value in settings.items() for word in ("-p", f"{name}:={told(value)}")]
    node = start_node(*REMAP, *words, kind=str(kind))
    with ExitStack() as stack:
        heard = {
            topic: stack.enter_context(
                robot.listen(
                    CLASSES[TOPIC_TYPES[topic]],
                    f"/da_ros/{topic}",
                    LATCHED if topic == "scale" else RELIABLE,
                    raw=True,
                )
            )
            for topic in expected
        }
        robot.until(subscribed(robot, *expected), "the node knows its listeners")
        infos = stack.enter_context(robot.listen(DepthInfo, "/da_ros/depth_info"))
        robot.until(lambda: robot.value("output", "subscribers of depth_info") == "2", "infos")
        for what, at_ms in STEPS:
            for one in evidence(rig, what, at_ms):
                name = "depth_image" if what == "depth" else "point_cloud"
                rig.evidence(name, one.image if what == "depth" else one.cloud)
            rig.frame(stamp_ns(at_ms), infos)
        for topic, raws in expected.items():
            wanted = len(raws)
            robot.until(lambda t=topic, n=wanted: len(heard[t].messages) >= n, topic)
            msgtype = TOPIC_TYPES[topic]
            live = [canonical(bytes(raw), msgtype) for raw in heard[topic].messages]
            assert live == [canonical(raw, msgtype) for raw in raws], topic
    assert node.end() == 0


def told(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
