from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from da_ros.ros.worker import NewestFrameWorker

PATIENCE_S = 60.0


class Bench:
    """Work that stands still until it is let go."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.worker: NewestFrameWorker[str] = NewestFrameWorker(self.work)

    def work(self, item: str) -> None:
        self.begun.release()
        assert self.go.acquire(timeout=PATIENCE_S)
        self.done.append(item)

    def start_with(self, key: str, item: str) -> None:
        self.worker.put(key, item)
        assert self.begun.acquire(timeout=PATIENCE_S)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    for _ in range(10):
        made.go.release()
    made.worker.close()


class TestNewestFrameWorker:
    def test_what_waits_is_replaced_and_said_so(self, bench: Bench) -> None:
        bench.start_with("a", "a1")
        assert [bench.worker.put("a", item) for item in ("a2", "a3", "a4")] == [False, True, True]
        for _ in range(2):
            bench.go.release()
        bench.worker.wait_idle()
        assert bench.done == ["a1", "a4"]

    def test_cameras_take_turns(self, bench: Bench) -> None:
        bench.start_with("a", "a1")
        for key, item in (("a", "a2"), ("b", "b1"), ("a", "a3"), ("c", "c1")):
            bench.worker.put(key, item)
        for _ in range(4):
            bench.go.release()
        bench.worker.wait_idle()
        assert bench.done == ["a1", "a3", "b1", "c1"]

    def test_clear_drops_what_waits_but_not_what_is_in_work(self, bench: Bench) -> None:
        bench.start_with("a", "a1")
        bench.worker.put("a", "a2")
        bench.worker.put("b", "b1")
        assert bench.worker.clear() == 2
        bench.go.release()
        bench.worker.wait_idle()
        assert bench.done == ["a1"]

    def test_close_ends_the_thread(self) -> None:
        before = threading.active_count()
        worker: NewestFrameWorker[int] = NewestFrameWorker(lambda item: None)
        worker.put("a", 1)
        worker.close()
        assert threading.active_count() == before

    def test_nothing_keeps_the_last_item(self) -> None:
        import gc
        import weakref

        class Message:
            pass

        worker: NewestFrameWorker[Message] = NewestFrameWorker(lambda item: None)
        message = Message()
        gone = weakref.ref(message)
        worker.put("a", message)
        del message
        worker.wait_idle()
        gc.collect()
        assert gone() is None
        worker.close()
