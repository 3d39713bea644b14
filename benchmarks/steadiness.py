"""How much a model's depth flickers from frame to frame of a video, without any truth.

    python -m benchmarks.steadiness VIDEO                    # nano
    python -m benchmarks.steadiness VIDEO --model v2-small   # another one
    python -m benchmarks.steadiness VIDEO --apart 5          # frames that far apart

Each frame's inverse depth is carried into the frame before it along the optical flow (DIS,
medium), where the flow there and back agrees within a pixel; scale and shift, which such a model
leaves open, are fitted by least squares. What differs then, over the inverse depth there, is the
relative change: the median over pixels of a pair, and the median and 90th percentile over pairs.
Real motion towards or away from things counts too, so that this is an upper bound of flicker.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from da_ros.network.estimator import DepthEstimator
from da_ros.offline.evaluation_report import predictor

AGREE = 1.0  # [px] flow there and back
FLOOR = 0.05  # of the median inverse depth: what is farther is divided by this

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path)
    parser.add_argument("--model", default="nano", help="registry name or weights (nano)")
    parser.add_argument(
        "--apart", type=int, default=1, help="frames between the two of a pair (1)"
    )
    options = parser.parse_args()
    predict = predictor(DepthEstimator.load(options.model))
    frames = list(read(options.video))
    depths = [predict(frame) for frame in frames]
    changes, seen = [], []
    for k in range(len(frames) - options.apart):
        change, share = change_between(
            frames[k], frames[k + options.apart], depths[k], depths[k + options.apart]
        )
        changes.append(change)
        seen.append(share)
    print(
        json.dumps(
            {
                "video": options.video.name,
                "model": options.model,
                "pairs": len(changes),
                "apart": options.apart,
                "median": float(np.median(changes)),
                "p90": float(np.percentile(changes, 90)),
                "compared": float(np.mean(seen)),
            }
        )
    )


def read(path: Path) -> Iterator[Bytes]:
    """Frames of a video, RGB."""
    video = cv2.VideoCapture(str(path))
    while True:
        there, frame = video.read()
        if not there:
            return
        yield np.ascontiguousarray(frame[:, :, ::-1], np.uint8)


def change_between(first: Bytes, second: Bytes, one: Floats, other: Floats) -> tuple[float, float]:
    """Median relative change of inverse depth along the flow, and the share of pixels compared.

    Args:
        first: (H, W, 3) RGB.
        second: The later frame.
        one: Inverse depth of the first, (H, W).
        other: Of the second.
    """
    there, back = flow(first, second), flow(second, first)
    height, width = one.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    u, v = x + there[..., 0], y + there[..., 1]
    returned = cv2.remap(back, u, v, cv2.INTER_LINEAR)
    inside = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    valid = inside & (np.linalg.norm(there + returned, axis=-1) < AGREE)
    carried = cv2.remap(other, u, v, cv2.INTER_LINEAR)[valid].astype(np.float64)
    here = one[valid].astype(np.float64)
    matrix = np.stack((carried, np.ones_like(carried)), 1)
    fitted = matrix @ np.linalg.lstsq(matrix, here, rcond=None)[0]
    change = np.abs(fitted - here) / np.maximum(here, FLOOR * np.median(here))
    return float(np.median(change)), float(valid.mean())


def flow(first: Bytes, second: Bytes) -> Floats:
    """Optical flow (H, W, 2) [px] from the first frame to the second."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    dense = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(dense.calc(grey[0], grey[1], None), np.float32)


if __name__ == "__main__":
    main()
