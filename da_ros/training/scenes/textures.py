"""The atlas of surfaces: procedural patterns, and photos that two Python packages ship."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from da_ros.errors import InputError
from da_ros.training.scenes.patterns import SIDE, pattern

LEVELS = 7
PROCEDURAL = 144

# No image that has depth truth anywhere (a stereo pair, say) may stand here.
SKIMAGE_PHOTOS = [
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "color.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
    "cell.png",
]
SKLEARN_PHOTOS = ("china.jpg", "flower.jpg")

# Besides the whole photo: where a crop lies (0.5 is the far end), and its share of the short side.
CROPS = ((0, 0, 0.5), (0.5, 0.5, 0.5), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.3, 0.3, 0.3))


@dataclass(frozen=True, eq=False)
class Atlas:
    """Square textures with their mip levels, in one flat tensor.

    Attributes:
        texels: (T, L, 3) uint8, L texels of all levels of one texture.
        offsets: (LEVELS,) int64, where each level starts.
    """

    texels: Tensor
    offsets: Tensor

    def __len__(self) -> int:
        return self.texels.shape[0]

    def to(self, device: torch.device | str) -> Atlas:
        """The same on another device."""
        return Atlas(self.texels.to(device), self.offsets.to(device))

    def sample(self, index: Tensor, u: Tensor, v: Tensor, footprint: Tensor) -> Tensor:
        """Look up colours, bilinearly, on the mip level that fits; the textures are mirrored on.

        Args:
            index: Texture, any shape, int64.
            u: Coordinate in textures (1 = one side), same shape.
            v: Likewise.
            footprint: Size of a pixel on the surface, in textures.

        Returns:
            (..., 3) float32 in [0, 1].
        """
        level = (footprint.clamp_min(1e-6) * SIDE).log2().clamp(0, LEVELS - 1).round().long()
        side = torch.bitwise_right_shift(torch.full_like(level, SIDE), level)
        x, y = u * side - 0.5, v * side - 0.5
        x0, y0 = x.floor(), y.floor()
        fx, fy = (x - x0)[..., None], (y - y0)[..., None]
        start = index * self.texels.shape[1] + self.offsets[level]
        flat = self.texels.view(-1, 3)

        def texel(dx: int, dy: int) -> Tensor:
            column, row = _mirror(x0.long() + dx, side), _mirror(y0.long() + dy, side)
            return flat[start + row * side + column].float()

        top = torch.lerp(texel(0, 0), texel(1, 0), fx)
        bottom = torch.lerp(texel(0, 1), texel(1, 1), fx)
        return torch.lerp(top, bottom, fy) / 255


def _mirror(index: Tensor, side: Tensor) -> Tensor:
    wrapped = index % (2 * side)
    return torch.minimum(wrapped, 2 * side - 1 - wrapped)


def make_atlas(photos: bool, device: torch.device | str = "cpu") -> Atlas:
    """Build the atlas; the procedural part is the same with and without photos.

    Args:
        photos: Whether to add the photos of scikit-image and scikit-learn (training does; they
            must be installed).
        device: Where it will be sampled.

    Returns:
        The atlas, procedural textures first.

    Raises:
        InputError: If the photos are asked for and not there.
    """
    rng = np.random.default_rng(20250101)
    images = [pattern(rng, kind) for kind in range(PROCEDURAL)]
    if photos:
        images += [tile for path in photo_paths() for tile in _tiles(path)]
    flat = [np.concatenate([level.reshape(-1, 3) for level in _mips(i)]) for i in images]
    sizes = [(SIDE >> level) ** 2 for level in range(LEVELS)]
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return Atlas(torch.from_numpy(np.stack(flat)), torch.from_numpy(offsets)).to(device)


def photo_paths() -> list[Path]:
    """The photos of the installed scikit-image and scikit-learn that may be used as textures.

    Raises:
        InputError: If one of the two packages is not installed.
    """
    found = []
    for package, folder, names in (
        ("skimage", "data", SKIMAGE_PHOTOS),
        ("sklearn", "datasets/images", SKLEARN_PHOTOS),
    ):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise InputError(
                f"{package} is not installed, and its photos are textures of the training scenes: "
                "pip install 'da_ros[train]'"
            )
        paths = [Path(spec.origin).parent / folder / name for name in names]
        found += [path for path in paths if path.exists()]
    return found


def _tiles(path: Path) -> list[NDArray[np.uint8]]:
    """The whole photo and a few crops of it, as squares."""
    image = _read(path)
    height, width = image.shape[:2]
    short = min(height, width)
    squares = [image]
    for fy, fx, part in CROPS:
        side = int(short * part)
        top, left = int((height - side) * min(1, fy * 2)), int((width - side) * min(1, fx * 2))
        squares.append(image[top : top + side, left : left + side])
    return [_resized(square, SIDE) for square in squares]


def _read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{path}: expected a picture, which OpenCV cannot read")
    return np.asarray(image[:, :, ::-1], np.uint8)


def _mips(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    levels = [image]
    for _ in range(LEVELS - 1):
        half = levels[-1].shape[0] // 2
        levels.append(_resized(levels[-1], half))
    return levels


def _resized(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small, np.uint8)
