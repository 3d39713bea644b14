"""Generated scenes as a camera and a scanner beside it see them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from da_ros.geometry.camera import PinholeCamera
from da_ros.training.scenes.builder import Camera, Scene
from da_ros.training.scenes.generate import worth_seeing, write_scene
from da_ros.training.scenes.render import pixel_rays, trace
from da_ros.training.scenes.sequence import pinhole_of, pose_of
from da_ros.training.scenes.simulate import OPTICAL_TO_BODY, LidarSpec, lidar_scan
from da_ros.training.scenes.tensors import stack

Floats = NDArray[np.float64]

HEIGHT, WIDTH = 240, 320


def scanner_in_camera() -> Floats:
    """T(optical frame <- scanner): 15 cm above the lens, 10 cm beside it, level with it."""
    pose = np.eye(4)
    pose[:3, :3] = OPTICAL_TO_BODY.T
    pose[:3, 3] = [0.1, -0.15, -0.05]
    return pose


def scene_worth_scanning(seed: int, family: str) -> Scene:
    for attempt in range(30):
        scene = write_scene(seed + 1_000_000_007 * attempt, family)
        if bool(worth_seeing(stack([scene], "cpu"))[0]):
            break
    return scene


def inverse_depth(scene: Scene) -> Floats:
    """True 1/z of the scene's camera, (H, W); 0 is the sky."""
    tensors = stack([scene], "cpu")
    with torch.inference_mode():
        depth, _ = trace(tensors, pixel_rays(tensors, HEIGHT, WIDTH), False)
    z = depth[0].view(HEIGHT, WIDTH).double().numpy()
    return np.where(np.isfinite(z), 1.0 / z, 0.0)


def said(y: Floats, scale: float, shift: float, error: float, seed: int) -> NDArray[np.float32]:
    """What a network would say of it: a smooth error and soft edges."""
    field = np.random.default_rng(seed).standard_normal(y.shape)
    field = cv2.GaussianBlur(field, (0, 0), 40.0)
    field *= error / np.sqrt(np.mean(field**2))
    soft = cv2.GaussianBlur(y, (0, 0), 1.0)
    return np.asarray(((soft * (1 + field) - shift) / scale).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Scanned:
    """One view of a scene.

    Attributes:
        y: True inverse depth, (H, W).
        camera: Its intrinsics.
        cloud: Of a 16-beam turn, in the scanner's frame, (N, 3).
        pose: T(world <- camera).
    """

    y: Floats
    camera: PinholeCamera
    cloud: NDArray[np.float32]
    pose: Floats


def scanned(scene: Scene, camera: Camera, seed: int) -> Scanned:
    """Look at a scene, and scan it from the mounting of ``scanner_in_camera``."""
    seen = replace(scene, camera=camera)
    pose = pose_of(camera)
    cloud = lidar_scan(scene, pose @ scanner_in_camera(), LidarSpec(), seed)
    return Scanned(inverse_depth(seen), pinhole_of(camera, HEIGHT, WIDTH), cloud, pose)
