"""Scenes written by several processes at once, each with shards of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path

import torch
from tqdm import tqdm

from da_ros.errors import DaRosError
from da_ros.training.data import ShardSpec, shard_path, write_shard
from da_ros.training.scenes.textures import make_atlas

TOGETHER_ON_GPU = 32  # scenes rendered at once
# 16 cores beside an H100 wrote 55 scenes/s, the H100 fed by one process 40, since it waits for
# launches, and by eight, that take turns, 59.
CORES_LIKE_A_GPU = 12
LOOK_EVERY = 0.2  # [s] between two looks at how far the processes are


@dataclass(frozen=True)
class Task:
    """One shard to write.

    Attributes:
        folder: Where it goes.
        number: Which one.
        spec: Sizes and seeds.
    """

    folder: Path
    number: int
    spec: ShardSpec

    @property
    def done(self) -> bool:
        """Whether it is there."""
        return shard_path(self.folder, self.number).exists()


def write_shards(
    tasks: Sequence[Task], device: torch.device, workers: int, end: float = float("inf")
) -> bool:
    """Write what is missing of some shards, with a progress bar.

    Args:
        tasks: In the order in which they should come to be; those that are there cost nothing.
        device: Where they may be rendered; a GPU is left alone where there are workers enough.
        workers: Processes on the CPU, one thread each; 1 writes in this process, and a GPU is fed
            by this process too. On a CPU a shard is the same from any number of them.
        end: When no further shard is begun, on ``time.monotonic``'s clock [s].

    Returns:
        Whether all are there; False where time ran out.

    Raises:
        DaRosError: If a process died. Whole shards stay.
    """
    missing = [task for task in tasks if not task.done]
    if not missing:
        return True
    workers = min(workers, len(missing))
    on_gpu = device.type != "cpu" and workers < CORES_LIKE_A_GPU
    there = len(tasks) - len(missing)
    with tqdm(total=len(tasks), initial=there, desc="scenes", unit="shard") as bar:
        if workers > 1 and not on_gpu:
            _write_in_processes(missing, workers, end, bar)
        else:
            for _ in _written(missing, device, end):
                bar.update()
    return all(task.done for task in missing)


def _written(tasks: Sequence[Task], device: torch.device, end: float) -> Iterator[Path]:
    """Write one after the other, in this process."""
    if time.monotonic() > end:
        return
    together = TOGETHER_ON_GPU if device.type == "cuda" else 1
    atlas = make_atlas(photos=True, device=device)
    for task in tasks:
        if time.monotonic() > end:
            return
        yield write_shard(task.folder, task.number, task.spec, atlas, together)


def _write_in_processes(tasks: Sequence[Task], workers: int, end: float, bar: tqdm[None]) -> None:
    """Share the tasks out, and show how far they are until all processes have ended."""
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    shares = [list(tasks[k::workers]) for k in range(workers)]
    processes = [
        context.Process(target=_write_share, args=(share, end, os.getpid()), daemon=True)
        for share in shares
    ]
    before = bar.n
    try:
        for process in processes:
            process.start()
        while any(process.is_alive() for process in processes):
            _refuse_the_dead(processes)
            time.sleep(LOOK_EVERY)
            if more := before + sum(task.done for task in tasks) - bar.n:
                bar.update(more)
        _refuse_the_dead(processes)
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
            if process.pid is not None:
                process.join()


def _refuse_the_dead(processes: Sequence[SpawnProcess]) -> None:
    codes = [process.exitcode for process in processes if process.exitcode]
    if codes:
        raise DaRosError(
            f"a process that writes training scenes ended with exit code {codes[0]}"
            " (-9: killed, often for want of memory); what it wrote stays: call again, with fewer"
            " --workers if memory was short"
        )


def _write_share(tasks: Sequence[Task], end: float, parent: int) -> None:
    """What each process does; it ends by itself when the one that started it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    torch.set_num_threads(1)
    for _ in _written(tasks, torch.device("cpu"), end):
        if os.getppid() != parent:
            return
