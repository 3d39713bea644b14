"""Memory of a process that needs blocks of megabytes, many times a second.

glibc gives freed blocks of this size back to the kernel and asks for them again with the next
message, layer or step; each time, every page of them is mapped and cleared anew: 22,000 pages a
frame of ``small``, 7 % of its time. In a process of our own they are kept. Where there is no
glibc, nothing happens.
"""

from __future__ import annotations

import ctypes
from functools import cache

KEPT = 1 << 30
"""Larger blocks are given back at once, and freed memory at the heap's end beyond it [bytes]."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -3, -4, -8  # of malloc.h


def keep_freed_memory(*, all_of_it: bool = False) -> bool:
    """Keep freed blocks for what comes next; of the whole process, so only a main calls it.

    Threads that have not allocated yet will share the one heap that can hold blocks of any size:
    those of their own, which glibc would make, end at 64 MB.

    Args:
        all_of_it: Give nothing back, however large: for training, where every step needs the same
            again.

    Returns:
        Whether the allocator has taken it.
    """
    libc = _glibc()
    if libc is None or libc.mallopt(_M_ARENA_MAX, 1) != 1:
        return False
    # Older ones take no threshold beyond 32 MB, but can be told to map no block at all.
    if all_of_it or libc.mallopt(_M_MMAP_THRESHOLD, KEPT) != 1:
        return bool(libc.mallopt(_M_MMAP_MAX, 0) == libc.mallopt(_M_TRIM_THRESHOLD, -1) == 1)
    return bool(libc.mallopt(_M_TRIM_THRESHOLD, KEPT) == 1)


def give_back() -> None:
    """Return what is free to the kernel."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(ctypes.c_size_t(0))


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  # AttributeError where it is another one
    except (OSError, AttributeError):
        return None
    return library
