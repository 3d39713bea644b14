"""A 16-beam scan of another moment from a moving robot: to metres, and a wall made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scanned_scene import (
    HEIGHT,
    WIDTH,
    Scanned,
    said,
    scanned,
    scanner_in_camera,
    scene_worth_scanning,
)
from scipy.spatial.transform import Rotation

from benchmarks.scale_bars.methods import Floats
from benchmarks.scale_bars.parts import MODEL, Bar, Options, Part, progress
from da_ros.geometry.unproject import unproject
from da_ros.scale.calibrator import Calibrator, CalibratorOptions, NetworkFrame
from da_ros.scale.fit import Fit
from da_ros.scale.observations.point_cloud import Cloud, PointCloudOptions, point_cloud_points
from da_ros.scale.observations.transforms import TransformBuffer
from da_ros.scale.observations.visibility import VisibilityOptions
from da_ros.training.scenes.sequence import move

SCALE, SHIFT = 1.7, 0.04
DISTANCES = (1.0, 3.0, 10.0, 20.0)
SHARE = 10  # Of the scenes asked for, one in so many of each family.
LATE_NS = 80_000_000  # The image is 80 ms later than the cloud, and 0.4 m further on.
VISIBILITY = VisibilityOptions(window_px=8, edge_px=3)
FAMILIES = ("room", "street")
ERRORS = (0.0, 0.05)


@dataclass(frozen=True, eq=False)
class Observed:
    """A scanned scene with the line that was found."""

    view: Scanned
    d: Floats
    line: Floats
    farthest: float


def run(options: Options) -> Part:
    """Depth from (s, t) at four distances; flatness of walls."""
    found: dict[tuple[str, float], list[Observed | None]] = {}
    draws = [
        (family, seed) for family in FAMILIES for seed in range(max(1, options.scenes // SHARE))
    ]
    for family, seed in progress(draws, "lidar", len(draws)):
        for error, one in zip(ERRORS, observed(family, seed), strict=True):
            found.setdefault((family, error), []).append(one)
    rows, bars = [], []
    for (family, error), everything in found.items():
        made = [one for one in everything if one is not None]
        for z in DISTANCES:
            off = [_off(one, z) for one in made if z < 1.2 * one.farthest]
            if off:
                median, worst = float(np.median(off)), float(max(off))
                rows.append([family, f"{error:.0%}", z, len(off), median, worst])
            if off and error == 0.0:
                bars.append(Bar(f"{family}, {z:g} m: largest relative error", worst, high=0.02))
    exact = [one for (_, error), made in found.items() if error == 0.0 for one in made]
    known = [one for one in exact if one is not None]
    walls = [value for value in map(_flatness, known) if value is not None]
    bars.append(Bar("walls: largest RMS off their plane / distance", max(walls), high=0.01))
    bars.append(Bar("refused of exact ones", len(exact) - len(known), high=0))
    for family in FAMILIES:
        _pictures(next(one for one in found[family, 0.0] if one), family, options.pictures)
    columns = ("family", "network's error", "at m", "scenes", "median", "largest")
    note = f"{len(walls)} walls; a distance counts where the scan reaches it within 20 %"
    return Part("lidar", columns, rows, bars, (note,))


def observed(family: str, seed: int) -> list[Observed | None]:
    """Scan, move, look, fit: for each of ERRORS; None if refused."""
    scene = scene_worth_scanning(seed, family)
    buffer, views = TransformBuffer(), []
    for step in (0, 1):
        view = scanned(scene, move(scene.camera, step / 2, 0.8), seed)
        _add(buffer, "odom", "camera", step * LATE_NS, view.pose)
        views.append(view)
    _add(buffer, "camera", "lidar", -1, scanner_in_camera())
    cloud = Cloud(views[0].cloud, "lidar", 0)
    return [_observed(views[1], cloud, buffer, error, seed) for error in ERRORS]


def _observed(
    view: Scanned, cloud: Cloud, buffer: TransformBuffer, error: float, seed: int
) -> Observed | None:
    d = said(view.y, SCALE, SHIFT, error, seed)
    options = PointCloudOptions(visibility=VISIBILITY)
    points = point_cloud_points(cloud, "camera", LATE_NS, view.camera, buffer, d, options)
    frame = NetworkFrame(d, LATE_NS, (HEIGHT, WIDTH))
    found = Calibrator(MODEL, CalibratorOptions()).fit(frame, points)
    if not isinstance(found, Fit):
        return None
    return Observed(view, d.astype(np.float64), found.coefficients, float(points.depth.max()))


def _add(buffer: TransformBuffer, parent: str, child: str, stamp: int, pose: Floats) -> None:
    turn = Rotation.from_matrix(pose[:3, :3]).as_quat()
    buffer.add(parent, child, stamp, list(pose[:3, 3]), list(turn), static=stamp < 0)


def _off(one: Observed, z: float) -> float:
    """Relative error of a pixel that is truly z away."""
    said_of_it = (1.0 / z - SHIFT) / SCALE
    return float(abs(1.0 / (one.line @ [said_of_it, 1.0]) / z - 1.0))


def _points(one: Observed) -> Floats:
    import torch

    depth = (1.0 / np.maximum(one.line[0] * one.d + one.line[1], 1e-3)).astype(np.float32)
    return np.asarray(unproject(torch.from_numpy(depth), one.view.camera).double())


def _flatness(one: Observed) -> float | None:
    """RMS distance of a wall's points from their plane, over their distance.

    Not of the pixels beside its edges: there the simulated network blurs, and clouds drop them.
    """
    wall = _wall(one.view)
    if wall is None:
        return None
    wall = cv2.erode(wall.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    points = _points(one)[wall]
    middle = points.mean(axis=0)
    normal = np.linalg.svd(points - middle, full_matrices=False)[2][2]
    off = np.abs((points - middle) @ normal)
    return float(np.sqrt(np.mean(off**2)) / np.linalg.norm(middle))


def _wall(view: Scanned) -> np.ndarray | None:
    """Pixels of the true largest plane that stands upright, by its truth; None if it is small."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    lens = view.camera
    rays = np.stack(((u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy, np.ones_like(u)), axis=-1)
    rng, best, most = np.random.default_rng(0), None, 0.08 * u.size
    seen = np.argwhere((view.y > 0.05) & (view.y < 2.0))
    for _ in range(60):
        if len(seen) < 3:
            break
        r, c = seen[rng.choice(len(seen), 3, replace=False)].T
        try:  # A plane is y = n . ray.
            n = np.linalg.solve(rays[r, c], view.y[r, c])
        except np.linalg.LinAlgError:
            continue
        up = abs(float((view.pose[:3, :3] @ n)[1])) / max(float(np.linalg.norm(n)), 1e-12)
        on = (np.abs(rays @ n - view.y) < 0.002 * view.y) & (view.y > 0.05)
        if up < 0.2 and on.sum() > most:
            best, most = on, on.sum()
    return best


def _pictures(one: Observed, name: str, folder: Path | None) -> None:
    """The cloud from above and from the side, to look at."""
    if folder is None:
        return
    from da_ros.pictures.colormap import colorize
    from da_ros.pictures.render import render_cloud

    folder.mkdir(parents=True, exist_ok=True)
    points = _points(one)
    rgb = colorize((1.0 / points[..., 2]).astype(np.float32), 2.0, 0.05)
    for side, (yaw, pitch) in {"above": (0.0, 70.0), "side": (40.0, 15.0)}.items():
        seen = points.reshape(-1, 3)[points[..., 2].ravel() < 20.0].astype(np.float32)
        colour = rgb.reshape(-1, 3)[points[..., 2].ravel() < 20.0]
        view = render_cloud(seen, colour, yaw_deg=yaw, pitch_deg=pitch, width=900, height=700)
        cv2.imwrite(str(folder / f"lidar_{name}_{side}.png"), view[..., ::-1])
