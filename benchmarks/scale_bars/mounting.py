"""Verdicts on a scanner mounted rightly, and 2 degrees off in yaw or pitch."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from scanned_scene import said, scanned, scanner_in_camera, scene_worth_scanning

from benchmarks.scale_bars.parts import Bar, Options, Part, progress
from da_ros.scale.extrinsic import Mounting, MountingOptions, check_mounting, turned

OFF = math.radians(2.0)
TURNS = {"as mounted": (0.0, 0.0), "yaw 2 deg": (OFF, 0.0), "pitch 2 deg": (0.0, OFF)}


def run(options: Options) -> Part:
    """Check the mounting in generated rooms, one scan of 16 beams and one image each."""
    verdicts: dict[str, Counter[Mounting]] = defaultdict(Counter)
    for seed in progress(range(options.scenes), "mounting", options.scenes):
        scene = scene_worth_scanning(seed, "room")
        view = scanned(scene, scene.camera, seed)
        pose = scanner_in_camera()
        points = view.cloud @ pose[:3, :3].T + pose[:3, 3]
        d = said(view.y, 1.7, 0.04, 0.05, seed)
        for name, (yaw, pitch) in TURNS.items():
            moved = turned(points, yaw, pitch)
            verdicts[name][check_mounting(moved, d, view.camera, MountingOptions()).verdict] += 1
    rows = [[name, *(verdicts[name][verdict] for verdict in Mounting)] for name in TURNS]
    share = {name: verdicts[name][Mounting.WRONG] / options.scenes for name in TURNS}
    bars = [
        Bar("false alarms", share["as mounted"], high=0.05),
        *(Bar(f"{name} flagged", share[name], low=0.95) for name in list(TURNS)[1:]),
    ]
    return Part("mounting", ("turned by", *map(str, Mounting)), rows, bars)
