"""The facade of the room: weights and a device in, predictions out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import nn

from da_ros.errors import DeviceError, ParameterError, ShapeError
from da_ros.network.device import (
    choose_device,
    choose_precision,
    exact_float32,
    is_out_of_memory,
)
from da_ros.network.graphs import GraphedNetwork
from da_ros.network.preprocess import network_size, prepare
from da_ros.types import Prediction

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from da_ros.network.preprocess import Images
    from da_ros.network.variants import Variant
    from da_ros.network.weights import LoadedWeights
    from da_ros.params import ModelParams
    from da_ros.types import ModelInfo

SMALLER = (1.0, 0.75, 0.5, 0.35, 0.25, 0.15)
"""Fractions of the sides that are tried after the memory ran out, to name one that fits."""

MOST_RECORDINGS = 4
"""Of input shapes, as CUDA graphs: each keeps the memory of a run."""


@runtime_checkable
class Specialised(Protocol):
    """A network that knows how to make itself fast; any other one runs under autocast."""

    def for_inference(self, device: torch.device, dtype: torch.dtype, *, packed: bool) -> None:
        """Move to a device and rewrite the weights for speed."""


class DepthEstimator:
    """A network with weights, on a device, ready to predict.

    Several threads may call it at once only if ``takes_several``.

    Attributes:
        say: Called with a line for people when a batch of a shape that ``warm_up`` was not told
            of has to wait; drops it until somebody sets another.

    Args:
        network: Weighted, from ``build_network(variant)``; the estimator takes it over.
        info: Which weights these are.
        variant: The registry row.
        device: Where to compute.
        precision: Of everything but the network's last layers.
        input_size: Shorter side of the network's input [px]; 0 or None keeps the variant's.
        compiled: Use torch.compile; compilation happens in ``warm_up``.
    """

    def __init__(
        self,
        network: nn.Module,
        info: ModelInfo,
        variant: Variant,
        device: torch.device,
        precision: torch.dtype,
        *,
        input_size: int | None = None,
        compiled: bool = False,
    ) -> None:
        self.info = info
        self.variant = variant
        self.device = device
        self.precision = precision
        self.input_size = input_size or None
        self._network: nn.Module | None = network.eval().requires_grad_(False)
        self._autocast = not isinstance(network, Specialised)
        self._place(network, packed=not compiled)
        self._call = _compiled(network, device) if compiled else network
        self._graphs = GraphedNetwork(self._forward)
        self._compiled = compiled
        self._ready: set[tuple[int, ...]] = set()
        self._met: set[tuple[int, ...]] = set()
        self.say: Callable[[str], None] = lambda line: None

    @property
    def takes_several(self) -> bool:
        """Whether threads may call ``infer`` at once: on a CPU, where nothing is recorded."""
        return self.device.type == "cpu" and not self._compiled

    @classmethod
    def load(cls, model: str | Path = "", params: ModelParams | None = None) -> DepthEstimator:
        """Find, read and place weights.

        Args:
            model: Registry name or weights file; empty takes what the parameters name.
            params: Device, precision and the rest; None takes the defaults.

        Returns:
            An estimator that has not run yet; see ``warm_up``.

        Raises:
            ParameterError: If the name, or a combination of parameters, does not exist.
            DeviceError: If the device asked for is not there.
            WeightsError: If the weights are missing, damaged or another model.
        """
        from da_ros.params import ModelParams

        params = params or ModelParams()
        device = choose_device(params.device)
        precision = choose_precision(device, params.precision)
        if params.cpu_threads:
            torch.set_num_threads(params.cpu_threads)
        loaded = _find_weights(str(model), params)
        return cls(
            _weighted(loaded),
            loaded.info,
            loaded.variant,
            device,
            precision,
            input_size=params.input_size,
            compiled=params.compile,
        )

    def network_size(self, height: int, width: int) -> tuple[int, int]:
        """At which (height, width) [px] the network sees an image; see ``preprocess``."""
        return network_size(height, width, self.variant.resize, self.input_size)

    def prepare(self, images: Images, *, bgr: bool = False) -> Tensor:
        """Resize and normalise.

        Args:
            images: uint8 (B, H, W, 3), or a sequence of (H, W, 3) with one network size.
            bgr: The channels are blue, green, red.

        Returns:
            (B, 3, h, w) float32 on the estimator's device.

        Raises:
            ShapeError: If the images are no images, or need different network sizes.
        """
        shapes = {tuple(image.shape[:2]) for image in images if image.ndim == 3}
        sizes = {self.network_size(*shape) for shape in shapes}
        if len(sizes) > 1:
            raise ShapeError(f"prepare: images of one network size expected, got {sorted(sizes)}")
        size = sizes.pop() if sizes else (0, 0)
        return prepare(images, size, self.variant.resize, self.device, bgr=bgr)

    def infer(self, batch: Tensor) -> Prediction:
        """Run the network on what ``prepare`` made.

        Args:
            batch: (B, 3, h, w) normalised, on the estimator's device.

        Returns:
            The prediction on the network's grid, float32, on the same device.

        Raises:
            DeviceError: If the memory does not suffice (naming a size that does), or after
                ``close``.
        """
        shape = tuple(batch.shape)
        if not self.takes_several and shape not in self._ready:
            self._meet(shape)
        values = self._attempt(batch)
        if values is None:
            raise DeviceError(self._memory_advice(tuple(batch.shape)))
        return Prediction(values, self.info)

    def estimate(self, images: Images, *, bgr: bool = False) -> Prediction:
        """``prepare`` and ``infer`` in one."""
        return self.infer(self.prepare(images, bgr=bgr))

    def warm_up(self, height: int, width: int, batch: int = 1) -> None:
        """Make everything that the first frame of a size would otherwise wait for.

        Allocates, compiles where asked, and on a GPU records the network as one CUDA graph.

        Args:
            height: Of the camera's images [px].
            width: Of the camera's images [px].
            batch: Images at a time.

        Raises:
            DeviceError: If the memory does not suffice, naming a size that does.
        """
        given = self.prepare(np.zeros((batch, height, width, 3), np.uint8))
        shape = tuple(given.shape)
        self._ready.add(shape)
        self.infer(given)
        if self.device.type == "cuda":
            self._record(shape)

    def close(self) -> None:
        """Free the network and its memory; only ``info`` and the sizes stay."""
        self._graphs.clear()
        self._network = None
        self._call = nn.Identity()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _meet(self, shape: tuple[int, ...]) -> None:
        """Get ready for a shape that ``warm_up`` was not told of.

        The network is recorded when a shape comes the second time: the last batch of a bag is
        smaller than the others and comes once.
        """
        size = f"{shape[0]} x {shape[3]}x{shape[2]} px"
        if shape not in self._met:
            self._met.add(shape)
            if self._compiled:
                self.say(f"compiling the network for {size}, for which it was not warmed up")
            return
        self._ready.add(shape)
        if self.device.type == "cuda" and len(self._ready) <= MOST_RECORDINGS:
            self.say(f"recording the network for {size}, for which it was not warmed up")
            self._record(shape)

    def _record(self, shape: tuple[int, ...]) -> None:
        """Record the network as one CUDA graph, where the memory suffices for that."""
        try:
            self._graphs.record(shape, self.device)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()  # without a recording it is slower, not wrong

    def _place(self, network: nn.Module, *, packed: bool) -> None:
        if isinstance(network, Specialised):
            network.for_inference(self.device, self.precision, packed=packed)
        else:
            network.to(self.device)
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def _forward(self, batch: Tensor) -> Tensor:
        cast_inside = self._autocast and self.precision is not torch.float32
        casting = torch.autocast(
            self.device.type, dtype=self.precision, enabled=cast_inside, cache_enabled=False
        )
        with exact_float32(self.device), casting:
            return cast("Tensor", self._call(batch)).float()

    def _attempt(self, batch: Tensor) -> Tensor | None:
        """Predictions, or None if the memory ran out (and what was taken is free again)."""
        if self._network is None:
            raise DeviceError(f"the estimator of {self.info.model_id} is closed; load it again")
        while True:
            try:
                return self._graphs(batch)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            had_recordings = self._graphs.clear()  # their memory is nobody else's while they live
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            if not had_recordings:
                return None

    def _memory_advice(self, shape: tuple[int, ...]) -> str:
        """Say what failed and name the largest tried size that runs."""
        count, channels, height, width = shape
        message = f"not enough memory on {self.device} for {count} image(s) of {width}x{height} px"
        multiple = self.variant.resize.multiple
        for fraction in SMALLER if count > 1 else SMALLER[1:]:
            h, w = (
                max(1, int(side * fraction) // multiple) * multiple for side in (height, width)
            )
            trial = torch.zeros(1, channels, h, w, device=self.device)
            if self._attempt(trial) is not None:
                return f"{message}; 1 of {w}x{h} fits: one at a time, with input_size {min(h, w)}"
        return f"{message}, nor for any smaller size; free some, or take a smaller model"


def _compiled(network: nn.Module, device: torch.device) -> nn.Module:
    """Compile lazily (the first call does it); on a CPU with the weights frozen into the code."""
    if device.type != "cpu":
        return cast("nn.Module", torch.compile(network, dynamic=False))
    frozen = torch.compile(network, dynamic=False, options={"freezing": True})
    return cast("nn.Module", frozen)


def _find_weights(model: str, params: ModelParams) -> LoadedWeights:
    """Read the weights that a name, a path or the parameters mean."""
    from da_ros.network.hub import fetch_weights
    from da_ros.network.locations import find_weights
    from da_ros.network.variants import REGISTRY, get_variant, variant_for
    from da_ros.network.weights import load_weights

    named = model or params.model_path
    stated = get_variant(params.model_variant) if params.model_variant else None
    if named and named not in REGISTRY and (Path(named).exists() or Path(named).suffix):
        return load_weights(Path(named), stated)
    size, family = params.model_size, params.model_family
    variant = get_variant(named) if named else variant_for(size, family)
    if stated is not None and stated != variant:
        raise ParameterError(
            f"model_variant {stated.name} goes with a weights file of your own, but the model is "
            f"{variant.name}: name the file, or leave model_variant out"
        )
    find = fetch_weights if params.allow_download else find_weights
    return load_weights(find(variant), variant)


def _weighted(loaded: LoadedWeights) -> nn.Module:
    """Build the network around loaded tensors, without initialising any of its own."""
    from da_ros.network.build import build_network

    with torch.device("meta"):
        network = build_network(loaded.variant)
    network.load_state_dict(loaded.state_dict, strict=True, assign=True)
    return network
