"""CUDA graphs: a network's kernels recorded once per input shape and replayed in one launch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

WARM_UP_RUNS = 2
"""Runs before the recording, in which libraries choose their algorithms and allocate."""


@dataclass(frozen=True, eq=False)
class Recording:
    """One recorded shape: write ``given``, replay, read ``made``."""

    graph: Any
    given: Tensor
    made: Tensor


class GraphedNetwork:
    """Calls a function, and replays it for the shapes that were recorded.

    Args:
        run: (B, 3, h, w) -> (B, h', w'), free of synchronisation and of choices by value.
    """

    def __init__(self, run: Callable[[Tensor], Tensor]) -> None:
        self._run = run
        self._recordings: dict[tuple[int, ...], Recording] = {}

    def record(self, shape: tuple[int, ...], device: torch.device) -> None:
        """Record one shape on a CUDA device; at the load, never at a frame."""
        if shape in self._recordings:
            return
        given = torch.zeros(shape, device=device)
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                self._run(given)
        torch.cuda.current_stream(device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the GPU meanwhile (an image on its way up); that is no fault.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            made = self._run(given)
        self._recordings[shape] = Recording(graph, given, made)

    def __call__(self, batch: Tensor) -> Tensor:
        """Replay if the shape was recorded, else run; the result is the caller's own."""
        recording = self._recordings.get(tuple(batch.shape))
        if recording is None:
            return self._run(batch).clone()
        recording.given.copy_(batch)
        recording.graph.replay()
        return recording.made.clone()

    def clear(self) -> bool:
        """Drop every recording and its memory; return whether there was any."""
        recordings, self._recordings = self._recordings, {}
        return bool(recordings)
