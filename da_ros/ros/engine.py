"""What the inference thread does with a frame: camera_info, pipeline, publishing, counting."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from da_ros.conversions import header_of
from da_ros.errors import DaRosError, DeviceError
from da_ros.network.device import is_out_of_memory
from da_ros.params import DepthNodeParams
from da_ros.pipeline import DepthPipeline, ImageInput, PackedFrame
from da_ros.ros.bridge import ImageBridge
from da_ros.ros.calibration import CalibrationRun
from da_ros.ros.camera import Camera
from da_ros.ros.camera_info import Match
from da_ros.ros.camera_scale import scale_words
from da_ros.ros.frame_statistics import FrameStatistics, FrameTimes
from da_ros.ros.notices import Notices
from da_ros.ros.outputs import Outputs


@dataclass(frozen=True, eq=False)
class Arrival:
    """An image that has come.

    Attributes:
        camera: From where.
        image: The message.
        at: When, ``time.perf_counter()`` [s].
        keep_alive: Worked on even if nobody subscribes.
    """

    camera: Camera
    image: Any
    at: float
    keep_alive: bool = False


class Engine:
    """Works on one frame after the other; nothing that a frame does ends it.

    Attributes:
        pipeline: With the network.
        params: May be replaced between frames.
        run: A calibration under way, which wants frames even if nobody subscribes.
    """

    def __init__(
        self,
        pipeline: DepthPipeline,
        params: DepthNodeParams,
        outputs: Outputs,
        counts: FrameStatistics,
        notices: Notices,
        log: Callable[[str], None],
    ) -> None:
        self.pipeline = pipeline
        self.params = params
        self._outputs = outputs
        self._counts, self._notices, self._log = counts, notices, log
        self.run: CalibrationRun | None = None
        self._bridge = ImageBridge.find(notices)

    def replace_params(self, params: DepthNodeParams) -> None:
        """Take new values of dynamic parameters from the next frame on."""
        self.params = params
        self.pipeline.params = params

    def work(self, arrival: Arrival) -> None:
        """Do one frame. Whatever goes wrong is counted and said, never raised."""
        try:
            self._work(arrival)
        except DaRosError as error:
            self._drop("bad image", error)
        except Exception as error:  # a bug; the next frame must still be worked on
            if self._outputs.are_gone:
                return  # a signal came while the frame was being published
            if is_out_of_memory(error):
                self._drop("device", DeviceError(f"not enough memory beside the network: {error}"))
                return
            self._counts.dropped("internal error")
            self._notices.seldom(
                "output: internal error", f"image dropped: {error!r}", traceback.format_exc()
            )

    def _work(self, arrival: Arrival) -> None:
        taken = time.perf_counter()
        wanted = self._outputs.wanted()
        run = self.run
        if not self.pipeline.wanted(wanted) and not arrival.keep_alive and run is None:
            self._counts.dropped("no subscriber")
            return
        camera, header = arrival.camera, header_of(arrival.image)
        camera.note_header(header, self.params.camera)
        match = camera.info_for(header, self.params.node.camera_info_wait)
        evidence = camera.evidence_for(header, self.params.scale_node.wait)
        # What is known of the scale is latched: who comes later must find it.
        outputs = wanted | {"scale"}
        image = self._bridge.readable(arrival.image)
        given = ImageInput(image, match.info, camera.stream, outputs, evidence)
        done = self._attempt(given)
        if isinstance(done, DaRosError):
            self._drop("device" if isinstance(done, DeviceError) else "bad image", done)
            return
        start = time.perf_counter()
        self._outputs.publish(done)
        end = time.perf_counter()
        self._note_camera(match, done)
        self._note_scale(camera, done)
        if run is not None:
            run.add(done)
        self._counts.finished(
            FrameTimes(
                stages=done.times,
                queued_ms=1000.0 * (taken - arrival.at),
                waited_ms=match.waited_ms,
                publish_ms=1000.0 * (end - start),
                total_ms=1000.0 * (end - arrival.at),
            )
        )

    def _attempt(self, given: ImageInput) -> PackedFrame | DaRosError:
        """Run the pipeline; if the device or the network fails, once more with memory freed."""
        scale = given.stream.scale
        before = None if scale is None else scale.state()
        made, fault = self._once(given)
        if made is not None:
            return made
        free_memory(self.pipeline.estimator.device)
        if scale is not None and before is not None:
            scale.restore(before)  # the frame must not be observed twice
        done = self.pipeline.run([given])[0]
        if not isinstance(done, DaRosError):
            self._notices.seldom("output: repeated", f"a frame needed a second attempt: {fault}")
        return done

    def _once(self, given: ImageInput) -> tuple[PackedFrame | DaRosError | None, str]:
        """Run the pipeline, or say in words what failed.

        The exception dies here: it holds what the failed attempt had in hand, which would be
        missing in the second.
        """
        try:
            done = self.pipeline.run([given])[0]
        except Exception as error:
            return None, str(error)
        return (None, str(done)) if isinstance(done, DeviceError) else (done, "")

    def note_let_go(self, count: int) -> None:
        """Count images that waited when work was stopped."""
        for _ in range(count):
            self._counts.dropped("let go when stopped")

    def _drop(self, reason: str, error: DaRosError) -> None:
        self._counts.dropped(reason)
        self._notices.seldom(f"output: {reason}", f"image dropped: {error}")

    def _note_camera(self, match: Match, done: PackedFrame) -> None:
        if done.note:
            self._notices.seldom(
                "camera: info", f"depth without a cloud: {match.note or done.note}"
            )
        elif match.info is not None and done.camera_note:
            self._notices.seldom(
                "camera: info", f"camera_info is not used, nor rectified by: {done.camera_note}"
            )
        else:
            self._notices.over("camera: info")

    def _note_scale(self, camera: Camera, done: PackedFrame) -> None:
        """Say once a change of the scale's state, and seldom why evidence is refused."""
        if camera.scale is None or done.calibration is None:
            return
        before, _ = camera.scale.look()
        camera.scale.note(done.calibration)
        state = done.calibration.estimate.state
        if before is None or before.estimate.state is not state:
            self._log(f"scale: {scale_words(done.calibration)}")
        refusal = done.calibration.refusal
        if refusal:
            self._notices.seldom("scale: refusal", f"scale: refused: {refusal}")
        elif done.calibration.reports:
            self._notices.over("scale: refusal")


def free_memory(device: torch.device) -> None:
    """Give back what is only kept for reuse."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
