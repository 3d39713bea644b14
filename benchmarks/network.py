"""The network on a CPU, against transformers and OpenVINO on the same threads.

    python -m benchmarks.network                        # fp32 and bf16, eager; small at 518x686
    python -m benchmarks.network --compiled --openvino  # beside their compiled forms (minutes)
    python -m benchmarks.network --memory               # peak memory too, one process a case

The baseline is transformers in float32, eager. Weights are random: time does not depend on them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from benchmarks.harness import arguments, measure, peak_memory_mb, publish
from da_ros.network.build import build_network
from da_ros.network.device import choose_precision
from da_ros.network.estimator import DepthEstimator
from da_ros.network.spec import DepthAnythingSpec
from da_ros.network.variants import Variant, get_variant
from da_ros.types import ModelInfo

CPU = torch.device("cpu")
BASELINE = "transformers fp32 eager"
BF16_EAGER = "transformers bf16 eager channels-last"


def main() -> None:
    """Measure what the options ask for."""
    options = arguments(__doc__, _add_options)
    variant = get_variant(options.model)
    makers = _makers(variant, options)
    if options.only:
        makers[options.only]()()
        print(f"{peak_memory_mb():.0f}")
        return
    cases = {name: make() for name, make in makers.items()}
    figures = measure(cases, BASELINE, repetitions=options.repetitions, warm_up=options.warm_up)
    notes: dict[str, object] = {"auto precision": str(choose_precision(CPU, "auto"))}
    if options.memory:
        notes["peak memory MB"] = {name: _memory_of(name, options) for name in cases}
    publish(
        f"network, {variant.name} at {options.height}x{options.width}", figures, options, notes
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="v2-small", help="registry name (v2-small)")
    parser.add_argument("--height", type=int, default=518)
    parser.add_argument("--width", type=int, default=686)
    parser.add_argument("--nano", action="store_true", help="nano beside it, at its VGA size")
    parser.add_argument("--compiled", action="store_true", help="torch.compile of both too")
    parser.add_argument("--openvino", action="store_true", help="OpenVINO bf16 and f32 too")
    parser.add_argument("--memory", action="store_true", help="peak memory of each case too")
    parser.add_argument("--only", default="", help=argparse.SUPPRESS)


def _makers(
    variant: Variant, options: argparse.Namespace
) -> dict[str, Callable[[], Callable[[], object]]]:
    """What makes each case: nothing is built before it is wanted."""
    image = torch.randn(1, 3, options.height, options.width)
    small, bf16 = torch.float32, torch.bfloat16
    makers: dict[str, Callable[[], Callable[[], object]]] = {
        BASELINE: partial(_transformers, variant, image, small),
        "da_ros fp32": partial(_ours, variant, image, small),
        BF16_EAGER: partial(_transformers, variant, image, bf16),
        "da_ros bf16": partial(_ours, variant, image, bf16),
    }
    if options.nano:
        nano, view = get_variant("nano"), torch.randn(1, 3, 256, 352)
        makers["nano fp32 at 256x352"] = partial(_ours, nano, view, small)
        makers["nano bf16 at 256x352"] = partial(_ours, nano, view, bf16)
    if options.compiled:
        makers["transformers bf16 compiled"] = partial(_transformers, variant, image, bf16, True)
        makers["da_ros fp32 compiled"] = partial(_ours, variant, image, small, True)
        makers["da_ros bf16 compiled"] = partial(_ours, variant, image, bf16, True)
    if options.openvino:
        makers["OpenVINO f32"] = partial(_openvino, variant, image, "f32", options.threads)
        makers["OpenVINO bf16"] = partial(_openvino, variant, image, "bf16", options.threads)
    return makers


def _ours(
    variant: Variant, image: torch.Tensor, dtype: torch.dtype, compiled: bool = False
) -> Callable[[], object]:
    info = ModelInfo(variant.name, "0" * 64, verified=False, kind=variant.kind)
    network = build_network(variant)
    estimator = DepthEstimator(network, info, variant, CPU, dtype, compiled=compiled)
    return partial(estimator.infer, image)


def _transformers(
    variant: Variant, image: torch.Tensor, dtype: torch.dtype, compiled: bool = False
) -> Callable[[], object]:
    from transformers import DepthAnythingForDepthEstimation

    network: Any = DepthAnythingForDepthEstimation(transformers_config(variant))
    network.eval()
    if dtype is not torch.float32:
        network = network.to(dtype).to(memory_format=torch.channels_last)
        image = image.to(dtype).to(memory_format=torch.channels_last)
    if compiled:
        network = torch.compile(network, dynamic=False, options={"freezing": True})

    @torch.inference_mode()
    def run() -> object:
        return network(image).predicted_depth

    return run


def transformers_config(variant: Variant) -> Any:
    """The same sizes in the words of transformers."""
    from transformers import DepthAnythingConfig, Dinov2Config

    spec = variant.architecture
    assert isinstance(spec, DepthAnythingSpec)
    encoder: dict[str, Any] = {
        "hidden_size": spec.encoder.dim,
        "num_hidden_layers": spec.encoder.depth,
        "num_attention_heads": spec.encoder.heads,
        "image_size": spec.encoder.patch * spec.encoder.grid,
        "patch_size": spec.encoder.patch,
        "out_indices": [tap + 1 for tap in variant.taps],
        "reshape_hidden_states": False,
        "use_swiglu_ffn": spec.encoder.ffn == "swiglu",
    }
    fields: dict[str, Any] = {
        "backbone_config": Dinov2Config(**encoder),
        "reassemble_hidden_size": spec.encoder.dim,
        "neck_hidden_sizes": list(spec.head.out_channels),
        "fusion_hidden_size": spec.head.features,
        "depth_estimation_type": "metric" if variant.max_depth else "relative",
        "max_depth": int(variant.max_depth or 1),
    }
    return DepthAnythingConfig(**fields)


def _openvino(
    variant: Variant, image: torch.Tensor, precision: str, threads: int
) -> Callable[[], object]:
    import openvino

    network: nn.Module = build_network(variant)
    with torch.no_grad():
        network(image)  # the positions are then at hand, a constant of the trace
        converted = openvino.convert_model(network, example_input=image, input=[list(image.shape)])
    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads}
    compiled = openvino.compile_model(converted, "CPU", settings)
    return partial(compiled, image.numpy())


def _memory_of(name: str, options: argparse.Namespace) -> int:
    """Peak resident memory [MB] of a process that runs one case once; imports alone are ~400."""
    words = [sys.executable, "-m", "benchmarks.network", "--only", name, "--model", options.model]
    words += [f"--height={options.height}", f"--width={options.width}"]
    words += [f"--threads={options.threads}"]
    words += [f"--{flag}" for flag in ("nano", "compiled", "openvino") if getattr(options, flag)]
    made = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(made.stdout.split()[-1])


if __name__ == "__main__":
    main()
