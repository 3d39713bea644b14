"""Which measurement belongs to which image: the same rule for the node and for a bag.

A depth image belongs to images within ``scale.sync_tolerance`` of it, the nearest one counts. A
cloud belongs to one image (a scan seen twice is not two scans): to the next one within
``scale.cloud_window`` (``scale.max_time_offset`` where nothing bridges the time between), or to
one at most ``scale.max_time_offset`` before it. In a bag, which is read ahead, an image would
otherwise take a cloud from those that come after. Stamps that go back are a new beginning (a bag
that loops).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from da_ros.conversions import header_of
from da_ros.params import ScaleParams
from da_ros.pipeline.frames import CloudEvidence, DepthEvidence, Evidence

KEPT = 32
"""Messages of each kind; a second of a fast camera."""

_WENT_BACK_NS = 500_000_000  # Less is the disorder of several senders.


class EvidenceShelf:
    """The newest messages of the other sensors; not for several threads.

    Args:
        params: Which sources are on, and how far apart stamps may be.
        depth_rectified: Whether depth images are of the rectified image (their topic says rect).
    """

    def __init__(self, params: ScaleParams, *, depth_rectified: bool = False) -> None:
        self._params, self._rectified = params, depth_rectified
        bridged = params.fixed_frame and not params.fixed_transform.strip()
        sync = params.sync_tolerance
        window = params.cloud_window if bridged else params.max_time_offset
        ahead = min(window, params.max_time_offset)
        self._before_ns = {"depth": round(sync * 1e9), "cloud": round(window * 1e9)}
        self._after_ns = {"depth": round(sync * 1e9), "cloud": round(ahead * 1e9)}
        self._kept: dict[str, OrderedDict[int, Any]] = {
            name: OrderedDict() for name in ("depth", "info", "cloud")
        }

    def add_depth(self, message: Any) -> None:
        """Take a depth image (sensor_msgs/Image)."""
        self._add("depth", message)

    def add_depth_info(self, message: Any) -> None:
        """Take a camera_info of the depth images."""
        self._add("info", message)

    def add_cloud(self, message: Any) -> None:
        """Take a cloud (sensor_msgs/PointCloud2)."""
        self._add("cloud", message)

    def match(self, stamp_ns: int) -> tuple[Evidence, ...]:
        """Return what belongs to the image of a stamp; its cloud is taken off the shelf."""
        found: list[Evidence] = []
        if self._params.depth_image:
            at = self._nearest("depth", stamp_ns)
            if at is not None:
                depth = self._kept["depth"][at]
                found.append(DepthEvidence(depth, self._info_of(at), self._rectified))
        if self._params.point_cloud:
            at = self._nearest("cloud", stamp_ns)
            if at is not None:
                found.append(CloudEvidence(self._kept["cloud"].pop(at)))
        return tuple(found)

    def is_complete(self, stamp_ns: int, kind: str = "") -> bool:
        """Whether nothing nearer can still come for an image, if each sensor sends in order.

        Args:
            stamp_ns: Of the image.
            kind: depth or cloud; empty for all that are on.
        """
        wanted = {"depth": self._params.depth_image, "cloud": self._params.point_cloud}
        names = [kind] if kind else [name for name, on in wanted.items() if on]
        return all(self._is_settled(name, stamp_ns) for name in names)

    def _add(self, name: str, message: Any) -> None:
        kept = self._kept[name]
        stamp = header_of(message).stamp_ns
        if kept and stamp < max(kept) - _WENT_BACK_NS:
            kept.clear()
        kept.pop(stamp, None)
        kept[stamp] = message
        if len(kept) > KEPT:
            kept.popitem(last=False)

    def _nearest(self, name: str, stamp_ns: int) -> int | None:
        first, last = stamp_ns - self._before_ns[name], stamp_ns + self._after_ns[name]
        near = [stamp for stamp in self._kept[name] if first <= stamp <= last]
        return min(near, key=lambda stamp: (abs(stamp - stamp_ns), stamp), default=None)

    def _info_of(self, depth_stamp_ns: int) -> Any:
        """The camera_info of a depth image: its own, else the latest."""
        infos = self._kept["info"]
        return infos.get(depth_stamp_ns, next(reversed(infos.values()), None))

    def _is_settled(self, name: str, stamp_ns: int) -> bool:
        kept = self._kept[name]
        if stamp_ns in kept:
            return True
        return bool(kept) and max(kept) > stamp_ns
