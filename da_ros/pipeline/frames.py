"""What travels between the stages: one frame, knowing more after each."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from da_ros.conversions import DecodedImage, Fields
from da_ros.errors import DaRosError
from da_ros.geometry.camera import PinholeCamera
from da_ros.pipeline.stream import Stream, View
from da_ros.scale.calibrator import Calibration
from da_ros.types import DepthScale, Header, ModelInfo, ScaleShift, StageTimes


@dataclass(frozen=True, eq=False)
class DepthEvidence:
    """What a depth camera measured at the time of an image.

    Attributes:
        image: Message with the fields of sensor_msgs/Image, registered to the image.
        camera_info: Its own CameraInfo message, or None.
        rectified: Whether its pixels are those of the rectified image, as its topic's name says.
    """

    image: Any
    camera_info: Any = None
    rectified: bool = False


@dataclass(frozen=True, eq=False)
class CloudEvidence:
    """What a scanner measured around the time of an image.

    Attributes:
        cloud: Message with the fields of sensor_msgs/PointCloud2.
    """

    cloud: Any


Evidence = DepthEvidence | CloudEvidence


@dataclass(frozen=True, eq=False)
class ImageInput:
    """One image to be worked on.

    Attributes:
        image: Message with the fields of sensor_msgs/Image or CompressedImage.
        camera_info: Message with the fields of sensor_msgs/CameraInfo, or None.
        stream: Of the camera it came from.
        outputs: What is wanted of it, some of :data:`~da_ros.params.OUTPUTS`.
        evidence: What other sensors measured, matched to it.
    """

    image: Any
    camera_info: Any
    stream: Stream
    outputs: frozenset[str]
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, eq=False)
class Frame:
    """An image as pixels.

    Attributes:
        header: For every output.
        image: As received; in the prepare stage it becomes what the outputs show (rectified).
        stream: Of its camera.
        view: How it is read.
        outputs: What is wanted and can be made.
        image_size: (height, width) as received [px].
        times: Spent so far.
        evidence: As given.
    """

    header: Header
    image: DecodedImage | DeviceImage
    stream: Stream
    view: View
    outputs: frozenset[str]
    image_size: tuple[int, int]
    times: StageTimes
    evidence: tuple[Evidence, ...] = ()

    @property
    def camera(self) -> PinholeCamera | None:
        """Of the pixels that the outputs show."""
        return self.view.camera


@dataclass(frozen=True, eq=False)
class DeviceImage:
    """A picture on the network's own device, uploaded once.

    Attributes:
        pixels: (H, W, 3) uint8.
        bgr: Whether the channels are blue, green, red.
    """

    pixels: Tensor
    bgr: bool = False

    @property
    def rgb(self) -> Tensor:
        """The pixels as red, green, blue."""
        return self.pixels.flip(-1) if self.bgr else self.pixels


@dataclass(frozen=True, eq=False)
class Group:
    """Frames of a batch that go through the network at once.

    Attributes:
        places: Their places in the batch.
        tensor: (len(places), 3, h, w) float32, normalised, on the network's device.
    """

    places: tuple[int, ...]
    tensor: Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Frames ready for the network; those that failed keep their place as the error."""

    frames: list[Frame | DaRosError]
    groups: list[Group]


@dataclass(frozen=True, eq=False)
class Predicted:
    """A frame with what the network said.

    Attributes:
        frame: With the pixels that the outputs show.
        values: (h, w) float32 on the network's grid and device.
        network_size: (height, width) of the network's input [px].
        calibration: What the scale stage found; None where the stream has no scale.
    """

    frame: Frame
    values: Tensor
    network_size: tuple[int, int]
    calibration: Calibration | None = None


@dataclass(frozen=True, eq=False)
class DepthFrame:
    """A frame with depth, on the device, at the size of the image.

    Attributes:
        frame: With the pixels that the outputs show.
        model: Which weights.
        network_size: (height, width) of the network's input [px].
        transform: How the network's numbers became metres; None if they did not.
        calibration: Where it came from; None where the stream has no scale.
        depth: (H, W) float32 [m], REP 117; None unless metres are known and wanted.
        std: Its standard deviation, (H, W) float32 [m]; None unless known and wanted.
        inverse_depth: (H, W) float32 in the checkpoint's unit; None unless relative and wanted.
        nominal: (H, W) float32, for viewing only; None unless relative and wanted.
        painted: (H, W) float32, what the colour picture shows; None if unwanted.
        color_range: Values of its near and far end; None if unwanted.
    """

    frame: Frame
    model: ModelInfo
    network_size: tuple[int, int]
    transform: ScaleShift | DepthScale | None
    calibration: Calibration | None = None
    depth: Tensor | None = None
    std: Tensor | None = None
    inverse_depth: Tensor | None = None
    nominal: Tensor | None = None
    painted: Tensor | None = None
    color_range: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class PackedFrame:
    """A frame as messages.

    Attributes:
        header: Of every message.
        messages: Fields of each message by its topic, in sending order.
        note: Why outputs that need a camera are missing; empty if none are.
        times: Of every stage.
        calibration: Of the scale; None where the stream has none.
        network_size: (height, width) of the network's input [px].
        camera_note: Why camera_info was of no use, whatever is wanted; empty if it was.
    """

    header: Header
    messages: dict[str, Fields]
    note: str
    times: StageTimes
    calibration: Calibration | None = None
    network_size: tuple[int, int] = (0, 0)
    camera_note: str = ""


def ms_since(start: float) -> float:
    """Wall-clock time since a ``time.perf_counter()`` [ms]."""
    return 1000.0 * (time.perf_counter() - start)
