"""``da_ros bag`` as a user types it, in a process of its own, with a real network behind it."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from pathlib import Path

import bag_maker
import pytest
import torch
from rosbags.rosbag2 import Reader
from tqdm import tqdm

from da_ros.cli.bag import _shown_on
from da_ros.offline.bag_conversion import Progress
from da_ros.offline.bag_folder import unfinished_folder

SIZE = "70"  # px: a network this small is quick, and is the same code


def da_ros(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "da_ros", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def topics(path: Path) -> dict[str, int]:
    with Reader(path) as reader:
        return {connection.topic: connection.msgcount for connection in reader.connections}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of V2-S in the official layout."""
    from da_ros.network.build import build_network
    from da_ros.network.variants import get_variant

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(build_network(get_variant("v2-small")).state_dict(), path)
    return path


@pytest.fixture
def source(shared_data: Path) -> Path:
    return shared_data / "bags" / "tum_fr1_rgbd_mcap"


class TestBag:
    def test_a_relative_model(self, weights: Path, source: Path, tmp_path: Path) -> None:
        done = da_ros(
            "bag", source, "-o", tmp_path / "out", "--model", weights, "--variant", "v2-small",
            "--size", SIZE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "5 of 5 images" in done.stdout
        assert "(relative_inverse_depth, unverified: the user said what it is)" in done.stdout
        assert topics(tmp_path / "out") == {
            **topics(source),
            "/da_ros/inverse_depth/image": 5,
            "/da_ros/nominal/depth/image": 5,
            "/da_ros/nominal/depth/camera_info": 5,
            "/da_ros/nominal/points": 5,
            "/da_ros/depth_info": 5,
        }

    def test_a_metric_model_with_every_option(
        self, weights: Path, source: Path, tmp_path: Path
    ) -> None:
        done = da_ros(
            "bag", source, "-o", tmp_path / "out", "--model", weights,
            "--variant", "metric-indoor-small", "--size", SIZE,
            "--image", "/camera/color/image_raw", "--camera-info", "/camera/color/camera_info",
            "--outputs", "depth, points", "--storage", "sqlite3", "--prefix", "/other",
            "--stride", 4, "--max-range", 8, "--device", "cpu", "--precision", "fp32",
            "--batch", 2,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert topics(tmp_path / "out") == {
            **topics(source),
            "/other/depth/image": 5,
            "/other/points": 5,
        }
        assert (tmp_path / "out" / "out_0.db3").is_file()

    def test_resuming_what_is_complete_changes_nothing(
        self, weights: Path, source: Path, tmp_path: Path
    ) -> None:
        words = [
            "bag", source, "-o", tmp_path / "out", "--model", weights, "--variant", "v2-small",
            "--size", SIZE, "--outputs", "inverse_depth", "--every", "5",
        ]  # fmt: skip
        assert da_ros(*words).returncode == 0
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
        done = da_ros(*words, "--resume")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{tmp_path / 'out'}: complete already, nothing to resume\n"
        assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before

    def test_help_teaches_by_example(self) -> None:
        done = da_ros("bag", "--help")
        assert done.returncode == 0
        assert "da_ros bag recording -o with_depth" in done.stdout


class TestErrors:
    @pytest.mark.parametrize(
        ("words", "line"),
        [
            (["nothing_there", "-o", "out"], "bag nothing_there does not exist"),
            (["IN", "-o", "out", "--stride", "0"], "parameter cloud.stride: 0 is not allowed"),
            (["IN", "-o", "out", "--storage", "zip"], "storage 'zip': expected one of"),
            (["IN", "-o", "out", "--device", "gpu"], "parameter device: 'gpu' is not allowed"),
            (["IN", "-o", "out.mcap"], "a bag is a folder here"),
            (["IN"], "Missing option '-o'"),
        ],
    )
    def test_one_line_and_exit_code_2(
        self, source: Path, tmp_path: Path, words: list[str], line: str
    ) -> None:
        named = {"IN": str(source), "out": str(tmp_path / "out"), "out.mcap": "x.mcap"}
        done = da_ros("bag", *(named.get(word, word) for word in words))
        assert done.returncode == 2
        assert line in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert "Traceback" not in done.stderr

    def test_exit_code_3_where_some_images_failed(
        self, weights: Path, source: Path, tmp_path: Path
    ) -> None:
        """One of the real images loses its last byte."""
        from rosbags.rosbag2 import StoragePlugin, Writer

        damaged = tmp_path / "damaged"
        with (
            Reader(source) as reader,
            Writer(damaged, version=9, storage_plugin=StoragePlugin.MCAP) as writer,
        ):
            copies = {
                c.id: writer.add_connection(
                    c.topic, c.msgtype, msgdef=c.msgdef.data, rihs01=c.digest
                )
                for c in reader.connections
            }
            images = 0
            for connection, timestamp, raw in reader.messages():
                images += connection.topic == "/camera/color/image_raw"
                first = images == 1 and connection.topic == "/camera/color/image_raw"
                writer.write(copies[connection.id], timestamp, raw[:-5] if first else raw)
        done = da_ros(
            "bag", damaged, "-o", tmp_path / "out", "--model", weights, "--variant", "v2-small",
            "--size", SIZE,
        )  # fmt: skip
        assert done.returncode == 3, done.stderr
        assert "INCOMPLETE" in done.stdout
        assert "failed: 1 x /camera/color/image_raw: damaged sensor_msgs/msg/Image" in done.stdout
        assert topics(tmp_path / "out")["/da_ros/nominal/points"] == 4
        again = da_ros(
            "bag", damaged, "-o", tmp_path / "out", "--model", weights, "--variant", "v2-small",
            "--size", SIZE, "--resume",
        )  # fmt: skip
        assert again.returncode == 3, again.stderr
        assert "finished before, INCOMPLETE: 4 of 5 images done, 1 failed" in again.stdout

    def test_the_bar_says_how_far_and_where_the_time_goes(self) -> None:
        """On a terminal of its own; a resumed run begins where the other was."""
        said = io.StringIO()
        with tqdm(unit=" frames", file=said, ncols=160, mininterval=0) as bar:
            show = _shown_on(bar)
            busy = {"read": 1.0, "network": 3.0}
            show(Progress(done=10, total=40, behind=8, busy=busy))
            assert (bar.total, bar.initial, bar.n) == (40, 8, 10)
            show(Progress(done=30, total=40, behind=8, busy=busy))
            show(Progress(done=41, total=40, behind=8, busy=busy))  # the index said too few
            assert (bar.total, bar.n) == (41, 41)
        assert "30/40" in said.getvalue()
        assert "read 25% network 75%" in said.getvalue()
        assert "frames/s" in said.getvalue()

    @pytest.mark.slow
    def test_ctrl_c_keeps_what_is_finished(self, weights: Path, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/cam", 64))
        words = [
            "bag", bag, "--model", weights, "--variant", "v2-small", "--size", SIZE,
            "--outputs", "inverse_depth", "--split", "8", "-o",
        ]  # fmt: skip
        one, two = tmp_path / "a" / "out", tmp_path / "b" / "out"
        assert da_ros(*words, one).returncode == 0
        # A suite in the background of a shell hands down an ignored SIGINT.
        start = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from da_ros.cli.main import main; sys.exit(main())"
        )
        command = [sys.executable, "-c", start, *map(str, words), str(two)]
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 120
        while not (unfinished_folder(two) / "bag" / "out_1.mcap").exists():
            assert running.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
        assert running.returncode == 130
        assert "the finished files are kept; go on with --resume" in said
        assert "Traceback" not in said
        assert not two.exists()
        done = da_ros(*words, two, "--resume")
        assert done.returncode == 0, done.stderr
        for path in one.glob("*.mcap"):
            assert (two / path.name).read_bytes() == path.read_bytes(), path.name
