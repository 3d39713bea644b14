"""Stages side by side: while one batch is in the network, the next is read and the last packed."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any


class StageLine:
    """A row of functions, each with threads of its own, that batches pass in order.

    Use it as a context manager. What a stage raises comes out of :meth:`finished`.

    Attributes:
        ahead: Batches under way at once: one per thread, so that memory stays flat.
        busy: Seconds that each stage has worked, all its threads together.
    """

    def __init__(self, *stages: Callable[[Any], Any], widths: Sequence[int] = ()) -> None:
        """Set up.

        Args:
            stages: Each takes what the one before it returned.
            widths: Threads of each stage; empty is one each. A stage with several must not
                depend on the order of its batches; they leave it in order all the same.
        """
        widths = tuple(widths) or (1,) * len(stages)
        self.ahead = sum(widths)
        self.busy = [0.0] * len(stages)
        self._counting = threading.Lock()
        self._stages = [self._timed(place, stage) for place, stage in enumerate(stages)]
        self._threads = [
            ThreadPoolExecutor(width) for _, width in zip(stages, widths, strict=True)
        ]
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
        """A stage that adds up its time."""

        def work(batch: Any) -> Any:
            start = time.perf_counter()
            made = stage(batch)
            spent = time.perf_counter() - start
            with self._counting:
                self.busy[place] += spent
            return made

        return work

    def submit(self, batch: Any) -> None:
        """Send a batch on its way."""
        future: Future[Any] = self._threads[0].submit(self._stages[0], batch)
        for stage, thread in zip(self._stages[1:], self._threads[1:], strict=True):
            # Threads take batches in order: waiting here for the stage before holds nobody up.
            future = thread.submit(lambda do, before: do(before.result()), stage, future)
        self._under_way.append(future)

    def finished(self, *, all_of_them: bool = False) -> Iterator[Any]:
        """Take out the oldest batches, in order, waiting for them, while too many are under way.

        When a batch comes out depends on how many went in, never on how fast they were, so that
        a bag written from them is the same each time, byte for byte.

        Args:
            all_of_them: Wait for every batch.
        """
        while len(self._under_way) > (0 if all_of_them else self.ahead):
            yield self._under_way.popleft().result()
