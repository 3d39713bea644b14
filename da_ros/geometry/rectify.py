"""Rectification: straighten a lens's image so that a pinhole camera describes it.

The map from rectified to raw pixels is computed once per camera, in steps of 1/32 px, which is
what OpenCV's fast remap resolves; both bodies of ``rectify`` therefore read the same numbers.

What the raw image does not show is black in a rectified image and NaN in a rectified depth:
``RectificationMap.valid`` says where, and ``blank_outside`` applies it to depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np
import torch

from da_ros.errors import ShapeError
from da_ros.geometry.distortion import distort, radial_limit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from da_ros.geometry.camera import PinholeCamera

Image = TypeVar("Image", "NDArray[Any]", "Tensor")

_STEPS = 32  # Of one pixel: cv2.INTER_TAB_SIZE.
_NO_FRACTION = np.empty(0, np.uint16)
_ROUNDING = 0.5 / _STEPS  # [px]
_OUTSIDE = -2 * _STEPS  # Neither this pixel nor its right and lower neighbours are in the image.


@dataclass(frozen=True, eq=False)
class RectificationMap:
    """Where each pixel of the rectified image lies in the raw one.

    Attributes:
        raw: The camera as it is.
        rectified: The camera that describes the rectified image, ``raw.rectified()``.
        fixed_x: Raw column in 1/32 px, (H, W) int32; far outside where not ``valid``.
        fixed_y: Raw row, likewise.
        valid: (H, W) bool, False where the raw image shows nothing: the ray leaves it, lies
            behind the camera, or lies where the lens model is not one-to-one.
    """

    raw: PinholeCamera
    rectified: PinholeCamera
    fixed_x: NDArray[np.int32]
    fixed_y: NDArray[np.int32]
    valid: NDArray[np.bool_]

    @staticmethod
    def of(camera: PinholeCamera) -> RectificationMap:
        """Return the map of a camera, computed at its first use."""
        return _map_of(camera)

    @cached_property
    def linear(self) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
        """OpenCV's fixed-point form: whole pixels (H, W, 2) and an index of the fraction."""
        whole = np.stack((self.fixed_x >> 5, self.fixed_y >> 5), axis=-1).astype(np.int16)
        fraction = (self.fixed_y % _STEPS) * _STEPS + self.fixed_x % _STEPS
        return whole, fraction.astype(np.uint16)

    @cached_property
    def nearest(self) -> NDArray[np.int16]:
        """Nearest whole pixels, (H, W, 2); halves go right and down."""
        half = _STEPS // 2
        rounded = ((self.fixed_x + half) >> 5, (self.fixed_y + half) >> 5)
        return np.stack(rounded, axis=-1).astype(np.int16)

    @cached_property
    def _on_devices(self) -> dict[torch.device, tuple[Tensor, Tensor, Tensor]]:
        return {}

    def on(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Return fixed_x, fixed_y (int64) and valid on a device, copied there once."""
        if device not in self._on_devices:
            self._on_devices[device] = (
                torch.from_numpy(self.fixed_x).to(device).long(),
                torch.from_numpy(self.fixed_y).to(device).long(),
                torch.from_numpy(self.valid).to(device),
            )
        return self._on_devices[device]


def rectify(image: Image, rectification: RectificationMap, nearest: bool = False) -> Image:
    """Rectify an image.

    Args:
        image: Raw image, (H, W) or (H, W, C), uint8, uint16 or float32; array or tensor.
        rectification: The map of its camera.
        nearest: Take the nearest pixel instead of interpolating: for depth and labels.

    Returns:
        Rectified image of the same type, size and device; 0 (NaN for float32) where the raw
        image shows nothing.

    Raises:
        ShapeError: If the image and the camera differ in size.
    """
    raw = rectification.raw
    if tuple(image.shape[:2]) != (raw.height, raw.width):
        raise ShapeError(
            f"rectify: expected an image of {raw.width}x{raw.height} px as its camera has, "
            f"got {image.shape[1]}x{image.shape[0]}"
        )
    if isinstance(image, np.ndarray):
        return _rectify_cv2(image, rectification, nearest)
    if image.device.type == "cpu":
        return torch.from_numpy(_rectify_cv2(image.numpy(), rectification, nearest))
    return _rectify_torch(image, rectification, nearest)


def blank_outside(depth: Tensor, rectification: RectificationMap) -> Tensor:
    """Set to NaN what was computed from pixels that the raw image does not show.

    Args:
        depth: Of the rectified image, (..., H, W) float32.
        rectification: The map that made the image.

    Returns:
        A new tensor.

    Raises:
        ShapeError: If the depth and the camera differ in size.
    """
    if tuple(depth.shape[-2:]) != rectification.valid.shape:
        raise ShapeError(
            f"rectify: expected a depth of {rectification.valid.shape} as the rectified image "
            f"has, got {tuple(depth.shape[-2:])}"
        )
    valid = rectification.on(depth.device)[2]
    return torch.where(valid, depth, torch.nan)


@lru_cache(maxsize=8)
def _map_of(camera: PinholeCamera) -> RectificationMap:
    """Follow each rectified pixel's ray through R and the lens into the raw image.

    Source:
        OpenCV, initUndistortRectifyMap.
    """
    target = camera.rectified()
    u, v = np.meshgrid(np.arange(camera.width) - target.cx, np.arange(camera.height) - target.cy)
    rays = np.stack((u / target.fx, v / target.fy, np.ones_like(u)))  # (3, H, W)
    # R takes raw directions to rectified ones; its inverse is its transpose.
    rays = np.tensordot(np.reshape(camera.rectification, (3, 3)).T, rays, axes=1)
    with np.errstate(all="ignore"):  # Rays behind the camera are struck out below.
        x, y = rays[0] / rays[2], rays[1] / rays[2]
        limit = radial_limit(camera.distortion_model, camera.distortion)
        seen = (rays[2] > 0) & (np.hypot(x, y) <= limit)
        x, y = distort(x, y, camera.distortion_model, camera.distortion)
        x, y = camera.fx * x + camera.cx, camera.fy * y + camera.cy
    # Between the centres of the border pixels, where all that bilinear reads exists.
    seen &= (x >= -_ROUNDING) & (x <= camera.width - 1 + _ROUNDING)
    seen &= (y >= -_ROUNDING) & (y <= camera.height - 1 + _ROUNDING)
    return RectificationMap(
        camera, target, _fixed(x, camera.width, seen), _fixed(y, camera.height, seen), seen
    )


def _fixed(position: NDArray[np.float64], size: int, seen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Round to 1/32 px within the image; far outside where nothing is seen."""
    steps = np.clip(np.rint(np.where(seen, position, 0.0) * _STEPS), 0, (size - 1) * _STEPS)
    return np.where(seen, steps, _OUTSIDE).astype(np.int32)


def _rectify_cv2(
    image: NDArray[Any], rectification: RectificationMap, nearest: bool
) -> NDArray[Any]:
    whole, fraction = rectification.linear
    how = cv2.INTER_LINEAR
    if nearest:
        whole, fraction, how = rectification.nearest, _NO_FRACTION, cv2.INTER_NEAREST
    out: NDArray[Any] = np.asarray(
        cv2.remap(image, whole, fraction, how, borderMode=cv2.BORDER_CONSTANT)
    )
    if out.dtype == np.float32:
        # Not remap's borderValue: NaN times a weight of zero would eat the last row and column.
        out[~rectification.valid] = np.nan
    return out


def _rectify_torch(image: Tensor, rectification: RectificationMap, nearest: bool) -> Tensor:
    """Gather and weigh the four neighbours in the same 1/32 px steps as cv2.remap."""
    height, width = image.shape[:2]
    x, y, valid = rectification.on(image.device)
    pixels = image.reshape(height * width, -1)  # (H W, C)
    if nearest:
        half = _STEPS // 2
        index = ((y + half) >> 5).clamp(0, height - 1) * width + ((x + half) >> 5).clamp(
            0, width - 1
        )
        out = pixels[index.reshape(-1)]
    else:
        out = _bilinear(pixels, x.reshape(-1), y.reshape(-1), height, width)
    fill = torch.nan if image.is_floating_point() else 0
    return torch.where(valid.reshape(-1, 1), out, fill).to(image.dtype).reshape(image.shape)


def _bilinear(pixels: Tensor, x: Tensor, y: Tensor, height: int, width: int) -> Tensor:
    """Sum the neighbours of (N,) positions in 1/32 px with their weights, (N, C)."""
    left, top = (x >> 5).clamp(0, width - 1), (y >> 5).clamp(0, height - 1)
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    a, b = (x % _STEPS)[:, None], (y % _STEPS)[:, None]  # (N, 1)
    number = pixels if pixels.is_floating_point() else pixels.int()
    total = (
        number[top * width + left] * ((_STEPS - a) * (_STEPS - b)).to(number.dtype)
        + number[top * width + right] * (a * (_STEPS - b)).to(number.dtype)
        + number[bottom * width + left] * ((_STEPS - a) * b).to(number.dtype)
        + number[bottom * width + right] * (a * b).to(number.dtype)
    )
    if pixels.is_floating_point():
        return total / _STEPS**2
    return (total + _STEPS**2 // 2) // _STEPS**2
