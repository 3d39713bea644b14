"""The real node around a network done by hand: KIND SLOW_S [--ros-args ...].

What a picture shows decides what befalls the network: white, it says that its memory ran out;
pure green, it has a bug; pure blue, it fails once and works when asked again; pure cyan, the
allocator of a CPU refuses; pure magenta, memory runs out before the network is reached.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))

from ramp_estimator import RampNetwork, ramp_estimator

from da_ros.errors import DeviceError
from da_ros.network.estimator import DepthEstimator
from da_ros.params import ModelParams
from da_ros.ros.depth_node import main
from da_ros.types import Kind


class FrailRamp(RampNetwork):
    """Fails on command, and takes its time."""

    def __init__(self, slow_s: float) -> None:
        super().__init__()
        self.slow_s = slow_s
        self.has_failed = False

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.slow_s)
        red, green, blue = (float(value) for value in x.mean(dim=(0, 2, 3)))
        if green > 2.0 and blue > 2.0 and red < -1.5:
            print("planted: asked for too much", flush=True)
            raise RuntimeError("planted: DefaultCPUAllocator: can't allocate memory")
        if green > 2.0 and red < -1.5:
            raise ValueError("planted bug")
        if blue > 2.0 and red < -1.5:  # channels normalised as ImageNet's
            self.has_failed = not self.has_failed
            if self.has_failed:
                raise DeviceError("planted shortage of memory")
        return super().forward(x)


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
    kind, slow_s = Kind(sys.argv[1]), float(sys.argv[2])
    template = ramp_estimator(kind)
    return FrailEstimator(
        FrailRamp(slow_s), template.info, template.variant, torch.device("cpu"),
        torch.float32, input_size=params.input_size or 70,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main([sys.argv[0], *sys.argv[3:]], load))
