"""Procedural surfaces: patterns in two colours."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 256  # [px]


def pattern(rng: np.random.Generator, kind: int) -> NDArray[np.uint8]:
    """One pattern: noise, stripes, bricks, spots, a gradient, scribbles, wood or patches.

    Args:
        rng: All its chance.
        kind: Which of them, modulo their number; 0 is noise.

    Returns:
        (SIDE, SIDE, 3) uint8 RGB.
    """
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
    """Noise of power spectrum 1/f^(2 slope), periodic, stretched to [0, 1], (side, side)."""
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency[None])
    radius[0, 0] = 1.0
    spectrum = np.fft.fft2(rng.standard_normal((side, side))) / radius**slope
    spectrum[0, 0] = 0.0
    noise: NDArray[np.float64] = np.fft.ifft2(spectrum).real
    low, high = np.percentile(noise, (2, 98))
    return np.asarray(np.clip((noise - low) / (high - low), 0, 1))


def _noise(rng: np.random.Generator) -> NDArray[np.float64]:
    return fractal_noise(rng, SIDE, rng.uniform(0.3, 2.0))


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    axis = np.arange(SIDE) / SIDE
    x, y = np.meshgrid(axis, axis)
    return x, y


def _stripes(rng: np.random.Generator) -> NDArray[np.float64]:
    x, _ = _grid()
    wave = np.sin(2 * math.pi * (x * rng.integers(1, 14) + rng.random()))
    return (
        wave * 0.5 + 0.5 if rng.random() < 0.3 else (wave > rng.uniform(-0.8, 0.8)).astype(float)
    )


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
            face, size, stroke = rng.integers(0, 7), rng.uniform(0.4, 2.0), rng.integers(1, 5)
            letters = np.zeros((SIDE, SIDE), np.uint8)  # OpenCV 5 writes on nothing else
            cv2.putText(letters, text, a, int(face), size, 255, int(stroke))
            image[letters > 0] = shade
        elif kind < 0.7:
            cv2.rectangle(image, a, b, shade, int(rng.choice([-1, 2, 4])))
        else:
            cv2.line(image, a, b, shade, int(rng.integers(1, 8)), cv2.LINE_AA)
    return image


def _wood(rng: np.random.Generator) -> NDArray[np.float64]:
    x, _ = _grid()
    warp = fractal_noise(rng, SIDE, 1.8)
    return 0.5 + 0.5 * np.sin(
        2 * math.pi * (x * rng.integers(3, 12) + warp * rng.uniform(0.5, 3.0))
    )


def _patches(rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise in a few flat tones: camouflage, foliage, stains."""
    levels = int(rng.integers(2, 6))
    return np.floor(fractal_noise(rng, SIDE, rng.uniform(1.0, 2.0)) * levels) / levels
