"""Sample sequences: one scene, a moving camera, exact depth and poses."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from da_ros.geometry.camera import PinholeCamera
from da_ros.training.scenes.builder import Camera, Scene, multiply, rotate, rotation_x, rotation_y
from da_ros.training.scenes.cast import FAR
from da_ros.training.scenes.generate import LOOK, NEXT_SEED, worth_seeing, write_scene
from da_ros.training.scenes.render import pixel_rays, render, trace
from da_ros.training.scenes.sensor import photograph
from da_ros.training.scenes.tensors import stack
from da_ros.training.scenes.textures import Atlas, make_atlas

ATTEMPTS = 40  # scenes that are written until one has room to move


@dataclass(frozen=True, eq=False)
class SceneSequence:
    """Frames of one scene with their truth.

    Attributes:
        rgb: (N, H, W, 3) uint8.
        depth: (N, H, W) float32 along the optical axis [m], +Inf is sky.
        camera: Of every frame, without distortion.
        poses: (N, 4, 4) float64, camera optical frame to world [m]; the world's y points down.
        scene: What was rendered, with the first frame's camera.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    camera: PinholeCamera
    poses: NDArray[np.float64]
    scene: Scene


def pinhole_of(camera: Camera, height: int, width: int) -> PinholeCamera:
    """The intrinsics of a scene's camera; pixel centres lie at whole numbers, as in ROS."""
    focal = camera.focal * width
    return PinholeCamera(
        width=width,
        height=height,
        fx=focal,
        fy=focal,
        cx=width / 2 - 0.5 + camera.offset[0] * width,
        cy=height / 2 - 0.5 + camera.offset[1] * width,
    )


def pose_of(camera: Camera) -> NDArray[np.float64]:
    """Camera optical frame to world, (4, 4)."""
    pose = np.eye(4)
    pose[:3, :3] = camera.rotation
    pose[:3, 3] = camera.position
    return pose


def move(camera: Camera, step: float, travel: float) -> Camera:
    """A camera a little further on a gentle arc.

    Args:
        camera: Of the first frame.
        step: 0 at the first frame, 1 at the last.
        travel: How far it goes in all [m].

    Returns:
        The same lens elsewhere.
    """
    sway = math.sin(step * math.pi)
    local = (travel * 0.5 * sway, -0.02 * travel * sway, travel * step)
    forward = rotate(camera.rotation, local)
    place = camera.position
    turn = multiply(rotation_y(0.15 * sway), multiply(camera.rotation, rotation_x(0.03 * sway)))
    level = (place[0] + forward[0], place[1] + local[1], place[2] + forward[2])
    return replace(camera, position=level, rotation=turn)


def render_sequence(
    seed: int,
    frames: int,
    height: int,
    width: int,
    family: str | None = "room",
    atlas: Atlas | None = None,
    supersample: int = 1,
) -> SceneSequence:
    """Render a moving camera's view of one random scene.

    Args:
        seed: Of the scene; the same seed gives the same sequence.
        frames: How many.
        height: [px], a multiple of 8 renders faster.
        width: [px], likewise.
        family: One of ``generate.FAMILIES``, or None for any.
        atlas: Textures; None makes the procedural ones, which are the same everywhere.
        supersample: As in ``render``.

    Returns:
        The sequence.
    """
    atlas = make_atlas(photos=False) if atlas is None else atlas
    device = atlas.texels.device
    scene, travel = _scene_with_room_to_move(seed, family, device)
    rgb, depth, poses = [], [], []
    for number in range(frames):
        camera = move(scene.camera, number / max(1, frames - 1), travel)
        here = stack([replace(scene, camera=camera)], device)
        shot = render(here, atlas, height, width, supersample)
        look = torch.Generator(device).manual_seed(seed)  # the same for all frames
        grain = torch.Generator(device).manual_seed(seed + number + 1)
        rgb.append(photograph(shot.radiance, look, grain)[0].cpu().numpy())
        depth.append(shot.depth[0].cpu().numpy())
        poses.append(pose_of(camera))
    camera_info = pinhole_of(scene.camera, height, width)
    return SceneSequence(np.stack(rgb), np.stack(depth), camera_info, np.stack(poses), scene)


def _scene_with_room_to_move(
    seed: int, family: str | None, device: torch.device
) -> tuple[Scene, float]:
    """A scene worth seeing along the whole way, and how far the camera goes [m]."""
    for attempt in range(ATTEMPTS):
        scene = write_scene(seed + NEXT_SEED * attempt, family)
        travel = _travel(scene, device)
        ends = [replace(scene, camera=move(scene.camera, s, travel)) for s in (0.0, 0.5, 1.0)]
        if travel > 0.03 and all(bool(worth_seeing(stack([s], device))[0]) for s in ends):
            break
    return scene, travel


def _travel(scene: Scene, device: torch.device) -> float:
    """A quarter of the median depth, half a metre at most; 0 where there is only sky [m]."""
    tensors = stack([scene], device)
    depth, _ = trace(tensors, pixel_rays(tensors, *LOOK), False)
    seen = depth[depth < FAR]
    return min(0.5, 0.25 * float(seen.median())) if len(seen) else 0.0
