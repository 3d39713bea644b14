"""Metres in a bag from what else it holds, with scales that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bag_maker
import numpy as np
import pytest

from da_ros.errors import ParameterError
from da_ros.offline.bag import BagJob, convert_bag
from da_ros.offline.bag_input import BagInput
from da_ros.offline.bag_output import unfinished_folder
from da_ros.offline.bag_scale import TopicChoice, cloud_topics, depth_topics
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
        job = BagJob((bag,), tmp_path / "out", outputs=("depth", "inverse_depth", "scale"))
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
