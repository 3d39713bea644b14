"""Metres in a bag from what else it holds, with scales that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bag_maker
import numpy as np
import pytest

from da_ros.errors import BagError, InputError, ParameterError
from da_ros.offline.bag import convert_bag
from da_ros.offline.bag_folder import unfinished_folder
from da_ros.offline.bag_input import BagInput
from da_ros.offline.bag_job import BagJob
from da_ros.offline.bag_plan import plan_bag
from da_ros.offline.bag_scale import TopicChoice, cloud_topics, depth_topics
from da_ros.scale.observations.static import StaticCalibration, save_calibration
from da_ros.types import Kind

RELATIVE = Kind.RELATIVE_INVERSE_DEPTH
SCALE, SHIFT = 0.1, 0.02  # 1/z = SCALE * d + SHIFT
AWAY = (0.3, -0.1, 0.2)  # where the scanner is in the camera's frame [m]


HEIGHT, WIDTH = 240, 320


@pytest.fixture(autouse=True)
def larger_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points stay some pixels away from edges: of the usual 48 x 64 px nothing would be left."""
    even = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    monkeypatch.setattr(bag_maker, "pixels", lambda number: even)
    monkeypatch.setattr(bag_maker, "HEIGHT", HEIGHT)
    monkeypatch.setattr(bag_maker, "WIDTH", WIDTH)


def network_of(pipeline: Any, tmp_path: Path, count: int) -> list[np.ndarray]:
    """The network's own numbers of the frames, at the size of the image."""
    bag = bag_maker.write_bag(tmp_path / "plain", bag_maker.frames("/cam", count))
    job = BagJob((bag,), tmp_path / "numbers", outputs=("inverse_depth",), batch=1)
    convert_bag(job, pipeline(RELATIVE))
    raws = bag_maker.messages_of(job.target)["/da_ros/inverse_depth/image"]
    messages = [bag_maker.STORE.deserialize_cdr(raw, bag_maker.IMAGE) for _, raw in raws]
    return [np.frombuffer(m.data, "<f4").reshape(m.height, m.width) for m in messages]


def depth_entry(at: int, stamp: int, depth: np.ndarray) -> bag_maker.Entry:
    entry = bag_maker.image("/cam/depth/image_rect", at, stamp, encoding="32FC1")
    entry.message.step = 4 * depth.shape[1]
    entry.message.data = np.frombuffer(depth.astype(np.float32).tobytes(), np.uint8)
    return entry


def cloud_entry(at: int, stamp: int, depth: np.ndarray) -> bag_maker.Entry:
    """What a scanner at AWAY sees of the same scene."""
    v, u = (places.ravel() for places in np.mgrid[10:230:12, 10:310:16])
    z = depth[v, u]
    xyz = np.stack([(u - 159.5) / 50 * z, (v - 119.5) / 50 * z, z], -1)
    return bag_maker.cloud("/lidar/points", at, stamp, xyz - np.array(AWAY))


def recording(pipeline: Any, tmp_path: Path, kind: str, count: int = 24) -> Path:
    """Frames with measured depth, recorded a little later than the images."""
    entries = bag_maker.frames("/cam", count)
    made = [bag_maker.transform("/tf_static", 1, 1, "cam", "lidar", AWAY)]
    numbers = network_of(pipeline, tmp_path, count)
    for index, network in enumerate(numbers):
        stamp = 1_000_000_000 + index * 33_000_000
        depth = 1.0 / (SCALE * network + SHIFT)
        made += entries[2 * index : 2 * index + 2]
        if kind == "depth":
            made.append(depth_entry(stamp + 20_000_000, stamp, depth))
        elif index % 3 == 0:
            made.append(cloud_entry(stamp + 30_000_000, stamp + 1_000_000, depth))
    return bag_maker.write_bag(tmp_path / "in", made)


def parameters(kind: str) -> dict[str, Any]:
    if kind == "depth":
        return {"scale__depth_image": True}
    return {"scale__point_cloud": True, "scale__fixed_frame": ""}


class TestMetres:
    @pytest.mark.parametrize("kind", ["depth", "cloud"])
    def test_depth_of_a_relative_model_from_measured_depth(
        self, pipeline: Any, tmp_path: Path, kind: str
    ) -> None:
        bag = recording(pipeline, tmp_path, kind)
        outputs = ("depth", "inverse_depth", "scale", "camera_info")
        job = BagJob((bag,), tmp_path / "out", outputs=outputs)
        report = convert_bag(job, pipeline(RELATIVE, **parameters(kind)))
        assert report.complete
        after = bag_maker.messages_of(job.target)
        depths, numbers = (
            {at: np.frombuffer(bag_maker.STORE.deserialize_cdr(raw, bag_maker.IMAGE).data, "<f4")
             for at, raw in after[f"/da_ros/{topic}"]}
            for topic in ("depth/image", "inverse_depth/image")
        )  # fmt: skip
        assert len(numbers) == 24
        assert len(depths) >= 20
        assert len(after["/da_ros/depth/camera_info"]) == len(depths)
        assert "/da_ros/nominal/depth/camera_info" not in after  # nothing nominal was asked for
        for at, depth in depths.items():
            truth = 1.0 / (SCALE * numbers[at] + SHIFT)
            assert np.abs(depth / truth - 1.0).max() < 0.03
        assert len(after["/da_ros/scale"]) == (24 if kind == "depth" else 8)

    @pytest.mark.parametrize("kind", ["depth", "cloud"])
    def test_an_interrupted_run_resumed_equals_one_run(
        self, pipeline: Any, tmp_path: Path, kind: str
    ) -> None:
        bag = recording(pipeline, tmp_path, kind)
        one, two = tmp_path / "a" / "out", tmp_path / "b" / "out"
        options: Any = {"outputs": ("depth", "scale", "info"), "split": 8}

        def stop(state: Any) -> None:
            if state.done >= 12:
                raise KeyboardInterrupt

        convert_bag(BagJob((bag,), one, **options), pipeline(RELATIVE, **parameters(kind)))
        with pytest.raises(KeyboardInterrupt):
            convert_bag(
                BagJob((bag,), two, **options), pipeline(RELATIVE, **parameters(kind)), stop
            )
        assert (unfinished_folder(two) / "bag" / "out_0.mcap").is_file()
        again = BagJob((bag,), two, **options, resume=True)
        convert_bag(again, pipeline(RELATIVE, **parameters(kind)))
        for name in ("out_0.mcap", "out_1.mcap", "out_2.mcap", "metadata.yaml"):
            assert (two / name).read_bytes() == (one / name).read_bytes(), name


def depths_of(job: BagJob) -> list[np.ndarray]:
    raws = bag_maker.messages_of(job.target)["/da_ros/depth/image"]
    messages = [bag_maker.STORE.deserialize_cdr(raw, bag_maker.IMAGE) for _, raw in raws]
    return [np.frombuffer(m.data, "<f4").reshape(m.height, m.width) for m in messages]


class TestGroundPlane:
    def test_metres_follow_the_height_of_the_camera(self, pipeline: Any, tmp_path: Path) -> None:
        """The ramp over an even picture is linear in the row, as a plain under a level camera."""
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/cam", 3))
        job = BagJob((bag,), tmp_path / "out", outputs=("depth",))
        height = 0.6
        settings = {"scale__ground_plane": True, "scale__camera_height": height}
        report = convert_bag(job, pipeline(RELATIVE, **settings))
        assert report.added["/da_ros/depth/image"] == 3
        rows = np.arange(HEIGHT)[:, None] - 119.5
        truth = np.where(rows > 0, 50.0 * height / np.maximum(rows, 0.5), np.nan)
        seen = (truth > 0.3) & (truth < 5.0) & np.ones((1, WIDTH), bool)
        for depth in depths_of(job):
            off = np.abs(depth / truth - 1.0)[seen]
            assert np.median(off) < 0.01
            assert off.max() < 0.05

    def test_without_the_height_nothing_is_done(self, pipeline: Any, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/cam", 1))
        job = BagJob((bag,), tmp_path / "out", outputs=("depth",))
        with pytest.raises(ParameterError, match="camera_height"):
            convert_bag(job, pipeline(RELATIVE, scale__ground_plane=True))


class TestSavedCalibration:
    def saved(self, tmp_path: Path, pipeline: Any, kind: Kind, **changed: Any) -> str:
        numbers = (SCALE, SHIFT) if kind is RELATIVE else (1.5,)
        calibration = StaticCalibration(
            model_id="ramp",
            model_sha256=pipeline(kind).model.sha256,
            kind=kind,
            input_size=(70, 98),
            coefficients=numbers,
            covariance=tuple(map(tuple, np.diag([1e-6] * len(numbers)).tolist())),
            pixel_error=0.02,
            source="depth_image",
            date="2026-11-26T12:00:00+00:00",
            static_camera=True,
            frames=9,
        )
        save_calibration(replace(calibration, **changed), tmp_path / "front.yaml")
        return str(tmp_path / "front.yaml")

    @pytest.mark.parametrize("kind", [RELATIVE, Kind.METRIC_DEPTH])
    def test_its_numbers_give_metres_to_every_frame(
        self, pipeline: Any, tmp_path: Path, kind: Kind
    ) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/cam", 3))
        job = BagJob((bag,), tmp_path / "out", outputs=("depth",))
        path = self.saved(tmp_path, pipeline, kind)
        settings = {"scale__calibration_file": path, "scale__static_camera": True}
        convert_bag(job, pipeline(kind, **settings))
        if kind is RELATIVE:
            expected = [1.0 / (SCALE * d + SHIFT) for d in network_of(pipeline, tmp_path, 3)]
        else:
            plain = BagJob((bag,), tmp_path / "plain", outputs=("depth",))
            convert_bag(plain, pipeline(kind))
            expected = [1.5 * z for z in depths_of(plain)]
        for depth, truth in zip(depths_of(job), expected, strict=True):
            np.testing.assert_allclose(depth, truth, rtol=1e-5)

    @pytest.mark.parametrize(
        ("changed", "static", "message"),
        [
            ({"model_sha256": "cd" * 32}, True, "made with ramp .*calibrate anew"),
            ({}, False, "good only for a camera that stands still"),
            ({"coefficients": (-SCALE, SHIFT)}, True, "expected a scale > 0"),
        ],
    )
    def test_one_that_does_not_fit_is_refused_before_anything_is_written(
        self, pipeline: Any, tmp_path: Path, changed: Any, static: bool, message: str
    ) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/cam", 1))
        path = self.saved(tmp_path, pipeline, RELATIVE, **changed)
        settings = {"scale__calibration_file": path, "scale__static_camera": static}
        job = BagJob((bag,), tmp_path / "out", outputs=("depth",))
        with pytest.raises(InputError, match=message):
            convert_bag(job, pipeline(RELATIVE, **settings))
        assert not job.target.exists()

    def test_one_of_another_input_size_gives_no_metres_and_it_is_said(
        self, pipeline: Any, tmp_path: Path
    ) -> None:
        bag = bag_maker.write_bag(tmp_path / "in", bag_maker.frames("/cam", 1))
        path = self.saved(tmp_path, pipeline, RELATIVE, input_size=(98, 98))
        settings = {"scale__calibration_file": path, "scale__static_camera": True}
        job = BagJob((bag,), tmp_path / "out", outputs=("depth", "inverse_depth"))
        report = convert_bag(job, pipeline(RELATIVE, **settings))
        assert report.added == {"/da_ros/inverse_depth/image": 1}
        ((_, note),) = report.notes
        assert note.startswith("no metres: the scale is none (static: ")
        assert "made for a network input of 98x98 px, not 98x70; calibrate anew" in note


class TestWithoutEvidence:
    def test_no_metres_are_made_up_and_it_is_said(self, pipeline: Any, tmp_path: Path) -> None:
        """The only depth image is a minute away."""
        far = depth_entry(10**9 - 1, 61 * 10**9, np.full((HEIGHT, WIDTH), 2.0))
        bag = bag_maker.write_bag(tmp_path / "in", [far, *bag_maker.frames("/cam", 3)])
        job = BagJob((bag,), tmp_path / "out", outputs=("depth", "inverse_depth"))
        report = convert_bag(job, pipeline(RELATIVE, scale__depth_image=True))
        assert report.added == {"/da_ros/inverse_depth/image": 3}
        assert report.notes == {("/cam/image_raw", "no metres: the scale is none"): 3}
        assert "no metres: the scale is none" in (job.target / "report.html").read_text()


class TestPlan:
    @pytest.mark.parametrize("kind", ["depth", "cloud"])
    def test_it_knows_the_size_of_metres(self, pipeline: Any, tmp_path: Path, kind: str) -> None:
        bag = recording(pipeline, tmp_path, kind)
        job = BagJob((bag,), tmp_path / "out", outputs=("depth", "points"))
        plan = plan_bag(job, pipeline(RELATIVE, **parameters(kind)))
        convert_bag(job, pipeline(RELATIVE, **parameters(kind)))
        after = bag_maker.messages_of(job.target)
        added = sum(len(raw) for topic in plan.added for _, raw in after.get(topic, []))
        assert plan.added_bytes == pytest.approx(added, rel=0.2)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"evaluate": "/nope"}, "evaluate /nope: no depth images or clouds"),
            ({"measured": TopicChoice(cloud=("/x",))}, "its source is off; add --scale-point"),
        ],
    )
    def test_it_refuses_what_a_run_refuses(
        self, pipeline: Any, tmp_path: Path, options: dict[str, Any], message: str
    ) -> None:
        bag = recording(pipeline, tmp_path, "depth", 1)
        job = BagJob((bag,), tmp_path / "out", **options)
        for do in (plan_bag, convert_bag):
            with pytest.raises(ParameterError, match=message):
                do(job, pipeline(RELATIVE, scale__depth_image=True))  # type: ignore[operator]

    def test_names_that_are_taken(self, pipeline: Any, tmp_path: Path) -> None:
        convert_bag(
            BagJob((recording(pipeline, tmp_path, "depth", 1),), tmp_path / "one"),
            pipeline(RELATIVE),
        )
        with pytest.raises(BagError, match="already has /da_ros"):
            plan_bag(BagJob((tmp_path / "one",), tmp_path / "two"), pipeline(RELATIVE))


class TestDamage:
    @pytest.mark.parametrize("topic", ["/cam/image_raw", "/cam/depth/image_rect"])
    def test_a_damaged_first_image_costs_itself(
        self, pipeline: Any, tmp_path: Path, topic: str
    ) -> None:
        bag = recording(pipeline, tmp_path, "depth")
        spoilt = bag_maker.with_first_cut(bag, tmp_path / "spoilt", topic)
        evaluate = "/cam/depth/image_rect"
        job = BagJob((spoilt,), tmp_path / "out", outputs=("depth",), evaluate=evaluate)
        report = convert_bag(job, pipeline(RELATIVE, scale__depth_image=True))
        ((failed, reason),) = report.failures
        assert (failed, report.images) == (topic, 24)
        assert reason.startswith("damaged sensor_msgs/msg/Image message")
        assert report.done >= 23

    def test_a_transform_that_is_none_is_counted(self, pipeline: Any, tmp_path: Path) -> None:
        bag = recording(pipeline, tmp_path, "cloud")
        wrong = bag_maker.transform(
            "/tf_static", 10**9 - 2, 10**9, "cam", "lidar", (0, 0, 0), (0, 0, 0, 0)
        )
        other = bag_maker.write_bag(tmp_path / "wrong", [wrong])
        job = BagJob((other, bag), tmp_path / "out", outputs=("depth",), split=8)
        report = convert_bag(job, pipeline(RELATIVE, **parameters("cloud")))
        assert [(topic, n) for (topic, _), n in report.failures.items()] == [("/tf_static", 1)]
        assert not report.complete


class TestTopics:
    def test_found_by_what_they_are(self, pipeline: Any, tmp_path: Path) -> None:
        with BagInput(recording(pipeline, tmp_path, "cloud", 1)) as bag:
            assert (depth_topics(bag), cloud_topics(bag)) == ([], ["/lidar/points"])

    @pytest.mark.parametrize(
        ("kind", "choice", "message"),
        [
            ("cloud", TopicChoice(), "the bag has no depth images to take it from"),
            ("depth", TopicChoice(depth=("/no",)), "depth topic /no: the bag has none such; it"),
            ("depth", TopicChoice(depth=("/a", "/b")), "expected one, or one for each of the 1"),
        ],
    )
    def test_refusals(
        self, pipeline: Any, tmp_path: Path, kind: str, choice: TopicChoice, message: str
    ) -> None:
        bag = recording(pipeline, tmp_path, kind, 1)
        with pytest.raises(ParameterError, match=message):
            convert_bag(
                BagJob((bag,), tmp_path / "out", measured=choice),
                pipeline(RELATIVE, scale__depth_image=True),
            )
