"""A cloud seen from the side, drawn with NumPy alone, so that every page can show one."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from da_ros.errors import ShapeError

ByteImage = npt.NDArray[np.uint8]
Points = npt.NDArray[np.floating]

BACKGROUND = (24, 26, 30)


def render_cloud(
    points: Points,
    rgb: ByteImage,
    *,
    yaw_deg: float = 25.0,
    pitch_deg: float = 15.0,
    width: int = 640,
    height: int = 480,
) -> ByteImage:
    """Draw a cloud from a camera that circles around the cloud's middle.

    Points are squares of a size that follows their distance; the nearest one wins a pixel.

    Args:
        points: x y z, (..., 3) [m], camera optical frame; the non-finite ones are left out.
        rgb: Colours, (..., 3) uint8.
        yaw_deg: Turn about the vertical axis; positive looks from the right.
        pitch_deg: Turn about the horizontal axis; positive looks from above.
        width: Of the picture [px].
        height: Of the picture [px].

    Returns:
        RGB, (height, width, 3) uint8; only background if no point is finite.

    Raises:
        ShapeError: If the points are no triples or the colours do not match them.
    """
    if points.shape[-1] != 3 or rgb.shape != points.shape:
        raise ShapeError(
            f"cloud: expected points and colours (..., 3), got {points.shape} and {rgb.shape}"
        )
    flat = points.reshape(-1, 3).astype(np.float64)
    keep = np.isfinite(flat).all(axis=1)
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    if keep.any():
        turned, focal = _turned(flat[keep], yaw_deg, pitch_deg, width, height)
        _splat(picture, turned, rgb.reshape(-1, 3)[keep], focal)
    return picture


def _turned(
    points: Points, yaw_deg: float, pitch_deg: float, width: int, height: int
) -> tuple[Points, float]:
    """Points in the turned camera's frame, (N, 3), and its focal length [px]."""
    low, high = np.percentile(points, [2.0, 98.0], axis=0)
    middle = (low + high) / 2.0
    radius = float(np.linalg.norm(high - low)) / 2.0 or 1.0
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    about_y = np.array(
        [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
    )
    about_x = np.array(
        [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]]
    )
    turned: Points = (points - middle) @ (about_x @ about_y).T
    distance = 1.8 * radius
    turned[:, 2] += distance
    reach = np.percentile(np.abs(turned[:, :2] / turned[:, 2:]), 99.0, axis=0)
    return turned, 0.46 * float(np.min(np.array([width, height]) / np.maximum(reach, 1e-6)))


def _splat(picture: ByteImage, points: Points, rgb: ByteImage, focal: float) -> None:
    """Paint squares, far ones first, so that near ones end on top."""
    height, width = picture.shape[:2]
    ahead = points[:, 2] > 1e-6
    points, rgb = points[ahead], rgb[ahead]
    order = np.argsort(-points[:, 2], kind="stable")
    points, rgb = points[order], rgb[order]
    column = np.floor(points[:, 0] / points[:, 2] * focal + width / 2.0)
    row = np.floor(points[:, 1] / points[:, 2] * focal + height / 2.0)
    span = np.arange(_square_side(len(points), width, height))
    # Every square is laid down whole before the next one, and NumPy lets the last write win.
    x = (column[:, None, None] + span).repeat(len(span), axis=1).ravel()
    y = (row[:, None, None] + span[:, None]).repeat(len(span), axis=2).ravel()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    colors = rgb.repeat(len(span) ** 2, axis=0)
    picture[y[inside].astype(np.intp), x[inside].astype(np.intp)] = colors[inside]


def _square_side(count: int, width: int, height: int) -> int:
    """Side [px] of a point, so that a surface looks closed: denser clouds get smaller ones."""
    return int(np.clip(round(math.sqrt(width * height / max(count, 1)) * 1.3), 1, 4)) + 1
