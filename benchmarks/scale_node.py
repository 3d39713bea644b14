"""Metres published by the real node of a real RGB-D recording, on pixels that it did not get.

    python -m benchmarks.scale_node [--data ../shared/data] [--pictures FOLDER] [--seeds 1]

The bag's depth topic is the node's source of scale for nano, but for a quarter of its pixels
(blocks of 16 px). AbsRel of ``depth/image`` is taken on these, and beside it that of the least
squares line in inverse depth through all valid pixels of the frame, these too. With --pictures the
depth and the cloud of each frame are written for people to look at.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from da_ros.pictures.render import render_cloud
from da_ros.pictures.scale_bar import METRES, picture_with_bar

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "support"))
from bag_through_node import Shown, nano_node, play
from held_back import Recorded, recorded, table
from robot import Robot

ROOT = Path(__file__).resolve().parents[1]
NEAR, FAR = 0.5, 3.0  # Of the colours [m].


def run(frames: list[Recorded], seed: int) -> list[Shown]:
    """Start a node, play the bag, end it."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "node.txt")
        robot, node = Robot(), nano_node(log)
        try:
            robot.until(lambda: "active: " in node.output, "the node")
            return play(robot, frames, seed)
        finally:
            code = node.end()
            robot.close()
            if code:
                print(log.read_text(), file=sys.stderr)


def write_pictures(frames: list[Recorded], shown: list[Shown], folder: Path) -> None:
    """Depth with a bar in metres, and the cloud from the side."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (frame, one) in enumerate(zip(frames, shown, strict=True)):
        depth = picture_with_bar(one.depth, NEAR, FAR, METRES)
        flat = np.frombuffer(bytes(frame.image.data), np.uint8)
        bgr = flat.reshape(frame.image.height, frame.image.width, 3)
        points = one.points[..., :3].reshape(-1, 3)
        rgb = one.points[..., 3].copy().view(np.uint32).reshape(-1)
        colors = np.stack([rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255], axis=-1).astype(np.uint8)
        side = render_cloud(points, colors, yaw_deg=35, pitch_deg=-15, width=640, height=480)
        cv2.imwrite(str(folder / f"{number}_image.png"), bgr)
        cv2.imwrite(str(folder / f"{number}_depth.png"), depth[..., ::-1])
        cv2.imwrite(str(folder / f"{number}_cloud.png"), side[..., ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--seeds", type=int, default=1, help="draws of what is held back (1)")
    options = parser.parse_args()
    profile = str(ROOT / "config" / "fastdds_shm.xml")
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", profile)
    frames = recorded(options.data / "bags" / "tum_fr1_rgbd_mcap")
    for seed in range(options.seeds):
        shown = run(frames, seed)
        print(f"held back: draw {seed}\n{table([one.score for one in shown])}")
        if options.pictures:
            write_pictures(frames, shown, options.pictures / str(seed))


if __name__ == "__main__":
    main()
