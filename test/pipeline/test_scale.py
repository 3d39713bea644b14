"""Metres of a relative model: evidence in, the ramp network's scale out, by every source."""

from __future__ import annotations

import array
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from plain_messages import cloud_message, header
from ramp_estimator import ramp_estimator

from da_ros.errors import InputError, ParameterError
from da_ros.params import OUTPUTS, PipelineParams, ScaleParams
from da_ros.pipeline import (
    CloudEvidence,
    DepthEvidence,
    DepthPipeline,
    ImageInput,
    PackedFrame,
    Stream,
    StreamScale,
    available_outputs,
    checked_outputs,
)
from da_ros.scale.observations.static import StaticCalibration, save_calibration
from da_ros.scale.observations.transforms import TransformBuffer
from da_ros.types import Kind

METRIC, RELATIVE = Kind.METRIC_DEPTH, Kind.RELATIVE_INVERSE_DEPTH
ALL = frozenset(OUTPUTS)
HEIGHT, WIDTH = 120, 160
SCALE, SHIFT, FACTOR = 0.15, 0.05, 1.3
"""Of the world that the tests invent: 1/z = SCALE d + SHIFT; z = FACTOR z_network."""


def ms(number: int) -> int:
    return 5_000_000_000 + number * 1_000_000


def image(stamp_ns: int, rgb: np.ndarray | None = None) -> Any:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.stack([40 + x, 200 - y, x + y // 2], axis=-1).astype(np.uint8)
    pixels = pixels if rgb is None else rgb
    data = array.array("B", pixels.tobytes())
    return SimpleNamespace(
        header=header(stamp_ns), height=HEIGHT, width=WIDTH, encoding="rgb8", is_bigendian=0,
        step=3 * WIDTH, data=data,
    )  # fmt: skip


def info(d: tuple[float, ...] = (), fx: float = 120.0, frame_id: str = "cam_optical") -> Any:
    cx, cy = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
    return SimpleNamespace(
        header=header(0, frame_id), height=HEIGHT, width=WIDTH, distortion_model="plumb_bob",
        d=list(d), k=[fx, 0.0, cx, 0.0, fx, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[fx, 0.0, cx, 0.0, 0.0, fx, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
        binning_x=0, binning_y=0,
        roi=SimpleNamespace(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
    )  # fmt: skip


def depth_message(metres: np.ndarray, stamp_ns: int, encoding: str = "32FC1") -> Any:
    values = metres.astype("<f4") if encoding == "32FC1" else np.rint(metres * 1000).astype("<u2")
    return SimpleNamespace(
        header=header(stamp_ns), height=metres.shape[0], width=metres.shape[1],
        encoding=encoding, is_bigendian=0, step=metres.shape[1] * values.itemsize,
        data=array.array("B", values.tobytes()),
    )  # fmt: skip


class Bench:
    """A pipeline with one stream."""

    def __init__(self, kind: Kind = RELATIVE, transforms: Any = None, **values: Any) -> None:
        named = {name.replace("__", "."): value for name, value in values.items()}
        self.params = PipelineParams().with_values(named)
        self.pipeline = DepthPipeline(ramp_estimator(kind), self.params, info_times=False)
        scale = StreamScale.of(self.pipeline.model, self.params.scale, transforms)
        self.stream = Stream("/cam/image_raw", scale=scale)

    def run(
        self, stamp_ns: int, *evidence: Any, camera_info: Any = None, rgb: Any = None
    ) -> PackedFrame:
        given = ImageInput(
            image(stamp_ns, rgb), camera_info or info(), self.stream, ALL, tuple(evidence)
        )
        done = self.pipeline.run([given])[0]
        assert isinstance(done, PackedFrame), done
        return done

    def network(self, rgb: Any = None) -> np.ndarray:
        """What the network says at the image's pixels, as a pipeline without scale gives it."""
        plain = DepthPipeline(self.pipeline.estimator, PipelineParams())
        given = ImageInput(image(ms(0), rgb), info(), Stream(), ALL)
        messages = plain.run([given])[0].messages  # type: ignore[union-attr]
        metric = self.pipeline.model.kind is METRIC
        return values_of(messages["depth/image" if metric else "inverse_depth/image"])

    def world(self) -> np.ndarray:
        """True depth of the invented world, (H, W) [m]."""
        said = self.network()
        return FACTOR * said if self.pipeline.model.kind is METRIC else 1 / (SCALE * said + SHIFT)


def values_of(fields: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(bytes(fields["data"]), "<f4").reshape(fields["height"], fields["width"])


def optical_points(metres: np.ndarray, fx: float = 120.0) -> np.ndarray:
    """Points of every third pixel, in the optical frame."""
    v, u = np.mgrid[1:HEIGHT:3, 1:WIDTH:3].reshape(2, -1)
    z = metres[v, u]
    x, y = (u - (WIDTH - 1) / 2) / fx * z, (v - (HEIGHT - 1) / 2) / fx * z
    return np.stack((x, y, z), axis=1)


class TestDepthImage:
    @pytest.mark.parametrize("encoding", ["32FC1", "16UC1"])
    def test_relative_numbers_become_the_metres_that_were_measured(self, encoding: str) -> None:
        bench = Bench(scale__depth_image=True)
        truth = bench.world()
        done = bench.run(ms(0), DepthEvidence(depth_message(truth, ms(4), encoding)))
        assert set(done.messages) == {
            "depth/image", "depth/image_raw", "depth/camera_info", "depth/std", "points",
            "inverse_depth/image", "nominal/depth/image", "nominal/depth/camera_info",
            "nominal/points", "depth/color", "depth_info", "scale",
        }  # fmt: skip
        found = values_of(done.messages["depth/image"])
        np.testing.assert_allclose(found, truth, rtol=0.01)
        told = done.messages["depth_info"]
        assert (told["transform"], told["scale_source"], told["scale_state"]) == (1, 2, 1)
        assert told["scale"] == pytest.approx(SCALE, rel=0.02)
        assert told["shift"] == pytest.approx(SHIFT, abs=0.01)
        assert (told["scale_age"], told["scale_inliers"]) == (0.0, 300)
        assert told["scale_std"] > 0
        assert told["shift_std"] > 0

    def test_metric_numbers_are_corrected_by_a_factor(self) -> None:
        bench = Bench(METRIC, scale__depth_image=True)
        truth = bench.world()
        done = bench.run(ms(0), DepthEvidence(depth_message(truth, ms(0))))
        np.testing.assert_allclose(values_of(done.messages["depth/image"]), truth, rtol=0.01)
        told = done.messages["depth_info"]
        assert (told["transform"], told["scale_source"]) == (2, 2)
        assert told["scale"] == pytest.approx(FACTOR, rel=0.01)
        assert math.isnan(told["shift"])

    def test_without_evidence_there_are_no_metres(self) -> None:
        relative, metric = Bench(scale__depth_image=True), Bench(METRIC, scale__depth_image=True)
        assert set(relative.run(ms(0)).messages) == {
            "inverse_depth/image", "nominal/depth/image", "nominal/depth/camera_info",
            "nominal/points", "depth/color", "depth_info",
        }  # fmt: skip
        done = metric.run(ms(0))
        assert set(done.messages) == {"depth/color", "depth_info"}
        told = done.messages["depth_info"]
        assert (told["transform"], told["scale_source"], told["scale_state"]) == (0, 0, 0)
        assert math.isnan(told["scale"])
        assert math.isnan(told["scale_age"])

    def test_other_outputs_are_the_same_bytes_as_without_a_scale(self) -> None:
        bench, plain = Bench(scale__depth_image=True), Bench()
        scaled = bench.run(ms(0), DepthEvidence(depth_message(bench.world(), ms(0)))).messages
        for topic, fields in plain.run(ms(0)).messages.items():
            if topic not in ("depth_info", "depth/color"):
                assert bytes(fields.get("data", b"")) == bytes(scaled[topic].get("data", b""))

    def test_smaller_depth_image(self) -> None:
        bench = Bench(scale__depth_image=True)
        truth = bench.world()
        small = cv2.resize(truth, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
        done = bench.run(ms(0), DepthEvidence(depth_message(small, ms(0))))
        np.testing.assert_allclose(values_of(done.messages["depth/image"]), truth, rtol=0.02)

    def test_upside_down_and_masked(self, tmp_path: Path) -> None:
        mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
        mask[HEIGHT // 2 :] = 0
        cv2.imwrite(str(tmp_path / "mask.png"), mask)
        settings = {"rotate_180": True, "mask_image": str(tmp_path / "mask.png")}
        bench = Bench(scale__depth_image=True, **settings)
        plain = Bench(**settings)
        said = values_of(plain.run(ms(0)).messages["inverse_depth/image"])
        truth = 1 / (SCALE * said + SHIFT)
        measured = np.where(np.isnan(truth), 0.3, truth)  # the robot's own arm, near
        done = bench.run(ms(0), DepthEvidence(depth_message(measured, ms(0))))
        found = values_of(done.messages["depth/image"])
        assert np.isnan(found[HEIGHT // 2 :]).all()
        np.testing.assert_allclose(found[: HEIGHT // 2], truth[: HEIGHT // 2], rtol=0.01)

    def test_raw_depth_is_rectified_as_its_image_is(self) -> None:
        lens = info((-0.25, 0.05, 0.0, 0.0, 0.0))
        bench, plain = Bench(scale__depth_image=True), Bench()
        said = values_of(plain.run(ms(0), camera_info=lens).messages["inverse_depth/image"])
        # What a depth camera behind the same lens measures of it: each raw pixel from where its
        # ray leaves the rectified image.
        raw = np.mgrid[:HEIGHT, :WIDTH][::-1].reshape(2, -1).T.astype(np.float64)
        k, p = np.array(lens.k).reshape(3, 3), np.array(lens.p).reshape(3, 4)[:, :3]
        straight = cv2.undistortPoints(raw[:, None], k, np.array(lens.d), P=p)[:, 0]
        u, v = straight.T.reshape(2, HEIGHT, WIDTH).astype(np.float32)
        full = np.nan_to_num(1 / (SCALE * said + SHIFT), nan=0.0)
        measured = cv2.remap(full, u, v, cv2.INTER_NEAREST)
        evidence = DepthEvidence(depth_message(measured, ms(0)), lens)
        done = bench.run(ms(0), evidence, camera_info=lens)
        truth, found = 1 / (SCALE * said + SHIFT), values_of(done.messages["depth/image"])
        assert float(np.nanmean(np.abs(found / truth - 1))) < 0.005
        # The same pixels, said to be rectified already, are not moved: they fit less well.
        twice = Bench(scale__depth_image=True)
        done = twice.run(ms(0), replace(evidence, rectified=True), camera_info=lens)
        assert done.calibration is not None
        first = bench.run(ms(1), evidence, camera_info=lens).calibration
        assert first is not None
        assert done.calibration.reports[0].residual > 3 * first.reports[0].residual

    @pytest.mark.parametrize(
        ("evidence", "said"),
        [
            (lambda z: DepthEvidence(depth_message(z, ms(30))), r"\+0\.030 s from the image"),
            (lambda z: DepthEvidence(depth_message(z[:, :100], ms(0))), "not registered"),
            (lambda z: DepthEvidence(depth_message(z, ms(0)), info(fx=90.0)), "register it"),
            (lambda z: DepthEvidence(depth_message(0 * z, ms(0))), "no smooth depth"),
            (lambda z: DepthEvidence(image(ms(0))), "encoding 'rgb8' is not supported"),
            (lambda z: CloudEvidence(cloud_message(z[:3, :3], ms(0), "x")), r"point_cloud is off"),
        ],
    )
    def test_what_cannot_be_used_is_reported_and_costs_nothing(
        self, evidence: Any, said: str
    ) -> None:
        bench = Bench(scale__depth_image=True)
        done = bench.run(ms(0), evidence(bench.world()))
        assert "depth/image" not in done.messages
        assert "inverse_depth/image" in done.messages
        assert done.calibration is not None
        assert re.search(said, done.calibration.refusal), done.calibration.refusal
        assert re.search(said, done.messages["scale"]["refusal"])
        assert done.messages["scale"]["state"] == 0


def moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def tree(speed: float = 0.0, frame_id: str = "cam_optical") -> TransformBuffer:
    """odom -> base (drives along x) -> scanner (1 m up), camera (looks ahead, 0.8 m up)."""
    buffer = TransformBuffer()
    for number in range(-40, 41):
        at = ms(50 * number)
        buffer.add("odom", "base", at, (speed * 0.05 * number, 0, 0), (0, 0, 0, 1))
    buffer.add("base", "scanner", 0, (0.0, 0.1, 1.0), (0, 0, 0, 1), static=True)
    buffer.add("base", frame_id, 0, (0.2, 0.0, 0.8), (-0.5, 0.5, -0.5, 0.5), static=True)
    return buffer


class TestPointCloud:
    def test_through_tf_and_time_while_the_robot_drives(self) -> None:
        transforms = tree(speed=4.0)
        bench = Bench(scale__point_cloud=True, transforms=transforms)
        truth = bench.world()
        # 80 ms and 32 cm later the scanner sees the same world.
        at, later = ms(0), ms(80)
        to_scanner = transforms.lookup("scanner", later, "cam_optical", at, "odom")
        points = moved(optical_points(truth), to_scanner)
        done = bench.run(at, CloudEvidence(cloud_message(points, later, "scanner")))
        np.testing.assert_allclose(values_of(done.messages["depth/image"]), truth, rtol=0.01)
        assert done.messages["depth_info"]["scale_source"] == 4
        # Taken as of one moment, the drive would be in the metres.
        frozen = Bench(scale__point_cloud=True, transforms=transforms, scale__fixed_frame="")
        refused = frozen.run(at, CloudEvidence(cloud_message(points, later, "scanner")))
        assert "without a fixed frame" in refused.messages["scale"]["refusal"]

    def test_fixed_transform_without_tf(self) -> None:
        pose = "0.1 -0.15 -0.05 0 0 0 1"
        bench = Bench(scale__point_cloud=True, scale__fixed_transform=pose)
        points = optical_points(bench.world()) - np.array([0.1, -0.15, -0.05])
        done = bench.run(ms(0), CloudEvidence(cloud_message(points, ms(5), "any")))
        np.testing.assert_allclose(
            values_of(done.messages["depth/image"]), bench.world(), rtol=0.01
        )

    def test_without_tf_or_camera_it_says_why(self) -> None:
        bench = Bench(scale__point_cloud=True)
        message = CloudEvidence(cloud_message(optical_points(bench.world()), ms(0), "scanner"))
        assert (
            "no transform from 'scanner'" in bench.run(ms(0), message).messages["scale"]["refusal"]
        )
        given = ImageInput(image(ms(1)), None, bench.stream, ALL, (message,))
        done = bench.pipeline.run([given])[0]
        assert isinstance(done, PackedFrame)
        assert "a cloud needs the camera: no camera_info" in done.messages["scale"]["refusal"]


class TestGroundPlane:
    """The ramp network on a picture whose red falls with the rows: a floor to the horizon."""

    HEIGHT, FX = 1.2, 120.0

    def floor(self) -> np.ndarray:
        """A picture that makes the network say what a floor under a level camera is."""
        v = np.arange(HEIGHT)[:, None] * np.ones((1, WIDTH))
        wanted = 0.012 * np.clip(v - (HEIGHT - 1) / 2, 0, None)  # 1/z in the network's unit
        red = (wanted - v / (HEIGHT - 1)) / 0.5 * 0.229 * 255 + 0.485 * 255 + 40
        return np.dstack([np.clip(red, 0, 255), 0 * v + 100, 0 * v + 100]).astype(np.uint8)

    @pytest.mark.parametrize("how", ["height", "frame"])
    def test_metres_of_a_floor(self, how: str) -> None:
        settings: dict[str, Any] = {"scale__ground_plane": True}
        transforms = None
        if how == "height":
            settings["scale__camera_height"] = self.HEIGHT
        else:
            settings["scale__base_frame"] = "base_footprint"
            transforms = TransformBuffer()
            transforms.add("base_footprint", "cam_optical", 0, (0.3, 0, self.HEIGHT),
                           (-0.5, 0.5, -0.5, 0.5), static=True)  # fmt: skip
        rgb = self.floor()
        bench = Bench(transforms=transforms, **settings)
        done = bench.run(ms(0), rgb=rgb)
        v = np.arange(HEIGHT)
        truth = self.FX * self.HEIGHT / np.maximum(v - (HEIGHT - 1) / 2, 1e-9)
        seen = (v > (HEIGHT - 1) / 2 + 12) & (v < HEIGHT - 3)
        assert "depth/image" in done.messages, done.messages["scale"]["refusal"]
        found = values_of(done.messages["depth/image"])[seen]
        assert np.abs(found / truth[seen, None] - 1).max() < 0.05
        assert done.messages["depth_info"]["scale_source"] == 8

    def test_no_floor_no_metres(self) -> None:
        noise = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        noise = cv2.resize(noise[:12, :16], (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
        done = Bench(scale__ground_plane=True, scale__camera_height=1.0).run(ms(0), rgb=noise)
        assert "depth/image" not in done.messages
        assert done.messages["scale"]["refusal"].startswith("ground_plane: ")


class TestStatic:
    def saved(self, path: Path, kind: Kind, **changes: Any) -> Path:
        metric = kind is METRIC
        model = ramp_estimator(kind).info
        found = StaticCalibration(
            model_id=model.model_id,
            model_sha256=model.sha256,
            kind=kind,
            input_size=(70, 98),
            coefficients=(FACTOR,) if metric else (SCALE, SHIFT),
            covariance=((1e-4,),) if metric else ((1e-6, 0.0), (0.0, 1e-6)),
            pixel_error=0.05,
            source="depth_image",
            date="2026-01-02",
            static_camera=True,
            frames=10,
        )
        save_calibration(replace(found, **changes), path)
        return path

    @pytest.mark.parametrize("kind", [METRIC, RELATIVE], ids=str)
    def test_gives_metres_of_every_frame(self, kind: Kind, tmp_path: Path) -> None:
        path = self.saved(tmp_path / "c.yaml", kind)
        bench = Bench(kind, scale__calibration_file=str(path), scale__static_camera=True)
        for number in range(3):
            done = bench.run(ms(100 * number))
            np.testing.assert_allclose(
                values_of(done.messages["depth/image"]), bench.world(), rtol=0.01
            )
            told = done.messages["depth_info"]
            assert (told["scale_source"], told["scale_state"]) == (16, 1)
            assert ("scale" in done.messages) == (number == 0)  # news once
        assert bench.run(ms(400)).messages["depth/std"] is not None

    def test_of_another_size_gives_none(self, tmp_path: Path) -> None:
        path = self.saved(tmp_path / "c.yaml", METRIC, input_size=(140, 196))
        done = Bench(METRIC, scale__calibration_file=str(path)).run(ms(0))
        assert "depth/image" not in done.messages
        assert "made for a network input of 196x140 px" in done.messages["scale"]["refusal"]

    def test_of_another_model_or_a_moving_camera_is_refused_at_once(self, tmp_path: Path) -> None:
        other = self.saved(tmp_path / "c.yaml", METRIC, model_sha256="f" * 64)
        with pytest.raises(InputError, match="calibrate anew"):
            Bench(METRIC, scale__calibration_file=str(other))
        path = self.saved(tmp_path / "d.yaml", RELATIVE)
        with pytest.raises(InputError, match="stands still"):
            Bench(scale__calibration_file=str(path))


class TestSeveral:
    def test_sources_are_fused_and_named(self) -> None:
        bench = Bench(
            scale__depth_image=True,
            scale__point_cloud=True,
            scale__fixed_transform="0 0 0 0 0 0 1",
        )
        truth = bench.world()
        cloud = CloudEvidence(cloud_message(optical_points(truth), ms(0), "any"))
        done = bench.run(ms(0), DepthEvidence(depth_message(truth, ms(0))), cloud)
        np.testing.assert_allclose(values_of(done.messages["depth/image"]), truth, rtol=0.01)
        assert done.messages["depth_info"]["scale_source"] == 2 + 4
        told = done.messages["scale"]
        assert told["source"] == 6
        assert told["points_offered"] == truth.size + cloud.cloud.width
        assert told["inliers"] > 500


class TestOverTime:
    def frames(self, bench: Bench, numbers: range) -> list[PackedFrame]:
        """Every 100 ms, evidence with every third."""
        depth = bench.world()
        done = []
        for number in numbers:
            at = ms(100 * number)
            evidence = [DepthEvidence(depth_message(depth, at))] if number % 3 == 0 else []
            done.append(bench.run(at, *evidence))
        return done

    def test_an_interrupted_run_goes_on_as_if_it_had_not_been(self) -> None:
        whole = self.frames(Bench(scale__depth_image=True), range(8))
        first, second = Bench(scale__depth_image=True), Bench(scale__depth_image=True)
        begun = self.frames(first, range(4))
        assert second.stream.scale is not None
        assert first.stream.scale is not None
        second.stream.scale.restore(first.stream.scale.state())
        rest = self.frames(second, range(4, 8))
        for one, other in zip(whole, begun + rest, strict=True):
            assert one.calibration is not None
            assert other.calibration is not None
            assert one.calibration.estimate == other.calibration.estimate
            assert one.calibration.is_news == other.calibration.is_news
            assert one.messages.keys() == other.messages.keys()
            for topic in ("depth/image", "depth/std"):
                assert bytes(one.messages[topic]["data"]) == bytes(other.messages[topic]["data"])

    def test_news_only_when_there_are_some(self) -> None:
        done = self.frames(Bench(scale__depth_image=True), range(7))
        assert ["scale" in frame.messages for frame in done] == [
            True, False, False, True, False, False, True,
        ]  # fmt: skip

    @pytest.mark.parametrize(("policy", "count"), [("hold", 5), ("refuse", 2)])
    def test_metres_end(self, policy: str, count: int) -> None:
        bench = Bench(scale__depth_image=True, scale__policy=policy, scale__stale_after=2.5)
        bench.run(ms(0), DepthEvidence(depth_message(bench.world(), ms(0))))
        done = [bench.run(ms(500 * n)) for n in range(1, 8)]
        has = [True, *("depth/image" in frame.messages for frame in done)]
        assert has == [True] * count + [False] * (8 - count)
        states = [frame.messages["depth_info"]["scale_state"] for frame in done]
        assert states == [1, 2, 2, 2, 3, 3, 3]
        stds = [
            values_of(f.messages["depth/std"]).mean() for f in done if "depth/std" in f.messages
        ]
        assert stds == sorted(stds)

    def test_forget(self) -> None:
        bench = Bench(scale__depth_image=True)
        bench.run(ms(0), DepthEvidence(depth_message(bench.world(), ms(0))))
        bench.stream.forget()
        assert "depth/image" not in bench.run(ms(100)).messages


class TestOutputs:
    def test_metres_are_available_with_a_source(self) -> None:
        relative, metric = ramp_estimator(RELATIVE).info, ramp_estimator(METRIC).info
        assert available_outputs(relative, scaled=True) == ALL
        assert available_outputs(metric, scaled=True) == ALL - {
            "inverse_depth", "nominal_depth", "nominal_points",
        }  # fmt: skip
        assert not available_outputs(relative) & {"depth", "depth_mm", "points", "std", "scale"}
        assert not available_outputs(metric) & {"std", "scale"}
        with pytest.raises(ParameterError, match=r"or a source of scale \(parameters scale\.\*\)"):
            checked_outputs(["std"], metric)
        assert checked_outputs(["std"], metric, scaled=True) == {"std"}

    def test_colours_begin_anew_with_the_unit(self) -> None:
        bench = Bench(scale__depth_image=True, color__range="adaptive")
        bench.run(ms(0))
        inverse = bench.stream.color_range
        bench.run(ms(100), DepthEvidence(depth_message(bench.world(), ms(100))))
        metres = bench.stream.color_range
        assert inverse is not None
        assert metres is not None
        assert inverse[0] > inverse[1]  # near is large
        assert metres[0] < metres[1]
        low, high = np.percentile(bench.world(), (2, 98))
        assert metres == pytest.approx((low, high), rel=0.05)

    def test_nothing_switched_on_is_no_scale(self) -> None:
        assert StreamScale.of(ramp_estimator(METRIC).info, ScaleParams()) is None
