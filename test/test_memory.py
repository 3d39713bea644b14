"""In a process of its own, since the allocator's settings stay."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import os
from da_ros import memory

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

print(memory.keep_freed_memory(all_of_it=%s))
before = rss()
blocks = [bytearray(b"x" * (1 << 20)) for _ in range(50)]
full = rss()
blocks.clear()
kept = rss()
memory.give_back()
print(full - before, kept - before, rss() - before)
"""


IN_A_THREAD = """
import resource, statistics, threading
import torch
from da_ros import memory

%s

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def frames():
    torch.set_num_threads(1)
    counts = []
    for _ in range(60):
        before = faults()
        one = torch.full((45 << 18,), 1.0)  # 45 MB each, as small's head has them
        two = one + 1.0
        three = two + one
        counts.append(faults() - before)
    # The heap grows by a block now and then until it has found its size: the frame in the middle.
    print(statistics.median(counts[20:]))

thread = threading.Thread(target=frames)
thread.start()
thread.join()
"""


def output_of(script: str) -> list[str]:
    """What a process of its own prints."""
    words = [sys.executable, "-c", script]
    made = subprocess.run(words, capture_output=True, text=True, check=True)
    return made.stdout.splitlines()


glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")


@glibc
@pytest.mark.parametrize("all_of_it", [False, True])
def test_freed_blocks_are_kept_until_they_are_given_back(all_of_it: bool) -> None:
    taken, numbers = output_of(SCRIPT % all_of_it)
    full, kept, left = map(float, numbers.split())
    assert taken == "True"
    assert full > 45.0
    assert kept > 45.0
    assert left < 10.0


@glibc
def test_a_thread_with_large_blocks_gets_the_same_pages_again() -> None:
    (usual,) = output_of(IN_A_THREAD % "")
    (kept,) = output_of(IN_A_THREAD % "memory.keep_freed_memory()")
    assert float(usual) > 10_000
    assert float(kept) < 5_000


@glibc
def test_a_glibc_that_takes_no_such_threshold_is_told_otherwise() -> None:
    # That mallopt refuses is a stand-in: the glibc here takes it.
    refusing = """
class Old:
    def __init__(self, real):
        self.real = real
    def mallopt(self, option, value):
        return 0 if option == -3 and value > 32 << 20 else self.real.mallopt(option, value)

old = Old(memory._glibc())
memory._glibc = lambda: old
assert memory.keep_freed_memory()
"""
    (kept,) = output_of(IN_A_THREAD % refusing)
    assert float(kept) < 5_000
