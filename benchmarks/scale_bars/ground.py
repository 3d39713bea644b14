"""The ground as a metre rule: exact inverse depth made relative, and nano on the same scenes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scanned_scene import HEIGHT, WIDTH, said

from benchmarks.scale_bars.methods import Floats
from benchmarks.scale_bars.parts import MODEL, Bar, Options, Part, progress
from da_ros.geometry.camera import PinholeCamera
from da_ros.network.estimator import DepthEstimator
from da_ros.scale.calibrator import Calibrator, CalibratorOptions, NetworkFrame
from da_ros.scale.fit import Fit
from da_ros.scale.observations.ground_plane import (
    SOURCE,
    GroundOptions,
    ground_fit,
    ground_points,
)
from da_ros.scale.observations.points import sample_bilinear
from da_ros.scale.options import FitOptions
from da_ros.training.scenes.builder import Scene
from da_ros.training.scenes.generate import worth_seeing, write_scene
from da_ros.training.scenes.render import render
from da_ros.training.scenes.sensor import photograph
from da_ros.training.scenes.sequence import pinhole_of, pose_of
from da_ros.training.scenes.tensors import stack
from da_ros.training.scenes.textures import make_atlas
from da_ros.types import ModelInfo

FAMILIES = ("room", "street", "open", "yard")
SHARE = 10  # Of the scenes asked for, one in so many of each family.
FAR = 15.0  # [m]
ERROR = 0.03
LEAST_SHARE = 0.1  # Of the image, that must be ground nearer than FAR.


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture of flat ground with its truth."""

    rgb: np.ndarray
    y: Floats
    ground: np.ndarray
    camera: PinholeCamera
    downward: Floats
    height: float


def run(options: Options) -> Part:
    """AbsRel on ground pixels to 15 m."""
    estimator = DepthEstimator.load("nano")
    names = (f"exact, random (s, t), {ERROR:.0%} field", "nano")
    errors: dict[tuple[str, str], list[float]] = {}
    for family in FAMILIES:
        each = max(1, options.scenes // SHARE)
        for seed in progress(range(each), f"ground {family}", each):
            seen = look(seed, family)
            rng = np.random.default_rng(seed)
            scale, shift = float(np.exp(rng.uniform(-2, 2))), float(rng.uniform(-0.05, 0.3))
            exact = said(seen.y, scale, shift, ERROR, seed)
            network = estimator.estimate(seen.rgb[None]).values[0].float().numpy()
            pairs = zip(names, (exact, network), (MODEL, estimator.info), strict=True)
            for name, values, model in pairs:
                errors.setdefault((name, family), []).append(_error(seen, values, model))
    rows = [[*key, len(found), *_figures(found)] for key, found in sorted(errors.items())]
    ours = [value for (name, _), found in errors.items() if name != "nano" for value in found]
    bars = [Bar("AbsRel on the ground, exact: median", float(np.nanmedian(ours)), high=0.03)]
    columns = ("inverse depth", "family", "scenes", "median AbsRel", "p95", "refused")
    return Part("ground plane", columns, rows, bars)


def _figures(found: list[float]) -> list[float]:
    known = np.array(found)[np.isfinite(found)]
    if len(known) == 0:
        return [np.nan, np.nan, len(found)]
    return [float(np.median(known)), float(np.percentile(known, 95)), len(found) - len(known)]


def look(seed: int, family: str) -> Seen:
    """Find a scene that shows flat ground, and photograph it."""
    for attempt in range(60):
        scene = write_scene(seed + 1_000_000_007 * attempt, family)
        if scene.ground.waves or not bool(worth_seeing(stack([scene], "cpu"))[0]):
            continue
        seen = _photographed(scene, seed)
        if seen.ground.mean() >= LEAST_SHARE:
            return seen
    raise RuntimeError(f"no {family} of 60 shows flat ground")


def _photographed(scene: Scene, seed: int) -> Seen:
    shot = render(stack([scene], "cpu"), make_atlas(photos=False), HEIGHT, WIDTH, 1)
    rgb = photograph(shot.radiance, torch.Generator().manual_seed(seed))[0].numpy()
    z = shot.depth[0].double().numpy()
    y = np.where(np.isfinite(z), 1.0 / z, 0.0)
    lens, pose = pinhole_of(scene.camera, HEIGHT, WIDTH), pose_of(scene.camera)
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    rays = np.stack(((u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy, np.ones_like(u)), axis=-1)
    level = (rays @ pose[:3, :3].T)[..., 1] * np.where(y > 0, z, 0.0) + pose[1, 3]
    ground = (y > 1.0 / FAR) & (np.abs(level) < 0.02)
    return Seen(rgb, y, ground, lens, pose[:3, :3].T @ [0.0, 1.0, 0.0], -float(pose[1, 3]))


def _error(seen: Seen, values: np.ndarray, model: ModelInfo) -> float:
    """AbsRel on the ground's pixels; NaN if refused."""
    known = GroundOptions(height=seen.height)
    options = CalibratorOptions(by_source={SOURCE: ground_fit(FitOptions(), known)})
    points = ground_points(seen.camera, seen.downward, replace(known, far=FAR))
    frame = NetworkFrame(values, 0, (HEIGHT, WIDTH))
    found = Calibrator(model, options).fit(frame, points)
    if not isinstance(found, Fit):
        return float("nan")
    v, u = np.nonzero(seen.ground)
    d = sample_bilinear(values, np.stack((u, v), axis=1).astype(float), (HEIGHT, WIDTH))
    y = np.maximum(found.coefficients[0] * d + found.coefficients[1], 1e-3)
    return float(np.mean(np.abs(seen.y[v, u] / y - 1.0)))
