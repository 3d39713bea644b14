"""Puts test/support on the path, and makes the pipeline of the bag tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))


@pytest.fixture(scope="session")
def pipeline() -> Callable[..., Any]:
    """Make a pipeline with the ramp network; parameters with ``__`` for the dot."""
    from ramp_estimator import ramp_estimator

    from da_ros.params import PipelineParams
    from da_ros.pipeline import DepthPipeline
    from da_ros.types import Kind

    def make(kind: Kind = Kind.METRIC_DEPTH, **values: Any) -> DepthPipeline:
        named = {name.replace("__", "."): value for name, value in values.items()}
        params = PipelineParams().with_values(named)
        return DepthPipeline(ramp_estimator(kind), params, info_times=False)

    return make
