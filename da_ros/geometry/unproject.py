"""Between pixels with depth and points in the camera's optical frame (x right, y down, z ahead).

Points of a distorted image lie on the rays that the lens bent, in the camera's own frame; those
of a rectified one lie on P's, in the rectified frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
import torch
from torch import Tensor

from da_ros.errors import ShapeError
from da_ros.geometry.distortion import distort, radial_limit, undistort

Plane: TypeAlias = Any
"""A NumPy array or, on a GPU, a tensor: the arithmetic reads the same for both."""

_NAN = np.float32(np.nan)
_LARGEST = float(np.finfo(np.float32).max)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from da_ros.geometry.camera import PinholeCamera


@dataclass(frozen=True, eq=False)
class Rays:
    """Direction of each pixel's ray per metre of depth: a point is (x z, y z, z).

    Attributes:
        x: X/Z, float32: (1, W) for a pinhole, (H, W) for a distorted camera; NaN where the lens
            model has no ray.
        y: Y/Z, float32: (H, 1) or (H, W).
    """

    x: Tensor
    y: Tensor

    @property
    def have_holes(self) -> bool:
        """Whether some rays may be NaN."""
        return self.x.shape == self.y.shape

    @staticmethod
    def of(camera: PinholeCamera, device: torch.device | str = "cpu") -> Rays:
        """Return the rays of a camera on a device, computed at their first use.

        An undistorted camera's pixels are those of P, as depth_image_proc takes them; for a
        distorted one K and the lens are inverted.
        """
        return _rays_of(camera, torch.device(device))


def unproject(depth: Tensor, camera: PinholeCamera) -> Tensor:
    """Lift a depth map to points in the camera's optical frame.

    Args:
        depth: Distance along the optical axis, (H, W) float32 [m].
        camera: Of this H x W image; see ``Rays.of``.

    Returns:
        Points, (H, W, 3) float32 [m]; NaN where the depth is not finite or the pixel has no ray.

    Raises:
        ShapeError: If the depth and the camera differ in size.

    Source:
        depth_image_proc, convertDepth.
    """
    check_size("unproject", depth, camera)
    return interleave(point_planes(bare(depth), Rays.of(camera, depth.device)))


def project(points: NDArray[np.float64], camera: PinholeCamera) -> NDArray[np.float64]:
    """Say at which pixels of the image the camera sees points: the inverse of ``unproject``.

    Args:
        points: In the camera's optical frame, (N, 3) [m].
        camera: Its lens bends the rays; an undistorted camera projects by P without its fourth
            column, which speaks of another camera's frame.

    Returns:
        (N, 2) float64 (u, v) [px], also outside the image; NaN for points that are not in front
        of the camera or lie where the lens model is not one-to-one.
    """
    points = np.asarray(points, dtype=np.float64)
    with np.errstate(all="ignore"):
        x, y = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
        limit = radial_limit(camera.distortion_model, camera.distortion)
        seen = (points[:, 2] > 0) & (np.hypot(x, y) <= limit)
        x, y = distort(x, y, camera.distortion_model, camera.distortion)
    seer = camera if camera.is_distorted else camera.rectified()
    pixels = np.stack((seer.fx * x + seer.cx, seer.fy * y + seer.cy), axis=-1)
    return np.where(seen[:, None], pixels, np.nan)


def check_size(caller: str, depth: Tensor, camera: PinholeCamera) -> None:
    """Refuse a depth that is not (H, W) of the camera.

    Raises:
        ShapeError: Naming both sizes.
    """
    if tuple(depth.shape) != (camera.height, camera.width):
        raise ShapeError(
            f"{caller}: expected a depth of ({camera.height}, {camera.width}) as its camera has, "
            f"got {tuple(depth.shape)}"
        )


def bare(tensor: Tensor) -> Plane:
    """Return a CPU tensor as an array on the same memory, any other as it is.

    NumPy works in this thread. Torch would share out each of these short passes between threads,
    and on a robot whose cores are all busy wait for the slowest.
    """
    return tensor.numpy() if tensor.device.type == "cpu" else tensor


def point_planes(
    depth: Plane,
    rays: Rays,
    low: float = -_LARGEST,
    high: float = _LARGEST,
    flying: Plane | None = None,
) -> list[Plane]:
    """Make the x, y and z planes of a cloud.

    Args:
        depth: (H, W) float32 [m].
        rays: Of its pixels.
        low: Depth below becomes NaN [m].
        high: Depth above becomes NaN [m]; infinite depth always does.
        flying: (H, W) bool, True where depth becomes NaN.

    Returns:
        Three (H, W) planes of the depth's type, float32 [m].
    """
    on_device = isinstance(depth, Tensor)
    ray_x, ray_y = (rays.x, rays.y) if on_device else (rays.x.numpy(), rays.y.numpy())
    keep = depth >= low  # False for NaN.
    keep &= depth <= min(high, _LARGEST)
    if flying is not None:
        keep &= ~flying
    if rays.have_holes:
        keep &= ray_x == ray_x  # Where a ray is NaN, so must z be.
    z = torch.where(keep, depth, torch.nan) if on_device else _where_kept(depth, keep)
    return [z * ray_x, z * ray_y, z]


def _where_kept(depth: NDArray[np.float32], keep: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Copy depth with NaN where it is not kept: a third of the time that np.where takes."""
    z: NDArray[np.float32] = depth.copy()
    np.copyto(z, _NAN, where=np.logical_not(keep, out=keep))
    return z


def interleave(planes: list[Plane]) -> Tensor:
    """Write planes (h, w) side by side into a new (h, w, N), bit for bit."""
    if isinstance(planes[0], Tensor):
        return torch.stack(planes, dim=-1)
    out = np.empty((*planes[0].shape, len(planes)), np.float32)
    cv2.merge(planes, dst=out)
    return torch.from_numpy(out)


@lru_cache(maxsize=16)
def _rays_of(camera: PinholeCamera, device: torch.device) -> Rays:
    u = np.arange(camera.width, dtype=np.float64)
    v = np.arange(camera.height, dtype=np.float64)
    if camera.is_distorted:
        seen = np.meshgrid((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy)
        x, y = undistort(*seen, camera.distortion_model, camera.distortion)
    else:
        pinhole = camera.rectified()
        x = ((u - pinhole.cx) / pinhole.fx)[None, :]
        y = ((v - pinhole.cy) / pinhole.fy)[:, None]
    return Rays(_to(x, device), _to(y, device))


def _to(values: NDArray[np.float64], device: torch.device) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)
