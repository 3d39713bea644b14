"""Stages side by side: while one batch is in the network, the next is read and the last packed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

AHEAD = 3
"""Batches under way at once: one per stage, so that memory stays flat."""


class StageLine:
    """A row of functions, each with a thread of its own, that batches pass in order.

    Use it as a context manager. What a stage raises comes out of :meth:`finished`.

    Attributes:
        busy: Seconds that each stage has worked.
    """

    def __init__(self, *stages: Callable[[Any], Any]) -> None:
        """Set up.

        Args:
            stages: Each takes what the one before it returned.
        """
        self.busy = [0.0] * len(stages)
        self._stages = [self._timed(place, stage) for place, stage in enumerate(stages)]
        self._threads = [ThreadPoolExecutor(1) for _ in stages]
        self._under_way: deque[Future[Any]] = deque()

    def __enter__(self) -> StageLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for thread in self._threads:
            thread.shutdown(wait=True, cancel_futures=True)

    def _timed(self, place: int, stage: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A stage that adds up its time; one thread alone calls it."""

        def work(batch: Any) -> Any:
            start = time.perf_counter()
            made = stage(batch)
            self.busy[place] += time.perf_counter() - start
            return made

        return work

    def submit(self, batch: Any) -> None:
        """Send a batch on its way."""
        future: Future[Any] = self._threads[0].submit(self._stages[0], batch)
        for stage, thread in zip(self._stages[1:], self._threads[1:], strict=True):
            # Each thread works in order: waiting here for the stage before holds nobody up.
            future = thread.submit(lambda do, before: do(before.result()), stage, future)
        self._under_way.append(future)

    def finished(self, *, all_of_them: bool = False) -> Iterator[Any]:
        """Take out the oldest batches, in order, waiting for them, while too many are under way.

        When a batch comes out depends on how many went in, never on how fast they were, so that
        a bag written from them is the same each time, byte for byte.

        Args:
            all_of_them: Wait for every batch.
        """
        while len(self._under_way) > (0 if all_of_them else AHEAD):
            yield self._under_way.popleft().result()
