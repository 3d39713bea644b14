"""Memory of a process that needs blocks of megabytes, many times a second.

glibc gives freed blocks of this size back to the kernel and asks for them again with the next
message or step; each time, every page of them is mapped and cleared anew. In a process of our own
they are kept. Where there is no glibc, nothing happens.
"""

from __future__ import annotations

import ctypes
from functools import cache

MAPPED_FROM = 32 << 20
"""Blocks of this size and more are still given back at once (glibc's own upper limit) [bytes]."""
KEPT = 64 << 20
"""Freed memory that each of glibc's heaps keeps at its end [bytes]."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4  # of malloc.h


def keep_freed_memory(*, all_of_it: bool = False) -> bool:
    """Keep freed blocks for what comes next; of the whole process, so only a main calls it.

    Args:
        all_of_it: Give nothing back, however large: for training, where every step needs the same
            again. It saves a tenth of a step.

    Returns:
        Whether the allocator has taken it.
    """
    libc = _glibc()
    if libc is None:
        return False
    some = ((_M_MMAP_THRESHOLD, MAPPED_FROM), (_M_TRIM_THRESHOLD, KEPT))
    everything = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1))
    settings = everything if all_of_it else some
    return all(libc.mallopt(option, value) == 1 for option, value in settings)


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
