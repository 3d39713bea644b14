"""How good published metres are where the depth camera was not allowed to look."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import Reader

from da_ros.conversions import camera_fields_of
from da_ros.conversions.depth_images import decode_depth
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.rectify import RectificationMap, rectify
from da_ros.offline.bag_messages import read_message

BLOCK = 16  # [px]
SHARE = 0.25  # Of the blocks.
FAR = 20.0  # What is published as +Inf counts as this far [m].

IMAGE, INFO = "/camera/color/image_raw", "/camera/color/camera_info"
DEPTH, DEPTH_INFO = "/camera/depth/image_raw", "/camera/depth/camera_info"


@dataclass(frozen=True, eq=False)
class Recorded:
    """One frame of the bag, as rosbags' messages.

    Attributes:
        image: Colour.
        info: Its camera.
        depth: Registered depth.
        depth_info: Its camera.
    """

    image: Any
    info: Any
    depth: Any
    depth_info: Any


@dataclass(frozen=True)
class Score:
    """AbsRel on the pixels held back.

    Attributes:
        published: Of the node's metres.
        oracle: Of the least squares line in inverse depth through all valid pixels, also these.
        pixels: How many.
        inside: Shares of them within 1 and 2 of the published standard deviations.
    """

    published: float
    oracle: float
    pixels: int
    inside: tuple[float, float]

    @property
    def ratio(self) -> float:
        return self.published / self.oracle


def recorded(bag: Path) -> list[Recorded]:
    """The frames of a bag, in order; each topic has one message of each."""
    found: dict[str, list[Any]] = {}
    with Reader(bag) as reader:
        for connection, _, raw in reader.messages():
            message = read_message(bytes(raw), connection.msgtype)
            found.setdefault(connection.topic, []).append(message)
    topics = (IMAGE, INFO, DEPTH, DEPTH_INFO)
    return [Recorded(*frame) for frame in zip(*(found[t] for t in topics), strict=True)]


def held_back(size: tuple[int, int], seed: int) -> NDArray[np.bool_]:
    """Which pixels of a raw depth image are held back: random blocks."""
    rng = np.random.default_rng(seed)
    rows, columns = -(-size[0] // BLOCK), -(-size[1] // BLOCK)
    blocks = rng.random((rows, columns)) < SHARE
    return np.kron(blocks, np.ones((BLOCK, BLOCK), bool))[: size[0], : size[1]]


def millimetres(depth: Any, without: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """A 16UC1 message's pixels with some taken away."""
    values = np.frombuffer(bytes(depth.data), "<u2").reshape(depth.height, depth.width)
    return np.where(without, 0, values).astype(np.uint16)


def score(
    frame: Recorded,
    without: NDArray[np.bool_],
    published: NDArray[np.float32],
    std: NDArray[np.float32],
    inverse_depth: NDArray[np.float32],
) -> Score:
    """Compare metres with what was held back, rectified as the image is."""
    lens = RectificationMap.of(PinholeCamera.from_fields(**camera_fields_of(frame.info)))
    truth = np.nan_to_num(rectify(decode_depth(frame.depth), lens, nearest=True), nan=0.0)
    hidden = rectify(without.astype(np.uint8), lens, nearest=True) > 0
    valid = (truth > 0) & np.isfinite(inverse_depth)
    d, y = inverse_depth[valid].astype(np.float64), 1.0 / truth[valid].astype(np.float64)
    line = np.linalg.lstsq(np.stack((d, np.ones_like(d)), axis=1), y, rcond=None)[0]
    test = valid & hidden
    oracle = 1.0 / np.maximum(line[0] * inverse_depth[test] + line[1], 1.0 / FAR)
    ours = np.minimum(published[test], FAR)
    away = np.abs(ours - truth[test]) / std[test]
    away = away[np.isfinite(away)]
    return Score(
        float(np.mean(np.abs(ours / truth[test] - 1.0))),
        float(np.mean(np.abs(oracle / truth[test] - 1.0))),
        int(test.sum()),
        (float((away < 1).mean()), float((away < 2).mean())),
    )


def table(scores: list[Score]) -> str:
    """Markdown, a row each and the mean."""
    lines = ["| frame | published | oracle line | ratio | within 1 sigma | 2 sigma |"]
    lines.append("|-|-|-|-|-|-|")
    for number, one in enumerate(scores):
        lines.append(
            f"| {number} | {one.published:.4f} | {one.oracle:.4f} | {one.ratio:.3f} | "
            f"{one.inside[0]:.0%} | {one.inside[1]:.0%} |"
        )
    ours, oracle = (
        float(np.mean([getattr(s, n) for s in scores])) for n in ("published", "oracle")
    )
    first, second = np.mean([one.inside for one in scores], axis=0)
    lines.append(
        f"| mean | {ours:.4f} | {oracle:.4f} | {ours / oracle:.3f} | {first:.0%} | {second:.0%} |"
    )
    return "\n".join(lines)
