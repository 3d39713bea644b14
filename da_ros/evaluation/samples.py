"""Pairs of an image and its true depth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from da_ros.errors import InputError

RGB_NAMES = ("rgb.png", "rgb.jpg", "rgb.jpeg")


@dataclass(frozen=True, eq=False)
class Sample:
    """An image and what is truly there.

    Attributes:
        name: Of the folder or scene.
        group: Images of a kind; means are taken per group.
        rgb: (H, W, 3) uint8.
        depth: Along the optical axis, (H, W) float32 [m]; NaN where unknown, +Inf for the sky.
    """

    name: str
    group: str
    rgb: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]


def folder_samples(root: Path) -> Iterator[Sample]:
    """Read a folder of samples, or one sample's folder, in the order of the names.

    A sample is a folder with ``rgb.png`` or ``rgb.jpg``, ``depth.png`` (uint16, 0 = unknown) and
    ``meta.json`` with ``depth_scale``: depth [m] = value / depth_scale. Its group is its name up
    to the first underscore.

    Args:
        root: The folder.

    Yields:
        One sample at a time, so that large sets need little memory.

    Raises:
        InputError: If there is no sample, or one cannot be read.
    """
    if not root.is_dir():
        raise InputError(f"evaluation data: expected a folder, got {root}")
    folders = [root] if (root / "depth.png").is_file() else sorted(root.iterdir())
    found = [folder for folder in folders if (folder / "depth.png").is_file()]
    if not found:
        raise InputError(
            f"evaluation data: no sample in {root}; expected folders with rgb.png or rgb.jpg, "
            "depth.png and meta.json"
        )
    for folder in found:
        yield _read(folder)


def _read(folder: Path) -> Sample:
    rgb_path = next((folder / name for name in RGB_NAMES if (folder / name).is_file()), None)
    if rgb_path is None:
        raise InputError(f"sample {folder}: expected one of {', '.join(RGB_NAMES)}, found none")
    rgb = np.array(_open(rgb_path).convert("RGB"))
    raw = np.array(_open(folder / "depth.png"))
    if raw.shape != rgb.shape[:2]:
        raise InputError(
            f"sample {folder}: expected depth of the image's size {rgb.shape[:2]}, got {raw.shape}"
        )
    depth = raw.astype(np.float32) / np.float32(_depth_scale(folder / "meta.json"))
    depth[raw == 0] = np.nan
    name = folder.resolve().name
    return Sample(name, name.split("_", maxsplit=1)[0], rgb, depth)


def _open(path: Path) -> Image.Image:
    try:
        image = Image.open(path)
        image.load()
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise InputError(f"cannot read {path} as a picture: {error}") from error
    return image


def _depth_scale(path: Path) -> float:
    """Steps of depth.png per metre."""
    try:
        scale = json.loads(path.read_text(encoding="utf-8"))["depth_scale"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: expected JSON with depth_scale, got {error!r}") from error
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not scale > 0:
        raise InputError(f"{path}: expected depth_scale > 0, got {scale!r}")
    return float(scale)
