"""How many batches may be in the network at once, and what each has of the threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch

from da_ros.errors import ParameterError
from da_ros.offline.lanes import MOST_LANES, choose_lanes, threads_in_lanes


@dataclass
class Sharing:
    """All that the choice asks of an estimator."""

    takes_several: bool


@pytest.fixture(params=[1, 2, 3, 8])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


class TestChooseLanes:
    def test_one_a_thread_up_to_four(self, threads: int) -> None:
        assert choose_lanes(0, Sharing(True)) == min(threads, 4) == min(threads, MOST_LANES)

    def test_one_where_the_estimator_takes_one(self, threads: int) -> None:
        assert choose_lanes(0, Sharing(False)) == choose_lanes(1, Sharing(False)) == 1

    def test_as_many_as_asked(self, threads: int) -> None:
        assert [choose_lanes(n, Sharing(True)) for n in range(1, threads + 1)] == list(
            range(1, threads + 1)
        )

    def test_what_cannot_be_is_refused(self, threads: int) -> None:
        with pytest.raises(ParameterError, match=rf"0 \(automatic\) to {threads} .*got -1"):
            choose_lanes(-1, Sharing(True))
        with pytest.raises(ParameterError, match=rf"there are {threads} threads.*got 9"):
            choose_lanes(9, Sharing(True))
        with pytest.raises(ParameterError, match=r"on a GPU, or compiled.*got 2"):
            choose_lanes(2, Sharing(False))


class TestThreadsInLanes:
    def test_each_has_its_share_and_all_come_back(self, threads: int) -> None:
        for lanes in range(1, threads + 1):
            with threads_in_lanes(lanes):
                assert torch.get_num_threads() == threads // lanes
            assert torch.get_num_threads() == threads

    def test_they_come_back_behind_an_error_too(self, threads: int) -> None:
        with pytest.raises(ZeroDivisionError), threads_in_lanes(2):
            raise ZeroDivisionError
        assert torch.get_num_threads() == threads
