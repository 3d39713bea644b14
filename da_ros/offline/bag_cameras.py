"""Which topics of a bag are cameras, and under which names their depth goes back into it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from da_ros.conversions import ENCODINGS, decode_compressed
from da_ros.conversions.depth_images import DEPTH_ENCODINGS
from da_ros.conversions.encodings import Layout
from da_ros.errors import BagError, DaRosError, InputError, ParameterError
from da_ros.offline.bag_input import BagInput
from da_ros.offline.bag_inputs import BagInputs
from da_ros.offline.bag_messages import COMPRESSED_IMAGE, read_message
from da_ros.pipeline import Stream
from da_ros.pipeline.outputs import CAMERA_INFO, IMAGE

_TOPIC = re.compile(r"(/[A-Za-z_][A-Za-z0-9_]*)+")
_COMPRESSED = "/compressed"
_COMPRESSED_DEPTH = "/compressedDepth"
_LOOKED_AT = 5  # images of a topic, until one can be read


@dataclass(frozen=True)
class BagCamera:
    """One camera of a bag.

    Attributes:
        image_topic: Of Image or CompressedImage messages.
        msgtype: Of that topic.
        info_topic: Of its CameraInfo messages; None if it has none.
        namespace: What its output topics begin with, such as ``/da_ros``.
        stream: What is remembered of it.
    """

    image_topic: str
    msgtype: str
    info_topic: str | None
    namespace: str = ""
    stream: Stream = field(default_factory=Stream, compare=False)


def choose_cameras(
    bag: BagInput | BagInputs, images: Sequence[str], infos: Sequence[str], prefix: str
) -> list[BagCamera]:
    """Find the cameras to work on.

    Without ``images``: every colour image topic with a camera_info beside it, the raw one where
    there is also a compressed one; grey cameras only if there is no colour. One camera's outputs
    go under ``prefix``, as the node's do. With several, each has the namespace of its image
    before that, as one node per camera would have been started:
    ``/front/image_raw`` gives ``/front/da_ros/depth/image``.

    Args:
        bag: Open.
        images: Image topics, with wildcards; empty to look for them.
        infos: camera_info topics, one for each of ``images``; empty for those beside them.
        prefix: Name of the node, such as ``/da_ros``.

    Raises:
        BagError: If there is no camera.
        ParameterError: If a topic is not in the bag, or names clash.
    """
    if not _TOPIC.fullmatch(prefix):
        raise ParameterError(f"prefix {prefix!r}: expected a topic name such as /da_ros")
    topics = _expanded(bag, images)
    if infos and len(infos) != len(topics):
        raise ParameterError(
            f"camera_info topics: expected one for each of the {len(topics)} image topics "
            f"({', '.join(topics) or 'none named'}), got {len(infos)}; name the images with "
            "--image in the same order"
        )
    chosen = _named(bag, topics, infos) if images else _found(bag)
    return _with_namespaces(chosen, prefix)


def _expanded(bag: BagInput | BagInputs, patterns: Sequence[str]) -> list[str]:
    """Image topics that patterns fit, in the order of the patterns.

    Wildcards stand for cameras: depth, earlier outputs, and compressed topics whose raw one is
    taken are left out.

    Raises:
        ParameterError: If a pattern with wildcards fits none.
    """
    types = _types(bag)
    known = sorted(t for t, kind in types.items() if kind in (IMAGE, COMPRESSED_IMAGE))
    exact = [pattern for pattern in patterns if not _is_wild(pattern)]
    found: list[str] = []
    for pattern in patterns:
        if not _is_wild(pattern):
            found.append(pattern)
            continue
        fitting = [t for t in fnmatch.filter(known, pattern) if _is_picture(bag, t, types[t])]
        if not fitting:
            raise ParameterError(
                f"image {pattern!r} fits no camera's image topic; the bag has: "
                f"{', '.join(known) or 'none'}"
            )
        taken = {*found, *exact, *fitting}
        found += [
            topic
            for topic in fitting
            if topic not in {*found, *exact}
            and (_base(topic) == topic or _base(topic) not in taken)
        ]
    return found


def _is_wild(pattern: str) -> bool:
    return any(sign in pattern for sign in "*?[")


def _is_picture(bag: BagInput | BagInputs, topic: str, msgtype: str) -> bool:
    """Whether a topic is neither depth nor an output of ours; what cannot be read may be one."""
    if "/da_ros/" in topic or topic.endswith(_COMPRESSED_DEPTH):
        return False
    for message in bag.first(topic, _LOOKED_AT) if msgtype == IMAGE else ():
        try:
            return read_message(message.raw, msgtype).encoding not in DEPTH_ENCODINGS
        except InputError:
            continue
    return True


def _named(
    bag: BagInput | BagInputs, images: Sequence[str], infos: Sequence[str]
) -> list[BagCamera]:
    types = _types(bag)
    for topic, allowed in [(t, (IMAGE, COMPRESSED_IMAGE)) for t in images] + [
        (t, (CAMERA_INFO,)) for t in infos
    ]:
        if types.get(topic) not in allowed:
            of_kind = sorted(name for name, kind in types.items() if kind in allowed)
            raise ParameterError(
                f"topic {topic} ({types.get(topic, 'not in the bag')}) is no {allowed[0]}; the "
                f"bag has: {', '.join(of_kind) or 'none'}"
            )
    beside = [_info_beside(topic, types) for topic in images]
    return [
        BagCamera(topic, types[topic], info)
        for topic, info in zip(images, infos or beside, strict=True)
    ]


def _found(bag: BagInput | BagInputs) -> list[BagCamera]:
    """Look at the first message of every image topic."""
    types = _types(bag)
    colour: list[BagCamera] = []
    grey: list[BagCamera] = []
    passed_over: list[str] = []
    for topic in sorted(name for name in types if types[name] in (IMAGE, COMPRESSED_IMAGE)):
        info = _info_beside(topic, types)
        try:
            is_colour = _looks_coloured(bag, topic, types[topic])
        except DaRosError as error:
            passed_over.append(f"{topic}: {error}")
            continue
        if info is None:
            passed_over.append(f"{topic}: no camera_info beside it (choose it with --image)")
        else:
            (colour if is_colour else grey).append(BagCamera(topic, types[topic], info))
    cameras = _one_transport_each(colour or grey)
    if not cameras:
        why = "; ".join(passed_over) or "it has no image topics"
        if bag.stopped:  # the camera may be in what is gone
            why += f"; only a part of it can be read: {bag.stopped}"
        raise BagError(f"bag {bag.name} has no camera to work on: {why}")
    return cameras


def _types(bag: BagInput | BagInputs) -> dict[str, str]:
    return {connection.topic: connection.msgtype for connection in bag.connections}


def _base(topic: str) -> str:
    """Name of the image topic whatever its transport."""
    return topic.removesuffix(_COMPRESSED)


def _parent(topic: str) -> str:
    return _base(topic).rpartition("/")[0]


def _info_beside(topic: str, types: dict[str, str]) -> str | None:
    name = f"{_parent(topic)}/camera_info"
    return name if types.get(name) == CAMERA_INFO else None


def _looks_coloured(bag: BagInput | BagInputs, topic: str, msgtype: str) -> bool:
    """Whether a topic's first readable image is a colour one.

    Raises:
        InputError: If it is no camera's picture at all.
    """
    if "/da_ros/" in topic:
        raise InputError("an earlier output of da_ros")
    reason = InputError("no message")
    for message in bag.first(topic, _LOOKED_AT):
        try:
            return _is_coloured(read_message(message.raw, msgtype), msgtype)
        except InputError as error:
            reason = error
    raise reason


def _is_coloured(message: Any, msgtype: str) -> bool:
    if msgtype == COMPRESSED_IMAGE:
        decode_compressed(message)
        return not str(message.format).lower().startswith(("mono", "8uc1"))
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        raise InputError(f"encoding {message.encoding} is no camera's picture")
    return encoding.layout is not Layout.GRAY


def _one_transport_each(cameras: list[BagCamera]) -> list[BagCamera]:
    """Of raw and compressed images of one camera, keep the raw ones."""
    raw = {camera.image_topic for camera in cameras if camera.msgtype == IMAGE}
    return [c for c in cameras if c.msgtype == IMAGE or _base(c.image_topic) not in raw]


def _with_namespaces(cameras: list[BagCamera], prefix: str) -> list[BagCamera]:
    if len(cameras) == 1:
        spaces = [""]
    else:
        spaces = [_parent(camera.image_topic) for camera in cameras]
        if len(set(spaces)) < len(spaces) or "" in spaces:
            spaces = [_base(camera.image_topic) for camera in cameras]
    if len(set(spaces)) < len(spaces):
        raise ParameterError(
            "image topics: the same camera is named twice, "
            + ", ".join(camera.image_topic for camera in cameras)
        )
    return [
        BagCamera(c.image_topic, c.msgtype, c.info_topic, space + prefix, Stream(c.image_topic))
        for c, space in zip(cameras, spaces, strict=True)
    ]
