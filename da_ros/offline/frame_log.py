"""What a run remembers of its frames for the report: a few pictures, and figures over time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from da_ros.errors import DaRosError
from da_ros.offline.bag_evaluation import FrameScore
from da_ros.offline.image_matching import MatchedImage
from da_ros.pictures.colormap import colorize, value_range
from da_ros.pictures.sheet import fit_width
from da_ros.pipeline import DepthFrame
from da_ros.types import DepthScale, ScaleShift

SHOWN = 12
"""Frames of each camera on the contact sheet."""

_NO_RATIO = 1e-9  # a ratio this small is rounding
_KEPT = 1500  # figures of each camera; when there are more, every other one goes
_LOOK = 16  # figures look at every n-th row and column
_WIDTH = 320  # of a picture on the sheet [px]


@dataclass(frozen=True)
class FrameFigures:
    """One frame in figures.

    Attributes:
        number: Of the camera's images, from 0.
        stamp: Of its header [ns].
        low: Second percentile of depth [m], or of inverse depth where there are no metres.
        middle: Median.
        high: 98th percentile.
        scale: What the network's numbers were multiplied with to become metres; NaN if they did
            not.
        abs_rel: Mean absolute relative error to the measured depth; NaN if there was none.
        delta1: Share of points within a factor of 1.25 of it.
        ratio: Median of measured over predicted depth: 1 if the scale is right.
    """

    number: int
    stamp: int
    low: float
    middle: float
    high: float
    scale: float
    abs_rel: float = float("nan")
    delta1: float = float("nan")
    ratio: float = float("nan")


@dataclass
class _Camera:
    step: int = 1
    seen: int = 0
    metres: bool = False
    figures: list[FrameFigures] = field(default_factory=list)
    scored: int = 0
    abs_rel: float = 0.0
    delta1: float = 0.0


@dataclass
class FrameLog:
    """Keeps what the report shows, in little memory however long the recording.

    Attributes:
        folder: Where pictures are put.
        totals: Images of each camera, as the index says.
    """

    folder: Path
    totals: Mapping[str, int]
    cameras: dict[str, _Camera] = field(default_factory=dict)

    def take(
        self,
        image: MatchedImage,
        frame: DepthFrame | DaRosError,
        score: FrameScore | None = None,
    ) -> None:
        """Look at one frame, in the order of the recording."""
        topic = image.camera.image_topic
        camera = self.cameras.setdefault(topic, _Camera())
        number, camera.seen = camera.seen, camera.seen + 1
        if isinstance(frame, DaRosError):
            return
        values = frame.depth if frame.depth is not None else frame.inverse_depth
        if values is None:
            return
        camera.metres = frame.depth is not None
        if score is not None:
            camera.scored += 1
            camera.abs_rel += score.abs_rel
            camera.delta1 += score.delta1
        if number % camera.step == 0:
            look = values[::_LOOK, ::_LOOK].cpu().numpy()
            low, middle, high = _percentiles(look)
            figures = FrameFigures(number, image.stamp, low, middle, high, _scale(frame))
            camera.figures.append(figures if score is None else replace(figures, **asdict(score)))
            self._thin(camera)
        if number in shown_numbers(self.totals.get(topic, 0)):
            self._draw(topic, number, frame, values.cpu().numpy())

    def pictures(self, topic: str) -> list[tuple[int, npt.NDArray[np.uint8]]]:
        """Number and picture of the camera's frames that are shown, in order."""
        place = sorted(self.totals).index(topic)
        found = sorted(self.folder.glob(f"{place}_*.jpg"))
        return [(int(path.stem.split("_")[1]), np.asarray(Image.open(path))) for path in found]

    def state(self) -> dict[str, Any]:
        """All but the pictures, as JSON has it."""
        return {
            topic: {**asdict(camera), "figures": [_row(item) for item in camera.figures]}
            for topic, camera in self.cameras.items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave."""
        for topic, known in state.items():
            figures = [FrameFigures(*row) for row in known["figures"]]
            self.cameras[topic] = _Camera(**{**known, "figures": figures})

    def evaluation(self) -> dict[str, dict[str, float]]:
        """Means of the scores by camera, and their ratio at the beginning and at the end.

        Without a drift where the ratio is not determined: a scene as flat as a wall has none.
        """
        made = {}
        for topic, camera in self.cameras.items():
            ratios = [item.ratio for item in camera.figures if math.isfinite(item.ratio)]
            if not camera.scored or not ratios:
                continue
            tenth = max(1, len(ratios) // 10)
            first, last = (float(np.median(part)) for part in (ratios[:tenth], ratios[-tenth:]))
            made[topic] = {
                "frames": camera.scored,
                "abs_rel": camera.abs_rel / camera.scored,
                "delta1": camera.delta1 / camera.scored,
                "ratio_median": float(np.median(ratios)),
                "ratio_first_tenth": first,
                "ratio_last_tenth": last,
            }
            if min(abs(first), abs(last)) > _NO_RATIO:
                made[topic]["scale_drift"] = last / first - 1.0
        return made

    def scores(self) -> dict[str, dict[str, list[float | int]]]:
        """The scores over time by camera, of the frames whose figures are kept."""
        made = {}
        for topic, camera in self.cameras.items():
            scored = [item for item in camera.figures if math.isfinite(item.abs_rel)]
            if scored:
                made[topic] = {
                    name: [getattr(item, name) for item in scored]
                    for name in ("number", "stamp", "abs_rel", "delta1", "ratio")
                }
        return made

    def _thin(self, camera: _Camera) -> None:
        if len(camera.figures) > _KEPT:
            camera.step *= 2
            camera.figures = [f for f in camera.figures if f.number % camera.step == 0]

    def _draw(
        self, topic: str, number: int, frame: DepthFrame, values: npt.NDArray[np.float32]
    ) -> None:
        """Image and depth side by side."""
        rgb: Any = frame.frame.image.rgb
        photo = np.ascontiguousarray(rgb if isinstance(rgb, np.ndarray) else rgb.cpu().numpy())
        low, high = value_range(values)
        near, far = (low, high) if frame.depth is not None else (high, low)
        both = [fit_width(picture, _WIDTH) for picture in (photo, colorize(values, near, far))]
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{sorted(self.totals).index(topic)}_{number:09d}.jpg"
        Image.fromarray(np.concatenate(both, axis=1)).save(path, quality=85)


def shown_numbers(total: int, shown: int = SHOWN) -> set[int]:
    """Which frames are shown of so many: evenly spread ones; of an unknown number, a few."""
    if not total:
        return {2**power for power in range(shown)}
    return {int((place + 0.5) * total / shown) for place in range(shown)}


def _percentiles(look: npt.NDArray[np.float32]) -> tuple[float, float, float]:
    finite = np.sort(look[np.isfinite(look)])
    if not finite.size:
        return (float("nan"),) * 3
    low, middle, high = (finite[int(share * (finite.size - 1))] for share in (0.02, 0.5, 0.98))
    return float(low), float(middle), float(high)


def _scale(frame: DepthFrame) -> float:
    if isinstance(frame.transform, DepthScale):
        return frame.transform.factor
    return frame.transform.scale if isinstance(frame.transform, ScaleShift) else float("nan")


def _row(figures: FrameFigures) -> list[float]:
    return [getattr(figures, name) for name in FrameFigures.__dataclass_fields__]
