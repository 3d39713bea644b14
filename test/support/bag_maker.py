"""Messages and bags for the tests of the bag tool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
INFO = "sensor_msgs/msg/CameraInfo"
CLOUD = "sensor_msgs/msg/PointCloud2"
TF = "tf2_msgs/msg/TFMessage"
ODD_TYPE = "my_robot/msg/Whistle"

STORE = get_typestore(Stores.ROS2_JAZZY)
STORE.register(get_types_from_msg("float64 pitch\nstring tune\n", ODD_TYPE))

LATCHED = Qos(
    QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL,
    QosTime(5, 6), QosTime(7, 8), QosLiveliness.AUTOMATIC, QosTime(9, 10), False,
)  # fmt: skip
"""Of the odd topic: no default in any field."""

LATCHED_TOPICS = ("/whistle", "/tf_static")

HEIGHT, WIDTH = 48, 64


class Entry(NamedTuple):
    """One message to be put into a bag."""

    topic: str
    msgtype: str
    timestamp: int
    message: Any


def header(stamp: int, frame_id: str = "cam") -> Any:
    types: Any = STORE.types
    time = types["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9)
    return types["std_msgs/msg/Header"](stamp=time, frame_id=frame_id)


def pixels(number: int) -> np.ndarray:
    """A smooth RGB picture that differs by its number."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([40 + 2 * x + number, 200 - 3 * y, x + y], axis=-1).astype(np.uint8)


def image(
    topic: str, timestamp: int, stamp: int, *, encoding: str = "rgb8", cut: int = 0
) -> Entry:
    """An Image, with some bytes missing at the end if ``cut``."""
    rgb = pixels(timestamp % 50)
    known = {"rgb8": rgb, "bgr8": rgb[..., ::-1], "mono8": rgb[..., :1]}
    data = known.get(encoding, np.zeros((HEIGHT, WIDTH, 2), np.uint8))
    flat = np.ascontiguousarray(data).reshape(-1)
    message_type: Any = STORE.types[IMAGE]
    message = message_type(
        header=header(stamp),
        height=HEIGHT,
        width=WIDTH,
        encoding=encoding,
        is_bigendian=0,
        step=data.shape[-1] * WIDTH,
        data=flat[: flat.size - cut],
    )
    return Entry(topic, IMAGE, timestamp, message)


def compressed(topic: str, timestamp: int, stamp: int, spelling: str = "png") -> Entry:
    """A CompressedImage: JPEG if its format string says so, else PNG."""
    bgr = np.ascontiguousarray(pixels(timestamp % 50)[..., ::-1])
    data = cv2.imencode(".jpg" if "jpeg" in spelling else ".png", bgr)[1].reshape(-1)
    message_type: Any = STORE.types[COMPRESSED]
    message = message_type(header=header(stamp), format=spelling, data=data)
    return Entry(topic, COMPRESSED, timestamp, message)


def info(topic: str, timestamp: int, stamp: int, fx: float = 50.0) -> Entry:
    """A CameraInfo without distortion."""
    types: Any = STORE.types
    cx, cy = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
    zeros = dict.fromkeys(("x_offset", "y_offset", "height", "width"), 0)
    message = types[INFO](
        header=header(stamp),
        height=HEIGHT,
        width=WIDTH,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.array([fx, 0, cx, 0, fx, cy, 0, 0, 1.0]),
        r=np.eye(3).reshape(-1),
        p=np.array([fx, 0, cx, 0, 0, fx, cy, 0, 0, 0, 1.0, 0]),
        binning_x=0,
        binning_y=0,
        roi=types["sensor_msgs/msg/RegionOfInterest"](**zeros, do_rectify=False),
    )
    return Entry(topic, INFO, timestamp, message)


def cloud(
    topic: str, timestamp: int, stamp: int, points: np.ndarray | None = None, frame: str = "lidar"
) -> Entry:
    """A PointCloud2 of x y z, one point 2 m ahead if none are given."""
    xyz = np.array([[0, 0, 2]], np.float32) if points is None else points.astype(np.float32)
    types: Any = STORE.types
    field_type = types["sensor_msgs/msg/PointField"]
    message = types[CLOUD](
        header=header(stamp, frame),
        height=1,
        width=len(xyz),
        fields=[field_type(name, 4 * place, 7, 1) for place, name in enumerate("xyz")],
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(xyz),
        data=np.frombuffer(xyz.tobytes(), np.uint8),
        is_dense=True,
    )
    return Entry(topic, CLOUD, timestamp, message)


def transform(
    topic: str,
    timestamp: int,
    stamp: int,
    parent: str,
    child: str,
    place: tuple[float, float, float] = (0.0, 0.0, 0.0),
    turn: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0),
) -> Entry:
    """A TFMessage with one transform, by default one that does not turn."""
    types: Any = STORE.types
    pose = types["geometry_msgs/msg/Transform"](
        translation=types["geometry_msgs/msg/Vector3"](*place),
        rotation=types["geometry_msgs/msg/Quaternion"](*turn),
    )
    one = types["geometry_msgs/msg/TransformStamped"](
        header=header(stamp, parent), child_frame_id=child, transform=pose
    )
    return Entry(topic, TF, timestamp, types[TF](transforms=[one]))


def odd(timestamp: int, tune: str = "la") -> Entry:
    """A message of a type that nobody else knows."""
    message_type: Any = STORE.types[ODD_TYPE]
    return Entry("/whistle", ODD_TYPE, timestamp, message_type(pitch=440.0, tune=tune))


def frames(camera: str, count: int = 5, first: int = 1_000_000_000) -> list[Entry]:
    """Images of a camera with their camera_info recorded a millisecond later."""
    made = []
    for index in range(count):
        stamp = first + index * 33_000_000
        made.append(image(f"{camera}/image_raw", stamp + 5_000_000, stamp))
        made.append(info(f"{camera}/camera_info", stamp + 6_000_000, stamp))
    return made


def write_bag(
    path: Path,
    entries: Sequence[Entry],
    *,
    storage: str = "mcap",
    compression: CompressionMode = CompressionMode.NONE,
    raw: dict[int, bytes] | None = None,
) -> Path:
    """Write messages in this order; ``raw`` replaces the bytes of single ones."""
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        known: dict[str, Any] = {}
        for index, entry in enumerate(entries):
            if entry.topic not in known:
                known[entry.topic] = writer.add_connection(
                    entry.topic,
                    entry.msgtype,
                    typestore=STORE,
                    offered_qos_profiles=[LATCHED] if entry.topic in LATCHED_TOPICS else [],
                )
            data = (raw or {}).get(index) or STORE.serialize_cdr(entry.message, entry.msgtype)
            writer.write(known[entry.topic], entry.timestamp, data)
    return path


def with_first_cut(source: Path, target: Path, topic: str) -> Path:
    """Copy a bag whose first message of a topic is cut short."""
    with (
        Reader(source) as reader,
        Writer(target, version=9, storage_plugin=StoragePlugin.MCAP) as writer,
    ):
        copies = {
            c.id: writer.add_connection(c.topic, c.msgtype, msgdef=c.msgdef.data, rihs01=c.digest)
            for c in reader.connections
        }
        first = True
        for connection, timestamp, raw in reader.messages():
            cut = first and connection.topic == topic
            first = first and not cut
            writer.write(copies[connection.id], timestamp, raw[:40] if cut else raw)
    return target


def messages_of(path: Path) -> dict[str, list[tuple[int, bytes]]]:
    """Read a bag with rosbags alone: (timestamp, raw) of every message, by topic, in order."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    with Reader(path) as reader:
        for connection, timestamp, raw in reader.messages():
            found.setdefault(connection.topic, []).append((timestamp, bytes(raw)))
    return found
