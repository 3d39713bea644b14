"""A calibration in a file: a factor for metric models, s and t only where nothing moves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from da_ros.errors import InputError
from da_ros.files import write_whole
from da_ros.scale.filter import Observed
from da_ros.scale.fit import Fit
from da_ros.types import Kind, ModelInfo

SOURCE = "static"
FORMAT = "da_ros scale calibration 1"


@dataclass(frozen=True)
class StaticCalibration:
    """What a file says.

    Attributes:
        model_id: For people.
        model_sha256: Of the weights that it belongs to.
        kind: Of their numbers.
        input_size: (height, width) of the network's input that it belongs to [px].
        coefficients: (s, t) or (k,).
        covariance: Rows of it, with the spread from frame to frame.
        pixel_error: As in ``filter.ScaleEstimate``.
        source: What measured.
        date: ISO 8601.
        static_camera: Whether the camera stood still, and will.
        frames: From how many frames.
    """

    model_id: str
    model_sha256: str
    kind: Kind
    input_size: tuple[int, int]
    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    pixel_error: float
    source: str
    date: str
    static_camera: bool
    frames: int

    @property
    def observed(self) -> Observed:
        """As the filter takes it."""
        return Observed(np.array(self.coefficients), np.array(self.covariance), self.pixel_error)


def calibration_of_fits(
    fits: Sequence[Fit | Observed],
    model: ModelInfo,
    input_size: tuple[int, int],
    source: str,
    date: str,
    static_camera: bool,
) -> StaticCalibration:
    """Sum up the fits of some frames.

    Args:
        fits: One a frame, of one source or fused.
        model: Which weights.
        input_size: (height, width) of the network's input [px].
        source: What measured.
        date: ISO 8601.
        static_camera: Whether the camera stood still.

    Returns:
        Their median; that of s and t is taken of s and of y where the two are told apart best, or
        the line of two medians would be no frame's. Its covariance is that of a frame plus the
        spread between frames, since what is wanted is the scale of the next frame, not the mean
        of these.

    Raises:
        InputError: If there are no fits.
    """
    if not fits:
        raise InputError("scale calibration: no frame could be fitted, there is nothing to save")
    values = np.stack([fit.coefficients for fit in fits])  # (n, p)
    own = np.mean([fit.covariance for fit in fits], axis=0)
    spread = np.cov(values, rowvar=False, ddof=1).reshape(own.shape) if len(fits) > 1 else own
    rows = tuple(tuple(float(v) for v in row) for row in own + spread)
    return StaticCalibration(
        model_id=model.model_id,
        model_sha256=model.sha256,
        kind=model.kind,
        input_size=input_size,
        coefficients=_middle(values, own),
        covariance=rows,
        pixel_error=float(np.median([fit.pixel_error for fit in fits])),
        source=source,
        date=date,
        static_camera=static_camera,
        frames=len(fits),
    )


def _middle(values: NDArray[np.float64], own: NDArray[np.float64]) -> tuple[float, ...]:
    """Median of the fits, (n, p)."""
    if values.shape[1] == 1 or not own[0, 0] > 0:
        return tuple(float(v) for v in np.median(values, axis=0))
    pivot = -own[0, 1] / own[0, 0]  # the d at which an error of s moves y least
    scale = float(np.median(values[:, 0]))
    y = float(np.median(values[:, 0] * pivot + values[:, 1]))
    return scale, float(y - scale * pivot)


def save_calibration(calibration: StaticCalibration, path: Path) -> None:
    """Write the file; one that was there stays until the new one is whole.

    Raises:
        InputError: If it cannot be written.
    """
    document = {
        "format": FORMAT,
        "model_id": calibration.model_id,
        "model_sha256": calibration.model_sha256,
        "kind": str(calibration.kind),
        "input_height": calibration.input_size[0],
        "input_width": calibration.input_size[1],
        "coefficients": list(calibration.coefficients),
        "covariance": [list(row) for row in calibration.covariance],
        "pixel_error": calibration.pixel_error,
        "source": calibration.source,
        "date": calibration.date,
        "static_camera": calibration.static_camera,
        "frames": calibration.frames,
    }
    try:
        write_whole(path, yaml.safe_dump(document, sort_keys=False).encode())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def load_calibration(
    path: Path, model: ModelInfo, input_size: tuple[int, int] | None, static_camera: bool
) -> StaticCalibration:
    """Read the file for this model, or refuse it.

    Args:
        path: The file.
        model: Which weights are in use.
        input_size: (height, width) of the network's input in use [px]; None if no image has come
            yet: ``check_input_size`` then.
        static_camera: Whether the user says that the camera stands still.

    Returns:
        The calibration.

    Raises:
        InputError: If the file is none, or belongs to other weights or another size, or is that
            of a relative model on a camera that may move.
    """
    found = _read(path, _document(path))
    if found.model_sha256 != model.sha256:
        raise InputError(
            f"{path}: made with {found.model_id} (sha256 {found.model_sha256[:12]}), not with "
            f"{model.model_id} ({model.sha256[:12]}); calibrate anew"
        )
    if found.kind is not model.kind:
        raise InputError(f"{path}: made for {found.kind}, but the model gives {model.kind}")
    if input_size is not None:
        check_input_size(path, found, input_size)
    if model.kind is not Kind.METRIC_DEPTH and not (static_camera and found.static_camera):
        raise InputError(
            f"{path}: scale and shift of a relative model change with the scene; a saved one is "
            "good only for a camera that stands still (static_camera), as it did then"
        )
    return found


def check_input_size(path: Path, found: StaticCalibration, input_size: tuple[int, int]) -> None:
    """Refuse a calibration made at another size of the network's input, (height, width) [px].

    Raises:
        InputError: If it was.
    """
    if found.input_size != input_size:
        raise InputError(
            f"{path}: made for a network input of {found.input_size[1]}x{found.input_size[0]} px, "
            f"not {input_size[1]}x{input_size[0]}; calibrate anew"
        )


def _document(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: expected a scale calibration in YAML: {reason}") from error
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise InputError(f"{path}: expected a scale calibration with format: {FORMAT}")
    return document


def _read(path: Path, document: Mapping[str, Any]) -> StaticCalibration:
    try:
        found = StaticCalibration(
            model_id=str(document["model_id"]),
            model_sha256=str(document["model_sha256"]),
            kind=Kind(document["kind"]),
            input_size=(int(document["input_height"]), int(document["input_width"])),
            coefficients=tuple(float(v) for v in document["coefficients"]),
            covariance=tuple(tuple(float(v) for v in row) for row in document["covariance"]),
            pixel_error=float(document["pixel_error"]),
            source=str(document["source"]),
            date=str(document["date"]),
            static_camera=document["static_camera"] is True,
            frames=int(document["frames"]),
        )
    except KeyError as error:
        raise InputError(f"{path}: scale calibration without {error}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: scale calibration cannot be read: {error}") from error
    _check(path, found)
    return found


def _check(path: Path, found: StaticCalibration) -> None:
    """Refuse numbers that are no scale."""
    count = 1 if found.kind is Kind.METRIC_DEPTH else 2
    square = len(found.covariance) == count and all(len(r) == count for r in found.covariance)
    numbers = [*found.coefficients, *sum(found.covariance, ()), found.pixel_error]
    finite = all(math.isfinite(value) for value in numbers)
    if len(found.coefficients) != count or not square or not finite or found.pixel_error < 0:
        raise InputError(
            f"{path}: expected {count} finite coefficient(s) and their covariance, got "
            f"{found.coefficients} and {found.covariance}"
        )
    covariance = np.array(found.covariance)
    symmetric = np.allclose(covariance, covariance.T, rtol=1e-9)
    size = np.sqrt(np.abs(np.diag(covariance))) + 1e-300
    proper = symmetric and np.linalg.eigvalsh(covariance / np.outer(size, size)).min() > -1e-9
    if found.coefficients[0] <= 0 or not proper or min(np.diag(covariance)) < 0:
        raise InputError(
            f"{path}: expected a scale > 0 and a covariance without negative variance, got "
            f"{found.coefficients} and {found.covariance}"
        )
