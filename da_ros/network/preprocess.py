"""From photos to the network's input: size, resize, normalise; cv2 on the CPU, torch on a GPU.

Source:
    The official transform of Depth Anything: cover the target, round to the patch, bicubic with
    a = -0.75 on floats (its overshoot is part of the input), ImageNet mean and deviation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from da_ros.errors import ParameterError, ShapeError

if TYPE_CHECKING:
    from da_ros.network.spec import ResizeRule

Images: TypeAlias = "Tensor | NDArray[np.uint8] | Sequence[Tensor] | Sequence[NDArray[np.uint8]]"
"""uint8 (B, H, W, 3), or a sequence of (H, W, 3) that may differ in size."""

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
GAIN = tuple(1.0 / (255.0 * deviation) for deviation in DEVIATION)
OFFSET = tuple(-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True))
"""normalised = GAIN * byte + OFFSET, per channel: one pass, no division."""

MAX_ASPECT = 16.0
"""A longer image would cover the target with tens of thousands of tokens."""


def network_size(
    height: int, width: int, rule: ResizeRule, input_size: int | None = None
) -> tuple[int, int]:
    """Say at which size the network sees an image.

    The scale brings the side that needs more of it to the target; each side is then rounded to
    the multiple, half to even, and up where it would fall short of the target.

    Args:
        height: Of the image [px].
        width: Of the image [px].
        rule: Of the model.
        input_size: Instead of the rule's target [px]; None or 0 keeps it.

    Returns:
        (height, width) [px].

    Raises:
        ShapeError: If the image is empty, or longer than 16 times its width.
        ParameterError: If ``input_size`` is less than the rule's multiple.
    """
    if min(height, width) < 1 or max(height, width) > MAX_ASPECT * min(height, width):
        raise ShapeError(
            f"image of {width}x{height} px: expected at least one pixel and an aspect of at most "
            f"{MAX_ASPECT:g}:1; crop it"
        )
    target = input_size or rule.target
    if target < rule.multiple:
        raise ParameterError(f"input_size {target}: expected at least {rule.multiple} px")
    scale = max(target / height, target / width)
    return _side(scale * height, target, rule.multiple), _side(
        scale * width, target, rule.multiple
    )


def _side(length: float, target: int, multiple: int) -> int:
    rounded = round(length / multiple) * multiple
    return rounded if rounded >= target else math.ceil(length / multiple) * multiple


def prepare(
    images: Images,
    size: tuple[int, int],
    rule: ResizeRule,
    device: torch.device,
    *,
    bgr: bool = False,
) -> Tensor:
    """Resize and normalise images for the network.

    Args:
        images: uint8 (B, H, W, 3), tensor or array, or a sequence of (H, W, 3); on any device.
        size: The network's (height, width) [px].
        rule: Of the model; only its interpolation counts here.
        device: Where the network runs; also decides between the two bodies.
        bgr: The channels are blue, green, red.

    Returns:
        (B, 3, *size) float32 on ``device``, normalised RGB.

    Raises:
        ShapeError: If an image is not uint8 with three channels, or there is none.
    """
    if len(images) == 0:
        raise ShapeError("prepare: expected at least one image, got none")
    for image in images:
        if image.ndim != 3 or image.shape[2] != 3 or str(image.dtype).split(".")[-1] != "uint8":
            raise ShapeError(
                "prepare: expected uint8 images of shape (H, W, 3), got "
                f"{image.dtype} of shape {tuple(image.shape)}"
            )
    if device.type == "cpu":
        return prepare_with_cv2([_as_array(image) for image in images], size, rule, bgr=bgr)
    return prepare_with_torch(_as_batches(images, device), size, rule, bgr=bgr)


def prepare_with_cv2(
    images: Sequence[NDArray[np.uint8]], size: tuple[int, int], rule: ResizeRule, *, bgr: bool
) -> Tensor:
    """The body for CPUs: into planes, so that no pass over the result only reorders it."""
    batch = np.empty((len(images), 3, *size), np.float32)
    order = (2, 1, 0) if bgr else (0, 1, 2)
    fill = _fill_cubic if rule.interpolation == "bicubic" else _fill_area
    for image, planes in zip(images, batch, strict=True):
        fill(image, planes, order)
    return torch.from_numpy(batch)


def prepare_with_torch(
    batches: Sequence[Tensor], size: tuple[int, int], rule: ResizeRule, *, bgr: bool
) -> Tensor:
    """The body for GPUs: each batch (B, H, W, 3) uint8 holds images of one size."""
    gain, offset = _normalisation(batches[0].device)
    resize = _cubic_with_torch if rule.interpolation == "bicubic" else _area_with_torch
    made = []
    for batch in batches:
        rgb = batch.flip(-1) if bgr else batch
        planes = rgb.permute(0, 3, 1, 2).float().contiguous()  # (B, 3, H, W)
        made.append(torch.addcmul(offset, resize(planes, size), gain))
    return torch.cat(made) if len(made) > 1 else made[0]


def _fill_cubic(
    image: NDArray[np.uint8], planes: NDArray[np.float32], order: tuple[int, ...]
) -> None:
    """Normalise, then resize: models with this rule mostly enlarge what a camera gives."""
    channels, plane = cv2.split(image), np.empty(image.shape[:2], np.float32)
    for channel, source in enumerate(order):
        _normalise(channels[source], channel, plane)
        shape = planes.shape[2], planes.shape[1]
        cv2.resize(plane, shape, dst=planes[channel], interpolation=cv2.INTER_CUBIC)


def _fill_area(
    image: NDArray[np.uint8], planes: NDArray[np.float32], order: tuple[int, ...]
) -> None:
    """Shrink all channels at once, then normalise what is left."""
    small = _area_with_cv2(image.astype(np.float32), planes.shape[1], planes.shape[2])
    channels = cv2.split(small)
    for channel, source in enumerate(order):
        _normalise(channels[source], channel, planes[channel])


def _normalise(values: NDArray[Any], channel: int, out: NDArray[np.float32]) -> None:
    """Multiply by the gain and add the offset in one pass; the second picture counts nothing."""
    gain, offset = GAIN[channel], OFFSET[channel]
    cv2.addWeighted(values, gain, values, 0.0, offset, dst=out, dtype=cv2.CV_32F)


def _area_with_cv2(image: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Box average along a side that shrinks, bilinear along one that grows."""
    height, width = image.shape[:2]
    shrunk = (min(columns, width), min(rows, height))
    if shrunk != (width, height):
        image = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA)
    if shrunk != (columns, rows):
        image = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return image


def _cubic_with_torch(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """What F.interpolate does with ``bicubic``, whose float32 places are off on large photos."""
    for axis, wanted in ((2, size[0]), (3, size[1])):
        length = planes.shape[axis]
        if length != wanted:
            indices, weights = cubic_taps(length, wanted, planes.device)
            shape = (-1, 1) if axis == 2 else (-1,)
            resized = planes.index_select(axis, indices[0]) * weights[0].view(shape)
            for index, weight in zip(indices[1:], weights[1:], strict=True):
                resized.addcmul_(planes.index_select(axis, index), weight.view(shape))
            planes = resized
    return planes


def _area_with_torch(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """The same rule as ``_area_with_cv2``, as two exact products with banded matrices."""
    height, width = planes.shape[2:]
    rows, columns = size
    if rows != height:
        planes = resize_matrix(height, rows, planes.device) @ planes
    if columns != width:
        planes = planes @ resize_matrix(width, columns, planes.device).T
    return planes


@cache
def _normalisation(device: torch.device) -> tuple[Tensor, Tensor]:
    """Gain and offset, (3, 1, 1) each; made once, since an upload waits for the GPU."""
    gain, offset = torch.tensor(GAIN), torch.tensor(OFFSET)
    return gain[:, None, None].to(device), offset[:, None, None].to(device)


@lru_cache(maxsize=16)
def cubic_taps(length: int, wanted: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Which samples make each resized one, and how much of each: Keys' kernel with a = -0.75.

    Args:
        length: Samples there are.
        wanted: Samples to make.
        device: Where they are used.

    Returns:
        Indices (4, wanted) int64, the border repeated, and weights (4, wanted) float32.
    """
    place = (torch.arange(wanted, dtype=torch.float64) + 0.5) * (length / wanted) - 0.5
    below = place.floor()
    taps = torch.arange(-1, 3, dtype=torch.float64)[:, None]
    indices = (below + taps).clamp(0, length - 1).long()
    t, a = (place - below - taps).abs(), -0.75
    inner = ((a + 2) * t - (a + 3)) * t * t + 1
    outer = a * (((t - 5) * t + 8) * t - 4)
    weights = torch.where(t <= 1, inner, outer)
    return indices.to(device), weights.to(device, torch.float32)


@lru_cache(maxsize=16)
def resize_matrix(length: int, wanted: int, device: torch.device) -> Tensor:
    """Weights that resize one axis: box average to shrink it, half-pixel bilinear to grow it.

    Args:
        length: Samples there are.
        wanted: Samples to make.
        device: Where the product runs.

    Returns:
        (wanted, length) float32, rows summing to one.
    """
    step = length / wanted
    sample = torch.arange(length, dtype=torch.float64)
    made = torch.arange(wanted, dtype=torch.float64)[:, None]
    if wanted < length:  # overlap of output cell [i, i + 1] * step with input cell [j, j + 1]
        upper = torch.minimum((made + 1) * step, sample + 1)
        weights = (upper - torch.maximum(made * step, sample)).clamp(min=0) / step
    else:
        centre = ((made + 0.5) * step - 0.5).clamp(0, length - 1)
        weights = (1 - (centre - sample).abs()).clamp(min=0)
    return weights.to(device, torch.float32)


def _as_array(image: Tensor | NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image.cpu().numpy() if isinstance(image, Tensor) else image


def _as_batches(images: Images, device: torch.device) -> list[Tensor]:
    """Upload images, in as few batches of one size as their order allows."""
    if isinstance(images, (Tensor, np.ndarray)):
        return [torch.as_tensor(images).to(device, non_blocking=True)]
    tensors = [torch.as_tensor(image) for image in images]
    if all(tensor.shape == tensors[0].shape for tensor in tensors):
        return [torch.stack(tensors).to(device, non_blocking=True)]
    return [tensor[None].to(device, non_blocking=True) for tensor in tensors]
