"""The atlas of surfaces: procedural patterns, and photos that scikit-image and scikit-learn ship."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SIDE = 256
LEVELS = 7
PROCEDURAL = 144

# No image that has depth truth anywhere (a stereo pair, say) may stand here.
SKIMAGE_PHOTOS = (
    "astronaut.png brick.png camera.png chelsea.png coffee.png coins.png color.png grass.png gravel.png "
    "hubble_deep_field.jpg ihc.png moon.png page.png retina.jpg rocket.jpg text.png cell.png"
).split()
SKLEARN_PHOTOS = ("china.jpg", "flower.jpg")


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
    """Build the atlas; the procedural part is the same everywhere.

    Args:
        photos: Whether to add the photos of scikit-image and scikit-learn (training does; they must
            be installed).
        device: Where it will be sampled.

    Returns:
        The atlas, procedural textures first.
    """
    rng = np.random.default_rng(20250101)
    images = [_procedural(rng, kind) for kind in range(PROCEDURAL)]
    if photos:
        images += [tile for path in photo_paths() for tile in _tiles(path)]
    flat = [np.concatenate([m.reshape(-1, 3) for m in _mips(image)]) for image in images]
    sizes = [(SIDE >> level) ** 2 for level in range(LEVELS)]
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return Atlas(torch.from_numpy(np.stack(flat)), torch.from_numpy(offsets)).to(device)


def photo_paths() -> list[Path]:
    """The photos of the installed scikit-image and scikit-learn that may be used as textures."""
    found = []
    for package, folder, names in (
        ("skimage", "data", SKIMAGE_PHOTOS),
        ("sklearn", "datasets/images", SKLEARN_PHOTOS),
    ):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(
                f"{package} is not installed, and its photos are textures of the training scenes: "
                "pip install 'da_ros[train]'"
            )
        paths = [Path(spec.origin).parent / folder / name for name in names]
        found += [path for path in paths if path.exists()]
    return found


def _tiles(path: Path) -> list[NDArray[np.uint8]]:
    """The whole photo and a few crops of it, as squares."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1]
    height, width = image.shape[:2]
    short = min(height, width)
    squares = [image]
    for fy, fx, part in ((0, 0, 0.5), (0.5, 0.5, 0.5), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.3, 0.3, 0.3)):
        side = int(short * part)
        top, left = int((height - side) * min(1, fy * 2)), int((width - side) * min(1, fx * 2))
        squares.append(image[top : top + side, left : left + side])
    return [np.ascontiguousarray(cv2.resize(s, (SIDE, SIDE), interpolation=cv2.INTER_AREA)) for s in squares]


def _mips(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    levels = [image]
    for _ in range(LEVELS - 1):
        half = levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], (half, half), interpolation=cv2.INTER_AREA))
    return levels


def _procedural(rng: np.random.Generator, kind: int) -> NDArray[np.uint8]:
    """One pattern: noise, stripes, tiles, bricks, checks, spots, gradients, scribbles, wood."""
    makers = (_noise, _stripes, _bricks, _spots, _gradient, _scribbles, _wood, _patches)
    value = makers[kind % len(makers)](rng)
    value = value + rng.uniform(0, 0.3) * (fractal_noise(rng, SIDE, rng.uniform(0.8, 2.2)) - 0.5)
    chroma = rng.random() ** 2 * 0.5  # the world is mostly grey and brown
    low, high = (np.clip(rng.random() + chroma * rng.uniform(-1, 1, 3), 0, 1) for _ in range(2))
    if rng.random() < 0.5:  # shades of one colour rather than two colours
        high = np.clip(low * rng.uniform(1.3, 3.0) + 0.05, 0, 1)
    image = low + (high - low) * np.clip(value, 0, 1)[..., None]
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def fractal_noise(rng: np.random.Generator, side: int, slope: float) -> NDArray[np.float64]:
    """Noise of power spectrum 1/f^(2 slope), periodic, stretched to [0, 1]."""
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency[None])
    radius[0, 0] = 1.0
    spectrum = np.fft.fft2(rng.standard_normal((side, side))) / radius**slope
    spectrum[0, 0] = 0.0
    noise = np.fft.ifft2(spectrum).real
    low, high = np.percentile(noise, (2, 98))
    return np.clip((noise - low) / (high - low), 0, 1)


def _noise(rng: np.random.Generator) -> NDArray[np.float64]:
    return fractal_noise(rng, SIDE, rng.uniform(0.3, 2.0))


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    axis = np.arange(SIDE) / SIDE
    return np.meshgrid(axis, axis)  # type: ignore[return-value]


def _stripes(rng: np.random.Generator) -> NDArray[np.float64]:
    x, _ = _grid()
    wave = np.sin(2 * math.pi * (x * rng.integers(1, 14) + rng.random()))
    return wave * 0.5 + 0.5 if rng.random() < 0.3 else (wave > rng.uniform(-0.8, 0.8)).astype(float)


def _bricks(rng: np.random.Generator) -> NDArray[np.float64]:
    x, y = _grid()
    rows, columns = int(rng.integers(2, 13)), int(rng.integers(1, 9))
    row = np.floor(y * rows)
    shifted = x * columns + (row % 2) * rng.choice([0.0, 0.5])
    joint = rng.uniform(0.02, 0.12)
    inside = ((shifted % 1) > joint) & ((y * rows % 1) > joint)
    shade = rng.random((rows + 1, columns + 2))[row.astype(int), np.floor(shifted).astype(int)]
    return np.where(inside, 0.4 + 0.6 * shade * rng.random() + 0.1, 0.0)


def _spots(rng: np.random.Generator) -> NDArray[np.float64]:
    image = np.zeros((SIDE, SIDE))
    for _ in range(int(rng.integers(5, 90))):
        centre = tuple(int(c) for c in rng.integers(0, SIDE, 2))
        cv2.circle(image, centre, int(rng.integers(2, 30)), float(rng.random()), -1, cv2.LINE_AA)
    return image


def _gradient(rng: np.random.Generator) -> NDArray[np.float64]:
    x, y = _grid()
    angle = rng.uniform(0, 2 * math.pi)
    return np.clip(0.5 + (x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle), 0, 1)


def _scribbles(rng: np.random.Generator) -> NDArray[np.float64]:
    """Lines, letters and boxes, as on labels, posters, covers and screens."""
    image = np.ones((SIDE, SIDE)) * rng.random()
    for _ in range(int(rng.integers(4, 30))):
        a, b = (tuple(int(c) for c in p) for p in rng.integers(0, SIDE, (2, 2)))
        shade, kind = float(rng.random()), rng.random()
        if kind < 0.4:
            text = "".join(chr(c) for c in rng.integers(65, 122, 7))
            cv2.putText(image, text, a, int(rng.integers(0, 7)), rng.uniform(0.4, 2.0), shade, int(rng.integers(1, 5)))
        elif kind < 0.7:
            cv2.rectangle(image, a, b, shade, int(rng.choice([-1, 2, 4])))
        else:
            cv2.line(image, a, b, shade, int(rng.integers(1, 8)), cv2.LINE_AA)
    return image


def _wood(rng: np.random.Generator) -> NDArray[np.float64]:
    x, _ = _grid()
    warp = fractal_noise(rng, SIDE, 1.8)
    return 0.5 + 0.5 * np.sin(2 * math.pi * (x * rng.integers(3, 12) + warp * rng.uniform(0.5, 3.0)))


def _patches(rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise in a few flat tones: camouflage, foliage, stains."""
    levels = int(rng.integers(2, 6))
    return np.floor(fractal_noise(rng, SIDE, rng.uniform(1.0, 2.0)) * levels) / levels
