"""Where frames are at a stamp: the interface that ROS's tf2 is one adapter of, and our own buffer.

T(target <- source) takes a point's coordinates in ``source`` to those in ``target``.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from da_ros.errors import InputError

Floats = NDArray[np.float64]


class TransformError(InputError):
    """No transform between two frames at a stamp; the message says why."""


class FutureTransformError(TransformError):
    """The stamp is later than all that is known: a transform may still come."""


class TransformSource(Protocol):
    """What a source of points asks for transforms."""

    def lookup(
        self,
        target: str,
        target_stamp_ns: int,
        source: str,
        source_stamp_ns: int,
        fixed: str | None,
    ) -> Floats:
        """Return T(target at its stamp <- source at its stamp).

        Args:
            target: Frame.
            target_stamp_ns: When.
            source: Frame.
            source_stamp_ns: When.
            fixed: The frame that stands still between the two stamps; None if the stamps are
                taken as one, the target's.

        Returns:
            (4, 4) float64 [m].

        Raises:
            FutureTransformError: If a stamp is later than what is known of a frame.
            TransformError: If a frame is not known, not connected, or not known at its stamp.
        """
        ...


@dataclass(frozen=True, eq=False)
class FixedTransform:
    """One transform for ever: what a parameter says where there is no TF."""

    matrix: Floats

    def lookup(
        self,
        target: str,
        target_stamp_ns: int,
        source: str,
        source_stamp_ns: int,
        fixed: str | None,
    ) -> Floats:
        """Return the transform; frames and stamps play no part."""
        return self.matrix


@dataclass(eq=False)
class _Edge:
    """Where a child frame is in its parent: one pose for ever, or poses over time."""

    parent: str
    static: bool
    stamps: list[int] = field(default_factory=list)
    poses: list[tuple[Floats, Floats]] = field(default_factory=list)  # translation, x y z w


class TransformBuffer:
    """Poses over time between frames of a tree, as in /tf and /tf_static.

    Between two stamps translation is interpolated along the line, rotation along the arc; nothing
    is extrapolated. Stamps that go back by more than what is kept are a new beginning (a bag that
    loops). No ROS: bags and tests use it, and robots without tf2.

    Args:
        keep: How long poses are kept behind the newest of their frame [s].
    """

    def __init__(self, keep: float = 10.0) -> None:
        self._keep_ns = round(keep * 1e9)
        self._edges: dict[str, _Edge] = {}

    def add(
        self,
        parent: str,
        child: str,
        stamp_ns: int,
        translation: Sequence[float],
        rotation: Sequence[float],
        static: bool = False,
    ) -> None:
        """Take in one geometry_msgs/TransformStamped.

        Args:
            parent: Its header's frame_id.
            child: Its child_frame_id.
            stamp_ns: Its header's stamp.
            translation: x y z [m].
            rotation: Quaternion x y z w.
            static: From /tf_static.

        Raises:
            TransformError: If it is no transform; what was known stays.
        """
        place = np.asarray(translation, np.float64)
        turn = np.asarray(rotation, np.float64)
        length = float(np.linalg.norm(turn))
        parent, child = parent.lstrip("/"), child.lstrip("/")
        good = place.shape == (3,) and turn.shape == (4,) and np.all(np.isfinite(place))
        if not good or not 0.9 < length < 1.1 or not parent or not child or parent == child:
            raise TransformError(
                f"transform {parent!r} -> {child!r}: expected two frames, a finite translation "
                f"and a unit quaternion, got {list(translation)} and {list(rotation)}"
            )
        edge = self._edges.get(child)
        if edge is None or edge.static != static or edge.parent != parent:
            edge = self._edges[child] = _Edge(parent, static)
        pose = (place, turn / length)
        if static:
            edge.stamps, edge.poses = [0], [pose]
            return
        self._insert(edge, stamp_ns, pose)

    def clear(self) -> None:
        """Forget what moves; what is static stays."""
        self._edges = {child: edge for child, edge in self._edges.items() if edge.static}

    def _insert(self, edge: _Edge, stamp_ns: int, pose: tuple[Floats, Floats]) -> None:
        if edge.stamps and stamp_ns < edge.stamps[-1] - self._keep_ns:
            edge.stamps, edge.poses = [], []
        at = bisect_right(edge.stamps, stamp_ns)
        if at and edge.stamps[at - 1] == stamp_ns:
            edge.poses[at - 1] = pose
            return
        insort(edge.stamps, stamp_ns)
        edge.poses.insert(at, pose)
        old = bisect_right(edge.stamps, edge.stamps[-1] - self._keep_ns - 1)
        del edge.stamps[:old], edge.poses[:old]

    def lookup(
        self,
        target: str,
        target_stamp_ns: int,
        source: str,
        source_stamp_ns: int,
        fixed: str | None,
    ) -> Floats:
        """As ``TransformSource.lookup``."""
        if fixed is None:
            return self._at(target, source, target_stamp_ns)
        before = self._at(fixed, source, source_stamp_ns)
        return self._at(target, fixed, target_stamp_ns) @ before

    def _at(self, target: str, source: str, stamp_ns: int) -> Floats:
        """T(target <- source) at one stamp, through their nearest common ancestor."""
        target, source = target.lstrip("/"), source.lstrip("/")
        up_target, up_source = self._ancestors(target), self._ancestors(source)
        common = next((name for name in up_source if name in up_target), None)
        if common is None:
            known = ", ".join(sorted(self._edges)) or "none"
            raise TransformError(
                f"no transform from {source!r} to {target!r}: they are not connected (frames "
                f"with a parent: {known})"
            )
        rise = self._rise(source, common, stamp_ns)
        return np.asarray(np.linalg.inv(self._rise(target, common, stamp_ns)) @ rise)

    def _ancestors(self, frame: str) -> list[str]:
        found = [frame]
        while found[-1] in self._edges:
            parent = self._edges[found[-1]].parent
            if parent in found:
                raise TransformError(f"frames {' -> '.join([*found, parent])} form a loop")
            found.append(parent)
        return found

    def _rise(self, frame: str, ancestor: str, stamp_ns: int) -> Floats:
        """T(ancestor <- frame)."""
        matrix = np.eye(4)
        while frame != ancestor:
            edge = self._edges[frame]
            matrix = _interpolated(frame, edge, stamp_ns) @ matrix
            frame = edge.parent
        return matrix


def _interpolated(child: str, edge: _Edge, stamp_ns: int) -> Floats:
    """T(parent <- child) at a stamp."""
    if edge.static:
        return pose_matrix(*edge.poses[0])
    first, last = edge.stamps[0], edge.stamps[-1]
    if not first <= stamp_ns <= last:
        away = (stamp_ns - last) * 1e-9 if stamp_ns > last else (stamp_ns - first) * 1e-9
        kind = FutureTransformError if stamp_ns > last else TransformError
        raise kind(
            f"transform {edge.parent!r} -> {child!r} is asked for {away:+.3f} s from what is "
            f"known of it ({(last - first) * 1e-9:.3f} s long)"
        )
    at = bisect_right(edge.stamps, stamp_ns)
    if edge.stamps[at - 1] == stamp_ns:
        return pose_matrix(*edge.poses[at - 1])
    share = (stamp_ns - edge.stamps[at - 1]) / (edge.stamps[at] - edge.stamps[at - 1])
    (place_a, turn_a), (place_b, turn_b) = edge.poses[at - 1], edge.poses[at]
    return pose_matrix((1 - share) * place_a + share * place_b, slerp(turn_a, turn_b, share))


def slerp(a: Floats, b: Floats, share: float) -> Floats:
    """Interpolate unit quaternions (x y z w) along the shorter arc."""
    cosine = float(a @ b)
    if cosine < 0:
        b, cosine = -b, -cosine
    if cosine > 1.0 - 1e-10:
        mixed = (1 - share) * a + share * b
        return np.asarray(mixed / np.linalg.norm(mixed))
    angle = float(np.arccos(min(cosine, 1.0)))
    return np.asarray(
        (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)
    )


def pose_matrix(translation: Floats, rotation: Floats) -> Floats:
    """The (4, 4) of a translation [m] and a unit quaternion x y z w."""
    x, y, z, w = rotation
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, 3] = translation
    return matrix
