"""The pipeline: decode, prepare, infer, scale, to_depth, pack, each on a list of frames.

It is batch-first and stateless: what is remembered of a camera is its ``Stream``. The stages can
be called apart, each from one thread of its own, so that batches overlap. A frame that fails
becomes the error that says why, in its place in the list; the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import cv2
import torch
from torch import Tensor

from da_ros.conversions import (
    DecodedImage,
    camera_fields_of,
    decode_compressed,
    decode_image,
    header_of,
)
from da_ros.errors import DaRosError
from da_ros.geometry.rectify import rectify
from da_ros.params import PipelineParams, field_specs
from da_ros.pipeline.depths import depth_of, depth_range
from da_ros.pipeline.frames import (
    Batch,
    DepthFrame,
    DeviceImage,
    Frame,
    Group,
    ImageInput,
    PackedFrame,
    Predicted,
    ms_since,
)
from da_ros.pipeline.outputs import available_outputs
from da_ros.pipeline.packing import packed
from da_ros.pipeline.stream import read_mask
from da_ros.pipeline.transfer import to_device
from da_ros.types import ModelInfo, Prediction, StageTimes

if TYPE_CHECKING:
    Given = TypeVar("Given")
    Made = TypeVar("Made")


class Estimator(Protocol):
    """What the pipeline needs of ``network.estimator.DepthEstimator``."""

    @property
    def info(self) -> ModelInfo:
        """Which weights."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    @property
    def takes_several(self) -> bool:
        """Whether several threads may call ``infer`` at once."""

    def prepare(self, images: Any, *, bgr: bool = False) -> Tensor:
        """Images, (B, H, W, 3) uint8, to normalised input, (B, 3, h, w)."""

    def infer(self, batch: Tensor) -> Prediction:
        """Run the network."""


class DepthPipeline:
    """From image messages to depth messages, shared by the node and the bag tool.

    Attributes:
        estimator: The network.
        params: Dynamic ones may be replaced between frames.
    """

    def __init__(
        self, estimator: Estimator, params: PipelineParams, *, info_times: bool = True
    ) -> None:
        """Check what depends on the model.

        Args:
            estimator: The network.
            params: All of them; the model's own were used when the estimator was loaded.
            info_times: Write stage times into DepthInfo. The bag tool, whose output is the same
                each time, does not.

        Raises:
            ParameterError: If near and far do not fit the model, or the mask is no picture.
        """
        self.estimator = estimator
        self.params = params
        self.info_times = info_times
        self._mask = read_mask(params.camera.mask_image)
        depth_range(self.model, params.depth)

    @property
    def model(self) -> ModelInfo:
        """Which weights."""
        return self.estimator.info

    def wanted(self, outputs: frozenset[str]) -> frozenset[str]:
        """Of some outputs, return those that are switched on and that the model can give."""
        switches = self.params.outputs
        on = {spec.field for spec in field_specs(type(switches)) if getattr(switches, spec.field)}
        reference = self.params.depth.nominal_d_ref
        return outputs & on & available_outputs(self.model, reference, scaled=self.is_scaled)

    @property
    def is_scaled(self) -> bool:
        """Whether a source of scale is switched on."""
        return bool(self.params.scale.sources)

    def run(self, inputs: Sequence[ImageInput]) -> list[PackedFrame | DaRosError]:
        """Do all stages of one batch, one after the other."""
        predicted = self.infer(self.prepare(self.decode(inputs)))
        return self.pack(self.to_depth(self.scale(predicted)))

    # --- The stages ----------------------------------------------------------------------------

    def decode(self, inputs: Sequence[ImageInput | DaRosError]) -> list[Frame | DaRosError]:
        """Turn messages into pixels and cameras."""
        return _each(self._decode, inputs)

    def prepare(self, frames: Sequence[Frame | DaRosError]) -> Batch:
        """Rectify, turn, resize and normalise; frames of one size share a network call."""
        done = _each(self._straighten, frames)
        places: dict[tuple[int, int, bool], list[int]] = {}
        for place, frame in enumerate(done):
            if isinstance(frame, Frame):
                key = (*frame.image.pixels.shape[:2], frame.image.bgr)
                places.setdefault(key, []).append(place)
        groups = [self._group(done, chosen) for chosen in places.values()]
        return Batch(done, [group for group in groups if group is not None])

    def infer(self, batch: Batch) -> list[Predicted | DaRosError]:
        """Run the network."""
        results: dict[int, Predicted | DaRosError] = {}
        for group in batch.groups:
            results |= self._infer(batch.frames, group)
        return [
            frame if isinstance(frame, DaRosError) else results[place]
            for place, frame in enumerate(batch.frames)
        ]

    def scale(self, predicted: Sequence[Predicted | DaRosError]) -> list[Predicted | DaRosError]:
        """Find the scale of each frame whose stream has sources; the only stage that remembers.

        Frames of a stream must come in the order of their stamps, each once.
        """
        return _each(_scaled, predicted)

    def to_depth(
        self, predicted: Sequence[Predicted | DaRosError]
    ) -> list[DepthFrame | DaRosError]:
        """Turn the network's numbers into depth, as far as each frame's outputs need it."""
        return _each(lambda item: depth_of(item, self.model, self.params), predicted)

    def pack(self, frames: Sequence[DepthFrame | DaRosError]) -> list[PackedFrame | DaRosError]:
        """Turn depth into message fields."""
        return _each(lambda item: packed(item, self.params, self.info_times), frames)

    # --- One frame of each ---------------------------------------------------------------------

    def _decode(self, given: ImageInput) -> Frame:
        start = time.perf_counter()
        header = header_of(given.image)
        if self.params.camera.frame_id_override:
            header = replace(header, frame_id=self.params.camera.frame_id_override)
        compressed = hasattr(given.image, "format")
        image = decode_compressed(given.image) if compressed else decode_image(given.image)
        size = image.height, image.width
        fields = None if given.camera_info is None else camera_fields_of(given.camera_info)
        view = given.stream.view(fields, size, self.params.camera, self._mask)
        times = StageTimes(decode_ms=ms_since(start))
        wanted = self.wanted(given.outputs)
        return Frame(header, image, given.stream, view, wanted, size, times, tuple(given.evidence))

    def _straighten(self, frame: Frame) -> Frame:
        start = time.perf_counter()
        image: DecodedImage | DeviceImage = frame.image
        if self.estimator.device.type != "cpu":
            # Uploaded once; rectification, colours and the network's input are made from it there.
            decoded: Any = image.pixels  # an array, since it has just been decoded
            image = DeviceImage(to_device(decoded, self.estimator.device), image.bgr)
        if frame.view.rectification is not None:
            raw: Any = image.pixels  # an array or a tensor: rectify keeps which
            image = type(image)(rectify(raw, frame.view.rectification), image.bgr)
        times = replace(frame.times, prepare_ms=ms_since(start))
        return replace(frame, image=image, times=times)

    def _group(self, frames: list[Frame | DaRosError], places: list[int]) -> Group | None:
        """Make the network's input of equally large frames; on failure they become the error."""
        start = time.perf_counter()
        chosen = [frame for place in places if isinstance(frame := frames[place], Frame)]
        pixels = [self._upright(frame.image.pixels) for frame in chosen]
        try:
            tensor = self.estimator.prepare(pixels, bgr=chosen[0].image.bgr)
        except DaRosError as error:
            for place in places:
                frames[place] = error
            return None
        share = ms_since(start) / len(chosen)
        for place, frame in zip(places, chosen, strict=True):
            spent = replace(frame.times, prepare_ms=frame.times.prepare_ms + share)
            frames[place] = replace(frame, times=spent)
        return Group(tuple(places), tensor)

    def _upright(self, pixels: Any) -> Any:
        """Turn pixels for the network if the camera hangs upside down."""
        if not self.params.camera.rotate_180:
            return pixels
        if isinstance(pixels, Tensor):
            return pixels.flip(0, 1)
        return cv2.rotate(pixels, cv2.ROTATE_180)

    def _infer(
        self, frames: list[Frame | DaRosError], group: Group
    ) -> dict[int, Predicted | DaRosError]:
        """Run one group; if it fails, its frames one by one: only the bad ones are lost."""
        start = time.perf_counter()
        try:
            values = self.estimator.infer(group.tensor).values
        except DaRosError as error:
            if len(group.places) == 1:
                return {group.places[0]: error}
            single: dict[int, Predicted | DaRosError] = {}
            for row, place in enumerate(group.places):
                single |= self._infer(frames, Group((place,), group.tensor[row : row + 1]))
            return single
        if self.params.camera.rotate_180:
            values = values.flip(-2, -1)
        size = int(group.tensor.shape[-2]), int(group.tensor.shape[-1])
        share = ms_since(start) / len(group.places)
        found: dict[int, Predicted | DaRosError] = {}
        for row, place in enumerate(group.places):
            frame = frames[place]
            assert isinstance(frame, Frame)
            times = replace(frame.times, infer_ms=share)
            found[place] = Predicted(replace(frame, times=times), values[row], size)
        return found


def _scaled(item: Predicted) -> Predicted:
    scale = item.frame.stream.scale
    if scale is None:
        return item
    start = time.perf_counter()
    calibration = scale.observe(item)
    times = replace(item.frame.times, to_depth_ms=ms_since(start))
    return replace(item, frame=replace(item.frame, times=times), calibration=calibration)


def _each(
    do: Callable[[Given], Made], items: Sequence[Given | DaRosError]
) -> list[Made | DaRosError]:
    """Apply a stage to each frame that is still one; a DaRosError takes the frame's place."""
    done: list[Made | DaRosError] = []
    for item in items:
        if isinstance(item, DaRosError):
            done.append(item)
            continue
        try:
            done.append(do(item))
        except DaRosError as error:
            done.append(error)
    return done
