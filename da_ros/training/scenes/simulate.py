"""Other sensors in a scene, in their own frames: a spinning LiDAR, a depth camera."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from da_ros.training.scenes.builder import Camera, Scene
from da_ros.training.scenes.cast import FAR, Axes, cast
from da_ros.training.scenes.render import pixel_rays, trace
from da_ros.training.scenes.tensors import stack

# LiDAR axes (REP 103 body): x forward, y left, z up; the camera's optical axes seen from it.
OPTICAL_TO_BODY = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True)
class LidarSpec:
    """A spinning scanner.

    Attributes:
        beams: Rings.
        columns: Shots of one ring in a turn.
        lowest_deg: Elevation of the lowest ring.
        highest_deg: Of the highest.
        near: Shortest range [m].
        far: Longest range [m].
        noise: Standard deviation of a range [m].
        drop: Share of shots without return.
    """

    beams: int = 16
    columns: int = 900
    lowest_deg: float = -15.0
    highest_deg: float = 15.0
    near: float = 0.3
    far: float = 100.0
    noise: float = 0.02
    drop: float = 0.02


def lidar_directions(spec: LidarSpec) -> NDArray[np.float64]:
    """Unit directions of a turn in the scanner's frame, (beams, columns, 3)."""
    up = np.radians(np.linspace(spec.lowest_deg, spec.highest_deg, spec.beams))[:, None]
    around = np.linspace(0, 2 * math.pi, spec.columns, endpoint=False)[None]
    x, y = np.cos(up) * np.cos(around), np.cos(up) * np.sin(around)
    return np.stack((x, y, np.broadcast_to(np.sin(up), x.shape)), -1)


def lidar_scan(
    scene: Scene, pose: NDArray[np.float64], spec: LidarSpec, seed: int
) -> NDArray[np.float32]:
    """One turn of the scanner, all at one instant.

    Args:
        scene: What is scanned.
        pose: (4, 4) scanner to world [m]; the scanner's x is forward, y left, z up.
        spec: The scanner.
        seed: Of noise and drops.

    Returns:
        Points in the scanner's frame, (n, 3) float32 [m], only those with a return.
    """
    rng = np.random.default_rng(seed)
    local = lidar_directions(spec).reshape(-1, 3)
    world = torch.from_numpy(local @ pose[:3, :3].T).float()[None]
    origin: Axes = tuple(torch.full((1, 1), float(pose[i, 3])) for i in range(3))  # type: ignore[assignment]
    t, _ = cast(stack([scene], "cpu"), origin, tuple(world.unbind(-1)), 0.01)  # type: ignore[arg-type]
    distance = t[0].double().numpy()
    seen = (
        (distance > spec.near)
        & (distance < min(spec.far, FAR))
        & (rng.random(len(distance)) >= spec.drop)
    )
    noisy = distance + rng.normal(0, spec.noise, len(distance))
    return (local * noisy[:, None])[seen].astype(np.float32)


@dataclass(frozen=True)
class DepthCameraSpec:
    """A structured-light or stereo depth camera.

    Attributes:
        near: [m].
        far: [m].
        noise: Standard deviation at 1 m [m]; it grows with the square of depth.
        hole: Share of pixels without depth, in blotches.
        edge: Width of the border of objects without depth [px].
    """

    near: float = 0.4
    far: float = 6.0
    noise: float = 0.0015
    hole: float = 0.03
    edge: int = 1


def depth_camera_image(
    scene: Scene, camera: Camera, height: int, width: int, spec: DepthCameraSpec, seed: int
) -> NDArray[np.float32]:
    """What a depth camera at its own place measures.

    Args:
        scene: What it sees; its own camera is not used.
        camera: The depth camera's lens and place.
        height: [px].
        width: [px].
        spec: The sensor.
        seed: Of its noise.

    Returns:
        Depth along its optical axis, (H, W) float32 [m], NaN where it measures none.
    """
    rng = np.random.default_rng(seed)
    tensors = stack([replace(scene, camera=camera)], "cpu")
    t, _ = trace(tensors, pixel_rays(tensors, height, width), False)
    depth = t[0].view(height, width).double().numpy()
    measured = depth + rng.normal(0, spec.noise, depth.shape) * depth**2
    valid = (depth > spec.near) & (depth < spec.far) & ~_holes(rng, depth.shape, spec.hole)
    valid &= ~_edges(depth, spec.edge)
    return np.where(valid, measured, np.nan).astype(np.float32)


def _holes(rng: np.random.Generator, shape: tuple[int, ...], share: float) -> NDArray[np.bool_]:
    import cv2

    coarse = rng.standard_normal((max(2, shape[0] // 12), max(2, shape[1] // 12)))
    smooth = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return (
        np.asarray(smooth > np.quantile(smooth, 1 - share)) if share > 0 else np.zeros(shape, bool)
    )


def _edges(depth: NDArray[np.float64], width: int) -> NDArray[np.bool_]:
    import cv2

    if width < 1:
        return np.zeros(depth.shape, bool)
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    low, high = cv2.erode(depth, kernel), cv2.dilate(depth, kernel)
    return np.asarray(high > 1.08 * low)
