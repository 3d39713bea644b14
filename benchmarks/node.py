"""The node over DDS: one process is camera and subscriber, the other is the node.

    python -m benchmarks.node                             # all of it, about six minutes
    python -m benchmarks.node --cases nano --seconds 8    # a look

Cases: publishing (depth, camera_info and cloud from ready fields: the middleware's share), nano at
30 Hz and at 15 Hz, small (random weights), and baseline (benchmarks/baseline_node.py: the usual
parts, the same network, the middleware's default profile). 640x480 bgr8 with camera_info; depth,
camera_info and a coloured cloud are subscribed; config/fastdds_shm.xml in all other cases.

Overhead is callback to last publish minus network and minus waiting for camera_info, as the node
says in /diagnostics; queued_ms is the part of it that an image waits for the one before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import harness, publishing
from benchmarks.node_process import (
    Camera,
    cpu_seconds,
    last_json,
    node_command,
    outputs_of,
    quiet_ros,
    rss_mb,
    running,
)

CASES = ("publishing", "nano", "nano_15hz", "small", "baseline")
RATES = {"nano": 30.0, "nano_15hz": 15.0, "small": 10.0, "baseline": 10.0, "publishing": 30.0}
SLOW = 3
"""Cases of the large network take so many times the seconds: a frame takes a second and more."""
FEWEST, LONGEST = 10, 4
"""Frames that a median is made of, and how much longer than asked for they are waited for."""
COUNTS = ("input/dropped", "input/done", "input/received")
OVERHEAD_MS, DELIVERED_HZ, TIMES_BASELINE = 9.0, 25.0, 3.0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--seconds", type=float, default=20.0, help="of measuring (20)")
    parser.add_argument("--threads", type=int, default=2, help="of the network (2)")
    parser.add_argument("--json", type=Path, help="write the record here")
    return parser.parse_args()


def measured(case: str, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Run one case and return its figures."""
    log = folder / f"{case}.log"
    model = case.partition("_")[0]
    words = {
        "publishing": [sys.executable, "-m", "benchmarks.publishing", str(RATES[case])],
        "baseline": [sys.executable, "-m", "benchmarks.baseline_node", str(options.threads)],
    }.get(case) or node_command(model, options.threads, folder)
    space = {"publishing": publishing.SPACE, "baseline": "/baseline"}.get(case, outputs_of(model))
    slow = case in ("small", "baseline")
    started, profile = time.monotonic(), case != "baseline"
    with running(words, profile=profile, log=log) as process:
        camera = Camera(space, profile=profile)
        try:
            camera.until_first(process)
            first = time.monotonic() - started
            camera.send_for(5.0 if slow else 3.0, RATES[case])
            found = steady(camera, process.pid, options.seconds * (SLOW if slow else 1), case)
        finally:
            camera.close()
    found["first_output_s"] = first
    return found | (last_json(log) if case in ("publishing", "baseline") else {})


def steady(camera: Camera, pid: int, seconds: float, case: str) -> dict[str, float]:
    """Publish for a while and say what came of it."""
    before, cpu = len(camera.ages), cpu_seconds(pid)
    counted = camera.figures(*COUNTS)
    took = camera.send_for(seconds, RATES[case])
    while len(camera.ages) - before < FEWEST and took < LONGEST * seconds:  # a busy machine
        took += camera.send_for(seconds / 4, RATES[case])
    ages = camera.ages[before:]
    if not ages:
        raise SystemExit(f"{case}: nothing came within {took:.0f} s")
    found = {
        "camera_hz": RATES[case],
        "delivered_hz": len(ages) / took,
        "frame_age_ms": statistics.median(ages),
        "frame_age_p95_ms": statistics.quantiles(ages, n=20)[-1] if len(ages) > 1 else ages[0],
        "cpu_ms_per_frame": 1000.0 * (cpu_seconds(pid) - cpu) / len(ages),
        "rss_mb": rss_mb(pid),
    }
    time.sleep(1.2)  # for the diagnostics
    medians = camera.figures("output/median ")
    found |= {key.removeprefix("output/median "): value for key, value in medians.items()}
    for key, value in camera.figures(*COUNTS).items():
        found[key.removeprefix("input/")] = value - counted.get(key, 0.0)
    return found


def bars(record: dict[str, dict[str, float]]) -> dict[str, str]:
    """Say of each bar what was measured, and whether that holds it."""
    said = {}
    nano, follow = record.get("nano"), record.get("nano_15hz")
    if nano:
        said["nano delivered"] = verdict(
            nano["delivered_hz"], "Hz", nano["delivered_hz"] >= DELIVERED_HZ, f">= {DELIVERED_HZ}"
        )
    for name, one in (("nano at 30 Hz", nano), ("nano at 15 Hz", follow)):
        if one:
            held = one["overhead_ms"] <= OVERHEAD_MS
            said[f"{name} overhead"] = verdict(one["overhead_ms"], "ms", held, f"<= {OVERHEAD_MS}")
    if "small" in record and "baseline" in record:
        ratio = record["small"]["delivered_hz"] / record["baseline"]["delivered_hz"]
        said["small, times the baseline's rate"] = verdict(
            ratio, "", ratio >= TIMES_BASELINE, f">= {TIMES_BASELINE}"
        )
    return said


def verdict(value: float, unit: str, held: bool, bar: str) -> str:
    return f"{value:.2f} {unit} (bar {bar}): {'held' if held else 'MISSED'}".replace("  ", " ")


def main() -> None:
    options = parsed()
    quiet_ros()
    before = harness.circumstances()
    with tempfile.TemporaryDirectory() as folder:
        record = {}
        for case in CASES:
            if case in options.cases:
                record[case] = measured(case, options, Path(folder))
                print(f"\n## {case}", flush=True)
                for key, value in record[case].items():
                    print(f"{key}: {value:.2f}", flush=True)
    said = bars(record)
    for name, text in said.items():
        print(f"{name}: {text}")
    if options.json is not None:
        after = {"load_after": harness.circumstances()["load"], "threads": options.threads}
        full: dict[str, Any] = {**record, "bars": said, **before, **after}
        options.json.write_text(json.dumps(full, indent=1) + "\n")


if __name__ == "__main__":
    main()
