"""Organised point clouds as PointCloud2 wants them: filtered, coloured and packed.

A packed point is x y z, or x y z rgb, each four bytes: point_step 12 or 16. PCL's and
depth_image_proc's own layouts pad these to 16 and 32 bytes (rgb at offset 16); the fields say
where things are, readers follow them, and half the bytes travel.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor

from da_ros.errors import ParameterError, ShapeError
from da_ros.geometry.unproject import Plane, Rays, bare, check_size, interleave, point_planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from da_ros.geometry.camera import PinholeCamera


def pack_cloud(
    depth: Tensor,
    camera: PinholeCamera,
    rgb: Tensor | NDArray[np.uint8] | None = None,
    stride: int = 1,
    max_range: float | None = None,
    edge_threshold: float | None = None,
    min_range: float | None = None,
    bgr: bool = False,
) -> Tensor:
    """Make the data of an organised PointCloud2 from a depth map.

    Args:
        depth: Along the optical axis, (H, W) float32 [m].
        camera: Of this H x W image.
        rgb: Colours of the same pixels, (H, W, 3) uint8, red first; None for xyz only.
        stride: Keep every stride-th row and column, beginning with the first.
        max_range: Points farther along the optical axis become NaN [m]; None keeps all.
        edge_threshold: Drop flying points, see ``flying_pixels``; judged before the stride.
        min_range: Points nearer along the optical axis become NaN [m].
        bgr: The colours are blue first.

    Returns:
        (h, w, 3 or 4) float32 on the depth's device, with h = ceil(H / stride): x, y, z [m] and
        the colour's bits 0x00RRGGBB seen as a float. Its memory is the message's data. Points
        without finite depth are NaN in x, y and z.

    Raises:
        ShapeError: If depth, camera and colours differ in size.
        ParameterError: If the stride, the ranges or the threshold are out of bounds.
    """
    check_size("pack_cloud", depth, camera)
    if rgb is not None and tuple(rgb.shape) != (camera.height, camera.width, 3):
        raise ShapeError(
            f"pack_cloud: expected colours of ({camera.height}, {camera.width}, 3), "
            f"got {tuple(rgb.shape)}"
        )
    _check_limits(stride, min_range, max_range)
    flying = None
    if edge_threshold is not None:
        flying = bare(flying_pixels(depth, edge_threshold))[::stride, ::stride]
    low, high = min_range or 0.0, math.inf if max_range is None else max_range
    rays = Rays.of(camera.strided(stride), depth.device)
    planes = point_planes(bare(depth)[::stride, ::stride], rays, low, high, flying)
    if rgb is not None:
        planes.append(_colour_plane(rgb[::stride, ::stride], bgr, depth.device))
    return interleave(planes)


def flying_pixels(values: Tensor, threshold: float) -> Tensor:
    """Mark pixels on a depth edge, where points hang in the air between two surfaces.

    Two neighbours make an edge if their inverse depths differ by more than ``threshold`` times
    the smaller one; then both are marked. The ratio of two inverse depths is that of the depths,
    so either may be given.

    Args:
        values: Inverse depth >= 0, or depth > 0 [m] with REP 117's +Inf, (H, W) float32.
        threshold: > 0; 0.05 to 0.1 is usual.

    Returns:
        (H, W) bool. NaN makes no edge; the border of the sky (y = 0, z = +Inf) does.

    Raises:
        ParameterError: If the threshold is not above 0.
    """
    if not threshold > 0.0:
        raise ParameterError(f"edge_threshold: expected a number > 0, got {threshold}")
    marked = torch.zeros(values.shape, dtype=torch.bool, device=values.device)
    _mark_edges(bare(values), bare(values) * (1.0 / (1.0 + threshold)), bare(marked))
    return marked


def _mark_edges(values: Plane, shrunk: Plane, marked: Plane) -> None:
    """Set marked at both sides where one neighbour is below the other's shrunk value."""
    across = (values[:, :-1] < shrunk[:, 1:]) | (values[:, 1:] < shrunk[:, :-1])
    marked[:, :-1] |= across
    marked[:, 1:] |= across
    down = (values[:-1] < shrunk[1:]) | (values[1:] < shrunk[:-1])
    marked[:-1] |= down
    marked[1:] |= down


def _check_limits(stride: int, min_range: float | None, max_range: float | None) -> None:
    """Refuse what would silently give an empty or a wrong cloud."""
    if stride < 1:
        raise ParameterError(f"stride: expected 1 or more, got {stride}")
    low = 0.0 if min_range is None else min_range
    if not low >= 0.0:
        raise ParameterError(f"min_range: expected 0 m or more, got {min_range}")
    if max_range is not None and not max_range > low:
        raise ParameterError(f"max_range: expected more than {low} m, got {max_range}")


def _colour_plane(rgb: Tensor | NDArray[np.uint8], bgr: bool, device: torch.device) -> Plane:
    """Pack colours to 0x00RRGGBB and see the bits as float32, (h, w)."""
    if device.type == "cpu":
        pixels = rgb.numpy() if isinstance(rgb, Tensor) else rgb
        return _colour_bits_cv2(pixels, bgr).view(np.float32)
    return _colour_bits_torch(torch.as_tensor(rgb).to(device), bgr).view(torch.float32)


def _colour_bits_cv2(pixels: NDArray[Any], bgr: bool) -> NDArray[np.uint32]:
    """Return 0x00RRGGBB, which in little-endian memory is B G R 0."""
    code = cv2.COLOR_BGR2BGRA if bgr else cv2.COLOR_RGB2BGRA
    bits = cv2.cvtColor(np.ascontiguousarray(pixels), code).view(np.uint32)[..., 0]
    return np.bitwise_and(bits, 0x00FFFFFF, out=bits)  # cvtColor leaves 255 in the fourth byte.


def _colour_bits_torch(pixels: Tensor, bgr: bool) -> Tensor:
    red, green, blue = (pixels.flip(-1) if bgr else pixels).int().unbind(-1)
    return (red << 16) | (green << 8) | blue
