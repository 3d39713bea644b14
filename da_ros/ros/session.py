"""What lives from configure to cleanup: the network, its thread, the publishers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode

from da_ros.memory import give_back
from da_ros.network.estimator import DepthEstimator
from da_ros.params import DepthNodeParams, ModelParams
from da_ros.pipeline import DepthPipeline, StreamScale
from da_ros.pipeline.depths import depth_range
from da_ros.ros.calibration import CalibrationRun
from da_ros.ros.camera import Camera
from da_ros.ros.camera_scale import CameraScale
from da_ros.ros.engine import Arrival, Engine
from da_ros.ros.frame_statistics import FrameStatistics
from da_ros.ros.interrupts import interruptible
from da_ros.ros.notices import Notices
from da_ros.ros.outputs import Outputs
from da_ros.ros.worker import NewestFrameWorker


class Session:
    """A loaded model at work.

    Attributes:
        estimator: The network.
        outputs: The publishers.
    """

    def __init__(self, estimator: DepthEstimator, outputs: Outputs, engine: Engine) -> None:
        self.estimator = estimator
        self.outputs = outputs
        self._engine = engine
        self._worker: NewestFrameWorker[Arrival] = NewestFrameWorker(engine.work)

    @classmethod
    def open(
        cls,
        node: LifecycleNode,
        params: DepthNodeParams,
        load: Callable[[ModelParams], DepthEstimator] | None,
        counts: FrameStatistics,
        notices: Notices,
    ) -> Session:
        """Load, warm up, advertise.

        Args:
            node: To publish with.
            params: All.
            load: Loads the network; None takes ``DepthEstimator.load``.
            counts: Of frames.
            notices: For what is odd.

        Raises:
            DaRosError: If anything of it cannot be done; then nothing is left over.
        """
        start = time.monotonic()
        with interruptible():
            estimator = (load or _load)(params.model)
        try:
            pipeline = DepthPipeline(estimator, params)
            with interruptible():
                _warm_up(node, estimator, params)
            estimator.say = _advise_warm_up(node)
            StreamScale.of(estimator.info, params.scale)  # refuses what can never be used
            outputs = Outputs(node, estimator.info, scaled=pipeline.is_scaled)
        except BaseException:
            estimator.close()
            raise
        if outputs.left_out:
            node.get_logger().warning(
                f"{', '.join(outputs.left_out)} not advertised: da_ros.msg is not in this "
                "installation (an editable one has no messages)"
            )
        node.get_logger().info(
            f"{estimator.info} on {estimator.device}, ready after {time.monotonic() - start:.1f} s"
        )
        log = node.get_logger().info
        engine = Engine(pipeline, params, outputs, counts, notices, log)
        return cls(estimator, outputs, engine)

    @property
    def params(self) -> DepthNodeParams:
        """As they are now."""
        return self._engine.params

    def replace_params(self, params: DepthNodeParams) -> None:
        """Take dynamic parameters from the next frame on.

        Raises:
            ParameterError: If near and far do not fit the model.
        """
        depth_range(self.estimator.info, params.depth)
        self._engine.replace_params(params)

    def is_wanted(self) -> bool:
        """Whether somebody subscribes something that can be made, or a calibration runs."""
        if self._engine.run is not None:
            return True
        return bool(self._engine.pipeline.wanted(self.outputs.wanted()))

    def open_scale(self, node: LifecycleNode) -> CameraScale | None:
        """Subscribe the sources of a camera's scale, if any are on."""
        return CameraScale.open(node, self.estimator.info, lambda: self._engine.params)

    def calibrate(self, on_end: Callable[[], None]) -> CalibrationRun:
        """Begin to gather fits of the next frames.

        Args:
            on_end: Called in any thread when there are enough, or time is over.
        """
        wanted = self.params.scale_node
        run = CalibrationRun(wanted.calibrate_frames, wanted.calibrate_timeout, on_end)
        self._engine.run = run
        return run

    def end_calibration(self) -> None:
        """Gather no more."""
        self._engine.run = None

    def reset_scale(self, camera: Camera) -> None:
        """Forget the scale; a frame in work is finished first."""
        self.settle()
        camera.stream.forget()
        if camera.scale is not None:
            camera.scale.forget()
        self.outputs.retract_scale("the scale was reset")

    def offer(self, camera: Camera, image: Any, *, keep_alive: bool) -> bool:
        """Hand an image to the inference thread; return whether it replaced one that waited."""
        arrival = Arrival(camera, image, time.perf_counter(), keep_alive)
        return self._worker.put(camera.image_topic, arrival)

    def settle(self) -> None:
        """Drop what waits and finish the frame in work."""
        self._engine.note_let_go(self._worker.clear())
        self._worker.wait_idle()

    def close(self) -> None:
        """End the thread, take the publishers away, free the network."""
        self._worker.close()
        self.outputs.close()
        self.estimator.close()


def _load(params: ModelParams) -> DepthEstimator:
    return DepthEstimator.load("", params)


def _advise_warm_up(node: LifecycleNode) -> Callable[[str], None]:
    """What the estimator has to say about images of another size than the one warmed up for."""

    def say(line: str) -> None:
        node.get_logger().warning(
            f"{line}; with warm_up_width and warm_up_height set to those of the images, no frame "
            "waits for that"
        )

    return say


def _warm_up(node: LifecycleNode, estimator: DepthEstimator, params: DepthNodeParams) -> None:
    """Let the network run, so that the first frame need not wait; say what a CPU will give."""
    height, width = params.node.warm_up_height, params.node.warm_up_width
    give_back()  # what loading needed; what the network needs is kept from here on
    estimator.warm_up(height, width)
    if estimator.device.type != "cpu" or params.model.device != "auto":
        return
    start = time.perf_counter()
    estimator.estimate(np.zeros((1, height, width, 3), np.uint8))
    took = time.perf_counter() - start
    node.get_logger().warning(
        f"device auto: no CUDA GPU, so the network runs on the CPU; expect about {1 / took:.2g} "
        f"images/s of {width} x {height} px ({1000 * took:.0f} ms each)"
    )
