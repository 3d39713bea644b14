"""A run that was interrupted, resumed, equals one that was not."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bag_maker
import pytest
from rosbags.rosbag2 import Reader

from da_ros.errors import BagError
from da_ros.offline.bag import convert_bag, finished_before
from da_ros.offline.bag_folder import unfinished_folder
from da_ros.offline.bag_job import BagJob, check_job
from da_ros.types import Kind

SERVER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ramp_estimator import ramp_estimator
from da_ros.errors import DaRosError
from da_ros.offline.bag import convert_bag
from da_ros.offline.bag_job import BagJob
from da_ros.params import PipelineParams
from da_ros.pipeline import DepthPipeline
from da_ros.types import Kind
import resource, signal

def work(source, target, words):
    if "full" in words:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
    params = PipelineParams().with_values({"color.range": "adaptive"})
    estimator = ramp_estimator(Kind.RELATIVE_INVERSE_DEPTH)
    job = BagJob(
        (Path(source),), Path(target), outputs=("inverse_depth", "color"), split=8, batch=4,
        storage=words[0], resume="resume" in words,
    )
    try:
        convert_bag(
            job, DepthPipeline(estimator, params, info_times=False),
            lambda state: print(state.done, flush=True),
        )
    except DaRosError as error:
        print("error:", error, flush=True)
        return 2
    return 0

for line in sys.stdin:
    child = os.fork()
    if not child:
        print(os.getpid(), flush=True)
        os._exit(work(*line.split()[:2], line.split()[2].split(",")))
    print("exit", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Forks a process for each run, so that torch is imported once."""


class Runs:
    """Real processes that convert a bag, one after the other."""

    def __init__(self) -> None:
        support = Path(__file__).resolve().parents[1] / "support"
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(support)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, source: Path, target: Path, words: str, kill_at: int | None = None, after: float = 0
    ) -> tuple[int, list[str]]:
        """Exit code and what was said; kill -9 once so many images are done."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(f"{source} {target} {words}\n")
        self._server.stdin.flush()
        process = int(self._server.stdout.readline())
        said: list[str] = []
        for line in self._server.stdout:
            if line.startswith("exit "):
                return int(line.split()[1]), said
            said.append(line.strip())
            if kill_at is not None and int(line) >= kill_at:
                time.sleep(after)
                os.kill(process, signal.SIGKILL)
                kill_at = None
        raise AssertionError("the process that forks the runs has ended")

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(20)


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    made = Runs()
    yield made
    made.close()


def files_of(folder: Path) -> dict[str, str]:
    """Hash of every file that belongs to the recording."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.suffix in (".mcap", ".db3", ".yaml")
    }


def counts_of(folder: Path) -> Any:
    made = json.loads((folder / "manifest.json").read_text())
    return {name: made[name] for name in ("topics", "images", "failures", "complete", "stopped")}


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    entries = [bag_maker.odd(999), *bag_maker.frames("/cam", 60), bag_maker.odd(9 * 10**9)]
    entries[21] = bag_maker.image("/cam/image_raw", entries[21].timestamp, 7, cut=1)
    return bag_maker.write_bag(tmp_path / "in", entries)


class TestKilled:
    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    def test_resumed_equals_one_run(
        self, runs: Runs, bag: Path, tmp_path: Path, storage: str
    ) -> None:
        """Killed twice; the same bytes, as file names are part of the metadata the same name."""
        one, two = tmp_path / "a" / "out", tmp_path / "b" / "out"
        assert runs.run(bag, one, storage)[0] == 0
        assert runs.run(bag, two, storage, kill_at=12)[0] == -9
        assert not two.exists()
        assert runs.run(bag, two, f"{storage},resume", kill_at=40)[0] == -9
        assert not two.exists()
        code, said = runs.run(bag, two, f"{storage},resume")
        assert code == 0
        assert int(said[0]) > 32  # what was done before is not done again
        assert len(files_of(one)) == 9  # 8 parts and metadata
        assert files_of(one) == files_of(two)
        assert counts_of(one) == counts_of(two)
        assert [path.name for path in two.parent.iterdir()] == ["out"]

    @pytest.mark.slow
    def test_ten_moments(self, runs: Runs, bag: Path, tmp_path: Path) -> None:
        wanted = tmp_path / "a" / "out"
        assert runs.run(bag, wanted, "mcap")[0] == 0
        for moment in range(10):
            target = tmp_path / f"b{moment}" / "out"
            code, _ = runs.run(bag, target, "mcap", kill_at=4 + 5 * moment, after=0.002 * moment)
            assert code == -9
            assert not target.exists()
            assert runs.run(bag, target, "mcap,resume")[0] == 0
            assert files_of(target) == files_of(wanted), moment


class TestTimes:
    def test_those_of_the_interrupted_run_count(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        """The stages of each run sleep a known time."""

        def slow() -> Any:
            made = pipeline()
            infer = made.infer

            def slowly(batch: Any) -> Any:
                time.sleep(0.02)
                return infer(batch)

            made.infer = slowly
            return made

        def stop(state: Any) -> None:
            if state.done >= 40:
                raise KeyboardInterrupt

        job = BagJob((bag,), tmp_path / "out", split=8, batch=4)
        with pytest.raises(KeyboardInterrupt):
            convert_bag(job, slow(), stop)
        report = convert_bag(replace(job, resume=True), slow())
        assert report.images == 60
        assert report.busy["network"] >= 15 * 0.02
        made = json.loads((job.target / "manifest.json").read_text())
        assert made["stage_seconds"]["network"] >= 15 * 0.02


class TestFullDisk:
    @pytest.mark.parametrize("name", ["report.html", "manifest.json"])
    def test_pages_that_do_not_fit_keep_the_finished_parts(
        self, pipeline: Any, bag: Path, tmp_path: Path, name: str
    ) -> None:
        """A folder stands where the file goes: any OSError will do."""
        target = tmp_path / "out"
        job = BagJob((bag,), target, split=8)
        blocked = unfinished_folder(target) / "bag" / name
        with pytest.raises(BagError, match=rf"cannot write .*out: .*{name}"):
            convert_bag(job, pipeline(), lambda state: blocked.mkdir(exist_ok=True))
        blocked.rmdir()
        assert not target.exists()
        assert convert_bag(replace(job, resume=True), pipeline()).images == 60
        one = BagJob((bag,), tmp_path / "one" / "out", split=8)
        convert_bag(one, pipeline())
        assert files_of(one.target) == files_of(target)

    def test_nothing_half_valid_and_resumed(self, runs: Runs, bag: Path, tmp_path: Path) -> None:
        """Files of more than 150 kB are refused: the first part does not fit."""
        one, two = tmp_path / "a" / "out", tmp_path / "b" / "out"
        code, said = runs.run(bag, two, "mcap,full")
        assert code == 2
        assert said[-1].startswith("error: cannot write")
        assert not two.exists()
        assert runs.run(bag, two, "mcap,resume")[0] == 0
        assert runs.run(bag, one, "mcap")[0] == 0
        assert files_of(one) == files_of(two)


class TestRefusals:
    def interrupted(self, pipeline: Any, bag: Path, target: Path, **options: Any) -> None:
        """A run that ends with an error after its first part."""

        def stop(state: Any) -> None:
            if state.done >= 20:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            convert_bag(BagJob((bag,), target, split=8, **options), pipeline(), stop)

    def test_an_interrupted_run_is_not_lost_by_mistake(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        target = tmp_path / "out"
        self.interrupted(pipeline, bag, target)
        assert not target.exists()
        assert unfinished_folder(target).is_dir()
        with pytest.raises(BagError, match="go on with --resume, or start again with --overwrite"):
            check_job(BagJob((bag,), target))
        report = convert_bag(BagJob((bag,), target, overwrite=True, split=8), pipeline())
        assert report.images == 60
        assert not unfinished_folder(target).exists()

    def test_another_job(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        target = tmp_path / "out"
        self.interrupted(pipeline, bag, target)
        other = BagJob((bag,), target, split=8, resume=True, every=2)
        with pytest.raises(BagError, match="another job: every was 1, is 2; give the same"):
            convert_bag(other, pipeline())
        with pytest.raises(BagError, match=r"another job: model was"):
            convert_bag(
                BagJob((bag,), target, split=8, resume=True), pipeline(Kind.RELATIVE_INVERSE_DEPTH)
            )
        assert convert_bag(BagJob((bag,), target, split=8, resume=True), pipeline()).images == 60

    def test_another_input_of_the_same_size(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        target = tmp_path / "out"
        self.interrupted(pipeline, bag, target)
        file = next(bag.glob("*.mcap"))
        os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
        with pytest.raises(BagError, match="another job: inputs was"):
            convert_bag(BagJob((bag,), target, split=8, resume=True), pipeline())

    def test_a_finished_one_of_which_images_failed(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        """One of the bag's images is damaged."""
        job = BagJob((bag,), tmp_path / "out")
        assert not convert_bag(job, pipeline()).complete
        found = finished_before(replace(job, resume=True), pipeline())
        assert found is not None
        assert (found["complete"], found["images"]["failed"]) == (False, 1)

    def test_a_part_that_is_gone(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        target = tmp_path / "out"
        self.interrupted(pipeline, bag, target)
        (unfinished_folder(target) / "bag" / "out_0.mcap").unlink()
        with pytest.raises(BagError, match=r"out_0\.mcap of the interrupted run is gone"):
            convert_bag(BagJob((bag,), target, split=8, resume=True), pipeline())

    def test_nothing_to_resume_is_a_run(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        job = BagJob((bag,), tmp_path / "out", resume=True)
        assert not finished_before(job, pipeline())
        assert convert_bag(job, pipeline()).images == 60

    def test_a_complete_output_is_known_as_this_jobs(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        job = BagJob((bag,), tmp_path / "out", every=4)
        convert_bag(job, pipeline())
        again = replace(job, resume=True)
        check_job(again)
        assert finished_before(again, pipeline())["images"]["done"] == 15
        assert finished_before(replace(again, overwrite=True), pipeline()) is None
        with pytest.raises(BagError, match=r"out is complete, of another job: every was 4, is 1"):
            finished_before(replace(again, every=1), pipeline())
        with pytest.raises(BagError, match="of another job: model was"):
            finished_before(again, pipeline(Kind.RELATIVE_INVERSE_DEPTH))
        (job.target / "manifest.json").write_text("{}")
        with pytest.raises(BagError, match=r"manifest\.json cannot be read"):
            finished_before(again, pipeline())


class TestParts:
    def test_parts_are_one_recording_in_time_order(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        """Each file ends where the next begins: a player goes through them one by one."""
        target = tmp_path / "out"
        convert_bag(BagJob((bag,), target, split=16), pipeline())
        names = sorted(path.name for path in target.glob("*.mcap"))
        assert names == [f"out_{number}.mcap" for number in range(4)]
        last = 0
        for name in names:
            with Reader(target / name) as reader:
                times = [timestamp for _, timestamp, _ in reader.messages()]
            assert times[0] >= last
            last = times[-1]
        with Reader(target) as reader:
            assert reader.message_count == sum(1 for _ in reader.messages())
