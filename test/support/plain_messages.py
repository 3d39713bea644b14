"""Objects with the fields of messages, without ROS."""

from __future__ import annotations

import array
from types import SimpleNamespace
from typing import Any

import numpy as np


def header(stamp_ns: int, frame_id: str = "cam_optical") -> Any:
    stamp = SimpleNamespace(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return SimpleNamespace(stamp=stamp, frame_id=frame_id)


def cloud_message(points: np.ndarray, stamp_ns: int, frame_id: str) -> Any:
    data = points.astype("<f4")
    fields = [
        SimpleNamespace(name=name, offset=4 * i, datatype=7, count=1)
        for i, name in enumerate("xyz")
    ]
    return SimpleNamespace(
        header=header(stamp_ns, frame_id), height=1, width=len(points), fields=fields,
        is_bigendian=False, point_step=12, row_step=12 * len(points),
        data=array.array("B", data.tobytes()), is_dense=True,
    )  # fmt: skip
