"""A file past the page cache holds what was written, on any disk, and says when it cannot."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from da_ros.offline import direct_file
from da_ros.offline.direct_file import BLOCK, DirectFile

MEMORY = Path("/dev/shm")
PIECES = st.lists(st.integers(0, 3 * BLOCK // 2), max_size=4)


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that repeat nowhere near a sector."""
    line = bytes((seed + 7 * i + i // 251) % 256 for i in range(65521))
    return (line * (size // len(line) + 1))[:size]


def written(path: Path, pieces: list[bytes]) -> DirectFile:
    file = DirectFile(path)
    total = 0
    for piece in pieces:
        assert file.write(piece) == len(piece)
        total += len(piece)
        assert file.tell() == total
    return file


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


class TestBytes:
    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(sizes=PIECES)
    def test_those_written_to_the_last(self, tmp_path: Path, sizes: list[int]) -> None:
        path = tmp_path / "file"
        path.unlink(missing_ok=True)
        pieces = [noise(size, seed) for seed, size in enumerate(sizes)]
        written(path, pieces).close()
        assert path.read_bytes() == b"".join(pieces)

    @pytest.mark.parametrize("size", [0, 1, 4096, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK])
    def test_around_a_block(self, tmp_path: Path, size: int) -> None:
        written(tmp_path / "file", [noise(size)]).close()
        assert (tmp_path / "file").read_bytes() == noise(size)

    def test_views_of_numbers(self, tmp_path: Path) -> None:
        import numpy as np

        values = np.arange(100_000, dtype=np.float32).reshape(100, 1000)
        file = DirectFile(tmp_path / "file")
        assert file.write(values.data) == values.nbytes
        file.close()
        assert np.array_equal(np.fromfile(tmp_path / "file", np.float32), values.ravel())

    @pytest.mark.skipif(not MEMORY.is_dir(), reason="no memory file system at /dev/shm")
    def test_in_a_memory_file_system(self) -> None:
        path = MEMORY / f"da_ros_test_{os.getpid()}"
        try:
            written(path, [noise(BLOCK + 5)]).close()
            assert path.read_bytes() == noise(BLOCK + 5)
        finally:
            path.unlink(missing_ok=True)


class TestDisksThatRefuse:
    def test_a_system_without_o_direct(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(direct_file, "_DIRECT", 0)
        written(tmp_path / "file", [noise(2 * BLOCK + 7)]).close()
        assert (tmp_path / "file").read_bytes() == noise(2 * BLOCK + 7)

    def test_at_the_switch(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = direct_file.fcntl.fcntl

        def refuse(file: int, command: int, flags: int = 0) -> int:
            if flags & getattr(os, "O_DIRECT", 0):
                raise OSError(errno.EINVAL, "no such thing here")
            return real(file, command, flags)

        monkeypatch.setattr(direct_file.fcntl, "fcntl", refuse)
        written(tmp_path / "file", [noise(BLOCK + 7)]).close()
        assert (tmp_path / "file").read_bytes() == noise(BLOCK + 7)

    @pytest.mark.parametrize("answer", [errno.EINVAL, errno.EOPNOTSUPP])
    def test_at_the_first_write(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int
    ) -> None:
        real, refused = os.write, []

        def refuse(file: int, data: memoryview) -> int:
            if not refused:
                refused.append(len(data))
                raise OSError(answer, "not past the cache")
            return real(file, data)

        monkeypatch.setattr(direct_file.os, "write", refuse)
        written(tmp_path / "file", [noise(BLOCK + 7)]).close()
        assert refused == [BLOCK]
        assert (tmp_path / "file").read_bytes() == noise(BLOCK + 7)

    def test_a_disk_that_takes_a_part(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.write
        monkeypatch.setattr(direct_file.os, "write", lambda f, data: real(f, data[:1_000_001]))
        written(tmp_path / "file", [noise(BLOCK + 7)]).close()
        assert (tmp_path / "file").read_bytes() == noise(BLOCK + 7)


class TestFaults:
    def test_a_file_that_is_there_stays(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        with pytest.raises(FileExistsError):
            DirectFile(tmp_path / "file")
        assert (tmp_path / "file").read_text() == "mine"

    def test_a_full_disk_is_said_with_the_name(self, tmp_path: Path) -> None:
        script = (
            "import resource, signal, sys\n"
            "from pathlib import Path\n"
            "from da_ros.offline.direct_file import BLOCK, DirectFile\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (BLOCK + 4096, BLOCK + 4096))\n"
            "file = DirectFile(Path(sys.argv[1]))\n"
            "try:\n"
            "    file.write(b'x' * (2 * BLOCK)); print('taken')\n"
            "except OSError as error:\n"
            "    print(error.errno, error.filename)\n"
            "file.abandon(); file.close()\n"
        )
        path = tmp_path / "file"
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [str(errno.EFBIG), str(path)]
        assert path.stat().st_size <= BLOCK + 4096

    def test_closing_twice_and_abandoning(self, tmp_path: Path) -> None:
        before = open_files()
        file = written(tmp_path / "kept", [b"abc"])
        file.close()
        file.close()
        lost = written(tmp_path / "lost", [b"abc"])
        lost.abandon()
        lost.close()
        assert (tmp_path / "kept").read_bytes() == b"abc"
        assert (tmp_path / "lost").read_bytes() == b""
        assert open_files() == before


def cached(path: Path) -> bool:
    """Whether the beginning of a file can be had without asking the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.preadv(file, [bytearray(4096)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="this system has no O_DIRECT")
def test_the_page_cache_stays_as_it_was(tmp_path: Path) -> None:
    try:
        os.close(os.open(tmp_path / "probe", os.O_WRONLY | os.O_CREAT | os.O_DIRECT))
        (tmp_path / "usual").write_bytes(noise(4096))
        assert cached(tmp_path / "usual")
    except OSError as error:
        pytest.skip(f"this disk cannot say: {error}")
    file = DirectFile(tmp_path / "file")
    file.write(noise(BLOCK))
    assert not cached(tmp_path / "file")
    file.close()
    assert (tmp_path / "file").read_bytes() == noise(BLOCK)
