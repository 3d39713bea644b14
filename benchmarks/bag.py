"""The bag tool against the network alone, and against playing the bag into the node.

    python -m benchmarks.bag --json benchmarks/results/bag.json   # all of it, some five minutes
    python -m benchmarks.bag --quick                              # a look, with few frames

Throughput: `da_ros bag` on a recording of 640x480 rgb8 images with everything passed through. Its
baseline is the network's own rate (`estimator.infer` on batches that are ready), measured before
and after each run; the ratio of a round is its frames per second over their mean. Beside it the
network alone in as many lanes as the tool takes (batches at once, a share of the threads each):
what the tool could reach if reading, packing and writing cost nothing. The warm-up run
leaves the input's sha256 remembered, so the rounds do not hash it again; the output of the round
before is gone (to replace one takes 0.2 s here, for its 1.5 GB). Small is
metric-indoor-small with random weights; nano has no metres, so its depth is the nominal one: the
same sums. Core-ms are CPU time of all threads, each stage run alone, one after the other.
Memory: peak of a process over 300 and over 3,000 frames of 320x240. The usual way: the node,
subscribed to by a player that sends the same number of images at 30 Hz.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import harness
from da_ros.memory import keep_freed_memory

RATE = 30.0
BARS = {"small depth": 0.95, "nano depth": 0.90, "nano depth,points": 0.75}
OUTPUTS = {
    "small depth": ("depth",),
    "nano depth": ("nominal_depth",),
    "nano depth,points": ("nominal_depth", "nominal_points"),
}
MEMORY_SHARE = 1.10


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    nano: int = 240
    small: int = 16
    rounds: int = 5
    small_rounds: int = 2
    memory: tuple[int, int] = (300, 3000)
    played: int = 300


QUICK = Sizes(nano=24, small=4, rounds=1, small_rounds=1, memory=(20, 60), played=60)


def write_recording(path: Path, count: int, width: int, height: int) -> Path:
    """A camera that moves over a photo-like texture, with its camera_info."""
    from da_ros.conversions import camera_info_fields, image_fields
    from da_ros.geometry.camera import PinholeCamera
    from da_ros.offline.bag_messages import write_message
    from da_ros.offline.bag_output import BagOutput
    from da_ros.pipeline.outputs import CAMERA_INFO, IMAGE
    from da_ros.types import Header

    noise = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    scene = cv2.resize(noise, (width + 64, height + 64), interpolation=cv2.INTER_CUBIC)
    fields = PinholeCamera.from_fov(width, height, 60.0).fields()
    with BagOutput(path, "mcap") as bag:
        image = bag.add_topic("/camera/image_raw", IMAGE)
        info = bag.add_topic("/camera/camera_info", CAMERA_INFO)
        for number in range(count):
            at = 1_000_000_000 + round(number * 1e9 / RATE)
            header = Header(at // 10**9, at % 10**9, "camera_optical_frame")
            x, y = number % 64, (3 * number) % 64
            pixels = np.ascontiguousarray(scene[y : y + height, x : x + width])
            bag.write(info, at, write_message(camera_info_fields(header, fields), CAMERA_INFO))
            bag.write(image, at, write_message(image_fields(header, pixels, "rgb8"), IMAGE))
    return path


def pipeline_of(case: str, folder: Path) -> Any:
    """A pipeline with nano, or with small and random weights."""
    from benchmarks.node_process import random_weights
    from da_ros.network.estimator import DepthEstimator
    from da_ros.params import PipelineParams
    from da_ros.pipeline import DepthPipeline

    params = PipelineParams()
    model = "nano"
    if case.startswith("small"):
        params = params.with_values({"model_variant": "metric-indoor-small"})
        model = str(random_weights(folder))
    return DepthPipeline(DepthEstimator.load(model, params.model), params, info_times=False)


def network_seconds(pipeline: Any, batch: int, calls: int) -> float:
    """Seconds per frame of the network alone."""
    image = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    ready = pipeline.estimator.prepare([image] * batch)
    start = time.perf_counter()
    for _ in range(calls):
        pipeline.estimator.infer(ready)
    return (time.perf_counter() - start) / (calls * batch)


def lanes_seconds(pipeline: Any, batch: int, calls: int) -> float:
    """Seconds per frame of the network alone, in the lanes that the tool chooses."""
    from da_ros.offline.lanes import choose_lanes, threads_in_lanes

    image = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    ready, lanes = pipeline.estimator.prepare([image] * batch), choose_lanes(0, pipeline.estimator)
    calls = max(lanes, calls // lanes * lanes)
    with threads_in_lanes(lanes), ThreadPoolExecutor(lanes) as pool:
        start = time.perf_counter()
        list(pool.map(pipeline.estimator.infer, [ready] * calls))
        return (time.perf_counter() - start) / (calls * batch)


def throughput(case: str, bag: Path, count: int, rounds: int, folder: Path) -> dict[str, Any]:
    """The tool's rate as a share of the network's, round by round."""
    from da_ros.offline.bag import convert_bag
    from da_ros.offline.bag_job import BagJob
    from da_ros.params import BAG_BATCH

    pipeline = pipeline_of(case, folder)
    calls = max(1, count // (2 * BAG_BATCH))
    network_seconds(pipeline, BAG_BATCH, max(1, calls // 4))
    job = BagJob((bag,), folder / "out", outputs=OUTPUTS[case])
    shares, networks, tools, in_lanes = [], [], [], []
    report: Any = None
    for number in range(rounds + 1):  # the first warms up
        before = network_seconds(pipeline, BAG_BATCH, calls)
        start = time.perf_counter()
        report = convert_bag(job, pipeline)
        tool = (time.perf_counter() - start) / count
        shutil.rmtree(job.target)
        network = (before + network_seconds(pipeline, BAG_BATCH, calls)) / 2
        if number or not rounds:
            shares.append(network / tool)
            in_lanes.append(1000 * lanes_seconds(pipeline, BAG_BATCH, calls))
            networks.append(1000 * network)
            tools.append(1000 * tool)
    assert report.done == count
    low, middle, high = harness.quartiles(shares)
    return {
        "share_of_network": middle,
        "share_quartiles": [low, high],
        "network_ms_per_frame": statistics.median(networks),
        "tool_ms_per_frame": statistics.median(tools),
        "network_in_lanes_ms_per_frame": statistics.median(in_lanes),
        "frames": count,
        "busy_ms_per_frame": {k: 1000 * v / count for k, v in report.busy.items()},
    }


def inputs_of(messages: Any, stream: Any, outputs: frozenset[str]) -> list[Any]:
    """Raw messages, camera_info and image in turn, to the pipeline's input."""
    from da_ros.offline.bag_messages import read_message
    from da_ros.pipeline import ImageInput
    from da_ros.pipeline.outputs import CAMERA_INFO, IMAGE

    return [
        ImageInput(read_message(m.raw, IMAGE), read_message(i.raw, CAMERA_INFO), stream, outputs)
        for i, m in zip(messages[::2], messages[1::2], strict=True)
    ]


def core_ms(case: str, bag: Path, count: int, folder: Path) -> dict[str, float]:
    """CPU time of all threads per frame, stage by stage."""
    from da_ros.offline.bag_inputs import BagInputs
    from da_ros.offline.bag_messages import message_parts
    from da_ros.offline.bag_output import BagOutput
    from da_ros.params import BAG_BATCH
    from da_ros.pipeline import TOPIC_TYPES, Stream
    from da_ros.pipeline.outputs import IMAGE

    pipeline, spent = pipeline_of(case, folder), dict[str, float]()
    stream, outputs = Stream("/camera/image_raw"), frozenset(OUTPUTS[case])

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        made = work()
        spent[name] = spent.get(name, 0.0) + time.process_time() - start
        return made

    with BagInputs([bag]) as source, BagOutput(folder / "stages", "mcap") as target:
        topics = {name: target.add_topic(f"/x/{name}", kind) for name, kind in TOPIC_TYPES.items()}
        copied = target.add_topic("/camera/image_raw", IMAGE)
        messages = iter(source.messages())
        for number in range(count // BAG_BATCH):
            taken = timed("read", lambda: [next(messages) for _ in range(2 * BAG_BATCH)])
            made: Any = inputs_of(taken, stream, outputs)
            for name, stage in (
                ("decode", pipeline.decode), ("prepare", pipeline.prepare),
                ("network", pipeline.infer), ("to_depth", pipeline.to_depth),
                ("pack", pipeline.pack),
            ):  # fmt: skip
                made = timed(name, lambda stage=stage, made=made: stage(made))
            raws = timed(
                "serialise",
                lambda packed=made: [
                    (topic, message_parts(fields, TOPIC_TYPES[topic]))
                    for frame in packed
                    for topic, fields in frame.messages.items()
                ],
            )

            def write(taken: Any = taken, raws: Any = raws) -> None:
                for message in taken[1::2]:
                    target.write(copied, message.timestamp, message.raw)
                for topic, raw in raws:
                    target.write_parts(topics[topic], taken[0].timestamp, raw)

            timed("write", write)
            if number == 1:
                spent.clear()  # two batches to warm up
    done = (count // BAG_BATCH - 2) * BAG_BATCH
    return {name: 1000 * seconds / done for name, seconds in spent.items()}


def peak_memory(count: int, folder: Path) -> float:
    """Peak of a process of its own [MB]."""
    words = [sys.executable, "-m", "benchmarks.bag", "--child", str(count), str(folder)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def child(count: int, folder: Path) -> None:
    """Convert a recording of so many small images, and print the peak of this process [MB]."""
    from da_ros.offline.bag import convert_bag
    from da_ros.offline.bag_job import BagJob

    bag = write_recording(folder / f"small_{count}", count, 320, 240)
    job = BagJob((bag,), folder / "made", outputs=("nominal_depth",), overwrite=True)
    report = convert_bag(job, pipeline_of("nano", folder))
    assert report.done == count
    shutil.rmtree(bag)
    shutil.rmtree(folder / "made")
    print(harness.peak_memory_mb())


def played(count: int, folder: Path) -> dict[str, float]:
    """Send as many images at 30 Hz to the node with nano, and count the clouds that come back."""
    from benchmarks.node_process import Camera, node_command, outputs_of, quiet_ros, running

    quiet_ros()
    with running(node_command("nano", 2, folder), log=folder / "node.log") as process:
        camera = Camera(outputs_of("nano"))
        try:
            camera.until_first(process)
            camera.send_for(2.0, RATE)
            time.sleep(1.0)
            before = len(camera.ages)
            took = camera.send_for(count / RATE, RATE)
            time.sleep(1.0)
            kept = len(camera.ages) - before
        finally:
            camera.close()
    return {"frames_kept": min(kept, count), "of": count, "seconds": took}


def verdicts(record: dict[str, Any]) -> dict[str, str]:
    """Say of each bar whether it is held."""
    said = {}
    for case, bar in BARS.items():
        share = record["throughput"][case]["share_of_network"]
        said[case] = f"{share:.3f} of the network (bar {bar}): {_held(share >= bar)}"
    few, many = record["peak_rss_mb"].values()
    said["memory"] = f"{many / few:.3f} (bar {MEMORY_SHARE}): {_held(many / few <= MEMORY_SHARE)}"
    return said


def _held(held: bool) -> str:
    return "held" if held else "MISSED"


def measured(sizes: Sizes, folder: Path) -> dict[str, Any]:
    """All of it."""
    bags = {
        count: write_recording(folder / f"bag_{count}", count, 640, 480)
        for count in sorted({sizes.nano, sizes.small, sizes.played})
    }
    record: dict[str, Any] = {"throughput": {}, "core_ms": {}}
    for case in BARS:
        few = case.startswith("small")
        count, rounds = (sizes.small, sizes.small_rounds) if few else (sizes.nano, sizes.rounds)
        made = throughput(case, bags[count], count, rounds, folder)
        record["throughput"][case] = made
        print(f"{case}: {json.dumps(made)}", flush=True)
        stages = core_ms(case, bags[count], min(count, 80), folder)
        shutil.rmtree(folder / "stages")
        record["core_ms"][case] = stages
        print(f"{case}, core-ms: {json.dumps(stages)}", flush=True)
    record["peak_rss_mb"] = {str(count): peak_memory(count, folder) for count in sizes.memory}
    print("peak RSS [MB]:", record["peak_rss_mb"], flush=True)
    usual = played(sizes.played, folder)
    tool = throughput("nano depth,points", bags[sizes.played], sizes.played, 1, folder)
    ours = {"frames_kept": sizes.played, "of": sizes.played}
    seconds = tool["tool_ms_per_frame"] * sizes.played / 1000
    record["usual_way"] = {
        "played_into_the_node": usual,
        "da_ros bag": ours | {"seconds": seconds},
    }
    print("usual way:", record["usual_way"], flush=True)
    return record


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few frames: to see that it works")
    parser.add_argument("--json", type=Path, help="write the record here")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    keep_freed_memory()  # as the command line does
    if options.child:
        child(int(options.child[0]), Path(options.child[1]))
        return
    before = harness.circumstances()
    with tempfile.TemporaryDirectory() as folder:
        record = measured(QUICK if options.quick else Sizes(), Path(folder))
    record["bars"] = verdicts(record)
    for name, text in record["bars"].items():
        print(f"{name}: {text}")
    if options.json is not None:
        after = {"load_after": harness.circumstances()["load"], "quick": options.quick}
        options.json.write_text(json.dumps({**record, **before, **after}, indent=1) + "\n")


if __name__ == "__main__":
    main()
