"""The named protocols: what is aligned to what, in which space the error is taken.

- ``disp_ls``: the prediction is scaled and shifted to 1/truth per image by least squares, and the
  metrics are taken in disparity [1/m]. What the papers' zero-shot tables use.
- ``depth_from_disp_ls``: the same fit; then clipped to >= 1e-3 1/m, inverted, clipped to
  [1e-3, cap] m, and the metrics are taken in depth [m]. What ByteDance's evaluator does.
- ``metric_raw``: metres as they come, no fit.

Sources: Depth Anything V1, issue 174 (disparity space); ByteDance's released video evaluator.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from da_ros.errors import InputError, ShapeError

FloatImage = npt.NDArray[np.floating]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LEAST_DEPTH = 1e-3
"""Truth up to here is invalid, and aligned depth is clipped here [m]."""

LEAST_DISPARITY = 1e-3
"""Aligned disparity is clipped here before it is inverted [1/m]."""

FEWEST_PIXELS = 50
"""Images with fewer valid pixels are not scored: a fit of two numbers would say nothing."""

CROPS = ("none", "garg", "eigen")
"""Parts of the image that are scored: all; KITTI's Garg crop; NYU's Eigen crop (480 x 640)."""


class Protocol(str, Enum):
    """Name of a protocol; the module's docstring says what each does."""

    DISP_LS = "disp_ls"
    DEPTH_FROM_DISP_LS = "depth_from_disp_ls"
    METRIC_RAW = "metric_raw"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Score:
    """How far a prediction is from the truth, in the space of its protocol.

    Attributes:
        abs_rel: Mean of abs(prediction - truth) / truth.
        rmse: Root of the mean squared error [m, or 1/m under disp_ls].
        delta1: Share of pixels with max(prediction/truth, truth/prediction) < 1.25.
    """

    abs_rel: float
    rmse: float
    delta1: float


def valid_pixels(truth: FloatImage, cap: float, crop: str = "none") -> Mask:
    """Where a prediction is scored: 1e-3 < truth < cap, inside the crop.

    Args:
        truth: Depth, (H, W) [m]; NaN and Inf are not scored.
        cap: [m].
        crop: One of ``CROPS``.

    Returns:
        (H, W) bool.

    Raises:
        InputError: If the crop is unknown, or does not fit the image.
    """
    with np.errstate(invalid="ignore"):
        valid: Mask = (truth > LEAST_DEPTH) & (truth < cap)
    if crop != "none":
        rows, columns = _crop_bounds(crop, *truth.shape)
        inside = np.zeros_like(valid)
        inside[rows, columns] = True
        valid &= inside
    return valid


def aligned(
    prediction: FloatImage, truth: FloatImage, valid: Mask, protocol: Protocol, cap: float
) -> Floats:
    """Bring a prediction into the space of a protocol.

    Args:
        prediction: (H, W); inverse depth of any scale and shift, or depth [m] for metric_raw.
        truth: Depth, (H, W) [m].
        valid: (H, W); the pixels that the fit sees.
        protocol: Which.
        cap: [m].

    Returns:
        (H, W): disparity [1/m] for disp_ls, else depth [m].

    Raises:
        ShapeError: If the sizes differ.
    """
    if prediction.shape != truth.shape:
        raise ShapeError(
            f"evaluation: expected a prediction of the truth's size {truth.shape}, got "
            f"{prediction.shape}"
        )
    if protocol is Protocol.METRIC_RAW:
        return prediction.astype(np.float64)
    return _fitted([prediction], truth, valid, protocol, cap)


def row_fit(truth: FloatImage, valid: Mask, protocol: Protocol, cap: float) -> Floats:
    """Predict from the image row alone: what a camera above a floor sees without looking.

    Args:
        truth: Depth, (H, W) [m].
        valid: (H, W); the pixels that the fit sees.
        protocol: Under metric_raw, which fits nothing, the fit of depth_from_disp_ls.
        cap: [m].

    Returns:
        As :func:`aligned`.
    """
    rows, _ = _grid(*truth.shape)
    return _fitted([rows], truth, valid, protocol, cap)


def plane_fit(truth: FloatImage, valid: Mask, protocol: Protocol, cap: float) -> Floats:
    """Predict a plane: disparity linear in row and column; arguments as :func:`row_fit`."""
    return _fitted(list(_grid(*truth.shape)), truth, valid, protocol, cap)


def score(prediction: FloatImage, truth: FloatImage, valid: Mask, protocol: Protocol) -> Score:
    """Compare an aligned prediction with the truth.

    Args:
        prediction: From :func:`aligned`, :func:`row_fit` or :func:`plane_fit`, (H, W).
        truth: Depth, (H, W) [m].
        valid: (H, W); at least one pixel.
        protocol: Which.

    Returns:
        The metrics. Values <= 0 count as wrong in delta1.
    """
    target = truth[valid].astype(np.float64)
    if protocol is Protocol.DISP_LS:
        target = 1.0 / target
    got = prediction[valid].astype(np.float64)
    error = got - target
    with np.errstate(divide="ignore"):
        ratio = np.maximum(got / target, target / got)
    return Score(
        abs_rel=float(np.mean(np.abs(error) / target)),
        rmse=float(np.sqrt(np.mean(error**2))),
        delta1=float(np.mean((ratio < 1.25) & (got > 0.0))),
    )


def least_squares(columns: Floats, target: Floats) -> tuple[Floats, float]:
    """Fit target = columns @ coefficients + offset.

    A column that does not vary gets the coefficient 0.

    Args:
        columns: (N, K).
        target: (N,).

    Returns:
        Coefficients (K,) and offset.
    """
    middle, centre = columns.mean(axis=0), float(target.mean())
    centred = columns - middle
    spread = np.sqrt((centred**2).mean(axis=0))
    # A constant column leaves rounding noise after centring; it must not be fitted.
    unit = np.where(spread > 1e-12 * (np.abs(middle) + spread), spread, np.inf)
    scaled = centred / unit
    gram, right = scaled.T @ scaled, scaled.T @ (target - centre)
    coefficients = np.linalg.lstsq(gram, right, rcond=1e-12)[0] / unit
    return coefficients, centre - float(middle @ coefficients)


def _fitted(
    images: list[FloatImage], truth: FloatImage, valid: Mask, protocol: Protocol, cap: float
) -> Floats:
    """Least squares of images to 1/truth, then into the protocol's space, (H, W)."""
    columns = np.stack([image[valid].astype(np.float64) for image in images], axis=1)
    coefficients, offset = least_squares(columns, 1.0 / truth[valid].astype(np.float64))
    disparity = np.full(truth.shape, offset, np.float64)
    for image, coefficient in zip(images, coefficients, strict=True):
        disparity += coefficient * image
    if protocol is Protocol.DISP_LS:
        return disparity
    return np.clip(1.0 / np.maximum(disparity, LEAST_DISPARITY), LEAST_DEPTH, cap)


def _grid(height: int, width: int) -> tuple[Floats, Floats]:
    rows, columns = np.meshgrid(
        np.arange(height, dtype=np.float64) / height,
        np.arange(width, dtype=np.float64) / width,
        indexing="ij",
    )
    return rows, columns


def _crop_bounds(crop: str, height: int, width: int) -> tuple[slice, slice]:
    if crop == "garg":
        return (
            slice(int(0.40810811 * height), int(0.99189189 * height)),
            slice(int(0.03594771 * width), int(0.96405229 * width)),
        )
    if crop != "eigen":
        raise InputError(f"crop: expected one of {', '.join(CROPS)}, got {crop!r}")
    if (height, width) != (480, 640):
        raise InputError(f"crop eigen: expected images of 480 x 640, got {height} x {width}")
    return slice(45, 471), slice(41, 601)
