"""Real depth made relative with the error of a network: what the scale room is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from da_ros.evaluation.samples import folder_samples
from da_ros.scale.fit import Pairs
from da_ros.scale.whole_frame import FrameSample

Floats = NDArray[np.float64]

MODEL_ERROR = 0.05
SENSOR_NOISE = 0.01


@dataclass(frozen=True, eq=False)
class RelativeFrame:
    """A frame whose right scale and shift are known.

    Attributes:
        d: What the network would say, (H, W).
        depth: True, (H, W) [m], NaN where unknown.
        scale: True s.
        shift: True t.
    """

    d: Floats
    depth: Floats
    scale: float
    shift: float

    @property
    def valid(self) -> NDArray[np.bool_]:
        return np.isfinite(self.depth)


def depths(folder: Path) -> list[Floats]:
    """All depth images of ../shared/data/rgbd."""
    return [sample.depth.astype(np.float64) for sample in folder_samples(folder)]


def error_field(rng: np.random.Generator, height: int, width: int) -> Floats:
    """White noise on a 1/8 grid, blurred by 80 px, of unit RMS."""
    coarse = rng.standard_normal((height // 8, width // 8))
    smooth = cv2.GaussianBlur(coarse, (0, 0), 10.0)
    field = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(field / np.sqrt(np.mean(field**2)), np.float64)


def relative_frame(
    depth: Floats, rng: np.random.Generator, model_error: float = MODEL_ERROR
) -> RelativeFrame:
    """Draw s, t and the error field, and turn depth into what a network would say."""
    scale, shift = float(np.exp(rng.uniform(-2, 2))), float(rng.uniform(-0.05, 0.3))
    wrong = (1.0 + model_error * error_field(rng, *depth.shape)) / depth
    return RelativeFrame((wrong - shift) / scale, depth, scale, shift)


def measure(frame: RelativeFrame, count: int, outliers: float, rng: np.random.Generator) -> Pairs:
    """Draw random pixels, 1 % sensor noise, a share of outliers uniform in [0.3 m, 2 z_max]."""
    v, u = np.nonzero(frame.valid)
    pick = rng.choice(len(v), count, replace=False)
    v, u = v[pick], u[pick]
    true = frame.depth[v, u]
    z = true * (1.0 + SENSOR_NOISE * rng.standard_normal(count))
    wrong = rng.permutation(count) < round(outliers * count)
    z[wrong] = rng.uniform(0.3, 2.0 * np.nanmax(frame.depth), int(wrong.sum()))
    pixels = np.stack((u, v), axis=1).astype(np.float64)
    return Pairs(frame.d[v, u], z, SENSOR_NOISE * z, pixels, frame.depth.shape, frame=whole(frame))


def whole(frame: RelativeFrame, count: int = 400) -> FrameSample:
    """What the network says at about 400 pixels all over the part of the frame that counts."""
    v, u = np.nonzero(frame.valid)
    pick = np.linspace(0, len(v) - 1, count).astype(int)
    pixels = np.stack((u[pick], v[pick]), axis=1).astype(np.float64)
    return FrameSample(frame.d[v[pick], u[pick]], pixels)


def oracle(frame: RelativeFrame) -> Floats:
    """Least squares of y over all clean pixels, weighted 1/y^2 as for a relative error."""
    d, y = frame.d[frame.valid], 1.0 / frame.depth[frame.valid]
    design = np.stack((d / y, 1.0 / y), axis=1)
    return np.asarray(np.linalg.lstsq(design, np.ones_like(y), rcond=None)[0])


def abs_rel(frame: RelativeFrame, scale: float, shift: float, step: int = 1) -> float:
    """Mean of |z - z_true| / z_true; z is at most 20 times the deepest depth."""
    d, z_true = frame.d[frame.valid][::step], frame.depth[frame.valid][::step]
    y = np.maximum(scale * d + shift, 0.05 / np.nanmax(z_true))
    return float(np.mean(np.abs(1.0 / y - z_true) / z_true))
