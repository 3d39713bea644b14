"""A scanner beside the camera, or landmarks: points in a frame of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from da_ros.errors import ShapeError
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.unproject import project
from da_ros.scale.observations.points import PixelDepths, spread_over_depth
from da_ros.scale.observations.transforms import TransformError, TransformSource
from da_ros.scale.observations.visibility import VisibilityOptions, hidden_points, near_edges

SOURCE = "point_cloud"


@dataclass(frozen=True)
class PointCloudOptions:
    """How a cloud becomes points of the image.

    Attributes:
        fixed_frame: Stands still between the stamps of cloud and image; empty if there is none.
        max_time_offset: Most that the stamps may differ where there is no fixed frame [s].
        noise: Standard deviation of a range [m].
        near: Nearer points are not used [m].
        far: Farther ones are not [m].
        points: How many are used at most.
        seed: Which.
        visibility: What the camera does not see.
    """

    fixed_frame: str = "odom"
    max_time_offset: float = 0.02
    noise: float = 0.02
    near: float = 0.2
    far: float = 100.0
    points: int = 400
    seed: int = 0
    visibility: VisibilityOptions = field(default_factory=VisibilityOptions)


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points of one message.

    Attributes:
        points: (N, 3) [m].
        frame_id: In which frame.
        stamp_ns: When.
    """

    points: NDArray[np.floating]
    frame_id: str
    stamp_ns: int


def point_cloud_points(
    cloud: Cloud,
    frame_id: str,
    stamp_ns: int,
    camera: PinholeCamera,
    transforms: TransformSource,
    prediction: NDArray[np.float32] | None,
    options: PointCloudOptions,
) -> PixelDepths:
    """Project a cloud into the image, and keep what the camera sees.

    Args:
        cloud: The points.
        frame_id: The camera's optical frame.
        stamp_ns: The image's.
        camera: Of the image that the network saw: undistorted if it was rectified.
        transforms: Where the frames are.
        prediction: The network's output, (h, w), to stay away from its edges; None: do not.
        options: See there.

    Returns:
        Points at pixels of the image; none, with the reason, if no transform is known.

    Raises:
        ShapeError: If the points are not (N, 3).
    """
    offered = len(cloud.points)
    try:
        points, note = points_in_camera(cloud, frame_id, stamp_ns, transforms, options)
    except TransformError as error:
        return PixelDepths.none(SOURCE, str(error), offered)
    found = _visible(points, camera, prediction, options)
    if isinstance(found, str):
        return PixelDepths.none(SOURCE, found, offered)
    pixels, depth = found
    pick = spread_over_depth(depth, options.points, np.random.default_rng(options.seed))
    noise = np.full(len(pick), options.noise)
    return PixelDepths(SOURCE, pixels[pick], depth[pick], noise, offered=offered, note=note)


def points_in_camera(
    cloud: Cloud,
    frame_id: str,
    stamp_ns: int,
    transforms: TransformSource,
    options: PointCloudOptions,
) -> tuple[NDArray[np.float64], str]:
    """Bring a cloud into the camera's frame, as of the image's stamp.

    Args:
        cloud: The points.
        frame_id: The camera's optical frame.
        stamp_ns: The image's.
        transforms: Where the frames are.
        options: See there.

    Returns:
        Finite points in front of the camera and in range, (M, 3) [m], and what was assumed.

    Raises:
        ShapeError: If the points are not (N, 3).
        TransformError: If no transform is known.
    """
    if cloud.points.ndim != 2 or cloud.points.shape[1] != 3:
        raise ShapeError(f"cloud: expected points of (N, 3), got {cloud.points.shape}")
    matrix, note = _transform(cloud, frame_id, stamp_ns, transforms, options)
    points = np.asarray(cloud.points, np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    points = points @ matrix[:3, :3].T + matrix[:3, 3]
    in_range = (points[:, 2] >= options.near) & (points[:, 2] <= options.far)
    return np.asarray(points[in_range]), note


def _visible(
    points: NDArray[np.float64],
    camera: PinholeCamera,
    prediction: NDArray[np.float32] | None,
    options: PointCloudOptions,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | str:
    """Pixels, (N, 2), and depth of what the camera sees too; or why there is none."""
    pixels = project(points, camera)
    u, v = pixels[:, 0], pixels[:, 1]
    inside = (u >= 0) & (u <= camera.width - 1) & (v >= 0) & (v <= camera.height - 1)
    pixels, depth = pixels[inside], points[inside, 2]
    if len(depth) == 0:
        return "none of its points falls into the image; check the mounting (TF)"
    size = (camera.height, camera.width)
    keep = ~hidden_points(pixels, depth, size, options.visibility, options.noise)
    if prediction is not None:
        keep &= ~near_edges(pixels, prediction, size, options.visibility)
    if not keep.any():
        return f"all {len(depth)} points in the image are hidden, or at edges of the prediction"
    return pixels[keep], depth[keep]


def _transform(
    cloud: Cloud,
    frame_id: str,
    stamp_ns: int,
    transforms: TransformSource,
    options: PointCloudOptions,
) -> tuple[NDArray[np.float64], str]:
    """T(camera at the image's stamp <- cloud at its own), and what was assumed for it."""
    if options.fixed_frame:
        at = (frame_id, stamp_ns, cloud.frame_id, cloud.stamp_ns)
        try:
            return transforms.lookup(*at, options.fixed_frame), ""
        except TransformError as error:
            why = str(error)
    else:
        why = "no fixed frame is set"
    apart = (cloud.stamp_ns - stamp_ns) * 1e-9
    if abs(apart) > options.max_time_offset:
        raise TransformError(
            f"the cloud is {apart:+.3f} s from the image (at most {options.max_time_offset:g} s "
            f"without a fixed frame: {why})"
        )
    matrix = transforms.lookup(frame_id, stamp_ns, cloud.frame_id, cloud.stamp_ns, None)
    return matrix, f"taken as of one moment, {apart:+.3f} s apart: {why}"
