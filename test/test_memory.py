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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
@pytest.mark.parametrize("all_of_it", [False, True])
def test_freed_blocks_are_kept_until_they_are_given_back(all_of_it: bool) -> None:
    script = SCRIPT % all_of_it
    made = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    taken, numbers = made.stdout.splitlines()
    full, kept, left = map(float, numbers.split())
    assert taken == "True"
    assert full > 45.0
    assert kept > 45.0, "50 blocks of 1 MB are less than a heap keeps"
    assert left < 10.0
