"""Names of outputs and topics: each camera_info beside what it is of."""

from __future__ import annotations

import pytest

from da_ros.pipeline import topics_of
from da_ros.types import Kind

METRIC, NOMINAL = "depth/camera_info", "nominal/depth/camera_info"


class TestTopicsOf:
    @pytest.mark.parametrize(
        ("outputs", "kind", "scaled", "infos"),
        [
            ({"depth"}, Kind.METRIC_DEPTH, False, {METRIC}),
            (set(), Kind.METRIC_DEPTH, False, {METRIC}),
            ({"nominal_points"}, Kind.RELATIVE_INVERSE_DEPTH, False, {NOMINAL}),
            ({"inverse_depth"}, Kind.RELATIVE_INVERSE_DEPTH, False, {NOMINAL}),
            ({"depth", "info"}, Kind.RELATIVE_INVERSE_DEPTH, True, {METRIC}),
            ({"nominal_depth"}, Kind.RELATIVE_INVERSE_DEPTH, True, {NOMINAL}),
            ({"points", "nominal_points"}, Kind.RELATIVE_INVERSE_DEPTH, True, {METRIC, NOMINAL}),
            ({"color"}, Kind.RELATIVE_INVERSE_DEPTH, True, {METRIC, NOMINAL}),
        ],
    )
    def test_camera_info_goes_with_its_depth(
        self, outputs: set[str], kind: Kind, scaled: bool, infos: set[str]
    ) -> None:
        topics = topics_of(frozenset(outputs | {"camera_info"}), kind, scaled=scaled)
        assert {topic for topic in topics if topic.endswith("camera_info")} == infos

    def test_no_camera_info_unless_asked(self) -> None:
        topics = topics_of(frozenset({"depth", "points"}), Kind.METRIC_DEPTH)
        assert topics == ["depth/image", "points"]
