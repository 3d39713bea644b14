"""Lanes: several batches in the network at once, each with its share of the processor's threads.

Threads that compute one image together wait for each other at every layer, so whatever takes a
core from one of them for a moment (decoding, packing, writing) stops them all. Lanes do not wait
for each other. They add throughput, not speed of a single image: for recordings, not for robots.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from da_ros.errors import ParameterError

if TYPE_CHECKING:
    from da_ros.pipeline import Estimator

MOST_LANES = 4
"""Of an automatic choice: each lane holds a batch's activations in memory."""


def choose_lanes(asked: int, estimator: Estimator) -> int:
    """How many batches may be in the network at once.

    Args:
        asked: So many; 0 takes one a thread, up to ``MOST_LANES``, where that is possible.
        estimator: On a GPU, or compiled, it takes one batch at a time.

    Raises:
        ParameterError: If that many cannot be.
    """
    threads = torch.get_num_threads()
    most = threads if estimator.takes_several else 1
    if asked < 0 or asked > most:
        why = f"there are {most} threads" if estimator.takes_several else "on a GPU, or compiled"
        raise ParameterError(f"lanes: expected 0 (automatic) to {most} ({why}), got {asked}")
    return asked or min(most, MOST_LANES)


@contextmanager
def threads_in_lanes(lanes: int) -> Iterator[None]:
    """Give each lane's network its share of the threads, while this lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // lanes))
    try:
        yield
    finally:
        torch.set_num_threads(before)
