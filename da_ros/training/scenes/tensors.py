"""Scenes as padded tensors, so that a whole batch is ray cast at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from da_ros.training.scenes.builder import (
    CENTRE,
    CUT_REACH,
    HALF,
    IDENTITY,
    MATERIAL_FIELDS,
    ROTATION,
    SOLID_FIELDS,
    Scene,
)

CHUNK = 8  # solids that are cast together
WAVES = 5  # of hilly ground, at most
NOWHERE_DOWN = 1e6  # [m] below the ground: where solids lie that only fill up a list

# Columns of a row of light; those of one number keep their axis.
IS_LAMP, MAIN, SUN, FILL_PLACE, FILL = (
    slice(0, 1),
    slice(1, 4),
    slice(4, 5),
    slice(5, 8),
    slice(8, 9),
)
AMBIENT, TINT, FOG = slice(9, 10), slice(10, 13), slice(13, 14)
ZENITH, HORIZON, CLOUDS = slice(14, 17), slice(17, 20), slice(20, 21)
SIZE, REACH, SHADE = slice(21, 22), slice(22, 23), slice(23, 24)


@dataclass(frozen=True, eq=False)
class SceneTensors:
    """A batch of B scenes.

    Attributes:
        boxes: (B, Kb, SOLID_FIELDS) float32, padded with solids ``nowhere``.
        rounds: (B, Kr, SOLID_FIELDS), likewise.
        materials: (B, M, MATERIAL_FIELDS).
        lights: (B, 24), columns as named above.
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
    boxes = _pad([s.solids[: s.boxes] for s in scenes], nowhere(), CHUNK)
    rounds = _pad([s.solids[s.boxes :] for s in scenes], nowhere(), CHUNK)
    materials = _pad([s.materials for s in scenes], np.zeros(MATERIAL_FIELDS, np.float32), 1)
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


def nowhere() -> NDArray[np.float32]:
    """Row of a solid that fills up a list: a grain, a thousand kilometres below the ground."""
    row = np.zeros(SOLID_FIELDS, np.float32)
    row[CENTRE] = 0.0, NOWHERE_DOWN, 0.0
    row[ROTATION] = np.ravel(IDENTITY)
    row[HALF], row[CUT_REACH] = 1e-3, 1.0
    return row


def _pad(
    rows: list[NDArray[np.float32]], filler: NDArray[np.float32], multiple: int
) -> NDArray[np.float32]:
    """Stack lists of rows (k, F) to (B, K, F), each filled up to the same multiple."""
    most = max(1, *(len(r) for r in rows))
    out = np.tile(filler, (len(rows), -(-most // multiple) * multiple, 1))
    for target, source in zip(out, rows, strict=True):
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
        light.size,
        light.reach,
        light.shade,
    ]


def _ground_row(scene: Scene) -> list[float]:
    waves = [number for wave in scene.ground.waves[:WAVES] for number in wave]
    return [float(scene.ground.material), *waves, *([0.0] * (4 * WAVES - len(waves)))]
