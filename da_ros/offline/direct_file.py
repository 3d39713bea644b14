"""A new file written past the page cache, where the disk lets us.

A bag with clouds grows by megabytes a frame. Through the page cache they cost a copy and fresh
pages in the kernel, at times as much of a core as the network takes, and push out everything else
that the machine has cached.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from pathlib import Path

BLOCK = 8 << 20
"""Bytes gathered before they go to the disk: whole sectors and pages of any disk."""

_DIRECT = getattr(os, "O_DIRECT", 0)
_REFUSED = frozenset({errno.EINVAL, errno.EOPNOTSUPP})
"""What a file system without O_DIRECT answers, at the switch or at the first write."""


class DirectFile:
    """What the writer of a bag needs of a binary file.

    Until ``close`` the last block is in memory only.

    Args:
        path: File to make.

    Raises:
        OSError: If it exists, or the disk refuses it; also from ``write`` and ``close``.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._path = path
        self._file = os.open(path, flags, 0o666)
        self._is_direct = False
        self._set_direct(True)
        self._block = mmap.mmap(-1, BLOCK)  # begins on a page, as O_DIRECT wants
        self._filled = self._written = 0

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append; returns how many bytes, always all."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while len(rest):
            taken = min(BLOCK - self._filled, len(rest))
            self._block[self._filled : self._filled + taken] = rest[:taken]
            self._filled += taken
            rest = rest[taken:]
            if self._filled == BLOCK:
                self._flush()
        return size

    def tell(self) -> int:
        """Bytes written so far."""
        return self._written + self._filled

    def close(self) -> None:
        """Write what is left, and close; once it is closed this does nothing."""
        if self._file < 0:
            return
        try:
            self._set_direct(False)  # what is left is no whole sector
            self._flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close without what is left: of a file that nobody will read."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._block.close()

    def _flush(self) -> None:
        with memoryview(self._block) as block:
            done = 0
            while done < self._filled:
                try:
                    done += os.write(self._file, block[done : self._filled])
                except OSError as error:
                    # Also what a full disk took a part of cannot go on in whole sectors.
                    if error.errno not in _REFUSED or not self._is_direct:
                        raise OSError(error.errno, error.strerror, str(self._path)) from error
                    self._set_direct(False)
        self._written += self._filled
        self._filled = 0

    def _set_direct(self, wanted: bool) -> None:
        """Switch O_DIRECT on, where there is such a thing, or off."""
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        flags = flags | _DIRECT if wanted else flags & ~_DIRECT
        try:
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
        else:
            self._is_direct = wanted and _DIRECT != 0
