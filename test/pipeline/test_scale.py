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
from ramp_estimator import ramp_estimator

from da_ros.params import OUTPUTS, PipelineParams
from da_ros.pipeline import (
    CloudEvidence,
    DepthEvidence,
    DepthPipeline,
    ImageInput,
    PackedFrame,
    Stream,
    StreamScale,
)
from da_ros.types import Kind

METRIC, RELATIVE = Kind.METRIC_DEPTH, Kind.RELATIVE_INVERSE_DEPTH
ALL = frozenset(OUTPUTS)
HEIGHT, WIDTH = 120, 160
SCALE, SHIFT, FACTOR = 0.15, 0.05, 1.3
"""Of the world that the tests invent: 1/z = SCALE d + SHIFT; z = FACTOR z_network."""


def header(stamp_ns: int, frame_id: str = "cam_optical") -> Any:
    stamp = SimpleNamespace(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return SimpleNamespace(stamp=stamp, frame_id=frame_id)


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


def cloud_message(points: np.ndarray, stamp_ns: int, frame_id: str) -> Any:
    data = points.astype("<f4")
    fields = [
        SimpleNamespace(name=name, offset=4 * i, datatype=7, count=1)
        for i, name in enumerate("xyz")
    ]
    return SimpleNamespace(
        header=header(stamp_ns, frame_id), height=1, width=len(points), fields=fields,
        is_bigendian=False, point_step=12, row_step=12 * len(points),
        data=array.array("B", data.tobytes()), is_dense=True,
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
