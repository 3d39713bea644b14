from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from da_ros.ros.qos import misfit, mismatches, output_profile, profile_for, words_of

AUTO = {"history": "keep_last", "depth": 1, "reliability": "auto", "durability": "auto"}


def offer(reliable: bool, latched: bool = False, name: str = "driver") -> Any:
    profile = QoSProfile(
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
    return SimpleNamespace(qos_profile=profile, node_name=name)


class TestProfileFor:
    @pytest.mark.parametrize(
        ("offers", "words"),
        [
            ([], "best effort, volatile, keep last 1"),
            ([offer(True)], "reliable, volatile, keep last 1"),
            ([offer(True), offer(False)], "best effort, volatile, keep last 1"),
            ([offer(True, True)], "reliable, transient local, keep last 1"),
            ([offer(True, True), offer(True)], "reliable, volatile, keep last 1"),
        ],
    )
    def test_auto_is_the_most_that_all_offer(self, offers: list[Any], words: str) -> None:
        assert words_of(profile_for(AUTO, offers)) == words

    @pytest.mark.parametrize("reliability", ["reliable", "best_effort"])
    def test_what_is_named_stays(self, reliability: str) -> None:
        for offers in ([], [offer(True)], [offer(False)]):
            profile = profile_for(AUTO | {"reliability": reliability, "depth": 3}, offers)
            assert profile.reliability == ReliabilityPolicy[reliability.upper()]
            assert (profile.depth, profile.history) == (3, HistoryPolicy.KEEP_LAST)

    @pytest.mark.parametrize("offers", [[offer(True)], [offer(False, True)], [offer(True, True)]])
    def test_auto_always_hears_everybody(self, offers: list[Any]) -> None:
        profile = profile_for(AUTO, offers)
        assert [misfit(one.qos_profile, profile) for one in offers] == [""]


class TestMisfit:
    def test_outputs_reach_reliable_and_best_effort_subscribers(self) -> None:
        for reliable in (True, False):
            assert misfit(output_profile(), offer(reliable).qos_profile) == ""

    def test_says_which_policy(self) -> None:
        assert "reliable and is offered best effort" in misfit(
            offer(False).qos_profile, offer(True).qos_profile
        )
        assert mismatches(
            "/points", output_profile(), [offer(True), offer(True, True, "rviz")]
        ) == ["rviz does not hear /points: it asks for transient local and is offered volatile"]
