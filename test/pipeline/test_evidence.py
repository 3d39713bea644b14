"""Which measurement belongs to which image."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from da_ros.params import ScaleParams
from da_ros.pipeline import CloudEvidence, DepthEvidence, EvidenceShelf
from da_ros.pipeline.evidence import KEPT

MS = 1_000_000
BOTH = ScaleParams(depth_image=True, point_cloud=True)


def message(at_ms: float) -> Any:
    sec, nanosec = divmod(round(at_ms * MS), 10**9)
    stamp = SimpleNamespace(sec=sec, nanosec=nanosec)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp, frame_id="x"))


def stamp_ms(made: Any) -> float:
    return float(made.header.stamp.sec * 1000 + made.header.stamp.nanosec / MS)


class TestMatch:
    def test_the_nearest_depth_image_within_the_tolerance(self) -> None:
        shelf = EvidenceShelf(BOTH)
        for at in (0, 33, 66):
            shelf.add_depth(message(at))
        (found,) = shelf.match(45 * MS)
        assert isinstance(found, DepthEvidence)
        assert stamp_ms(found.image) == 33
        assert stamp_ms(shelf.match(53 * MS)[0].image) == 66  # type: ignore[union-attr]
        assert shelf.match(87 * MS) == ()

    def test_a_source_that_is_off_gives_nothing(self) -> None:
        shelf = EvidenceShelf(ScaleParams(ground_plane=True, camera_height=1.0))
        shelf.add_depth(message(0))
        shelf.add_cloud(message(0))
        assert shelf.match(0) == ()
        assert shelf.is_complete(0)

    def test_a_cloud_is_given_once(self) -> None:
        shelf = EvidenceShelf(BOTH)
        shelf.add_cloud(message(0))
        shelf.add_cloud(message(100))
        given = [
            [stamp_ms(one.cloud) for one in shelf.match(at * MS) if isinstance(one, CloudEvidence)]
            for at in (20, 53, 86, 120)
        ]
        assert given == [[0], [], [100], []]

    @pytest.mark.parametrize("phase", range(0, 100, 7))
    def test_a_cloud_goes_to_the_image_it_belongs_to(self, phase: int) -> None:
        """As a bag is read: an image waits until a later cloud has come, or some time."""
        shelf = EvidenceShelf(ScaleParams(point_cloud=True))
        clouds = list(range(phase, 3000, 100))
        given = {}
        for number in range(60):
            at = 1000.0 * number / 30
            while clouds and not shelf.is_complete(round(at * MS)) and clouds[0] < at + 500:
                shelf.add_cloud(message(clouds.pop(0)))
            for one in shelf.match(round(at * MS)):
                assert isinstance(one, CloudEvidence)
                given[stamp_ms(one.cloud)] = at
        assert len(given) >= 19
        assert max(abs(cloud - image) for cloud, image in given.items()) < 34

    def test_the_camera_info_of_its_stamp_else_the_latest(self) -> None:
        shelf = EvidenceShelf(BOTH, depth_rectified=True)
        shelf.add_depth(message(0))
        shelf.add_depth(message(100))
        assert shelf.match(0)[0].camera_info is None  # type: ignore[union-attr]
        for at in (0, 50):
            shelf.add_depth_info(message(at))
        first, second = shelf.match(0)[0], shelf.match(100 * MS)[0]
        assert isinstance(first, DepthEvidence)
        assert isinstance(second, DepthEvidence)
        assert (stamp_ms(first.camera_info), stamp_ms(second.camera_info)) == (0, 50)
        assert first.rectified

    def test_memory_is_bounded(self) -> None:
        shelf = EvidenceShelf(BOTH)
        for number in range(KEPT + 1):
            shelf.add_depth(message(33 * number))
        assert shelf.match(0) == ()
        assert len(shelf.match(33 * MS)) == 1

    def test_stamps_that_go_back_begin_anew_and_a_little_disorder_does_not(self) -> None:
        shelf = EvidenceShelf(BOTH)
        for at in (5000, 5100, 5050):
            shelf.add_cloud(message(at))
        assert len(shelf.match(5000 * MS)) == 1
        shelf.add_cloud(message(10))
        assert shelf.match(5100 * MS) == ()
        assert len(shelf.match(0)) == 1


class TestIsComplete:
    @pytest.mark.parametrize(
        ("depths", "clouds", "complete"),
        [((), (), False), ((50,), (50,), True), ((49,), (50,), False), ((49, 60), (90,), True)],
    )
    def test_when_nothing_nearer_can_come(
        self, depths: tuple[int, ...], clouds: tuple[int, ...], complete: bool
    ) -> None:
        shelf = EvidenceShelf(BOTH)
        for at in depths:
            shelf.add_depth(message(at))
        for at in clouds:
            shelf.add_cloud(message(at))
        assert shelf.is_complete(50 * MS) == complete
