"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from da_ros.files import write_whole


class TestWriteWhole:
    def test_new_and_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "k.yaml"
        for content in (b"one", b"two"):
            write_whole(path, content)
            assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]

    def test_a_link_stays_one(self, tmp_path: Path) -> None:
        link, path = tmp_path / "link", tmp_path / "k.yaml"
        link.symlink_to(path)
        write_whole(link, b"one")
        assert link.is_symlink()
        assert path.read_bytes() == b"one"

    def test_a_full_disk_leaves_the_old_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "k.yaml"
        path.write_bytes(b"old")

        def full(number: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_whole(path, b"new")
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    def test_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            write_whole(tmp_path / "no" / "k.yaml", b"")
