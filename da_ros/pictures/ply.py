"""Point clouds as binary PLY files, which MeshLab, CloudCompare, Open3D and PCL open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from da_ros.errors import ShapeError

PLY_POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4")])
PLY_COLOR = np.dtype([("red", "u1"), ("green", "u1"), ("blue", "u1")])


def write_ply(
    path: Path,
    points: npt.NDArray[np.floating],
    rgb: npt.NDArray[np.uint8] | None = None,
    comment: str = "",
) -> int:
    """Write the finite points of a cloud; the others are left out.

    Args:
        path: File to write.
        points: x y z, (..., 3) [m], camera optical frame: x right, y down, z forward.
        rgb: Colours, (..., 3) uint8, or None for a cloud without.
        comment: One line kept in the file's header, such as what the unit is.

    Returns:
        How many points the file has.

    Raises:
        ShapeError: If the points are no triples or the colours do not match them.
    """
    if points.ndim < 1 or points.shape[-1] != 3:
        raise ShapeError(f"PLY points: expected (..., 3), got {points.shape}")
    if rgb is not None and rgb.shape != points.shape:
        raise ShapeError(f"PLY colours: expected {points.shape} as the points, got {rgb.shape}")
    flat = points.reshape(-1, 3)
    keep = np.isfinite(flat).all(axis=1)
    rows = np.empty(int(keep.sum()), _layout(rgb is not None))
    for axis, name in enumerate("xyz"):
        rows[name] = flat[keep, axis]
    if rgb is not None:
        for channel, name in enumerate(("red", "green", "blue")):
            rows[name] = rgb.reshape(-1, 3)[keep, channel]
    with path.open("wb") as file:
        file.write(_header(rows, comment))
        file.write(rows.tobytes())
    return len(rows)


def _layout(colored: bool) -> np.dtype[np.void]:
    return np.dtype(PLY_POINT.descr + (PLY_COLOR.descr if colored else []))


def _header(rows: npt.NDArray[np.void], comment: str) -> bytes:
    """The text part, ASCII."""
    names = rows.dtype.names or ()
    lines = ["ply", "format binary_little_endian 1.0"]
    if comment:
        lines.append("comment " + " ".join(comment.split()))
    lines.append(f"element vertex {len(rows)}")
    lines += [f"property {'float' if name in 'xyz' else 'uchar'} {name}" for name in names]
    return ("\n".join([*lines, "end_header"]) + "\n").encode("ascii", "replace")
