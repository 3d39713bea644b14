"""The real node around a network done by hand: KIND SLOW_S [--ros-args ...].

What a picture shows decides what befalls the network: white, it says that its memory ran out;
pure green, it has a bug; pure blue, it fails once and works when asked again; pure cyan, the
allocator of a CPU refuses; pure magenta, memory runs out before the network is reached.
"""

from __future__ import annotations

import sys
import time
import weakref
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))

from ramp_estimator import RampNetwork, ramp_estimator

from da_ros.errors import DeviceError
from da_ros.network.device import choose_device, choose_precision
from da_ros.network.estimator import DepthEstimator
from da_ros.params import ModelParams
from da_ros.ros.depth_node import main
from da_ros.types import Kind


class FrailRamp(RampNetwork):
    """Fails on command, and takes its time."""

    def __init__(self, slow_s: float) -> None:
        super().__init__()
        self.slow_s = slow_s
        self.in_hand: weakref.ref[Tensor] | None = None  # of an attempt that failed

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.slow_s)
        red, green, blue = (float(value) for value in x.mean(dim=(0, 2, 3)))
        if green > 2.0 and blue > 2.0 and red < -1.5:
            print("planted: asked for too much", flush=True)
            raise RuntimeError("planted: DefaultCPUAllocator: can't allocate memory")
        if green > 2.0 and red < -1.5:
            raise ValueError("planted bug")
        if blue > 2.0 and red < -1.5:  # channels normalised as ImageNet's
            self.fail_once()
        return super().forward(x)

    def fail_once(self) -> None:
        """Fail with something in hand, and the next time say whether that is still held."""
        if self.in_hand is None:
            in_hand = torch.zeros(1000)
            self.in_hand = weakref.ref(in_hand)
            raise DeviceError("planted shortage of memory")
        fate = "gone" if self.in_hand() is None else "held"
        print(f"planted: what the first attempt had in hand is {fate}", flush=True)
        self.in_hand = None


class FrailEstimator(DepthEstimator):
    """Runs out of memory over a magenta picture."""

    def prepare(self, images: Any, *, bgr: bool = False) -> Tensor:
        for image in images:
            red, green, blue = (int(value) for value in image[0, 0])
            if red > 250 and green < 5 and blue > 250:
                raise MemoryError("planted: no room for the input")
        return super().prepare(images, bgr=bgr)


def load(params: ModelParams) -> DepthEstimator:
    if params.model_path == "missing.pth":
        raise FileNotFoundError("planted: no such file, and no DaRosError either")
    if params.model_path == "swallow.pth":
        try:
            print("planted: loading", flush=True)
            time.sleep(60.0)
        except KeyboardInterrupt:
            print("planted: a library lost the interrupt", flush=True)
    kind, slow_s = Kind(sys.argv[1]), float(sys.argv[2])
    template = ramp_estimator(kind)
    # auto is this, also where there is a GPU or bfloat16: what is expected is computed so.
    device = choose_device("cpu" if params.device == "auto" else params.device)
    precision = "fp32" if params.precision == "auto" else params.precision
    return FrailEstimator(
        FrailRamp(slow_s), template.info, template.variant, device,
        choose_precision(device, precision), input_size=params.input_size or 70,
        compiled=params.compile,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main([sys.argv[0], *sys.argv[3:]], load))
