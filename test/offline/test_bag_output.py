"""A bag appears complete, or not at all; what a disk refuses is said in one line."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import bag_maker
import pytest
from rosbags.rosbag2 import Reader

from da_ros.errors import BagError
from da_ros.offline.bag_folder import unfinished_folder
from da_ros.offline.bag_input import BagInput
from da_ros.offline.bag_output import PUBLISHED_QOS, BagOutput

IMAGE = "sensor_msgs/msg/Image"


def limited(code: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run code that may write files of at most 1 MB, as on a full disk."""

    def limit() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)


class TestBagOutput:
    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    def test_appears_when_it_is_left(self, tmp_path: Path, storage: str) -> None:
        with BagOutput(tmp_path / "deep" / "out", storage) as out:
            topic = out.add_topic("/x", IMAGE)
            out.write(topic, 5, b"abc")
            assert not (tmp_path / "deep" / "out").exists()
        assert bag_maker.messages_of(tmp_path / "deep" / "out") == {"/x": [(5, b"abc")]}
        assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
        with Reader(tmp_path / "deep" / "out") as reader:
            ext: Any = reader.connections[0].ext
            assert ext.offered_qos_profiles == [PUBLISHED_QOS]

    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    def test_an_error_leaves_nothing(self, tmp_path: Path, storage: str) -> None:
        def interrupted() -> None:
            with BagOutput(tmp_path / "out", storage) as out:
                out.write(out.add_topic("/x", IMAGE), 5, b"abc")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    def test_a_full_disk_is_one_line_and_leaves_nothing(
        self, tmp_path: Path, storage: str
    ) -> None:
        code = (
            "import sys, pathlib\n"
            "from da_ros.errors import BagError\n"
            "from da_ros.offline.bag_output import BagOutput\n"
            "try:\n"
            "    with BagOutput(pathlib.Path(sys.argv[1]), sys.argv[2]) as out:\n"
            "        topic = out.add_topic('/x', 'sensor_msgs/msg/Image')\n"
            "        for number in range(40):\n"
            "            out.write(topic, number, bytes(200_000))\n"
            "except BagError as error:\n"
            "    print(error)\n"
            "    sys.exit(7)\n"
        )
        done = limited(code, tmp_path / "out", storage)
        assert done.returncode == 7, done.stderr
        assert "cannot write" in done.stdout
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with (
            pytest.raises(BagError, match="cannot write"),
            BagOutput(tmp_path / "file" / "out", "mcap"),
        ):
            pass

    def test_a_topic_that_a_merged_file_holds_twice(self, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/a", 1))
        with BagInput(bag) as source, BagOutput(tmp_path / "out", "mcap") as out:
            (first, *_) = source.connections
            for handle in (out.copy_connection(first), out.copy_connection(first._replace(id=9))):
                out.write(handle, 1, b"raw")
        with Reader(tmp_path / "out") as reader:
            assert [connection.msgcount for connection in reader.connections] == [2]

    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    def test_a_type_that_nobody_describes(self, tmp_path: Path, storage: str) -> None:
        """As in bags recorded before Iron: no definition, no hash."""
        bag = bag_maker.write_bag(tmp_path / "in", [bag_maker.odd(1)])
        with BagInput(bag) as source, BagOutput(tmp_path / "out", storage) as out:
            (known,) = source.connections
            bare = known._replace(msgdef=known.msgdef._replace(data=""), digest="")
            out.write(out.copy_connection(bare), 1, b"raw")
        with Reader(tmp_path / "out") as reader:
            (connection,) = reader.connections
            assert (connection.msgtype, connection.digest) == ("my_robot/msg/Whistle", "")
            assert [raw for _, _, raw in reader.messages()] == [b"raw"]


class TestInterruptedWhileItFinishes:
    """Ctrl-C in any step of the end: what was finished stays, and so does the bag before."""

    STEPS = ("_finish_part", "write_metadata", "before the old one is moved",
             "between the renames", "behind the renames")  # fmt: skip

    def interrupt(self, patch: pytest.MonkeyPatch, step: str) -> None:
        from da_ros.offline import bag_output

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        if step == "_finish_part":
            patch.setattr(BagOutput, step, stop)
            return
        if step == "write_metadata":
            patch.setattr(bag_output, step, stop)
            return
        rename, done = Path.rename, []

        def renamed(path: Path, target: Path) -> Path:
            moves_old = Path(target).name == "replaced"
            if step == "before the old one is moved" and moves_old:
                stop()
            if step == "between the renames" and path.name == "bag":
                stop()
            made = rename(path, target)
            if step == "behind the renames" and path.name == "bag" and not done:
                done.append(path)
                stop()
            return made

        patch.setattr(Path, "rename", renamed)

    def write(self, target: Path, value: bytes, step: str = "", **options: Any) -> None:
        with (
            pytest.MonkeyPatch.context() as patch,
            BagOutput(target, "mcap", resumable=True, **options) as out,
        ):
            topic = out.add_topic("/x", IMAGE)
            out.write(topic, 1, value)
            out.cut()
            out.write(topic, 2, value)
            if step:
                self.interrupt(patch, step)

    @pytest.mark.parametrize(
        ("step", "old"),
        [(step, old) for step in STEPS for old in (False, True) if old or "moved" not in step],
    )
    def test_nothing_is_lost(self, tmp_path: Path, step: str, *, old: bool) -> None:
        target = tmp_path / "out"
        if old:
            self.write(target, b"old")
        with pytest.raises(KeyboardInterrupt):
            self.write(target, b"new", step, overwrite=True)
        part = unfinished_folder(target) / "bag" / "out_0.mcap"
        if step == "behind the renames":
            assert bag_maker.messages_of(target) == {"/x": [(1, b"new"), (2, b"new")]}
            assert not unfinished_folder(target).exists()
        else:
            assert part.exists()
            assert target.exists() is old
        if old and step != "behind the renames":
            assert bag_maker.messages_of(target) == {"/x": [(1, b"old"), (2, b"old")]}

    def test_a_bag_that_a_killed_run_had_moved_away_comes_back(self, tmp_path: Path) -> None:
        target = tmp_path / "out"
        self.write(target, b"old")
        unfinished_folder(target).mkdir()
        target.rename(unfinished_folder(target) / "replaced")
        with pytest.raises(KeyboardInterrupt):
            self.write(target, b"new", "_finish_part", overwrite=True)
        assert bag_maker.messages_of(target) == {"/x": [(1, b"old"), (2, b"old")]}
        self.write(target, b"new", overwrite=True)
        assert bag_maker.messages_of(target) == {"/x": [(1, b"new"), (2, b"new")]}
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
