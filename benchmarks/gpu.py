"""A whole frame on a CUDA GPU: equal to the CPU's, what travels, what it costs, and its faults.

    python -m benchmarks.gpu                  # everything, under a minute
    python -m benchmarks.gpu --device cpu     # the same script where there is no GPU

bgr8 VGA in; depth, camera_info and an xyzrgb cloud with the edge filter out, as the node packs
them; metric-indoor-small with the tests' scaled weights, and the shipped nano. Four parts:
errors (float32 depth and cloud against the CPU's), copies (those between host and device in one
frame, counted by torch's profiler), times (by stage and whole, against the network alone), faults
(memory that runs out is named with a size that fits, the next frame works, closing frees it).
The network by itself is in benchmarks.gpu_network. Prints tables, and at the end one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from benchmarks.harness import arguments, circumstances, measure, quartiles, table
from benchmarks.prepost import CAMERA, _messages
from da_ros.errors import DeviceError
from da_ros.network.build import build_network
from da_ros.network.depth_anything import UNUSED_KEYS
from da_ros.network.device import choose_device, choose_precision
from da_ros.network.estimator import DepthEstimator
from da_ros.network.variants import get_variant
from da_ros.params import PipelineParams
from da_ros.pipeline import DepthPipeline, ImageInput, PackedFrame, Stream
from da_ros.types import ModelInfo

OUTPUTS = frozenset({"depth", "camera_info", "points", "nominal_depth", "nominal_points"})
"""Of a metric model the first three, of nano, whose depth is relative, the nominal ones."""
COLOR = OUTPUTS | {"color"}
MODEL = "metric-indoor-small"
STAGES = ("decode_ms", "prepare_ms", "infer_ms", "to_depth_ms", "pack_ms")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "support"))


def main() -> None:
    """Measure, print, and end with the JSON."""
    options = arguments(__doc__, _add_options)
    device = choose_device(options.device)
    record: dict[str, Any] = circumstances()
    record["errors"] = errors(device)
    record["times"] = [entry for name in (MODEL, "nano") for entry in times(name, device, options)]
    if device.type == "cuda":
        record["copies"] = copies(device)
        record["faults"] = faults(device)
    print(json.dumps(record))


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cuda", help="auto, cpu, cuda or cuda:N (cuda)")
    parser.set_defaults(repetitions=60, warm_up=10)


def estimator_of(name: str, device: torch.device, precision: str = "auto") -> DepthEstimator:
    """The shipped nano, or another model with the scaled weights of the tests."""
    variant, dtype = get_variant(name), choose_precision(device, precision)
    if name == "nano":
        changed = {"device": str(device), "precision": precision}
        return DepthEstimator.load("nano", PipelineParams().with_values(changed).model)
    from scaled_weights import scaled_state  # type: ignore[import-not-found]

    network = build_network(variant)
    state = scaled_state(variant)
    network.load_state_dict({k: v for k, v in state.items() if not k.startswith(UNUSED_KEYS)})
    limit = variant.max_depth
    info = ModelInfo(name, "0" * 64, verified=False, kind=variant.kind, max_depth=limit)
    return DepthEstimator(network, info, variant, device, dtype)


def pipeline_of(estimator: DepthEstimator) -> DepthPipeline:
    """With the node's defaults."""
    return DepthPipeline(estimator, PipelineParams())


def frame_of(stream: Stream, outputs: frozenset[str] = OUTPUTS) -> ImageInput:
    """One image message and its camera, without ROS."""
    raw, _ = _messages()
    raw.header = _header()
    info = SimpleNamespace(header=_header(), **_camera_fields())
    return ImageInput(raw, info, stream, outputs)


def _header() -> SimpleNamespace:
    return SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=0), frame_id="camera_optical")


def _camera_fields() -> dict[str, Any]:
    camera = CAMERA
    k = [camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0]
    p = [*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0]
    region = dict.fromkeys(("x_offset", "y_offset", "height", "width"), 0)
    return {
        "height": camera.height,
        "width": camera.width,
        "distortion_model": "plumb_bob",
        "d": [0.0] * 5,
        "k": k,
        "r": np.eye(3).reshape(-1).tolist(),
        "p": p,
        "binning_x": 0,
        "binning_y": 0,
        "roi": SimpleNamespace(**region, do_rectify=False),
    }


def outputs_of(pipeline: DepthPipeline, given: ImageInput) -> PackedFrame:
    """One frame; what failed is raised."""
    (made,) = pipeline.run([given])
    if not isinstance(made, PackedFrame):
        raise made
    return made


def errors(device: torch.device) -> dict[str, float]:
    """Float32 on this device against float32 on the CPU: depth, and each cloud coordinate."""
    found = []
    for where in (torch.device("cpu"), device):
        pipeline = pipeline_of(estimator_of(MODEL, where, "fp32"))
        messages = outputs_of(pipeline, frame_of(Stream("/cam/image_raw"))).messages
        depth = np.frombuffer(bytes(messages["depth/image"]["data"]), np.float32)
        cloud = np.frombuffer(bytes(messages["points"]["data"]), np.float32).reshape(-1, 4)
        found.append((depth, cloud))
    (expected, reference), (depth, cloud) = found
    with np.errstate(invalid="ignore"):
        relative = np.abs(depth - expected) / expected
        apart = np.abs(cloud[:, :3] - reference[:, :3]) / reference[:, 2:3]
    made = {
        "pixels with depth": int(np.isfinite(expected).sum()),
        "depth: finite in one of the two only": int(
            (np.isfinite(depth) != np.isfinite(expected)).sum()
        ),
        "depth: max relative difference": float(np.nanmax(relative)),
        "cloud: max difference / depth": float(np.nanmax(apart)),
        "cloud: colours that differ": int(
            (cloud[:, 3].view(np.uint32) != reference[:, 3].view(np.uint32)).sum()
        ),
        "cloud: point in one of the two only": int(
            (np.isnan(cloud[:, 2]) != np.isnan(reference[:, 2])).sum()
        ),
    }
    print(json.dumps(made, indent=1), flush=True)
    return made


def times(name: str, device: torch.device, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The whole frame with and without colours, beside the network alone; then by stage."""
    estimator = estimator_of(name, device)
    estimator.warm_up(CAMERA.height, CAMERA.width)
    pipeline, stream = pipeline_of(estimator), Stream("/cam/image_raw")
    tensor = torch.randn(1, 3, *estimator.network_size(CAMERA.height, CAMERA.width), device=device)
    frame, colored = frame_of(stream), frame_of(stream, COLOR)
    cases: dict[str, Callable[[], object]] = {
        f"{name}: network alone": partial(estimator.infer, tensor),
        f"{name}: whole frame": partial(outputs_of, pipeline, frame),
        f"{name}: whole frame, color too": partial(outputs_of, pipeline, colored),
    }
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    figures = measure(
        cases,
        next(iter(cases)),
        repetitions=options.repetitions,
        warm_up=options.warm_up,
        synchronize=wait,
    )
    print(f"\n## {name}, VGA\n{table(figures)}", flush=True)
    spent = [outputs_of(pipeline, frame).times for _ in range(options.repetitions)]
    stages = {stage: quartiles([getattr(t, stage) for t in spent])[1] for stage in STAGES}
    print("host time by stage [ms]:", {k: round(v, 3) for k, v in stages.items()}, flush=True)
    estimator.close()
    return [*(asdict(figure) for figure in figures), {"name": f"{name}: stages", **stages}]


def copies(device: torch.device) -> dict[str, Any]:
    """Count the copies between host and device in one frame, by direction and bytes."""
    from torch.profiler import ProfilerActivity, profile

    estimator = estimator_of(MODEL, device)
    estimator.warm_up(CAMERA.height, CAMERA.width)
    pipeline, stream = pipeline_of(estimator), Stream("/cam/image_raw")
    frame = frame_of(stream)
    for _ in range(3):
        outputs_of(pipeline, frame)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        outputs_of(pipeline, frame)
        torch.cuda.synchronize()
    names = [event.name for event in profiled.events()]
    found: dict[str, Any] = {
        name: names.count(name) for name in sorted(set(names)) if name.startswith("Memcpy")
    }
    found["cudaStreamSynchronize"] = names.count("cudaStreamSynchronize")
    found["expected"] = "one up (the image), two down (depth and cloud)"
    print("copies in one frame:", found, flush=True)
    estimator.close()
    return found


def faults(device: torch.device) -> dict[str, Any]:
    """Let the memory run out, look at what is said, at the next frame, and at what stays."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(device)
    estimator = estimator_of("v2-large", device)
    held = torch.cuda.memory_allocated(device) - before
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction((held + 2**30) / total, device)
    try:
        estimator.infer(torch.zeros(1, 3, 2058, 2744, device=device))
        said = "nothing: it fitted"
    except DeviceError as error:
        said = str(error)
    shape = estimator.infer(torch.zeros(1, 3, 518, 686, device=device)).values.shape
    estimator.close()
    torch.cuda.set_per_process_memory_fraction(1.0, device)
    found = {
        "weights_mb": held / 2**20,
        "said": said,
        "next_frame": list(shape),
        "allocated_after_close_mb": (torch.cuda.memory_allocated(device) - before) / 2**20,
        "reserved_after_close_mb": torch.cuda.memory_reserved(device) / 2**20,
    }
    print(json.dumps(found, indent=1), flush=True)
    return found


if __name__ == "__main__":
    main()
