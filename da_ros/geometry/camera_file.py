"""Camera calibration files of ROS: the YAML that camera_calibration and drivers write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from da_ros.errors import CameraError
from da_ros.geometry.distortion import PLUMB_BOB


def read_calibration(path: str | Path) -> dict[str, Any]:
    """Read the fields of a calibration file.

    Args:
        path: A YAML file with image_width, image_height, camera_matrix, distortion_model,
            distortion_coefficients, rectification_matrix and projection_matrix. As in ROS a
            missing model is plumb_bob; beyond ROS, missing coefficients are none, a missing
            rectification is identity, and a missing projection is K.

    Returns:
        height, width, distortion_model, d, k, r, p, as ``PinholeCamera.from_fields`` takes them.

    Raises:
        CameraError: If the file cannot be read or is not of that format; it names file and key.

    Source:
        camera_calibration_parsers, parse_yml.
    """
    document = _load(Path(path))
    return {
        "width": _size(path, document, "image_width"),
        "height": _size(path, document, "image_height"),
        "distortion_model": str(document.get("distortion_model") or PLUMB_BOB),
        "k": _matrix(path, document, "camera_matrix", 9),
        "d": _matrix(path, document, "distortion_coefficients", None),
        "r": _matrix(path, document, "rectification_matrix", 9, optional=True),
        "p": _matrix(path, document, "projection_matrix", 12, optional=True),
    }


def _load(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CameraError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise CameraError(
            f"{path}: expected a ROS camera calibration in YAML: {reason}"
        ) from error
    if not isinstance(document, Mapping):
        raise CameraError(
            f"{path}: expected a ROS camera calibration with keys such as camera_matrix, "
            f"got {type(document).__name__}"
        )
    return document


def _size(path: str | Path, document: Mapping[str, Any], key: str) -> int:
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise CameraError(f"{path}: expected {key} to be a whole number > 0, got {value!r}")
    return value


def _matrix(
    path: str | Path,
    document: Mapping[str, Any],
    key: str,
    count: int | None,
    optional: bool = False,
) -> list[float]:
    """Return the numbers of a {rows, cols, data} entry; zeros or none where it may be absent."""
    entry = document.get(key)
    if entry is None and (optional or count is None):
        return [0.0] * (count or 0)
    data = entry.get("data") if isinstance(entry, Mapping) else None
    try:
        # YAML 1.1 takes 1e-05, which ROS writes, for a string.
        numbers = [float(value) for value in data]  # type: ignore[union-attr]
    except (TypeError, ValueError) as error:
        raise CameraError(
            f"{path}: expected {key} to have a list of numbers in data, got {entry!r}"
        ) from error
    if count is not None and len(numbers) != count:
        raise CameraError(f"{path}: expected {count} numbers in {key}, got {len(numbers)}")
    return numbers
