"""Calibration from recordings whose true scale is known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import bag_maker
import cv2
import numpy as np
import pytest
import torch
from ramp_estimator import ramp_estimator

from da_ros.errors import BagError, InputError, ParameterError
from da_ros.geometry.depth import resize_prediction
from da_ros.offline import calibration_plot
from da_ros.offline.bag_scale import TopicChoice
from da_ros.offline.calibration import CalibrationJob, Gathered, check_job, gather
from da_ros.offline.calibration_plot import check_matplotlib, draw_calibration
from da_ros.offline.calibration_verdict import table, verdict_of
from da_ros.params import PipelineParams
from da_ros.pipeline import DepthPipeline
from da_ros.scale.extrinsic import Mounting, MountingCheck, turned
from da_ros.scale.observations.static import load_calibration, save_calibration
from da_ros.types import Kind

RELATIVE, METRIC = Kind.RELATIVE_INVERSE_DEPTH, Kind.METRIC_DEPTH
SCALE, SHIFT, FACTOR = 0.1, 0.02, 1.25
HEIGHT, WIDTH, FOCAL = 240, 320, 200.0
AWAY = (0.3, -0.1, 0.2)  # where the scanner is in the camera's frame [m]
DEPTH, CLOUD = "/cam/depth/image_rect", "/lidar/points"


@pytest.fixture(autouse=True)
def larger_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points stay some pixels away from edges: of the usual 48 x 64 px nothing would be left."""
    even = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    monkeypatch.setattr(bag_maker, "pixels", lambda number: even)
    monkeypatch.setattr(bag_maker, "HEIGHT", HEIGHT)
    monkeypatch.setattr(bag_maker, "WIDTH", WIDTH)


def network_of(kind: Kind) -> np.ndarray:
    """What the ramp network says of every picture, at the size of the image."""
    said = ramp_estimator(kind).estimate(np.full((1, HEIGHT, WIDTH, 3), 120, np.uint8)).values
    return np.asarray(resize_prediction(said, HEIGHT, WIDTH)[0].double())


def truth(kind: Kind) -> np.ndarray:
    network = network_of(kind)
    return np.asarray(FACTOR * network if kind is METRIC else 1.0 / (SCALE * network + SHIFT))


def depth_entry(stamp: int, depth: np.ndarray) -> bag_maker.Entry:
    entry = bag_maker.image(DEPTH, stamp + 20_000_000, stamp, encoding="32FC1")
    entry.message.step = 4 * WIDTH
    entry.message.data = np.frombuffer(depth.astype(np.float32).tobytes(), np.uint8)
    return entry


def cloud_entry(stamp: int, depth: np.ndarray, turn: float = 0.0) -> bag_maker.Entry:
    """What a scanner at AWAY sees of the same scene, turned about the camera's y axis [rad]."""
    v, u = (places.ravel() for places in np.mgrid[10:230:12, 10:310:16])
    z = depth[v, u]
    xyz = np.stack([(u - 159.5) / FOCAL * z, (v - 119.5) / FOCAL * z, z], -1)
    xyz = turned(xyz, turn, 0.0) - np.array(AWAY)
    return bag_maker.cloud(CLOUD, stamp + 30_000_000, stamp + 1_000_000, xyz)


def lens(entry: bag_maker.Entry) -> bag_maker.Entry:
    k = [FOCAL, 0, 159.5, 0, FOCAL, 119.5, 0, 0, 1.0]
    entry.message.k = np.array(k)
    entry.message.p = np.array([*k[:3], 0, *k[3:6], 0, *k[6:], 0])
    return entry


def recording(
    path: Path, kind: Kind, factors: list[float], *, measured: str = "depth", every: int = 1
) -> Path:
    """Frames with measured depth, the world ``factor`` times as large in each."""
    made = [bag_maker.transform("/tf_static", 1, 1, "cam", "lidar", AWAY)]
    pictures, world = bag_maker.frames("/cam", len(factors)), truth(kind)
    for index, factor in enumerate(factors):
        stamp = 1_000_000_000 + index * 33_000_000
        made += [pictures[2 * index], lens(pictures[2 * index + 1])]
        if index % every == 0 and measured == "depth":
            made.append(depth_entry(stamp, factor * world))
        if index % every == 0 and measured == "cloud":
            made.append(cloud_entry(stamp, factor * world))
    return bag_maker.write_bag(path, made)


def gathered(bag: Path, kind: Kind, job: dict[str, Any] | None = None, **scale: Any) -> Gathered:
    params = PipelineParams()
    params = replace(params, scale=replace(params.scale, **scale))
    return gather(
        CalibrationJob((bag,), **(job or {})), DepthPipeline(ramp_estimator(kind), params)
    )


CLOUD_ON = {"point_cloud": True, "fixed_frame": ""}


class TestGather:
    @pytest.mark.parametrize("measured", [{"depth_image": True}, CLOUD_ON])
    def test_a_relative_models_scale_and_shift(
        self, tmp_path: Path, measured: dict[str, Any]
    ) -> None:
        kind = "depth" if "depth_image" in measured else "cloud"
        bag = recording(tmp_path / "bag", RELATIVE, [1.0] * 6, measured=kind)
        found = gathered(bag, RELATIVE, **measured)
        made = found.calibration("2026-01-02", static_camera=True)
        assert made.coefficients == pytest.approx((SCALE, SHIFT), rel=0.03)
        assert (made.frames, made.source) == (6, "depth_image" if kind == "depth" else CLOUD_NAME)
        # The ramp has no edge that could tell where the scanner is.
        assert (found.mounting and found.mounting.verdict) == (
            None if kind == "depth" else Mounting.UNOBSERVABLE
        )

    def test_a_metric_models_factor_and_its_spread(self, tmp_path: Path) -> None:
        factors = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.1, 0.9]
        bag = recording(tmp_path / "bag", METRIC, factors)
        made = gathered(bag, METRIC, depth_image=True).calibration("2026", static_camera=False)
        assert made.coefficients[0] == pytest.approx(FACTOR, rel=0.005)
        spread = FACTOR * float(np.std(factors, ddof=1))
        assert np.sqrt(made.covariance[0][0]) == pytest.approx(spread, rel=0.1)

    def test_the_ground_from_a_known_height(self, tmp_path: Path) -> None:
        bag = recording(tmp_path / "bag", RELATIVE, [1.0] * 6, measured="none")
        pitch, height = 0.6, 0.8  # the horizon lies above the picture: all of it is ground
        found = gathered(
            bag, RELATIVE, ground_plane=True, camera_height=height, camera_pitch=pitch
        )
        v = np.arange(20, 220)
        y = (np.sin(pitch) + (v - 119.5) / FOCAL * np.cos(pitch)) / height
        wanted = np.polyfit(network_of(RELATIVE)[v, 160], y, 1)
        made = found.calibration("2026", static_camera=True)
        assert made.coefficients == pytest.approx(tuple(wanted), rel=0.02)

    def test_images_without_a_measurement_are_counted(self, tmp_path: Path) -> None:
        bag = recording(tmp_path / "bag", RELATIVE, [1.0] * 6, every=3)
        found = gathered(bag, RELATIVE, depth_image=True)
        assert (found.images, found.alone, len(found.fitted)) == (6, 4, 2)

    def test_every(self, tmp_path: Path) -> None:
        bag = recording(tmp_path / "bag", RELATIVE, [1.0] * 7)
        found = gathered(bag, RELATIVE, {"every": 3, "batch": 2}, depth_image=True)
        assert (found.images, len(found.fitted)) == (3, 3)

    def test_a_batch_that_spans_more_than_tf_remembers(self, tmp_path: Path) -> None:
        """One image in four seconds, the scanner's place known through odom at each."""
        made = [bag_maker.transform("/tf_static", 1, 1, "cam", "lidar", AWAY)]
        for stamp in range(1_000_000_000, 17_000_000_000, 4_000_000_000):
            for at in (stamp - 30_000_000, stamp):
                place = (at * 1e-9, 0.0, 0.0)
                made.append(bag_maker.transform("/tf", at, at, "odom", "cam", place))
            made.append(bag_maker.image("/cam/image_raw", stamp + 5_000_000, stamp))
            made.append(lens(bag_maker.info("/cam/camera_info", stamp + 6_000_000, stamp)))
            made.append(cloud_entry(stamp - 31_000_000, truth(METRIC)))
        bag = bag_maker.write_bag(tmp_path / "bag", made)
        found = gathered(bag, METRIC, {"batch": 4}, point_cloud=True, fixed_frame="odom")
        assert (found.images, len(found.fitted)) == (4, 4), found.reasons()

    def test_a_wall_is_refused_with_the_reason(self, tmp_path: Path) -> None:
        bag = recording(tmp_path / "bag", RELATIVE, [1.0] * 2)
        entries = [depth_entry(1_000_000_000, np.full((HEIGHT, WIDTH), 3.0))]
        pictures = bag_maker.frames("/cam", 1)
        bag = bag_maker.write_bag(tmp_path / "wall", [pictures[0], lens(pictures[1]), *entries])
        found = gathered(bag, RELATIVE, depth_image=True)
        assert not found.fitted
        with pytest.raises(InputError, match=r"no frame of 1 .*inverse depths measured vary"):
            found.calibration("2026", static_camera=True)

    def test_an_image_that_cannot_be_read_is_one_failure(self, tmp_path: Path) -> None:
        entries = [*bag_maker.frames("/cam", 2)]
        entries = [e if e.msgtype == bag_maker.IMAGE else lens(e) for e in entries]
        broken = bag_maker.image("/cam/image_raw", 1_000_000_001, 999_000_000, cut=100)
        depth = truth(RELATIVE)
        made = [broken, depth_entry(999_000_000, depth), *entries]
        made += [depth_entry(1_000_000_000, depth), depth_entry(1_033_000_000, depth)]
        bag = bag_maker.write_bag(tmp_path / "bag", sorted(made, key=lambda e: e.timestamp))
        found = gathered(bag, RELATIVE, {"image": "/cam/image_raw"}, depth_image=True)
        assert sum(found.failures.values()) == 1
        assert len(found.fitted) == 2

    def test_several_cameras_must_be_chosen_from(self, tmp_path: Path) -> None:
        entries = [*bag_maker.frames("/left", 1), *bag_maker.frames("/right", 1)]
        entries.append(depth_entry(1_000_000_000, truth(RELATIVE)))
        bag = bag_maker.write_bag(tmp_path / "bag", entries)
        with pytest.raises(BagError, match=r"several cameras.*/left/image_raw, /right/image_raw"):
            gathered(bag, RELATIVE, depth_image=True)

    def test_progress_reaches_the_end(self, tmp_path: Path) -> None:
        bag = recording(tmp_path / "bag", RELATIVE, [1.0] * 5)
        params = PipelineParams()
        params = replace(params, scale=replace(params.scale, depth_image=True))
        seen: list[tuple[int, int]] = []
        pipeline = DepthPipeline(ramp_estimator(RELATIVE), params)
        gather(CalibrationJob((bag,), batch=2), pipeline, lambda *state: seen.append(state))
        assert seen == [(2, 5), (4, 5), (5, 5)]


CLOUD_NAME = "point_cloud"


class TestCheckJob:
    def test_refusals(self, tmp_path: Path) -> None:
        job = CalibrationJob((tmp_path / "none",))
        for given, sources, said in (
            (CalibrationJob(()), ("depth_image",), "no bag to read"),
            (job, (), "nothing to calibrate from: expected --depth"),
            (job, ("depth_image", "static"), "does not take one"),
            (replace(job, every=0), ("depth_image",), "every: expected at least 1"),
        ):
            with pytest.raises(ParameterError, match=said):
                check_job(given, sources)
        with pytest.raises(BagError, match="does not exist"):
            check_job(job, ("depth_image",))

    def test_an_unknown_topic(self, tmp_path: Path) -> None:
        bag = recording(tmp_path / "bag", RELATIVE, [1.0])
        with pytest.raises(ParameterError, match=f"/nowhere.*{DEPTH}"):
            gathered(bag, RELATIVE, {"topics": TopicChoice(depth=("/nowhere",))}, depth_image=True)


class TestRoundTrip:
    def test_the_file_is_taken_for_this_model_and_size_alone(self, tmp_path: Path) -> None:
        bag = recording(tmp_path / "bag", METRIC, [1.0] * 5)
        found = gathered(bag, METRIC, depth_image=True)
        made = found.calibration("2026-01-02", static_camera=False)
        save_calibration(made, tmp_path / "k.yaml")
        assert load_calibration(tmp_path / "k.yaml", found.model, found.input_size, False) == made
        other = replace(found.model, model_id="another", sha256="cd" * 32)
        with pytest.raises(InputError, match="not with another"):
            load_calibration(tmp_path / "k.yaml", other, found.input_size, False)
        with pytest.raises(InputError, match="network input of"):
            load_calibration(tmp_path / "k.yaml", found.model, (518, 518), False)


class TestMounting:
    @pytest.mark.parametrize(
        ("yaw", "verdict"), [(0.0, Mounting.GOOD), (2.0, Mounting.WRONG), (-2.0, Mounting.WRONG)]
    )
    def test_two_degrees_are_seen_in_a_cluttered_picture(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yaw: float, verdict: Mounting
    ) -> None:
        blocks = np.random.default_rng(1).integers(0, 2, (6, 8)) * 255
        picture = np.stack([np.kron(blocks, np.ones((40, 40)))] * 3, -1).astype(np.uint8)
        monkeypatch.setattr(bag_maker, "pixels", lambda number: picture)
        estimator = ramp_estimator(RELATIVE, input_size=238)
        said = estimator.estimate(picture[None]).values
        world = 1.0 / (SCALE * np.asarray(resize_prediction(said, HEIGHT, WIDTH)[0]) + SHIFT)
        entries = [bag_maker.transform("/tf_static", 1, 1, "cam", "lidar", AWAY)]
        shots = bag_maker.frames("/cam", 4)
        for index in range(4):
            entries += [shots[2 * index], lens(shots[2 * index + 1])]
            stamp = 1_000_000_000 + index * 33_000_000
            entries.append(cloud_entry(stamp, world, turn=math.radians(yaw)))
        bag = bag_maker.write_bag(tmp_path / "bag", entries)
        params = PipelineParams()
        params = replace(params, scale=replace(params.scale, **CLOUD_ON))
        found = gather(CalibrationJob((bag,)), DepthPipeline(estimator, params))
        assert found.mounting is not None
        assert found.mounting.verdict is verdict
        if yaw:
            assert math.degrees(found.mounting.yaw) == pytest.approx(-yaw, abs=0.8)


class TestVerdict:
    def verdict(self, tmp_path: Path, kind: Kind, factors: list[float], static: bool) -> Any:
        found = gathered(recording(tmp_path / "bag", kind, factors), kind, depth_image=True)
        return found, verdict_of(found, found.calibration("2026", static_camera=static))

    def test_a_steady_metric_model_is_good_enough(self, tmp_path: Path) -> None:
        _, said = self.verdict(tmp_path, METRIC, [1.0, 1.01, 0.99, 1.0, 1.01, 0.99], False)
        assert said.static
        assert said.usable
        assert said.words[0].startswith("k = 1.2")
        assert said.words[-1].startswith("Static is good enough")
        (only,) = said.references
        assert only.ratio == pytest.approx([1.0, 1.01, 0.99, 1.0, 1.01, 0.99], abs=2e-3)
        assert only.spread == pytest.approx(1.4826 * 0.01, rel=0.1)

    def test_an_unsteady_one_needs_a_live_source(self, tmp_path: Path) -> None:
        _, said = self.verdict(tmp_path, METRIC, [1.0, 1.2, 0.8, 1.1, 0.9, 1.2], False)
        assert said.usable
        assert not said.static
        assert "live source is needed: the scale moves by" in said.words[-1]

    def test_a_turned_scanner_is_said(self, tmp_path: Path) -> None:
        bag = recording(tmp_path / "bag", METRIC, [1.0] * 6, measured="cloud")
        found = gathered(bag, METRIC, **CLOUD_ON)
        found.mounting = MountingCheck(Mounting.WRONG, 0.035, 0.0, 0.3, 0.2)
        said = verdict_of(found, found.calibration("2026", static_camera=False)).words
        assert said[-1].startswith(
            "Mounting: the cloud looks turned against the picture: +2.0 deg"
        )

    def test_few_frames_cannot_tell(self, tmp_path: Path) -> None:
        _, said = self.verdict(tmp_path, METRIC, [1.0, 1.0], False)
        assert said.usable
        assert not said.static
        assert "Too few frames" in said.words[-1]

    @pytest.mark.parametrize("static", [True, False])
    def test_a_relative_one_only_where_nothing_moves(self, tmp_path: Path, static: bool) -> None:
        found, said = self.verdict(tmp_path, RELATIVE, [1.0] * 6, static)
        assert said.usable is said.static is static
        near, _, far = said.references
        assert near.depth < far.depth
        assert ("--static-camera" in said.words[-1]) is not static
        assert len(table(found)) == 7


class TestTable:
    def test_many_frames_share_rows(self, tmp_path: Path) -> None:
        found = gathered(recording(tmp_path / "bag", METRIC, [1.0] * 45), METRIC, depth_image=True)
        lines = table(found)
        assert len(lines) == 21
        assert sum(int(line.split()[1].split("/")[1]) for line in lines[1:]) == 45
        assert lines[0].split()[-1] == "k"

    def test_a_refused_frame_has_dashes(self, tmp_path: Path) -> None:
        pictures = bag_maker.frames("/cam", 1)
        wall = depth_entry(1_000_000_000, np.full((HEIGHT, WIDTH), 3.0))
        bag = bag_maker.write_bag(tmp_path / "bag", [pictures[0], lens(pictures[1]), wall])
        found = gathered(bag, RELATIVE, depth_image=True)
        assert table(found)[1].split()[-3:] == ["-", "-", "-"]


class TestPlot:
    @pytest.mark.parametrize("kind", [RELATIVE, METRIC])
    def test_a_picture_with_three_panels(self, tmp_path: Path, kind: Kind) -> None:
        found = gathered(recording(tmp_path / "bag", kind, [1.0] * 5), kind, depth_image=True)
        made = found.calibration("2026", static_camera=True)
        draw_calibration(found, made, verdict_of(found, made), tmp_path / "plot.png")
        picture = cv2.imread(str(tmp_path / "plot.png"))
        assert picture is not None
        assert picture.shape[1] > 2 * picture.shape[0]
        red = (picture[..., 2] > 180) & (picture[..., 1] < 80)  # the line, in BGR
        for part in np.array_split(red, 3, axis=1):
            assert part.sum() > 10

    def test_without_matplotlib(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(calibration_plot, "can_plot", lambda: False)
        with pytest.raises(InputError, match=r"pip install 'da_ros\[plot\]'"):
            check_matplotlib(Path("k.png"))

    @pytest.mark.parametrize("name", ["k.bmp", "k", "k.yaml"])
    def test_an_ending_that_is_none_of_a_plot(self, name: str) -> None:
        with pytest.raises(InputError, match=rf"^{name}: expected .* \.pdf, .*\.png"):
            check_matplotlib(Path(name))

    def test_an_unwritable_path(self, tmp_path: Path) -> None:
        found = gathered(recording(tmp_path / "b", METRIC, [1.0]), METRIC, depth_image=True)
        made = found.calibration("2026", static_camera=True)
        with pytest.raises(InputError, match="cannot be written"):
            draw_calibration(found, made, verdict_of(found, made), tmp_path / "none" / "p.png")


def test_the_ramp_is_no_wall() -> None:
    """What these recordings rest on: depths that differ enough to be told apart."""
    torch.manual_seed(0)
    depth = truth(RELATIVE)
    assert depth.max() / depth.min() > 1.2
