"""Services of the scale: ~/calibrate, ~/save_calibration, ~/reset_scale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from da_ros.errors import DaRosError

if TYPE_CHECKING:
    from da_ros.ros.calibration import CalibrationRun
    from da_ros.ros.camera import Camera
    from da_ros.ros.session import Session
    from da_ros.scale.extrinsic import MountingCheck
    from da_ros.scale.observations.static import StaticCalibration

_NO_SOURCE = (
    "no source of scale is on: set scale.depth_image, scale.point_cloud or scale.ground_plane, "
    "and configure again"
)


class ScaleServices:
    """Answers in words; ``success`` says whether it was done.

    Args:
        node: Whose ``~/`` services they are.
        active: Says the session and the camera while the node is active, else None.
    """

    def __init__(self, node: Node, active: Callable[[], tuple[Session, Camera] | None]) -> None:
        self._node, self._active = node, active
        self._run: CalibrationRun | None = None
        self._found: StaticCalibration | None = None
        # A calibration takes seconds: its own group lets images come meanwhile.
        group = ReentrantCallbackGroup()
        self._services = [
            node.create_service(Trigger, "~/calibrate", self._on_calibrate, callback_group=group),
            node.create_service(Trigger, "~/save_calibration", self._on_save),
            node.create_service(Trigger, "~/reset_scale", self._on_reset),
        ]

    def check(self) -> None:
        """To be called now and then: a calibration without frames must end too."""
        if self._run is not None:
            self._run.check()

    def stop(self, reason: str) -> None:
        """End a calibration that is under way."""
        if self._run is not None:
            self._run.abort(reason)

    def forget(self) -> None:
        """Have nothing to save: another model or lens may come."""
        self._found = None

    async def _on_calibrate(self, request: Any, response: Any) -> Any:
        refusal = self._refusal()
        if refusal or self._run is not None:
            response.message = refusal or "a calibration is under way already"
            return response
        active = self._active()
        assert active is not None, "else it was refused"
        session, camera = active
        assert camera.scale is not None, "else it was refused"
        camera.scale.watch_mounting()
        future: Any = Future(executor=self._node.executor)
        self._run = session.calibrate(lambda: self._wake(future))
        try:
            await future
            self._answer(session, self._run, camera.scale.mounting, response)
        finally:
            session.end_calibration()
            self._run = None
        return response

    def _wake(self, future: Any) -> None:
        future.set_result(None)
        executor = self._node.executor
        if executor is not None:
            executor.wake()

    def _answer(
        self,
        session: Session,
        run: CalibrationRun,
        mounting: MountingCheck | None,
        response: Any,
    ) -> None:
        from da_ros.ros.calibration import calibration_words
        from da_ros.scale.extrinsic import mounting_words

        if run.fault:
            response.message = run.fault
            return
        static = session.params.scale.static_camera
        self._found = run.result(session.estimator.info, static_camera=static)
        response.success = True
        said = [calibration_words(self._found)]
        if mounting is not None:
            said.append(mounting_words(mounting))
        response.message = "; ".join(said)
        self._node.get_logger().info(f"calibrated: {response.message}")

    def _on_save(self, request: Any, response: Any) -> Any:
        active = self._active()
        refusal = self._refusal() or self._save_refusal(active)
        if refusal:
            response.message = refusal
            return response
        from da_ros.scale.observations.static import save_calibration

        assert active is not None, "else it was refused"
        assert self._found is not None, "else it was refused"
        path = Path(active[0].params.scale_node.save_path)
        try:
            save_calibration(self._found, path)
        except DaRosError as error:
            response.message = str(error)
            return response
        response.success = True
        response.message = f"saved to {path}: use it as scale.calibration_file"
        return response

    def _save_refusal(self, active: tuple[Session, Camera] | None) -> str:
        assert active is not None, "else it was refused"
        params = active[0].params
        if self._found is None:
            return "nothing to save: call ~/calibrate first"
        if not params.scale_node.save_path:
            return "set the parameter scale.save_path to the file that is to be written"
        if self._found.kind.value != "metric_depth" and not self._found.static_camera:
            return (
                "scale and shift of a relative model change with the scene; a saved one is good "
                "only for a camera that stands still: set scale.static_camera, if it does, and "
                "calibrate again"
            )
        return ""

    def _on_reset(self, request: Any, response: Any) -> Any:
        refusal = self._refusal()
        if refusal:
            response.message = refusal
            return response
        active = self._active()
        assert active is not None, "else it was refused"
        session, camera = active
        session.reset_scale(camera)
        self.forget()
        response.success = True
        response.message = "the scale is forgotten: metres come with the next evidence"
        return response

    def _refusal(self) -> str:
        active = self._active()
        if active is None:
            return "the node is not active"
        return "" if active[1].scale is not None else _NO_SOURCE
