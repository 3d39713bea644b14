"""convert_bag on generated bags and on the real one."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import bag_maker
import numpy as np
import pytest
import torch
from PIL import Image
from rosbags.rosbag2 import CompressionMode, Reader

from da_ros.errors import BagError, ParameterError
from da_ros.network.estimator import DepthEstimator
from da_ros.offline.bag import BagReport, convert_bag
from da_ros.offline.bag_job import BagJob, check_job
from da_ros.params import ModelParams, PipelineParams
from da_ros.pipeline import DepthPipeline, ImageInput, PackedFrame, Stream
from da_ros.types import Kind

METRIC, RELATIVE = Kind.METRIC_DEPTH, Kind.RELATIVE_INVERSE_DEPTH
ZSTD = b"\x28\xb5\x2f\xfd"  # begins every compressed chunk
NEW = {
    METRIC: ["depth/camera_info", "depth/image", "depth_info", "points"],
    RELATIVE: [
        "depth_info",
        "inverse_depth/image",
        "nominal/depth/camera_info",
        "nominal/depth/image",
        "nominal/points",
    ],
}


def stamp_of(raw: bytes) -> int:
    assert raw[1] == 1
    sec = int.from_bytes(raw[4:8], "little", signed=True)
    return sec * 10**9 + int.from_bytes(raw[8:12], "little")


def assert_copied(before: dict[str, Any], after: dict[str, Any]) -> None:
    for topic, messages in before.items():
        assert after[topic] == messages, topic


def connections_of(path: Path) -> dict[str, tuple[Any, ...]]:
    with Reader(path) as reader:
        return {c.topic: (c.msgtype, c.msgdef, c.digest, c.ext) for c in reader.connections}


def nano_pipeline() -> DepthPipeline:
    estimator = DepthEstimator.load("nano", ModelParams(device="cpu"))
    return DepthPipeline(estimator, PipelineParams(), info_times=False)


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """One camera, five images, and a message type that nobody knows."""
    return bag_maker.write_bag(
        tmp_path / "in", [bag_maker.odd(999), *bag_maker.frames("/cam"), bag_maker.odd(2 * 10**9)]
    )


class TestConvertBag:
    @pytest.mark.parametrize("source", ["mcap", "sqlite3"])
    @pytest.mark.parametrize("target", ["mcap", "sqlite3", ""])
    @pytest.mark.parametrize("kind", [METRIC, RELATIVE])
    def test_every_image_once_and_the_rest_untouched(
        self,
        pipeline: Any,
        tmp_path: Path,
        source: str,
        target: str,
        kind: Kind,
    ) -> None:
        entries = [bag_maker.odd(999), *bag_maker.frames("/cam"), bag_maker.odd(2 * 10**9)]
        bag = bag_maker.write_bag(tmp_path / "in", entries, storage=source)
        job = BagJob((bag,), tmp_path / "out", storage=target)
        report = convert_bag(job, pipeline(kind))
        before, after = bag_maker.messages_of(bag), bag_maker.messages_of(job.target)
        assert_copied(before, after)
        assert sorted(set(after) - set(before)) == [f"/da_ros/{topic}" for topic in NEW[kind]]
        images = before["/cam/image_raw"]
        for topic in NEW[kind]:
            added = after[f"/da_ros/{topic}"]
            assert [at for at, _ in added] == [at for at, _ in images]
            # The whole header, stamp and frame, byte for byte.
            assert [raw[4:20] for _, raw in added] == [raw[4:20] for _, raw in images]
        assert report.complete
        assert (report.images, report.done) == (5, 5)
        ending = ".mcap" if (target or source) == "mcap" else ".db3"
        assert (job.target / f"out_0{ending}").is_file()

    @pytest.mark.parametrize("source", ["mcap", "sqlite3"])
    def test_topics_keep_type_definition_hash_and_qos(
        self, pipeline: Any, tmp_path: Path, source: str
    ) -> None:
        bag = bag_maker.write_bag(
            tmp_path / "in", [bag_maker.odd(999), *bag_maker.frames("/cam")], storage=source
        )
        convert_bag(BagJob((bag,), tmp_path / "out", storage="mcap"), pipeline())
        before, after = connections_of(bag), connections_of(tmp_path / "out")
        for topic, described in before.items():
            assert after[topic] == described
        assert after["/whistle"][3].offered_qos_profiles == [bag_maker.LATCHED]
        assert after["/da_ros/depth_info"][0] == "da_ros/msg/DepthInfo"
        assert "float32 pack_ms" in after["/da_ros/depth_info"][1].data
        assert after["/da_ros/points"][2].startswith("RIHS01_")

    def test_the_pipeline_s_own_messages(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        """What lands in the bag is what the pipeline gives for each image alone."""
        convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        after = bag_maker.messages_of(tmp_path / "out")
        entries = bag_maker.frames("/cam")
        for index in range(5):
            sent = ImageInput(
                entries[2 * index].message,
                entries[2 * index + 1].message,
                Stream("/cam/image_raw"),
                frozenset({"depth", "points"}),
            )
            (frame,) = pipeline().run([sent])
            assert isinstance(frame, PackedFrame)
            for topic, msgtype in (
                ("depth/image", "sensor_msgs/msg/Image"),
                ("points", "sensor_msgs/msg/PointCloud2"),
            ):
                message = bag_maker.STORE.deserialize_cdr(
                    after[f"/da_ros/{topic}"][index][1], msgtype
                )
                assert message.data.tobytes() == frame.messages[topic]["data"].tobytes()

    def test_the_same_again_gives_the_same_bytes(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        digests = set()
        for _ in range(2):
            job = BagJob((bag,), tmp_path / "out", overwrite=True)
            convert_bag(job, pipeline())
            digests.add(hashlib.sha256((job.target / "out_0.mcap").read_bytes()).hexdigest())
        assert len(digests) == 1

    @pytest.mark.parametrize("batch", [1, 2, 3, 100])
    def test_any_batch(self, pipeline: Any, bag: Path, tmp_path: Path, batch: int) -> None:
        convert_bag(BagJob((bag,), tmp_path / "one", batch=1), pipeline())
        convert_bag(BagJob((bag,), tmp_path / "out", batch=batch), pipeline())
        assert bag_maker.messages_of(tmp_path / "out") == bag_maker.messages_of(tmp_path / "one")

    def test_lanes_change_no_byte(self, bag: Path, tmp_path: Path) -> None:
        """Three batches at once with a thread each, and one after the other with one thread."""
        nano, before = nano_pipeline(), torch.get_num_threads()
        try:
            for threads, lanes in ((3, 0), (1, 1)):
                torch.set_num_threads(threads)
                job = BagJob((bag,), tmp_path / f"out_{lanes}", batch=1, lanes=lanes)
                convert_bag(job, nano)
        finally:
            torch.set_num_threads(before)
        many, one = (bag_maker.messages_of(tmp_path / f"out_{lanes}") for lanes in (0, 1))
        assert many == one
        assert len(many["/da_ros/inverse_depth/image"]) == 5
        manifest = json.loads((tmp_path / "out_0" / "manifest.json").read_text())
        assert (manifest["options"]["lanes"], manifest["threads_of_a_lane"]) == (3, 1)

    def test_a_single_file(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        convert_bag(BagJob((bag / "in.mcap",), tmp_path / "out"), pipeline())
        after = bag_maker.messages_of(tmp_path / "out")
        assert_copied(bag_maker.messages_of(bag), after)
        assert len(after["/da_ros/points"]) == 5

    @pytest.mark.parametrize(
        ("storage", "compression"),
        [
            ("mcap", CompressionMode.STORAGE),
            ("sqlite3", CompressionMode.FILE),
            ("sqlite3", CompressionMode.MESSAGE),
        ],
    )
    def test_compressed_bags(
        self,
        pipeline: Any,
        tmp_path: Path,
        storage: str,
        compression: CompressionMode,
    ) -> None:
        bag = bag_maker.write_bag(
            tmp_path / "in", bag_maker.frames("/cam"), storage=storage, compression=compression
        )
        convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        after = bag_maker.messages_of(tmp_path / "out")
        assert_copied(bag_maker.messages_of(bag), after)
        assert len(after["/da_ros/depth/image"]) == 5

    @pytest.mark.parametrize("spelling", ["png", "rgb8; jpeg compressed bgr8"])
    def test_compressed_images(self, pipeline: Any, tmp_path: Path, spelling: str) -> None:
        entries = [
            bag_maker.compressed("/cam/image_raw/compressed", 10, 5, spelling),
            bag_maker.info("/cam/camera_info", 11, 5),
        ]
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        after = bag_maker.messages_of(tmp_path / "out")
        assert [stamp_of(raw) for _, raw in after["/da_ros/points"]] == [5]

    def test_outputs_and_cloud_parameters(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        job = BagJob((bag,), tmp_path / "out", outputs=("points", "depth_mm", "color"))
        convert_bag(job, pipeline(cloud__stride=4))
        after = bag_maker.messages_of(job.target)
        assert sorted(topic for topic in after if topic.startswith("/da_ros")) == [
            "/da_ros/depth/color",
            "/da_ros/depth/image_raw",
            "/da_ros/points",
        ]
        cloud = bag_maker.STORE.deserialize_cdr(
            after["/da_ros/points"][0][1], "sensor_msgs/msg/PointCloud2"
        )
        assert (cloud.height, cloud.width) == (12, 16)

    def test_camera_info_of_the_very_image(self, pipeline: Any, tmp_path: Path) -> None:
        """A zooming camera: each image has its own intrinsics, recorded before or after it."""
        entries = []
        for index in range(6):
            at = 10**9 + index * 33_000_000
            pair = [
                bag_maker.image("/cam/image_raw", at + 1, at),
                bag_maker.info("/cam/camera_info", at + 2, at, fx=50.0 + index),
            ]
            entries += pair if index % 2 else pair[::-1]
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        raws = [
            raw for _, raw in bag_maker.messages_of(tmp_path / "out")["/da_ros/depth/camera_info"]
        ]
        infos = [
            bag_maker.STORE.deserialize_cdr(raw, "sensor_msgs/msg/CameraInfo") for raw in raws
        ]
        assert [info.k[0] for info in infos] == [50.0, 51.0, 52.0, 53.0, 54.0, 55.0]

    def test_the_report_shows_what_was_done(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        """Sections, and pictures that can be opened: one contact sheet, one plot."""
        job = BagJob((bag,), tmp_path / "out")
        convert_bag(job, pipeline())
        page = (job.target / "report.html").read_text()
        for words in (
            "<h2>/cam/image_raw</h2>", "Image and depth; near is bright",
            "<h2>/cam/image_raw over time</h2>", "Depth over time [m]", "Scale over time",
            "<h2>Throughput by stage</h2>", "Stage network", "frames/s", "<h2>Messages</h2>",
        ):  # fmt: skip
            assert words in page, words
        found = re.findall(r"data:image/(?:png|jpeg);base64,([A-Za-z0-9+/=]+)", page)
        pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]
        assert len(pictures) == 3
        assert all(picture.std() > 5 for picture in pictures)

    def test_progress(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        seen: list[tuple[int, int]] = []
        convert_bag(
            BagJob((bag,), tmp_path / "out", batch=2),
            pipeline(),
            lambda state: seen.append((state.done, state.total)),
        )
        assert seen == [(2, 5), (4, 5), (5, 5)]


class TestSeveralCameras:
    def test_each_has_the_namespace_of_its_images(self, pipeline: Any, tmp_path: Path) -> None:
        entries = sorted(
            bag_maker.frames("/left", 3) + bag_maker.frames("/robot/right", 4),
            key=lambda e: e.timestamp,
        )
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        report = convert_bag(BagJob((bag,), tmp_path / "out", batch=3), pipeline())
        after = bag_maker.messages_of(tmp_path / "out")
        assert len(after["/left/da_ros/points"]) == 3
        assert len(after["/robot/right/da_ros/points"]) == 4
        assert report.done == 7

    def test_one_of_them(self, pipeline: Any, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(
            tmp_path / "in", bag_maker.frames("/left", 3) + bag_maker.frames("/right", 4)
        )
        job = BagJob((bag,), tmp_path / "out", images=("/right/image_raw",))
        convert_bag(job, pipeline())
        assert len(bag_maker.messages_of(job.target)["/da_ros/points"]) == 4


class TestDamage:
    def test_a_bad_image_is_counted_and_the_rest_goes_on(
        self, pipeline: Any, tmp_path: Path
    ) -> None:
        entries = bag_maker.frames("/cam")
        entries[4] = bag_maker.image("/cam/image_raw", entries[4].timestamp, 7, cut=1)
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        report = convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        assert not report.complete
        ((topic, reason),) = report.failures
        assert topic == "/cam/image_raw"
        assert "expected 9216 bytes of data, got 9215" in reason
        after = bag_maker.messages_of(tmp_path / "out")
        assert_copied(bag_maker.messages_of(bag), after)
        assert len(after["/da_ros/depth/image"]) == 4

    @pytest.mark.parametrize("raw", [b"\0\1\0\0" + bytes(20), b"\7\7", b"\0\1\0\0" + b"\xff" * 90])
    @pytest.mark.parametrize("place", [4, 5])
    def test_a_message_that_is_none(
        self,
        pipeline: Any,
        tmp_path: Path,
        raw: bytes,
        place: int,
    ) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/cam"), raw={place: raw})
        report = convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        assert sum(report.failures.values()) == 1
        assert report.done == (4 if place == 4 else 5)
        assert_copied(bag_maker.messages_of(bag), bag_maker.messages_of(tmp_path / "out"))

    def test_an_image_without_camera_info_gives_depth_without_cloud(
        self, pipeline: Any, tmp_path: Path
    ) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", [bag_maker.image("/cam/image_raw", 10, 5)])
        job = BagJob((bag,), tmp_path / "out", images=("/cam/image_raw",))
        report = convert_bag(job, pipeline())
        assert report.complete
        assert report.notes == {("/cam/image_raw", "no camera_info"): 1}
        after = bag_maker.messages_of(job.target)
        assert len(after["/da_ros/depth/image"]) == 1
        assert "/da_ros/points" not in after

    def test_a_broken_chunk_is_counted_and_the_rest_goes_on(
        self, pipeline: Any, tmp_path: Path
    ) -> None:
        bag = bag_maker.write_bag(
            tmp_path / "in", bag_maker.frames("/cam", 300), compression=CompressionMode.STORAGE
        )
        file = bag / "in.mcap"
        data = bytearray(file.read_bytes())
        second = data.index(ZSTD, data.index(ZSTD) + 1)
        data[second : second + 4] = bytes(4)
        file.write_bytes(data)
        report = convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        assert not report.stopped
        assert not report.complete
        lost = {topic: count for (topic, _), count in report.lost.items()}
        assert set(lost) == {"/cam/image_raw", "/cam/camera_info"}
        assert report.done == 300 - lost["/cam/image_raw"]
        assert 0 < lost["/cam/image_raw"] < 300
        assert all("in.mcap: damaged chunk at byte" in reason for _, reason in report.lost)
        assert len(bag_maker.messages_of(tmp_path / "out")["/da_ros/points"]) == report.done

    def test_a_file_of_a_killed_recorder_that_is_empty(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        (bag / "metadata.yaml").unlink()
        (bag / "in_1.mcap").write_bytes(b"")
        report = convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        assert (report.done, report.complete) == (5, False)
        assert "in_1.mcap cannot be read" in report.stopped
        made = json.loads((tmp_path / "out" / "manifest.json").read_text())
        assert "in_1.mcap cannot be read" in made["stopped"]

    def test_nothing_done_leaves_nothing(self, pipeline: Any, tmp_path: Path) -> None:
        entries = [
            bag_maker.image("/cam/image_raw", 10, 5, cut=1),
            bag_maker.info("/cam/camera_info", 11, 5),
        ]
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        with pytest.raises(BagError, match=r"no image could be done: /cam/image_raw: image rgb8"):
            convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        assert [path.name for path in tmp_path.iterdir()] == ["in"]


class TestRefusals:
    def test_an_existing_output(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        with pytest.raises(BagError, match="exists; choose another name or say --overwrite"):
            convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())

    def test_overwriting_what_is_no_bag(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.tex").touch()
        with pytest.raises(BagError, match="is there and is no bag, so it is not replaced"):
            convert_bag(BagJob((bag,), tmp_path / "out", overwrite=True), pipeline())

    def test_overwriting_keeps_the_old_one_until_the_new_is_done(
        self, pipeline: Any, bag: Path, tmp_path: Path
    ) -> None:
        convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())
        bad = bag_maker.write_bag(
            tmp_path / "bad",
            [
                bag_maker.image("/cam/image_raw", 10, 5, cut=1),
                bag_maker.info("/cam/camera_info", 11, 5),
            ],
        )
        with pytest.raises(BagError, match="no image could be done"):
            convert_bag(BagJob((bad,), tmp_path / "out", overwrite=True), pipeline())
        assert len(bag_maker.messages_of(tmp_path / "out")["/da_ros/points"]) == 5
        convert_bag(
            BagJob((bag,), tmp_path / "out", overwrite=True, outputs=("depth",)), pipeline()
        )
        assert "/da_ros/points" not in bag_maker.messages_of(tmp_path / "out")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "in", "out"]

    def test_names_that_are_taken(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        convert_bag(BagJob((bag,), tmp_path / "once"), pipeline())
        again = BagJob((tmp_path / "once",), tmp_path / "twice")
        with pytest.raises(BagError, match=r"already has /da_ros/depth/camera_info, .*--prefix"):
            convert_bag(again, pipeline())
        other = BagJob((tmp_path / "once",), tmp_path / "twice", prefix="/second")
        assert convert_bag(other, pipeline()).added["/second/points"] == 5

    @pytest.mark.parametrize("prefix", ["da_ros", "/da ros", "/", "/1", "/a//b", ""])
    def test_a_prefix_that_is_no_name(
        self, pipeline: Any, bag: Path, tmp_path: Path, prefix: str
    ) -> None:
        with pytest.raises(ParameterError, match="expected a topic name such as /da_ros"):
            convert_bag(BagJob((bag,), tmp_path / "out", prefix=prefix), pipeline())

    @pytest.mark.parametrize(
        ("outputs", "message"),
        [
            (("depth", "points"), "gives relative_inverse_depth and no depth, points; it gives"),
            (("dept",), "unknown output dept; expected some of depth"),
        ],
    )
    def test_outputs_the_model_cannot_give(
        self, pipeline: Any, bag: Path, tmp_path: Path, outputs: tuple[str, ...], message: str
    ) -> None:
        with pytest.raises(ParameterError, match=message):
            convert_bag(BagJob((bag,), tmp_path / "out", outputs=outputs), pipeline(RELATIVE))

    def test_topics_that_are_not_there(self, pipeline: Any, bag: Path, tmp_path: Path) -> None:
        job = BagJob((bag,), tmp_path / "out", images=("/nope",))
        with pytest.raises(
            ParameterError, match=r"/nope \(not in the bag\).* has: /cam/image_raw"
        ):
            convert_bag(job, pipeline())

    def test_no_camera(self, pipeline: Any, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(
            tmp_path / "in",
            [bag_maker.odd(1), bag_maker.image("/depth/image_raw", 2, 2, encoding="16UC1")],
        )
        with pytest.raises(BagError, match="has no camera to work on: /depth/image_raw: encoding"):
            convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())

    def test_an_empty_bag(self, pipeline: Any, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", [])
        with pytest.raises(BagError, match="has no camera to work on: it has no image topics"):
            convert_bag(BagJob((bag,), tmp_path / "out"), pipeline())


class TestCheckJob:
    def test_a_source_that_is_its_own_target(self, bag: Path) -> None:
        for target in (bag, bag / ".." / "in", bag.parent):
            with pytest.raises(BagError, match=r"would replace its own source|is no bag"):
                check_job(BagJob((bag,), target, overwrite=True))

    def test_batch(self, bag: Path, tmp_path: Path) -> None:
        with pytest.raises(ParameterError, match="at least 1 image per network call, got 0"):
            check_job(BagJob((bag,), tmp_path / "out", batch=0))

    def test_storage(self, bag: Path, tmp_path: Path) -> None:
        with pytest.raises(ParameterError, match="storage 'zip': expected one of mcap, sqlite3"):
            check_job(BagJob((bag,), tmp_path / "out", storage="zip"))

    @pytest.mark.parametrize("name", ["out_0.mcap", "out.db3"])
    def test_a_target_named_like_a_file(self, bag: Path, tmp_path: Path, name: str) -> None:
        with pytest.raises(BagError, match="a bag is a folder here"):
            check_job(BagJob((bag,), tmp_path / name))


class TestKilled:
    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    def test_nothing_appears_under_the_final_name(self, tmp_path: Path, storage: str) -> None:
        """The process ends without a chance to tidy up, in the middle of writing."""
        code = (
            "import os, sys, pathlib\n"
            "from da_ros.offline.bag_output import BagOutput\n"
            "out = BagOutput(pathlib.Path(sys.argv[1]), sys.argv[2])\n"
            "out.__enter__()\n"
            "topic = out.add_topic('/x', 'sensor_msgs/msg/Image')\n"
            "out.write(topic, 1, bytes(3_000_000))\n"
            "os._exit(9)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "out"), storage])
        assert done.returncode == 9
        assert not (tmp_path / "out").exists()
        (left,) = tmp_path.iterdir()
        assert left.name.startswith(".out.")


class TestRealBag:
    """Five Kinect frames with depth beside them."""

    @pytest.mark.parametrize("name", ["tum_fr1_rgbd_mcap", "tum_fr1_rgbd_db3"])
    @pytest.mark.parametrize("kind", [METRIC, RELATIVE])
    def test_twenty_messages_stay_and_five_frames_come(
        self,
        shared_data: Path,
        pipeline: Any,
        tmp_path: Path,
        name: str,
        kind: Kind,
    ) -> None:
        source = shared_data / "bags" / name
        report = convert_bag(BagJob((source,), tmp_path / "out"), pipeline(kind))
        before, after = bag_maker.messages_of(source), bag_maker.messages_of(tmp_path / "out")
        assert sum(len(messages) for messages in before.values()) == 20
        assert_copied(before, after)
        stamps = [stamp_of(raw) for _, raw in before["/camera/color/image_raw"]]
        assert len(stamps) == 5
        for topic in NEW[kind]:
            assert [stamp_of(raw) for _, raw in after[f"/da_ros/{topic}"]] == stamps
        assert report.done == 5
        assert_readable_by_ros(after, kind)

    def test_depth_is_the_same_with_other_threads_and_batches(
        self, shared_data: Path, tmp_path: Path
    ) -> None:
        """To 1e-3 by the promise; nano keeps within rounding."""
        source, before = shared_data / "bags" / "tum_fr1_rgbd_mcap", torch.get_num_threads()
        found = []
        try:
            for threads, batch in ((2, 1), (1, 1), (2, 3), (2, 5)):
                torch.set_num_threads(threads)
                target = tmp_path / f"{threads}_{batch}"
                convert_bag(BagJob((source,), target, batch=batch, lanes=1), nano_pipeline())
                raws = bag_maker.messages_of(target)["/da_ros/nominal/depth/image"]
                images = [bag_maker.STORE.deserialize_cdr(r, bag_maker.IMAGE) for _, r in raws]
                found.append(np.stack([np.frombuffer(image.data, "<f4") for image in images]))
        finally:
            torch.set_num_threads(before)
        assert len(found[0]) == 5
        for other in found[1:]:
            np.testing.assert_allclose(other, found[0], rtol=1e-5)


def assert_readable_by_ros(after: dict[str, Any], kind: Kind) -> None:
    """rclpy itself reads what was added."""
    serialization = pytest.importorskip("rclpy.serialization")
    sensor_msgs = pytest.importorskip("sensor_msgs.msg")
    depth_topic, cloud_topic = (
        ("/da_ros/depth/image", "/da_ros/points")
        if kind is METRIC
        else ("/da_ros/nominal/depth/image", "/da_ros/nominal/points")
    )
    for (_, raw_depth), (_, raw_cloud) in zip(after[depth_topic], after[cloud_topic], strict=True):
        image = serialization.deserialize_message(raw_depth, sensor_msgs.Image)
        assert (image.encoding, image.height, image.width) == ("32FC1", 480, 640)
        depth = np.frombuffer(image.data, "<f4").reshape(480, 640)
        cloud = serialization.deserialize_message(raw_cloud, sensor_msgs.PointCloud2)
        assert cloud.header == image.header
        points = np.frombuffer(cloud.data, "<f4").reshape(480, 640, -1)
        kept = np.isfinite(points[..., 2])
        assert kept.mean() > 0.5
        np.testing.assert_array_equal(points[..., 2][kept], depth[kept])


class TestBagReport:
    def test_says_what_happened(self) -> None:
        report = BagReport(images=3, done=2, seconds=4.0)
        report.read["/a"] = 8
        report.copied["/a"] = 7
        report.added["/b/c"] = 2
        for second in range(4):
            report.fail_image("/a", 10**9 * second + 5, BagError("too short"))
        report.notes["/a", "no camera_info"] = 1
        report.stage_ms["infer_ms"] = 30.0
        report.stopped = "end of file"
        text = "\n".join(report.lines())
        assert "2 of 3 images in 4.0 s (0.5 frames/s)" in text
        assert "ms per image: infer 15.0" in text
        said = "failed: 4 x /a: too short (recorded at 0.000000005, 1.000000005, 2.000000005, ...)"
        assert said in text
        assert "incomplete: 1 x /a: no camera_info" in text
        assert "8 in        7 out" in text
        assert "no further than this: end of file" in text
        assert not report.complete

    def test_what_failed_is_named_up_to_a_bound_and_survives_an_interruption(self) -> None:
        report = BagReport()
        for number in range(250):
            report.fail("/a", number, BagError("too short"))
        report = BagReport.of_state(json.loads(json.dumps(report.state())))
        assert report.failures["/a", "too short"] == 250
        assert report.moments["/a", "too short"] == list(range(100))

    def test_nothing_at_all(self) -> None:
        assert list(BagReport().lines()) == ["0 of 0 images in 0.0 s (0.0 frames/s)"]
        assert BagReport().complete
        assert not math.isnan(BagReport().seconds)
