"""Downloads over real HTTP, each in a process of its own: the hub's settings are read once."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import FakeHub
from hub_user import (
    CHUNK,
    CONTENT,
    DIGEST,
    FILE,
    PATH,
    REVISION,
    Machine,
    no_file_above,
    read_all,
    wait_until,
)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeHub]:
    hub = FakeHub({PATH: CONTENT})
    yield hub
    hub.close()


@pytest.fixture
def machine(tmp_path: Path, server: FakeHub, repository: Path) -> Machine:
    server.reset()
    server.files = {PATH: CONTENT}
    return Machine(tmp_path, server, repository)


class TestHealthy:
    def test_arrives_whole_from_the_pinned_revision(self, machine: Machine) -> None:
        done = machine.fetch()
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(machine.target)
        assert machine.target.read_bytes() == CONTENT
        assert machine.hub.gets == [(PATH, None), (f"/cdn{PATH}", None)]
        assert not machine.partial.exists()
        assert "licence Apache-2.0; encoder from DINOv2" in done.stderr

    def test_a_terminal_sees_a_progress_bar(self, machine: Machine) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        command = machine.command("fetch", machine.name)
        process = subprocess.Popen(
            command, env=machine.environment, stdout=subprocess.DEVNULL, stderr=theirs
        )
        os.close(theirs)
        shown = read_all(ours)
        assert process.wait(60) == 0
        assert re.search(rf"{FILE}: +100%\|█+\| 4\.80M/4\.80M", shown), shown

    def test_a_second_time_nothing_is_asked(self, machine: Machine) -> None:
        machine.fetch()
        machine.hub.reset()
        done = machine.fetch()
        assert done.stdout.strip() == str(machine.target)
        assert machine.hub.requests == []

    def test_a_damaged_file_in_its_place_is_replaced(self, machine: Machine) -> None:
        machine.weights.mkdir()
        machine.target.write_bytes(CONTENT[:-1] + b"\x00")
        assert machine.fetch().returncode == 0
        assert machine.target.read_bytes() == CONTENT

    def test_a_demos_repository(self, machine: Machine) -> None:
        path = f"/spaces/org/Small/resolve/{REVISION}/checkpoints/{FILE}"
        machine.hub.files = {path: CONTENT}
        machine.checkpoint |= {"repo_type": "space", "filename": f"checkpoints/{FILE}"}
        assert machine.fetch().returncode == 0
        assert machine.target.read_bytes() == CONTENT

    def test_without_a_known_size(self, machine: Machine) -> None:
        machine.checkpoint["size_bytes"] = None
        assert machine.fetch().returncode == 0
        assert machine.target.read_bytes() == CONTENT

    def test_two_at_once_download_once(self, machine: Machine) -> None:
        both = [
            subprocess.Popen(
                machine.command("fetch", machine.name),
                env=machine.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for _ in range(2)
        ]
        said = [process.communicate(timeout=120)[0].strip() for process in both]
        assert said == [str(machine.target)] * 2
        assert len(machine.hub.gets) == 2  # one redirect, one content


class TestCut:
    def test_goes_on_by_itself(self, machine: Machine) -> None:
        machine.hub.cuts = [2 * CHUNK + 5000]
        done = machine.fetch()
        assert done.returncode == 0, done.stderr
        assert machine.target.read_bytes() == CONTENT
        ranges = [wanted for path, wanted in machine.hub.gets if path.startswith("/cdn")]
        assert ranges == [None, f"bytes={2 * CHUNK}-"]

    def test_a_server_that_cannot_resume(self, machine: Machine) -> None:
        machine.hub.cuts = [2 * CHUNK]
        machine.hub.honour_range = False
        done = machine.fetch()
        assert done.returncode == 0, done.stderr
        assert machine.target.read_bytes() == CONTENT

    def test_for_good_keeps_what_came_and_the_next_run_goes_on(self, machine: Machine) -> None:
        machine.hub.cuts, machine.hub.cut_always = [3 * CHUNK + 1], 0
        done = machine.fetch()
        assert done.returncode == 2
        assert not machine.target.exists()
        assert machine.partial.read_bytes() == CONTENT[: 3 * CHUNK]
        assert "3.1 MB are kept, the same command goes on from there" in done.stderr
        machine.hub.reset()
        assert machine.fetch().returncode == 0
        assert machine.target.read_bytes() == CONTENT
        assert machine.hub.gets[0] == (PATH, f"bytes={3 * CHUNK}-")

    def test_killed_in_the_middle(self, machine: Machine) -> None:
        machine.hub.stall_at = 2 * CHUNK + 100
        process = subprocess.Popen(
            machine.command("fetch", machine.name),
            env=machine.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert machine.hub.stalled.wait(60)
        wait_until(lambda: machine.partial.exists() and machine.partial.stat().st_size >= CHUNK)
        process.kill()
        process.wait()
        kept = machine.partial.stat().st_size
        assert not machine.target.exists()
        machine.hub.reset()
        assert machine.fetch().returncode == 0
        assert machine.target.read_bytes() == CONTENT
        assert machine.hub.gets[0] == (PATH, f"bytes={kept}-")

    @pytest.mark.slow  # six timeouts and the pauses between
    def test_stalled(self, machine: Machine) -> None:
        machine.environment["HF_HUB_DOWNLOAD_TIMEOUT"] = "1"
        machine.hub.stall_at = CHUNK
        done = machine.fetch()
        assert done.returncode == 2
        assert f"the connection to {machine.hub.url}{PATH} stalled (" in done.stderr
        assert "check the network and try again" in done.stderr
        assert not machine.target.exists()


class TestWrongContent:
    def test_one_bit_is_refused_and_deleted(self, machine: Machine) -> None:
        machine.hub.change = lambda content: content[:-9] + b"\xff" + content[-8:]
        done = machine.fetch()
        assert done.returncode == 2
        assert f"not {DIGEST}; it was deleted" in done.stderr
        assert machine.nothing_was_kept()
        machine.hub.reset()
        assert machine.fetch().returncode == 0

    @pytest.mark.parametrize("padding", [0, 2 * CHUNK])
    def test_a_page_is_named_and_deleted(self, machine: Machine, padding: int) -> None:
        page = b"<!DOCTYPE html><html>log in to this network</html>" + bytes(padding)
        machine.hub.change = lambda content: page
        done = machine.fetch()
        assert done.returncode == 2
        assert "sent no weights" in done.stderr
        assert "is a web page" in done.stderr
        assert machine.nothing_was_kept()

    def test_a_pointer_is_named_and_deleted(self, machine: Machine) -> None:
        machine.hub.change = lambda content: (
            b"version https://git-lfs.github.com/spec/v1\nsize 9\n"
        )
        done = machine.fetch()
        assert "is a Git LFS pointer of a file of 9 bytes" in done.stderr
        assert machine.nothing_was_kept()

    def test_a_longer_file(self, machine: Machine) -> None:
        machine.hub.change = lambda content: content + b"more"
        done = machine.fetch()
        assert done.returncode == 2
        assert f"more than the expected {len(CONTENT):,} bytes" in done.stderr
        assert machine.nothing_was_kept()

    def test_a_shorter_file(self, machine: Machine) -> None:
        machine.hub.change = lambda content: content[:-CHUNK]
        done = machine.fetch()
        assert done.returncode == 2
        assert "sent a shorter file than expected; it was deleted" in done.stderr
        assert machine.nothing_was_kept()


class TestRefused:
    @pytest.mark.parametrize(
        ("status", "advice"),
        [
            (404, "the hub (or the mirror HF_ENDPOINT) has it no longer, or not at this revision"),
            (401, "it wants a log-in (HF_TOKEN), or a proxy stands between"),
            (403, "it wants a log-in (HF_TOKEN), or a proxy stands between"),
            (500, "try again later"),
        ],
    )
    def test_status_is_one_line_with_what_to_do(
        self, machine: Machine, status: int, advice: str
    ) -> None:
        machine.hub.status = status
        done = machine.fetch()
        assert done.returncode == 2
        line = done.stderr.strip().splitlines()[-1]
        assert line.startswith(f"da_ros: error: {machine.hub.url}{PATH} answered HTTP {status}: ")
        assert advice in line
        assert f"on another machine, copy it to {machine.target}" in line
        assert machine.nothing_was_kept()

    def test_offline(self, machine: Machine) -> None:
        machine.environment["HF_HUB_OFFLINE"] = "1"
        done = machine.fetch()
        assert done.returncode == 2
        assert "HF_HUB_OFFLINE is set: unset it, or download" in done.stderr
        assert machine.hub.requests == []

    def test_nobody_there(self, machine: Machine) -> None:
        machine.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
        done = machine.fetch()
        assert done.returncode == 2
        assert "the connection to http://127.0.0.1:9/org/Small" in done.stderr
        assert re.search(r"failed \(Connect(ion)?Error", done.stderr)
        assert machine.nothing_was_kept()


class TestDisk:
    def test_too_small_for_the_file(self, machine: Machine) -> None:
        machine.checkpoint["size_bytes"] = 10**17
        done = machine.fetch()
        assert done.returncode == 2
        assert "no room for depth_anything_v2_vits.pth" in done.stderr
        assert "100,000,000,0" in done.stderr
        assert "name another folder with DA_ROS_WEIGHTS" in done.stderr
        assert machine.hub.requests == []

    def test_full_in_the_middle(self, machine: Machine) -> None:
        done = machine.fetch(preexec_fn=no_file_above(2 * CHUNK))
        assert done.returncode == 2
        assert f"{machine.weights} cannot be written: File too large" in done.stderr
        assert not machine.target.exists()
        assert machine.fetch().returncode == 0
        assert machine.target.read_bytes() == CONTENT

    def test_folder_that_cannot_be_made(self, machine: Machine) -> None:
        (machine.home / "file").write_bytes(b"")
        machine.environment["DA_ROS_WEIGHTS"] = str(machine.home / "file" / "below")
        done = machine.fetch()
        assert done.returncode == 2
        assert "cannot be written: Not a directory" in done.stderr
        assert machine.hub.requests == []


class TestLicence:
    def test_non_commercial_weights_wait_for_consent(self, machine: Machine) -> None:
        machine.name = "metric-indoor-base"
        done = machine.fetch()
        assert done.returncode == 2
        assert "is not for commercial use (Apache-2.0; fine-tuned on Hypersim from v2-base" in (
            done.stderr
        )
        assert "da_ros models fetch metric-indoor-base --accept-license" in done.stderr
        assert machine.hub.requests == []
        assert machine.fetch("--accept-license").returncode == 0
        assert machine.target.read_bytes() == CONTENT
