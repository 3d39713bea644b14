"""The inference thread's work on one frame; the rest of it is tested over DDS."""

from __future__ import annotations

import weakref
from types import SimpleNamespace
from typing import Any

import torch

from da_ros.errors import DeviceError
from da_ros.params import DepthNodeParams
from da_ros.pipeline import ImageInput, Stream
from da_ros.ros import engine
from da_ros.ros.engine import Engine, free_memory
from da_ros.ros.frame_statistics import FrameStatistics
from da_ros.ros.notices import Notices

GIVEN = ImageInput(None, None, Stream("/cam"), frozenset())


class InHand:
    """What an attempt has in memory when it fails."""


class FailsOnce:
    """A pipeline whose first attempt runs out of memory with something in hand."""

    def __init__(self, error: type[Exception] | None) -> None:
        self.estimator = SimpleNamespace(device=torch.device("cpu"))
        self.error, self.calls = error, 0
        self.still_there: bool | None = None
        self._held: Any = None

    def run(self, inputs: list[ImageInput]) -> list[Any]:
        self.calls += 1
        if self.calls > 1:
            self.still_there = self._held() is not None
            return ["done"]
        in_hand = InHand()
        self._held = weakref.ref(in_hand)
        if self.error is None:
            return [DeviceError("not enough memory")]
        raise self.error("planted")


def made(pipeline: Any) -> tuple[Engine, FrameStatistics, list[str]]:
    counts, log = FrameStatistics(), list[str]()
    outputs: Any = None
    notices = Notices(log.append)
    return Engine(pipeline, DepthNodeParams(), outputs, counts, notices, print), counts, log


class TestAttempt:
    def test_the_second_one_does_not_carry_what_the_first_had_in_hand(self) -> None:
        for error in (None, RuntimeError, MemoryError):
            pipeline = FailsOnce(error)
            working, _, log = made(pipeline)
            assert working._attempt(GIVEN) == "done"
            assert pipeline.calls == 2
            assert pipeline.still_there is False
            assert log[0].startswith("a frame needed a second attempt: ")


class TestLetGo:
    def test_images_that_waited_when_work_was_stopped_are_counted(self) -> None:
        working, counts, _ = made(FailsOnce(None))
        working.note_let_go(2)
        working.note_let_go(1)
        assert counts.counts()["dropped: let go when stopped"] == 3


class TestFreeMemory:
    def test_a_gpu_s_cache_is_given_back(self, monkeypatch: Any) -> None:
        """A stand-in says that there is a GPU; the node has not run on one yet."""
        alive: list[Any] = []
        monkeypatch.setattr(engine.torch.cuda, "empty_cache", lambda: alive.append(knot()))
        free_memory(torch.device("cpu"))
        assert alive == []
        tied: Any = InHand()
        tied.itself = tied  # only the garbage collector gets it
        knot = weakref.ref(tied)
        del tied
        free_memory(torch.device("cuda", 0))
        assert alive == [None], "emptied once, after what held the memory is gone"
