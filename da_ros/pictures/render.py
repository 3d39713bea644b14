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
    framed_by: Points | None = None,
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
        framed_by: Points to aim at instead, (..., 3), so that two clouds are seen from one place.

    Returns:
        RGB, (height, width, 3) uint8; only background if no point is finite.

    Raises:
        ShapeError: If the points are no triples or the colours do not match them.
    """
    if points.shape[-1] != 3 or rgb.shape != points.shape:
        raise ShapeError(
            f"cloud: expected points and colours (..., 3), got {points.shape} and {rgb.shape}"
        )
    flat = _finite(points)
    frame = flat if framed_by is None else _finite(framed_by)
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    if len(flat) and len(frame):
        rotation, middle, distance = _stand(frame, yaw_deg, pitch_deg)
        focal = _focal(_seen(frame, rotation, middle, distance), width, height)
        colors = rgb.reshape(-1, 3)[np.isfinite(points.reshape(-1, 3)).all(axis=1)]
        _splat(picture, _seen(flat, rotation, middle, distance), colors, focal)
    return picture


def _finite(points: Points) -> Points:
    """The finite ones, (N, 3) float64."""
    flat = points.reshape(-1, 3).astype(np.float64)
    return flat[np.isfinite(flat).all(axis=1)]


def _stand(points: Points, yaw_deg: float, pitch_deg: float) -> tuple[Points, Points, float]:
    """Where the camera stands: its turn (3, 3), what it looks at, and how far away [m]."""
    low, high = np.percentile(points, [2.0, 98.0], axis=0)
    radius = float(np.linalg.norm(high - low)) / 2.0 or 1.0
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    about_y = np.array(
        [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
    )
    about_x = np.array(
        [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]]
    )
    return about_x @ about_y, (low + high) / 2.0, 1.8 * radius


def _seen(points: Points, rotation: Points, middle: Points, distance: float) -> Points:
    """Points in the frame of the camera that circles, (N, 3)."""
    turned: Points = (points - middle) @ rotation.T
    turned[:, 2] += distance
    return turned


def _focal(points: Points, width: int, height: int) -> float:
    """Focal length that fits nearly all points into the picture [px]."""
    reach = np.percentile(np.abs(points[:, :2] / points[:, 2:]), 99.0, axis=0)
    return 0.46 * float(np.min(np.array([width, height]) / np.maximum(reach, 1e-6)))


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
