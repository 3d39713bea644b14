"""What stands between configure and cleanup: the network has run before the first image comes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import rclpy
from ramp_estimator import ramp_estimator
from rclpy.lifecycle import LifecycleNode

from da_ros.network.estimator import DepthEstimator
from da_ros.params import DepthNodeParams
from da_ros.ros.frame_statistics import FrameStatistics
from da_ros.ros.notices import Notices
from da_ros.ros.session import Session
from da_ros.types import Kind


@pytest.fixture
def node() -> Iterator[Any]:
    context = rclpy.Context()
    rclpy.init(context=context)
    made = LifecycleNode(f"session_{os.getpid()}", context=context)
    yield made
    made.destroy_node()
    context.try_shutdown()


class TestOpen:
    def test_the_network_has_run_at_the_cameras_size(
        self, node: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once to warm up, and once timed, since ``device`` is auto on a CPU."""
        shapes: list[tuple[int, ...]] = []
        run = DepthEstimator.infer

        def counted(self: DepthEstimator, batch: Any) -> Any:
            shapes.append(tuple(batch.shape))
            return run(self, batch)

        monkeypatch.setattr(DepthEstimator, "infer", counted)
        params = DepthNodeParams().with_values({"warm_up_width": 320, "warm_up_height": 160})
        session = Session.open(
            node,
            params,
            lambda model: ramp_estimator(Kind.METRIC_DEPTH),
            FrameStatistics(),
            Notices(print),
        )
        try:
            assert shapes == [(1, 3, 70, 140)] * 2
        finally:
            session.close()
