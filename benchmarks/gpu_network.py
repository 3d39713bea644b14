"""The network on a CUDA GPU: latency, throughput, memory, and how exact the fast modes are.

    python -m benchmarks.gpu_network                           # everything, over three minutes
    python -m benchmarks.gpu_network --models v2-small,nano    # under two
    python -m benchmarks.gpu_network --no-compile              # without torch.compile

Needs a CUDA build of torch; transformers is compared with where it is installed. Nothing is
downloaded: weights are random for times, and the scaled ones of the tests for errors. Prints
tables, and at the end one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harness import Figure, arguments, circumstances, measure, table
from benchmarks.network import transformers_config
from da_ros.network.build import build_network
from da_ros.network.depth_anything import UNUSED_KEYS
from da_ros.network.device import exact_float32
from da_ros.network.estimator import DepthEstimator
from da_ros.network.variants import get_variant
from da_ros.types import ModelInfo

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
IMAGES = {"VGA": (480, 640), "720p": (720, 1280)}
BATCH = 8
COMPILED_SHAPE = "VGA"

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "support"))


def main() -> None:
    """Measure, print, and end with the JSON."""
    options = arguments(__doc__, _add_options)
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA GPU here; benchmarks.network measures the CPU")
    device = torch.device("cuda", 0)
    record: dict[str, Any] = circumstances()
    start = time.perf_counter()
    record["errors"] = errors(device)
    record["prepare"] = prepare_times(device, options.repetitions)
    record["latency"] = [
        entry
        for name in options.models.split(",")
        for image in IMAGES
        for entry in latencies(name, image, device, options.repetitions)
    ]
    if options.compile:
        record["compiled"] = compiled_times(device, options.repetitions)
    record["seconds"] = round(time.perf_counter() - start)
    print(json.dumps(record))


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", default="v2-small,v2-base,v2-large,nano")
    parser.add_argument("--no-compile", dest="compile", action="store_false")


def estimator_of(
    name: str,
    device: torch.device,
    precision: str,
    *,
    scaled: bool = False,
    compiled: bool = False,
) -> DepthEstimator:
    """An estimator with random weights, or with the scaled ones of the tests."""
    variant = get_variant(name)
    network = build_network(variant)
    if scaled:
        from scaled_weights import scaled_state  # type: ignore[import-not-found]

        state = scaled_state(variant)
        network.load_state_dict({k: v for k, v in state.items() if not k.startswith(UNUSED_KEYS)})
    info = ModelInfo(name, "0" * 64, verified=False, kind=variant.kind)
    dtype = PRECISIONS[precision]
    return DepthEstimator(network, info, variant, device, dtype, compiled=compiled)


def errors(device: torch.device) -> dict[str, object]:
    """Small at VGA: float32 against the CPU, fast modes against float32, replay against eager."""
    image = smooth_photo(480, 640)[None]
    on_cpu = estimator_of("v2-small", torch.device("cpu"), "fp32", scaled=True).estimate(image)
    exact = estimator_of("v2-small", device, "fp32", scaled=True)
    fine = exact.estimate(image).values
    reference = on_cpu.values.to(device)
    found: dict[str, object] = {
        "fp32: max difference to the CPU / deviation": float(
            (fine - reference).abs().max() / reference.std()
        ),
        "prepare: max difference to the CPU": float(
            (exact.prepare(image).cpu() - _prepared_on_cpu(image)).abs().max()
        ),
    }
    for precision in ("bf16", "fp16"):
        fast = estimator_of("v2-small", device, precision, scaled=True)
        values = fast.estimate(image).values
        relative = ((values - fine).abs() / fine.clamp(min=1e-6)).flatten()
        fast.warm_up(480, 640)
        replayed = fast.estimate(image).values
        found[precision] = {
            "median": float(relative.median()),
            "p99": float(relative.quantile(0.99)),
            "distinct depths": len(torch.unique(values)),
            "replay to eager, max": float((replayed - values).abs().max()),
        }
    print(json.dumps(found, indent=1))
    return found


def smooth_photo(height: int, width: int) -> np.ndarray:
    """A picture with gradients and some detail."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = 60 * np.sin(rows / 17) * np.cos(columns / 23)
    channels = (columns * 180 / width + waves, rows * 180 / height + waves, 120 + waves)
    made: np.ndarray = np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)
    return made


def _prepared_on_cpu(image: np.ndarray) -> torch.Tensor:
    from da_ros.network.preprocess import prepare

    rule = get_variant("v2-small").resize
    return prepare(image, (518, 686), rule, torch.device("cpu"))


def prepare_times(device: torch.device, repetitions: int) -> list[dict[str, object]]:
    """Upload, resize and normalise one frame; bicubic and area."""
    frame = smooth_photo(480, 640)[None]
    small, nano = (estimator_of(name, device, "bf16") for name in ("v2-small", "nano"))
    small_size, nano_size = small.network_size(480, 640), nano.network_size(480, 640)
    cases: dict[str, Callable[[], object]] = {
        f"prepare bicubic to {small_size}": partial(small.prepare, frame),
        f"prepare area to {nano_size}": partial(nano.prepare, frame),
    }
    return _timed("prepare, VGA frame from the host", cases, repetitions)


def latencies(
    name: str, image: str, device: torch.device, repetitions: int
) -> list[dict[str, object]]:
    """One model at one size: precisions, eager and replayed, one frame and a batch."""
    height, width = IMAGES[image]
    size = estimator_of(name, device, "bf16").network_size(height, width)
    one, many = (torch.randn(count, 3, *size, device=device) for count in (1, BATCH))
    cases: dict[str, Callable[[], object]] = {}
    kept = []
    if name != "nano":
        cases |= _transformers_cases(name, one)
    for precision in PRECISIONS:
        eager = estimator_of(name, device, precision)
        graphed = estimator_of(name, device, precision)
        graphed.warm_up(height, width)
        graphed.warm_up(height, width, batch=BATCH)
        cases[f"{precision} eager"] = partial(eager.infer, one)
        cases[f"{precision} graph"] = partial(graphed.infer, one)
        cases[f"{precision} graph, batch {BATCH}"] = partial(graphed.infer, many)
        kept += [eager, graphed]
    torch.cuda.reset_peak_memory_stats(device)
    entries = _timed(f"{name} at {size[0]}x{size[1]}", cases, repetitions)
    memory = torch.cuda.max_memory_allocated(device) / 2**20
    print(f"GPU memory of all cases together: {memory:.0f} MiB")
    for estimator in kept:
        estimator.close()
    return entries


def _transformers_cases(name: str, given: torch.Tensor) -> dict[str, Callable[[], object]]:
    try:
        from transformers import DepthAnythingForDepthEstimation
    except ImportError:
        return {}
    cases: dict[str, Callable[[], object]] = {}
    for precision in ("fp32", "bf16"):
        dtype = PRECISIONS[precision]
        network: Any = DepthAnythingForDepthEstimation(transformers_config(get_variant(name)))
        network = network.eval().to(given.device, dtype)
        run = torch.inference_mode()(network)
        cases[f"transformers {precision} eager"] = partial(run, given.to(dtype))
        if precision == "fp32":  # by default cuDNN's convolutions are TF32, which ours are not
            cases["transformers fp32 eager, exact"] = partial(_exactly, run, given)
    return cases


def _exactly(run: Callable[[torch.Tensor], object], given: torch.Tensor) -> object:
    with exact_float32(given.device):
        return run(given)


def compiled_times(device: torch.device, repetitions: int) -> list[dict[str, object]]:
    """Small in bfloat16, compiled and recorded, beside the recording alone."""
    height, width = IMAGES[COMPILED_SHAPE]
    cases: dict[str, Callable[[], object]] = {}
    for name, compiled in (("bf16 graph", False), ("bf16 compiled, graph", True)):
        estimator = estimator_of("v2-small", device, "bf16", compiled=compiled)
        start = time.perf_counter()
        estimator.warm_up(height, width)
        print(f"{name}: warm-up {time.perf_counter() - start:.1f} s")
        given = torch.randn(1, 3, *estimator.network_size(height, width), device=device)
        cases[name] = partial(estimator.infer, given)
    return _timed("v2-small, torch.compile", cases, repetitions)


def _timed(
    title: str, cases: dict[str, Callable[[], object]], repetitions: int
) -> list[dict[str, object]]:
    """Print a table; the first case is the baseline."""
    figures: list[Figure] = measure(
        cases,
        next(iter(cases)),
        repetitions=repetitions,
        warm_up=3,
        synchronize=torch.cuda.synchronize,
    )
    print(f"\n## {title}\n{table(figures)}", flush=True)
    return [{"title": title, **asdict(figure)} for figure in figures]


if __name__ == "__main__":
    main()
