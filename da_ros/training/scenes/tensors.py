"""Scenes as padded tensors, so that a whole batch is ray cast at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from da_ros.training.scenes.builder import MATERIAL_FIELDS, SOLID_FIELDS, Scene

CHUNK = 8
WAVES = 5


@dataclass(frozen=True, eq=False)
class SceneTensors:
    """A batch of B scenes.

    Attributes:
        boxes: (B, Kb, SOLID_FIELDS) float32, padded with boxes nowhere.
        rounds: (B, Kr, SOLID_FIELDS), likewise.
        materials: (B, M, MATERIAL_FIELDS).
        lights: (B, 21), see ``_light_row``.
        ground: (B, 1 + 4 WAVES): material or -1, then the waves.
        focal: (B,) over image width.
        offset: (B, 2) principal point off the centre, over image width.
        position: (B, 3) of the camera [m].
        rotation: (B, 3, 3) camera to world.
        hilly: Whether any ground has waves.
    """

    boxes: Tensor
    rounds: Tensor
    materials: Tensor
    lights: Tensor
    ground: Tensor
    focal: Tensor
    offset: Tensor
    position: Tensor
    rotation: Tensor
    hilly: bool

    def __len__(self) -> int:
        return self.focal.shape[0]


def stack(scenes: Sequence[Scene], device: torch.device | str) -> SceneTensors:
    """Pad and stack scenes.

    Args:
        scenes: At least one.
        device: Where they will be rendered.

    Returns:
        Their tensors on the device.
    """
    boxes = _pad([s.solids[: s.boxes] for s in scenes], SOLID_FIELDS, CHUNK)
    rounds = _pad([s.solids[s.boxes :] for s in scenes], SOLID_FIELDS, CHUNK)
    materials = _pad([s.materials for s in scenes], MATERIAL_FIELDS, 1)
    cameras = [s.camera for s in scenes]

    def tensor(rows: object) -> Tensor:
        return torch.from_numpy(np.asarray(rows, np.float32)).to(device)

    return SceneTensors(
        tensor(boxes),
        tensor(rounds),
        tensor(materials),
        tensor([_light_row(s) for s in scenes]),
        tensor([_ground_row(s) for s in scenes]),
        tensor([c.focal for c in cameras]),
        tensor([c.offset for c in cameras]),
        tensor([c.position for c in cameras]),
        tensor([c.rotation for c in cameras]),
        any(s.ground.waves for s in scenes),
    )


def _pad(rows: list[NDArray[np.float32]], fields: int, multiple: int) -> NDArray[np.float32]:
    most = max(1, max(len(r) for r in rows))
    out = np.zeros((len(rows), -(-most // multiple) * multiple, fields), np.float32)
    if fields == SOLID_FIELDS:
        out[..., 1] = 1e6  # nowhere: a kilometre of kilometres below the ground
        out[..., 3], out[..., 7], out[..., 11] = 1.0, 1.0, 1.0
        out[..., 12:15], out[..., 18] = 1e-3, 1.0
    for target, source in zip(out, rows):
        target[: len(source)] = source
    return out


def _light_row(scene: Scene) -> list[float]:
    light = scene.lighting
    main = light.direction if light.position is None else light.position
    return [
        float(light.position is not None),
        *main,
        light.sun,
        *light.fill_position,
        light.fill,
        light.ambient,
        *light.tint,
        light.fog,
        *light.sky,
        *light.horizon,
        light.clouds,
    ]


def _ground_row(scene: Scene) -> list[float]:
    waves = [number for wave in scene.ground.waves[:WAVES] for number in wave]
    return [float(scene.ground.material), *waves, *([0.0] * (4 * WAVES - len(waves)))]
