"""The scale of one camera of the node: its sources, its transforms, and how it stands."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rclpy.node import Node

from da_ros.params import DepthNodeParams
from da_ros.pipeline import Evidence, StreamScale
from da_ros.pipeline.mounting import MountingWatch
from da_ros.pipeline.packing import sigma_5m
from da_ros.ros.evidence import EvidenceInput
from da_ros.ros.qos import AutoSubscription
from da_ros.ros.tf import Feed, PatientTransforms, open_feed
from da_ros.scale.calibrator import Calibration, SourceReport
from da_ros.scale.extrinsic import MountingCheck
from da_ros.types import Header, ModelInfo

_MOUNTING_FRAMES = 5
"""So many frames are late by a look (0.1 s on a PC); single looks are wrong in some of 100."""


class CameraScale:
    """Subscribes while it lives.

    Attributes:
        stream: For the pipeline.
        inputs: Depth images and clouds.
    """

    def __init__(
        self, node: Node, stream: StreamScale, inputs: EvidenceInput, feed: Feed | None
    ) -> None:
        self.stream, self.inputs = stream, inputs
        self._feed = feed
        self._lock = threading.Lock()
        self._last: Calibration | None = None
        self._reports: dict[str, SourceReport] = {}
        self._disagreement = 0.0
        self.watch_mounting()

    @classmethod
    def open(
        cls, node: Node, model: ModelInfo, params: Callable[[], DepthNodeParams]
    ) -> CameraScale | None:
        """Subscribe.

        Args:
            node: To subscribe with.
            model: Whose numbers they are.
            params: Says them as they are now.

        Returns:
            None if no source is switched on.

        Raises:
            InputError: If the saved calibration is none of this model.
        """
        scale = params().scale
        needs_tf = scale.point_cloud and scale.fixed_pose is None
        needs_tf = needs_tf or (scale.ground_plane and bool(scale.base_frame))
        if not scale.sources:
            return None
        feed = open_feed(node) if needs_tf else None
        patient = feed and PatientTransforms(feed, lambda: params().scale_node.wait)
        try:
            stream = StreamScale.of(model, scale, patient)
        except BaseException:
            if feed is not None:
                feed.close()
            raise
        assert stream is not None, "there are sources"
        return cls(node, stream, EvidenceInput(node, scale), feed)

    @property
    def subscriptions(self) -> list[AutoSubscription]:
        """All of them, to be refreshed."""
        return list(self.inputs.subscriptions)

    def evidence_for(self, header: Header, wait_s: float) -> tuple[Evidence, ...]:
        """Find what was measured at an image; for the worker's thread."""
        return self.inputs.box.match(header.stamp_ns, wait_s)

    def watch_mounting(self) -> None:
        """Look anew whether the cloud is where its TF says."""
        self.stream.watch = MountingWatch(_MOUNTING_FRAMES)

    @property
    def mounting(self) -> MountingCheck | None:
        """What the last looks at it say; None before the first, and without clouds."""
        return self.stream.watch.found if self.stream.watch is not None else None

    @property
    def disagreement(self) -> float:
        """Chi-square per degree of freedom where several sources spoke last; 0 if none did."""
        return self._disagreement

    def note(self, calibration: Calibration) -> None:
        """Remember how the scale of the last frame came about."""
        with self._lock:
            self._last = calibration
            # Of one source it is 0, and says nothing of what two said before.
            self._disagreement = calibration.disagreement or self._disagreement
            self._reports |= {report.source: report for report in calibration.reports}

    def look(self) -> tuple[Calibration | None, dict[str, SourceReport]]:
        """The last frame's scale, and the last report of each source; for any thread."""
        with self._lock:
            return self._last, dict(self._reports)

    def forget(self) -> None:
        """Let it start anew; the stream itself is reset by who owns it."""
        with self._lock:
            self._last, self._reports, self._disagreement = None, {}, 0.0
        self.watch_mounting()

    def start_anew(self) -> None:
        """Stamps went back."""
        self.forget()
        if self._feed is not None:
            self._feed.clear()

    def close(self) -> None:
        """Unsubscribe."""
        self.inputs.close()
        if self._feed is not None:
            self._feed.close()


def scale_words(calibration: Calibration | None) -> str:
    """How a scale stands, in words."""
    if calibration is None:
        return "no frame yet"
    estimate = calibration.estimate
    if estimate.transform is None:
        why = calibration.refusal or calibration.note
        return f"{estimate.state}: no metres" + (f"; {why}" if why else "")
    sources = ", ".join(calibration.basis.sources)
    return (
        f"{estimate.state} by {sources}, {estimate.age:.2f} s ago; 5 m is known to "
        f"{sigma_5m(calibration):.2f} m"
    )
