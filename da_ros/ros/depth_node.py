"""The node ``da_ros``: camera topics in, depth and clouds out; states, services, parameters."""

from __future__ import annotations

import gc
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import uninstall_signal_handlers
from std_srvs.srv import SetBool

from da_ros.errors import DaRosError
from da_ros.memory import give_back, keep_freed_memory
from da_ros.params import DepthNodeParams, ModelParams
from da_ros.ros import status
from da_ros.ros.declare import NodeParameters
from da_ros.ros.diagnostics import Heartbeat, Status
from da_ros.ros.frame_statistics import FrameStatistics
from da_ros.ros.interrupts import ignore_signals, interrupted, interruptible, take_signals
from da_ros.ros.notices import Notices
from da_ros.ros.rate_limit import RateLimit
from da_ros.ros.scale_services import ScaleServices

if TYPE_CHECKING:
    from da_ros.network.estimator import DepthEstimator
    from da_ros.ros.camera import Camera
    from da_ros.ros.session import Session

    Load = Callable[[ModelParams], DepthEstimator]

NAME = "da_ros"
REFRESH_S = 0.5
"""How often the publishers of the inputs are looked at."""
_DEACTIVATED = "the node was deactivated"


class DepthNode(LifecycleNode):  # type: ignore[misc]  # rclpy has no types
    """configure loads and warms up, activate subscribes, deactivate stops, cleanup frees.

    Args:
        load: Loads the network; by default ``DepthEstimator.load``.
        options: Of ``rclpy.node.Node``.
    """

    def __init__(self, load: Load | None = None, **options: Any) -> None:
        super().__init__(NAME, **options)
        self._load = load
        self._phase = "unconfigured"
        self._fault = ""
        self._enabled = True
        self._session: Session | None = None
        self._camera: Camera | None = None
        self._activated_at = 0.0
        self._counts = FrameStatistics()
        self._notices = Notices(self.get_logger().warning)
        self._limit, self._keep_alive = RateLimit(), RateLimit()
        self._declared = NodeParameters(self, lambda: self._session is not None, self._accept)
        self._enable = self.create_service(SetBool, "~/enable", self._on_enable)
        self._scale = ScaleServices(self, self._active)
        # Timers of the node's own clock stand still with use_sim_time and no /clock.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._refresh = self.create_timer(REFRESH_S, self._on_refresh, clock=self._steady)
        self._start = self.create_timer(0.0, self._on_start, clock=self._steady)
        self._heartbeat = Heartbeat(self, self._statuses)

    def close(self) -> None:
        """End all threads; the node can only be destroyed afterwards."""
        self._heartbeat.close()
        self._stop()
        self._release()

    # --- Transitions ---------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, load the weights, warm up."""
        return self._transition("configure", self._configure, self._release, "inactive")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        super().on_activate(state)
        return self._transition("activate", self._activate, self._stop, "active")

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and finish the frame in work."""
        done = self._transition("deactivate", self._deactivate, None, "inactive")
        super().on_deactivate(state)
        return done

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the network."""
        return self._transition("cleanup", self._release, None, "unconfigured")

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free, from any state."""

        def both() -> None:
            self._stop()
            self._release()

        return self._transition("shutdown", both, None, "finalized")

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to the beginning."""
        self._stop()
        self._release()
        self._phase = "unconfigured"
        return TransitionCallbackReturn.SUCCESS

    def _transition(
        self,
        name: str,
        do: Callable[[], None],
        undo: Callable[[], None] | None,
        reached: str,
    ) -> TransitionCallbackReturn:
        """Do it; rclpy would swallow an exception without a word."""
        before, self._phase = self._phase, f"{name}..."
        try:
            do()
        except Exception as error:
            if interrupted():
                raise KeyboardInterrupt from error  # what it needed has gone with the context
            self._fault = f"{name} failed: {error}"
            known = isinstance(error, DaRosError)
            self.get_logger().error(
                self._fault if known else f"{name} failed: {traceback.format_exc()}"
            )
            if undo is not None:
                undo()
            self._phase = before
            return (
                TransitionCallbackReturn.ERROR
                if undo is None
                else TransitionCallbackReturn.FAILURE
            )
        self._fault, self._phase = "", reached
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        params = self._declared.current()
        # torch is imported here, so that the node answers (and can be stopped) at once.
        with interruptible():
            from da_ros.ros.session import Session

        self._session = Session.open(self, params, self._load, self._counts, self._notices)

    def _activate(self) -> None:
        from da_ros.ros.camera import Camera

        assert self._session is not None, "rclpy activates only what is configured"
        self._activated_at = time.monotonic()
        scale = self._session.open_scale(self)
        self._camera = Camera(
            self, self._session.params.node, self._on_image, self._notices, scale
        )
        self.get_logger().info(
            f"active: {self._camera.image_topic}, subscribed {self._camera.image_choice}; "
            f"camera_info from {self._camera.info_topic}"
        )

    def _active(self) -> tuple[Session, Camera] | None:
        if self._session is None or self._camera is None:
            return None
        return self._session, self._camera

    def _deactivate(self) -> None:
        self._stop()
        if self._session is not None:  # late listeners of ~/scale would get what holds no more
            self._session.outputs.retract_scale(_DEACTIVATED)

    def _stop(self) -> None:
        self._scale.stop(_DEACTIVATED)
        if self._camera is not None:
            self._camera.close()
            self._camera = None
        if self._session is not None:
            self._session.settle()
        self._notices.clear()

    def _release(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
        self._scale.forget()
        gc.collect()
        give_back()

    # --- What comes from outside ---------------------------------------------------------------

    def _on_start(self) -> None:
        self._start.cancel()
        try:
            autostart = self._declared.current().node.autostart
        except DaRosError:
            autostart = True  # configure says what is wrong
        if not autostart or self._phase != "unconfigured":
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()
        else:
            self.get_logger().error(
                "set it right, then configure and activate: "
                f"`ros2 lifecycle set {self.get_fully_qualified_name()} configure`"
            )

    def _on_refresh(self) -> None:
        if interrupted():
            raise KeyboardInterrupt  # the one of the signal, which a library may have lost
        self._scale.check()
        for text in self._camera.refresh() if self._camera is not None else ():
            self.get_logger().info(text)

    def _on_image(self, image: Any) -> None:
        session, camera = self._session, self._camera
        if session is None or camera is None:
            return
        self._counts.arrived()
        refusal, keep_alive = self._refusal(session)
        if refusal:
            self._counts.dropped(refusal)
        elif session.offer(camera, image, keep_alive=keep_alive):
            self._counts.dropped("replaced by a newer one")

    def _refusal(self, session: Session) -> tuple[str, bool]:
        """Why an image is not worked on (empty if it is), and whether it only keeps alive."""
        if not self._enabled:
            return "disabled", False
        node, now = session.params.node, time.monotonic()
        if session.is_wanted():
            return ("" if self._limit.admits(now, node.max_rate) else "rate limit"), False
        if node.keep_alive_rate and self._keep_alive.admits(now, node.keep_alive_rate):
            return "", True
        return "no subscriber", False

    def _on_enable(self, request: Any, response: Any) -> Any:
        self._enabled = bool(request.data)
        if not self._enabled and self._session is not None:
            self._session.settle()
        response.success = True
        response.message = "enabled" if self._enabled else "disabled: images are not worked on"
        if self._phase != "active":
            response.message += f"; the node is {self._phase}"
        return response

    def _accept(self, params: DepthNodeParams) -> None:
        if self._session is not None:
            self._session.replace_params(params)

    def _statuses(self) -> list[Status]:
        session, camera = self._session, self._camera
        found = [status.node_status(self._phase, self._enabled, self._fault)]
        if session is not None:
            found.append(status.model_status(session.estimator))
        if camera is not None:
            silent_s = time.monotonic() - self._activated_at
            found.append(
                status.input_status(camera, self._counts, self._notices, silent_s=silent_s)
            )
            found.append(status.camera_status(camera, self._notices))
            if camera.scale is not None:
                found.append(status.scale_status(camera.scale, self._notices))
        if session is not None:
            found.append(status.output_status(session.outputs, self._counts, self._notices))
        for one in found:
            self._notices.standing(one.name, one.standing)
        return found


def main(args: list[str] | None = None, load: Load | None = None) -> int:
    """Run the node until SIGINT, SIGTERM or the end of its context.

    Args:
        args: Command line; None takes ``sys.argv``.
        load: As of :class:`DepthNode`.

    Returns:
        Exit code: 0 after a clean end, 2 if the command line is wrong.
    """
    take_signals()
    keep_freed_memory()
    node: DepthNode | None = None
    executor: Any = None
    try:
        rclpy.init(args=args)
        executor = SingleThreadedExecutor()
        node = DepthNode(load)
        executor.add_node(node)
        _spin(node, executor)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception as error:
        # A signal may come in the middle of something that needs the context.
        if node is None and not interrupted():
            print(f"da_ros: error: {error}", file=sys.stderr)
            return 2
        if rclpy.ok() and not interrupted():
            raise
    finally:
        _end(node, executor)
    return 0


def _spin(node: DepthNode, executor: Any) -> None:
    """Spin on after a callback's exception: rclpy raises one for a transition that is none.

    Such as activate while unconfigured, which any client may ask for.
    """
    while rclpy.ok() and not interrupted():
        try:
            executor.spin()
        except ExternalShutdownException:
            return
        except Exception as error:
            if not rclpy.ok() or interrupted():
                return
            node.get_logger().error(f"a request failed: {error}\n{traceback.format_exc()}")


def _end(node: DepthNode | None, executor: Any) -> None:
    """In this order: a thread that publishes must not meet a destroyed node."""
    # Nor rclpy's, which wakes the executor some time after a signal, one shut down: SIGSEGV.
    ignore_signals()
    uninstall_signal_handlers()  # waits for that thread, and may hand the signals back to Python
    ignore_signals()
    if executor is not None:
        executor.shutdown()
    if node is not None:
        node.close()
        node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
