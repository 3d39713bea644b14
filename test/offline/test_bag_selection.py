"""What of a recording is worked on, copied and named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import bag_maker
import pytest
from rosbags.rosbag2 import Reader

from da_ros.errors import BagError, ParameterError
from da_ros.offline.bag import convert_bag
from da_ros.offline.bag_job import BagJob, check_job
from da_ros.offline.bag_plan import plan_bag

MS = 1_000_000


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """A latched topic, then ten images from second 1 on, 33 ms apart."""
    entries = [bag_maker.odd(10**9), *bag_maker.frames("/cam", 10)]
    return bag_maker.write_bag(tmp_path / "in", entries)


def counts(path: Path) -> dict[str, int]:
    return {topic: len(messages) for topic, messages in bag_maker.messages_of(path).items()}


class TestPassthrough:
    @pytest.mark.parametrize(
        ("patterns", "kept"),
        [
            (("none",), set()),
            (("all",), {"/whistle", "/cam/image_raw", "/cam/camera_info"}),
            (("/cam/*",), {"/cam/image_raw", "/cam/camera_info"}),
            (("/whistle", "*info"), {"/whistle", "/cam/camera_info"}),
        ],
    )
    def test_which_topics(
        self, pipeline: Any, bag: Path, tmp_path: Path, patterns: tuple[str, ...], kept: set[str]
    ) -> None:
        job = BagJob((bag,), tmp_path / "out", passthrough=patterns, outputs=("depth",))
        report = convert_bag(job, pipeline())
        with Reader(job.target) as reader:
            assert {c.topic for c in reader.connections} == {*kept, "/da_ros/depth/image"}
        assert report.read["/cam/image_raw"] == report.done == 10

    def test_a_pattern_that_fits_nothing(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        job = BagJob((bag,), tmp_path / "out", passthrough=("/camera/*",))
        with pytest.raises(ParameterError, match="no such topic; the bag has: /cam/camera_info"):
            convert_bag(job, pipeline())


class TestSpan:
    def test_start_and_end(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        """Images at 5, 38, 71, 104 ... ms after the first message; what was latched stays."""
        job = BagJob((bag,), tmp_path / "out", start=0.03, end=0.11, outputs=("depth",))
        convert_bag(job, pipeline())
        after = bag_maker.messages_of(job.target)
        wanted = [10**9 + at * MS for at in (38, 71, 104)]
        assert [at for at, _ in after["/da_ros/depth/image"]] == wanted
        assert [at for at, _ in after["/cam/image_raw"]] == wanted
        assert [at for at, _ in after["/whistle"]] == [10**9 + 30 * MS]

    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    def test_an_end_behind_the_end_is_the_end(
        self, pipeline: Any, tmp_path: Path, storage: str
    ) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/cam", 3), storage=storage)
        for end in (1e12, 1e300):
            job = BagJob((bag,), tmp_path / f"{end:g}", end=end, outputs=("depth",))
            assert convert_bag(job, pipeline()).done == 3

    def test_a_start_behind_the_end(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        with pytest.raises(ParameterError, match=r"start: the recording is 0\.\d+ s long, got 9"):
            convert_bag(BagJob((bag,), tmp_path / "out", start=9.0), pipeline())

    def test_every(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        job = BagJob((bag,), tmp_path / "out", every=3, outputs=("depth",))
        report = convert_bag(job, pipeline())
        after = bag_maker.messages_of(job.target)
        every = [at for at, _ in after["/cam/image_raw"]]
        assert [at for at, _ in after["/da_ros/depth/image"]] == every[::3]
        assert (len(every), report.images, report.skipped) == (10, 4, 6)
        made = json.loads((job.target / "manifest.json").read_text())
        assert made["images"] == {"in": 10, "passed_over": 6, "done": 4, "failed": 0}

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"start": -1.0}, "start and end: expected 0 <= start < end"),
            ({"start": 5.0, "end": 5.0}, "start and end"),
            ({"start": math.inf}, "start and end: .* got inf and 0"),
            ({"end": math.inf}, "start and end: .* got 0 and inf"),
            ({"end": math.nan}, "start and end: .* got 0 and nan"),
            ({"every": 0}, "every: expected at least 1 image, got 0"),
            ({"split": 0}, "split: expected at least 1"),
            ({"compression": "lz4"}, "compression 'lz4': expected one of none, zstd"),
            ({"sources": ()}, "no bag to read was named"),
        ],
    )
    def test_refusals(
        self, bag: Path, tmp_path: Path, options: dict[str, Any], message: str
    ) -> None:
        job = BagJob(**{"sources": (bag,), "target": tmp_path / "out", **options})
        with pytest.raises(ParameterError, match=message):
            check_job(job)


class TestSources:
    def test_what_is_named_twice(self, bag: Path, tmp_path: Path) -> None:
        inside = next(bag.glob("*.mcap"))
        (tmp_path / "link").symlink_to(bag)
        for again in (bag, inside, tmp_path / "link"):
            with pytest.raises(BagError, match=r"\.mcap is named twice; name each bag"):
                check_job(BagJob((bag, again), tmp_path / "out"))

    def test_several_bags_and_a_pattern(self, pipeline: Any, tmp_path: Path) -> None:
        left = bag_maker.write_bag(tmp_path / "left", bag_maker.frames("/left", 3))
        right = bag_maker.write_bag(
            tmp_path / "right", bag_maker.frames("/right", 4), storage="sqlite3"
        )
        job = BagJob((left, right), tmp_path / "out", images=("*/image_raw",), outputs=("depth",))
        convert_bag(job, pipeline())
        assert counts(job.target) == {
            "/left/image_raw": 3,
            "/left/camera_info": 3,
            "/right/image_raw": 4,
            "/right/camera_info": 4,
            "/left/da_ros/depth/image": 3,
            "/right/da_ros/depth/image": 4,
        }

    def test_a_pattern_that_fits_no_image(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        job = BagJob((bag,), tmp_path / "out", images=("/front/*",))
        with pytest.raises(
            ParameterError, match=r"'/front/\*' fits no camera's image topic; the bag has"
        ):
            convert_bag(job, pipeline())

    @pytest.mark.parametrize("compression", ["none", "zstd"])
    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    def test_what_it_writes_it_reads(
        self, pipeline: Any, bag: Path, tmp_path: Path, storage: str, compression: str
    ) -> None:
        """A split, perhaps compressed, output as the next input."""
        first = BagJob(
            (bag,), tmp_path / "first", storage=storage, compression=compression, split=4
        )
        convert_bag(first, pipeline())
        assert len(list(first.target.glob("first_*"))) == 3
        second = BagJob((first.target,), tmp_path / "second", prefix="/again", storage="mcap")
        report = convert_bag(second, pipeline())
        assert report.complete
        before, after = (bag_maker.messages_of(job.target) for job in (first, second))
        assert {topic: after[topic] for topic in before} == before
        assert len(after["/again/points"]) == 10

    def test_a_cut_file_is_read_as_far_as_it_goes(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        file = bag / "in.mcap"
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        report = convert_bag(BagJob((file,), tmp_path / "out"), pipeline())
        assert not report.complete
        assert "in.mcap has no end; whole records end at byte" in report.stopped
        assert 0 < report.done < 10
        assert "in.mcap has no end" in (tmp_path / "out" / "report.html").read_text()

    def test_a_cut_file_without_a_camera_says_that_it_is_cut(
        self, pipeline: Any, tmp_path: Path
    ) -> None:
        """The camera may be in what is gone."""
        entries = [bag_maker.odd(number) for number in range(400)]
        file = bag_maker.write_bag(tmp_path / "in", entries) / "in.mcap"
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        words = "has no camera to work on: .*; only a part of it can be read: in.mcap has no end"
        with pytest.raises(BagError, match=words):
            convert_bag(BagJob((file,), tmp_path / "out"), pipeline())


class TestManifest:
    def test_counts_hashes_and_versions(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        import hashlib

        job = BagJob((bag,), tmp_path / "out", outputs=("depth",))
        convert_bag(job, pipeline())
        made = json.loads((job.target / "manifest.json").read_text())
        found = {Path(one["path"]).name: one["sha256"] for one in made["inputs"]}
        digest = hashlib.sha256((bag / "in.mcap").read_bytes()).hexdigest()
        assert found["in.mcap"] == digest
        assert made["topics"]["/cam/image_raw"] == {"in": 10, "out": 10}
        assert made["topics"]["/da_ros/depth/image"] == {"in": 0, "out": 10}
        assert made["model"]["model_id"] == "ramp-metric_depth"
        assert made["parameters"]["cloud.stride"] == 1
        assert made["versions"]["rosbags"]
        assert made["complete"] is True


class TestPlan:
    def test_says_what_would_be_done_and_writes_nothing(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        job = BagJob((bag,), tmp_path / "out", every=2, passthrough=("/whistle",))
        plan = plan_bag(job, pipeline())
        assert plan.images == 5
        assert plan.copied == ["/whistle"]
        assert plan.added[-1] == "/da_ros/depth_info"
        assert plan.seconds is not None
        assert plan.seconds > 0
        size = 48 * 64 * (4 + 16)  # depth and coloured cloud
        assert 5 * size < plan.added_bytes < 5 * (size + 2000)
        text = "\n".join(plan.lines())
        assert "/cam/image_raw: 10 messages, left out -> depth" in text
        assert "nothing was written" in text
        assert [path.name for path in tmp_path.iterdir()] == ["in"]

    def test_no_camera(self, pipeline: Any, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", [bag_maker.odd(1)])
        with pytest.raises(BagError, match="has no camera to work on"):
            plan_bag(BagJob((bag,), tmp_path / "out"), pipeline())
