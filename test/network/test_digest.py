from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.network import digest
from da_ros.network.digest import (
    cache_folder,
    cached_sha256,
    fresh_sha256,
    remember,
    remembered_sha256,
    sha256_of,
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def touched(path: Path, nanoseconds: int) -> None:
    os.utime(path, ns=(nanoseconds, nanoseconds))


class TestSha256Of:
    @settings(max_examples=30)
    @given(content=st.binary(max_size=5000))
    def test_is_hashlibs(self, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.getbasetemp() / "content"
        path.write_bytes(content)
        assert sha256_of(path) == hashlib.sha256(content).hexdigest()

    def test_tells_its_progress_to_the_end(self, tmp_path: Path) -> None:
        path = tmp_path / "big"
        path.write_bytes(bytes(2 * digest.BLOCK + 7))
        told: list[tuple[int, int]] = []
        sha256_of(path, lambda done, total: told.append((done, total)))
        total = 2 * digest.BLOCK + 7
        assert told == [(digest.BLOCK, total), (2 * digest.BLOCK, total), (total, total)]

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            sha256_of(tmp_path / "none")


class TestCachedSha256:
    def test_reads_a_file_once(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"one")
        told: list[int] = []
        first = cached_sha256(path, lambda done, total: told.append(done))
        second = cached_sha256(path, lambda done, total: told.append(done))
        assert first == second == hashlib.sha256(b"one").hexdigest()
        assert told == [3]

    def test_through_a_link_it_is_the_same_file(self, tmp_path: Path) -> None:
        path, link = tmp_path / "file", tmp_path / "link"
        path.write_bytes(b"one")
        link.symlink_to(path)
        cached_sha256(link)
        assert remembered_sha256(path) == hashlib.sha256(b"one").hexdigest()

    @pytest.mark.parametrize(("content", "later"), [(b"two!", 0), (b"two", 1)])
    def test_reads_again_after_a_change(self, tmp_path: Path, content: bytes, later: int) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"one")
        touched(path, 10**18)
        cached_sha256(path)
        path.write_bytes(content)
        touched(path, 10**18 + later)
        assert cached_sha256(path) == hashlib.sha256(content).hexdigest()

    def test_works_without_a_writable_cache(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blocked = tmp_path / "blocked"
        blocked.write_bytes(b"")  # a file where the folder should be
        monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
        path = tmp_path / "file"
        path.write_bytes(b"one")
        assert cached_sha256(path) == hashlib.sha256(b"one").hexdigest()
        assert remembered_sha256(path) is None

    @pytest.mark.parametrize("memory", ["", "[1]", "{", '{"PATH": 3}', '{"PATH": [1, 2]}', "\x00"])
    def test_a_spoilt_memory_is_no_memory(self, tmp_path: Path, memory: str) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"one")
        cache_folder().mkdir(parents=True)
        (cache_folder() / "sha256.json").write_text(memory.replace("PATH", str(path)))
        assert cached_sha256(path) == hashlib.sha256(b"one").hexdigest()
        assert remembered_sha256(path) is not None


class TestFreshSha256:
    def test_sees_what_size_and_time_do_not_show(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"one")
        touched(path, 10**18)
        before = cached_sha256(path)
        path.write_bytes(b"two")  # as rotten bits would: same size, same time
        touched(path, 10**18)
        assert cached_sha256(path) == before
        assert fresh_sha256(path) == hashlib.sha256(b"two").hexdigest()
        assert cached_sha256(path) == hashlib.sha256(b"two").hexdigest()


class TestRemember:
    def test_is_what_remembered_says(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"one")
        remember(path, "ab" * 32)
        assert remembered_sha256(path) == "ab" * 32

    def test_forgets_files_that_are_gone(self, tmp_path: Path) -> None:
        gone, here = tmp_path / "gone", tmp_path / "here"
        for path in (gone, here):
            path.write_bytes(b"x")
            cached_sha256(path)
        gone.unlink()
        here.write_bytes(b"xy")
        cached_sha256(here)
        memory = json.loads((cache_folder() / "sha256.json").read_text())
        assert list(memory) == [str(here)]
