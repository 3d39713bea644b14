"""A depth camera that looks through the same lens: RGB-D, or stereo registered to the image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from da_ros.errors import ShapeError
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.rectify import RectificationMap, rectify
from da_ros.scale.observations.points import PixelDepths, spread_over_depth

SOURCE = "depth_image"

_CANDIDATES = 20_000  # Among which the points are chosen: every distance has its share of them.


@dataclass(frozen=True)
class DepthImageOptions:
    """How a registered depth image becomes points.

    Attributes:
        sync_tolerance: Most that the stamps of depth and image may differ [s].
        noise: Standard deviation of the sensor, relative to depth.
        edge: Pixels this near to an edge or a hole are dropped [px of the depth image].
        edge_ratio: What makes an edge: inverse depth off the plane by this share.
        near: Nearer is not used [m].
        far: Farther is not used [m]; sensors report their cap as a measurement.
        points: How many are used at most.
        seed: Which.
    """

    sync_tolerance: float = 0.02
    noise: float = 0.01
    edge: int = 2
    edge_ratio: float = 0.05
    near: float = 0.1
    far: float = 100.0
    points: int = 300
    seed: int = 0


def depth_image_points(
    depth: NDArray[np.float32],
    depth_stamp_ns: int,
    image_stamp_ns: int,
    camera: PinholeCamera,
    options: DepthImageOptions,
    *,
    straighten: bool | None = None,
) -> PixelDepths:
    """Choose points of a registered depth image.

    Args:
        depth: Of the raw image's view, at any resolution, (h, w) [m]; 0, NaN and Inf are holes.
        depth_stamp_ns: Of its message.
        image_stamp_ns: Of the image's.
        camera: Of the raw image.
        options: See there.
        straighten: Whether the depth is to be rectified as the image was; None: if the camera's
            lens distorts.

    Returns:
        Points at pixels of the (rectified) image.

    Raises:
        ShapeError: If the depth is not of two dimensions.
    """
    if depth.ndim != 2 or depth.size == 0:
        raise ShapeError(f"depth image: expected (height, width), got {depth.shape}")
    apart = (depth_stamp_ns - image_stamp_ns) * 1e-9
    if abs(apart) > options.sync_tolerance:
        return PixelDepths.none(
            SOURCE,
            f"the depth image is {apart:+.3f} s from the image (at most "
            f"{options.sync_tolerance:g} s)",
        )
    height, width = depth.shape
    metres = np.where(np.isfinite(depth) & (depth > 0), depth, 0.0).astype(np.float32)
    offered = int(np.count_nonzero(metres))
    if camera.is_distorted if straighten is None else straighten:
        lens = RectificationMap.of(camera.resized(width, height))
        metres = np.nan_to_num(rectify(metres, lens, nearest=True), nan=0.0)
    pixels, found = _chosen(metres, camera, options)
    if len(found) == 0:
        return PixelDepths.none(SOURCE, f"no smooth depth among {offered} measured px", offered)
    return PixelDepths(SOURCE, pixels, found, options.noise * found, offered=offered)


def _chosen(
    metres: NDArray[np.float32], camera: PinholeCamera, options: DepthImageOptions
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels of the image, (N, 2), and their depth; holes are zero."""
    height, width = metres.shape
    good = _away_from_edges(metres, options)
    good &= (metres >= options.near) & (metres <= options.far)
    v, u = np.nonzero(good)
    if len(v) == 0:
        return np.zeros((0, 2)), np.zeros(0)
    rng = np.random.default_rng(options.seed)
    candidates = _thinned(len(v), rng)
    v, u = v[candidates], u[candidates]
    found = metres[v, u].astype(np.float64)
    pick = spread_over_depth(found, options.points, rng)
    x = (u[pick] + 0.5) * (camera.width / width) - 0.5
    y = (v[pick] + 0.5) * (camera.height / height) - 0.5
    return np.stack((x, y), axis=1), found[pick]


def _thinned(count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices of so few pixels that sorting them takes no time, one from each stretch."""
    if count <= _CANDIDATES:
        return np.arange(count)
    place = (np.arange(_CANDIDATES) + rng.random(_CANDIDATES)) * (count / _CANDIDATES)
    return np.minimum(place.astype(np.intp), count - 1)


def _away_from_edges(metres: NDArray[np.float32], options: DepthImageOptions) -> NDArray[np.bool_]:
    """Pixels around which depth is known and lies on one plane; holes are zero.

    On a plane inverse depth is linear in the pixels: what is nearer on one side is farther on the
    other, however steep. So a floor is no edge.
    """
    kernel = np.ones((2 * options.edge + 1, 2 * options.edge + 1), np.uint8)
    known = cv2.erode((metres > 0).astype(np.uint8), kernel) > 0
    y = np.where(metres > 0, 1.0 / np.maximum(metres, np.float32(1e-6)), 0.0).astype(np.float32)
    bent = np.abs(cv2.dilate(y, kernel) + cv2.erode(y, kernel) - 2.0 * y)
    return np.asarray(known & (bent <= options.edge_ratio * y))
