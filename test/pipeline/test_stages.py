"""The five stages on a network that can be computed by hand."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from ramp_estimator import MAX_DEPTH, ramp_estimator

from da_ros.errors import DaRosError, DeviceError, InputError, ParameterError, ShapeError
from da_ros.params import OUTPUTS, PipelineParams
from da_ros.pictures.colormap import colorize
from da_ros.pipeline import DepthPipeline, DeviceImage, ImageInput, PackedFrame, Stream
from da_ros.types import Kind, StageTimes

METRIC, RELATIVE = Kind.METRIC_DEPTH, Kind.RELATIVE_INVERSE_DEPTH
ALL = frozenset(OUTPUTS)


@pytest.fixture
def made() -> Any:
    """Make a pipeline by kind and changed parameters."""

    def make(kind: Kind = METRIC, reference: float | None = 4.0, **values: Any) -> DepthPipeline:
        params = PipelineParams().with_values(
            {name.replace("__", "."): value for name, value in values.items()}
        )
        return DepthPipeline(ramp_estimator(kind, reference), params)

    return make


@pytest.fixture
def given(picture: np.ndarray, image_message: Any, info_message: Any) -> Any:
    """Make the input of one frame; ``rgb``, ``d``, ``topic``, ``outputs``, ``info`` may differ."""

    def make(
        rgb: np.ndarray = picture,
        *,
        d: tuple[float, ...] = (),
        outputs: frozenset[str] = ALL,
        topic: str = "/cam/image_raw",
        info: bool = True,
        stream: Stream | None = None,
        **message: Any,
    ) -> ImageInput:
        camera_info = info_message(*rgb.shape[:2], d=d) if info else None
        image = image_message(rgb, **message)
        return ImageInput(image, camera_info, stream or Stream(topic), outputs)

    return make


def one(results: list[PackedFrame | DaRosError]) -> PackedFrame:
    assert len(results) == 1
    assert isinstance(results[0], PackedFrame), results[0]
    return results[0]


def values_of(fields: dict[str, Any]) -> np.ndarray:
    """Pixels of an output image, from its bytes alone."""
    dtype, channels = {"32FC1": ("<f4", 1), "16UC1": ("<u2", 1), "rgb8": ("u1", 3)}[
        fields["encoding"]
    ]
    flat = np.frombuffer(bytes(fields["data"]), dtype)
    assert fields["step"] == fields["width"] * channels * flat.itemsize
    shape = (fields["height"], fields["width"], 3)[: 3 if channels == 3 else 2]
    return flat.reshape(shape)


def bytes_of(frame: PackedFrame) -> dict[str, bytes]:
    return {topic: bytes(f["data"]) for topic, f in frame.messages.items() if "data" in f}


def by_hand(rgb: np.ndarray, upside_down: bool = False) -> np.ndarray:
    """The ramp network's output for a picture at the picture's size, in float64 and numpy."""
    height, width = rgb.shape[:2]
    seen = rgb[::-1, ::-1] if upside_down else rgb
    scale = max(70 / height, 70 / width)
    h, w = (max(70, round(scale * side / 14) * 14) for side in (height, width))
    red = (seen[..., 0] / 255.0 - 0.485) / 0.229
    red = cv2.resize(red, (w, h), interpolation=cv2.INTER_CUBIC)
    pooled = red.reshape(h // 2, 2, w // 2, 2).mean(axis=(1, 3))
    values = np.clip(2.0 + np.linspace(0, 1, h // 2)[:, None] + 0.5 * pooled, 0, None)
    values = values[::-1, ::-1] if upside_down else values
    return cv2.resize(np.ascontiguousarray(values), (width, height))


class TestMetric:
    def test_outputs(self, made: Any, given: Any) -> None:
        frame = one(made().run([given()]))
        assert list(frame.messages) == [
            "depth/image", "depth/image_raw", "depth/color", "depth/camera_info", "points",
            "depth_info",
        ]  # fmt: skip
        assert frame.note == ""

    def test_depth_is_the_network_s(self, made: Any, given: Any, picture: np.ndarray) -> None:
        frame = one(made().run([given()]))
        np.testing.assert_allclose(
            values_of(frame.messages["depth/image"]), by_hand(picture), atol=1e-4
        )

    def test_millimetres(self, made: Any, given: Any, picture: np.ndarray) -> None:
        millimetres = values_of(one(made().run([given()])).messages["depth/image_raw"])
        assert np.abs(millimetres - 1000.0 * by_hand(picture)).max() < 1.0

    def test_range(self, made: Any, given: Any, picture: np.ndarray) -> None:
        messages = one(made(near=2.5, far=2.8).run([given()])).messages
        depth, truth = values_of(messages["depth/image"]), by_hand(picture)
        assert (np.isneginf(depth) == (truth < 2.5)).all()
        assert (np.isposinf(depth) == (truth >= 2.8)).all()
        assert np.isneginf(depth).any()
        assert np.isposinf(depth).any()
        assert (values_of(messages["depth/image_raw"])[~np.isfinite(depth)] == 0).all()

    def test_far_is_a_share_of_max_depth_unless_set(self, made: Any, given: Any) -> None:
        pipeline = made()
        white_ish = np.full((48, 64, 3), 240, np.uint8)
        network = pipeline.estimator._network
        network.forward = lambda x: torch.full((len(x), 35, 49), 0.96 * MAX_DEPTH)
        depth = values_of(one(pipeline.run([given(white_ish)])).messages["depth/image"])
        assert np.isposinf(depth).all()

    def test_points_follow_the_pinhole_formula(
        self, made: Any, given: Any, picture: np.ndarray
    ) -> None:
        fields = one(made(cloud__edge_threshold=0).run([given()])).messages["points"]
        assert [f["name"] for f in fields["fields"]] == ["x", "y", "z", "rgb"]
        assert (fields["height"], fields["width"], fields["point_step"]) == (48, 64, 16)
        assert fields["row_step"] == 64 * 16
        assert fields["is_dense"] is False
        raw = np.frombuffer(bytes(fields["data"]), "<f4").reshape(48, 64, 4)
        depth = by_hand(picture)
        v, u = np.mgrid[:48, :64]
        # P's focal length, as for every undistorted image.
        np.testing.assert_allclose(raw[..., 0], (u - 31.5) / 45.0 * depth, atol=1e-4)
        np.testing.assert_allclose(raw[..., 1], (v - 23.5) / 45.0 * depth, atol=1e-4)
        np.testing.assert_allclose(raw[..., 2], depth, atol=1e-4)
        colour = raw[..., 3].copy().view(np.uint32)
        red, green, blue = (picture[..., i].astype(np.uint32) for i in range(3))
        np.testing.assert_array_equal(colour, (red << 16) | (green << 8) | blue)

    def test_cloud_parameters(self, made: Any, given: Any) -> None:
        pipeline = made(cloud__stride=3, cloud__color=False, cloud__max_range=2.6)
        fields = one(pipeline.run([given()])).messages["points"]
        raw = np.frombuffer(bytes(fields["data"]), "<f4").reshape(16, 22, 3)
        assert np.nanmax(raw[..., 2]) <= 2.6
        assert np.isnan(raw[..., 2]).any()

    def test_camera_info_agrees_with_the_cloud(self, made: Any, given: Any) -> None:
        fields = one(made().run([given()])).messages["depth/camera_info"]
        assert (fields["height"], fields["width"]) == (48, 64)
        assert tuple(fields["k"]) == (45.0, 0.0, 31.5, 0.0, 45.0, 23.5, 0.0, 0.0, 1.0)

    def test_info(self, made: Any, given: Any) -> None:
        info = one(made().run([given()])).messages["depth_info"]
        assert (info["model_id"], info["kind"], info["transform"]) == ("ramp-metric_depth", 3, 2)
        assert (info["scale"], info["scale_source"]) == (1.0, 1)
        assert (info["image_width"], info["image_height"]) == (64, 48)
        assert (info["network_width"], info["network_height"]) == (98, 70)
        assert np.isnan(info["shift"])
        assert info["infer_ms"] > 0


class TestRelative:
    def test_never_metres(self, made: Any, given: Any) -> None:
        frame = one(made(RELATIVE).run([given()]))
        assert list(frame.messages) == [
            "inverse_depth/image", "nominal/depth/image", "depth/color",
            "nominal/depth/camera_info", "nominal/points", "depth_info",
        ]  # fmt: skip
        info = frame.messages["depth_info"]
        assert (info["kind"], info["transform"], info["scale_source"]) == (1, 0, 0)
        assert np.isnan(info["scale"])

    def test_inverse_depth_is_the_network_s(
        self, made: Any, given: Any, picture: np.ndarray
    ) -> None:
        messages = one(made(RELATIVE).run([given()])).messages
        np.testing.assert_allclose(
            values_of(messages["inverse_depth/image"]), by_hand(picture), atol=1e-4
        )

    @pytest.mark.parametrize("d_ref", [0.0, 2.6])
    def test_nominal_is_a_fixed_curve(
        self, made: Any, given: Any, picture: np.ndarray, d_ref: float
    ) -> None:
        messages = one(made(RELATIVE, nominal_d_ref=d_ref, near=0.5).run([given()])).messages
        share = np.minimum(by_hand(picture) / (d_ref or 4.0), 1.0)
        expected = 1.0 / (1 / 20.0 + (1 / 0.5 - 1 / 20.0) * share)
        np.testing.assert_allclose(values_of(messages["nominal/depth/image"]), expected, rtol=1e-4)

    def test_without_a_reference_there_is_no_nominal_view(self, made: Any, given: Any) -> None:
        frame = one(made(RELATIVE, reference=None).run([given()]))
        assert list(frame.messages) == ["inverse_depth/image", "depth/color", "depth_info"]


class TestRelativeDepth:
    def test_says_which_model_and_nothing_else(self, made: Any, given: Any) -> None:
        frame = one(made(Kind.RELATIVE_DEPTH).run([given()]))
        assert list(frame.messages) == ["depth_info"]


class TestOutputs:
    @pytest.mark.parametrize("kind", [METRIC, RELATIVE])
    @pytest.mark.parametrize("name", OUTPUTS)
    def test_only_what_is_asked_for(self, made: Any, given: Any, kind: Kind, name: str) -> None:
        everything = one(made(kind).run([given()])).messages
        alone = one(made(kind).run([given(outputs=frozenset({name}))])).messages
        assert len(alone) <= 1
        for topic, made_alone in alone.items():
            if "data" in made_alone:
                assert bytes(made_alone["data"]) == bytes(everything[topic]["data"])

    def test_info_alone_makes_no_depth(self, made: Any, given: Any) -> None:
        pipeline = made()
        inputs = [given(outputs=frozenset({"info", "camera_info"}))]
        (frame,) = pipeline.to_depth(pipeline.infer(pipeline.prepare(pipeline.decode(inputs))))
        assert frame.depth is None

    def test_switched_off(self, made: Any, given: Any) -> None:
        frame = one(made(outputs__points=False).run([given()]))
        assert "points" not in frame.messages
        assert "depth/image" in frame.messages


class TestDecode:
    @pytest.mark.parametrize("message", [{"encoding": "bgr8"}, {"padding": 7}])
    def test_layout_does_not_matter(self, made: Any, given: Any, message: dict[str, Any]) -> None:
        expected = bytes_of(one(made().run([given()])))
        assert bytes_of(one(made().run([given(**message)]))) == expected

    def test_compressed(self, made: Any, given: Any, picture: np.ndarray) -> None:
        expected = bytes_of(one(made().run([given()])))
        source = given()
        png = bytes(cv2.imencode(".png", picture[..., ::-1])[1])
        image = SimpleNamespace(header=source.image.header, format="png", data=png)
        sent = ImageInput(image, source.camera_info, source.stream, ALL)
        assert bytes_of(one(made().run([sent]))) == expected

    def test_header_is_the_image_s(self, made: Any, given: Any) -> None:
        frame = one(made().run([given(sec=-5, nanosec=999, frame_id="")]))
        headers = {fields["header"] for fields in frame.messages.values()}
        (header,) = headers
        assert (header.sec, header.nanosec, header.frame_id) == (-5, 999, "")

    def test_frame_id_override(self, made: Any, given: Any) -> None:
        frame = one(made(frame_id_override="lens").run([given(frame_id="")]))
        assert {f["header"].frame_id for f in frame.messages.values()} == {"lens"}
        assert frame.header.stamp_ns == 3_000_000_007


class TestFailures:
    def test_a_bad_frame_costs_only_itself(self, made: Any, given: Any) -> None:
        bad = given()
        bad.image.data = bad.image.data[:-1]
        expected = bytes_of(one(made().run([given()])))
        first, broken, last = made().run([given(), bad, given()])
        assert isinstance(broken, InputError)
        assert "expected 9216 bytes of data, got 9215" in str(broken)
        assert bytes_of(first) == expected
        assert bytes_of(last) == expected

    def test_a_frame_that_the_network_refuses_costs_only_itself(
        self, made: Any, given: Any
    ) -> None:
        white = np.full((48, 64, 3), 255, np.uint8)
        first, broken, last = made().run([given(), given(white), given()])
        assert isinstance(broken, DeviceError)
        assert bytes_of(first) == bytes_of(last) == bytes_of(one(made().run([given()])))

    def test_sizes_mix(self, made: Any, given: Any, picture: np.ndarray) -> None:
        small = np.ascontiguousarray(picture[:40, :50])
        frames = made().run([given(), given(small), given()])
        assert [f.messages["depth/image"]["width"] for f in frames] == [64, 50, 64]
        alone = bytes_of(one(made().run([given(small)])))
        assert bytes_of(frames[1]) == alone

    def test_a_shape_the_network_cannot_take(self, made: Any, given: Any) -> None:
        (failed,) = made().run([given(np.zeros((4, 100, 3), np.uint8))])
        assert isinstance(failed, ShapeError)

    def test_errors_that_come_in_go_out(self, made: Any, given: Any) -> None:
        error = InputError("no message")
        first, second = made().run([error, given()])
        assert first is error
        assert isinstance(second, PackedFrame)

    def test_a_bug_is_not_swallowed(self, made: Any, given: Any) -> None:
        broken = given()
        del broken.image.encoding
        with pytest.raises(AttributeError):
            made().run([broken])

    def test_nothing(self, made: Any) -> None:
        assert made().run([]) == []


class TestBatch:
    def test_a_batch_gives_what_each_gives_alone(
        self, made: Any, given: Any, picture: np.ndarray
    ) -> None:
        pictures = [np.roll(picture, shift, axis=1) for shift in range(5)]
        together = made().run([given(rgb) for rgb in pictures])
        for rgb, frame in zip(pictures, together, strict=True):
            assert bytes_of(frame) == bytes_of(one(made().run([given(rgb)])))

    def test_times_are_of_the_frame(self, made: Any, given: Any) -> None:
        for frame in made().run([given(), given()]):
            assert all(getattr(frame.times, f.name) > 0 for f in fields(StageTimes))

    def test_times_may_stay_out_of_the_message(self, given: Any) -> None:
        pipeline = DepthPipeline(ramp_estimator(METRIC), PipelineParams(), info_times=False)
        info = one(pipeline.run([given()])).messages["depth_info"]
        assert np.isnan(info["infer_ms"])


class TestCameras:
    D = (-0.2, 0.05, 0.001, -0.001, 0.0)

    def test_no_camera_info(self, made: Any, given: Any) -> None:
        frame = one(made().run([given(info=False)]))
        assert "depth/image" in frame.messages
        assert not {"points", "depth/camera_info"} & set(frame.messages)
        assert frame.note == "no camera_info"

    def test_camera_info_of_another_size(self, made: Any, given: Any, info_message: Any) -> None:
        source = given()
        sent = ImageInput(source.image, info_message(48, 65), source.stream, ALL)
        assert one(made().run([sent])).note == (
            "camera_info is for 65 x 48 px, the image has 64 x 48 px"
        )

    def test_an_unusable_camera_info(self, made: Any, given: Any) -> None:
        source = given()
        source.camera_info.k = [0.0] * 9
        frame = one(made().run([source]))
        assert "unusable camera_info: camera: K is zero" in frame.note
        assert "depth/image" in frame.messages

    def test_a_missing_camera_that_nobody_needs_is_no_note(self, made: Any, given: Any) -> None:
        sent = given(info=False, outputs=frozenset({"depth"}))
        assert one(made().run([sent])).note == ""

    def test_a_distorted_image_is_rectified(
        self, made: Any, given: Any, picture: np.ndarray
    ) -> None:
        messages = one(made().run([given(d=self.D)])).messages
        k = np.array([[50.0, 0, 31.5], [0, 50.0, 23.5], [0, 0, 1]])
        p = np.array([[45.0, 0, 31.5], [0, 45.0, 23.5], [0, 0, 1]])
        straight = cv2.undistort(picture, k, np.array(self.D), None, p)
        depth = values_of(messages["depth/image"])
        inner = (slice(8, -8), slice(8, -8))
        np.testing.assert_allclose(depth[inner], by_hand(straight)[inner], atol=0.02)
        info = messages["depth/camera_info"]
        assert tuple(info["k"])[::4] == (45.0, 45.0, 1.0)
        assert not any(info["d"])

    @pytest.mark.parametrize(
        ("rectify", "topic", "straightened"),
        [
            ("auto", "/cam/image_raw", True),
            ("auto", "/cam/image_rect", False),
            ("auto", "/cam/image_rect_color", False),
            ("auto", "/cam/rectified/image", False),
            ("auto", "/cam/direct/image", True),
            ("on", "/cam/image_rect", True),
            ("off", "/cam/image_raw", False),
        ],
    )
    def test_when(
        self, made: Any, given: Any, rectify: str, topic: str, straightened: bool
    ) -> None:
        plain = bytes_of(one(made().run([given()])))["depth/image"]
        sent = given(d=self.D, topic=topic)
        messages = one(made(rectify=rectify).run([sent])).messages
        assert (bytes(messages["depth/image"]["data"]) != plain) is straightened

    def test_an_already_rectified_image_uses_p(self, made: Any, given: Any) -> None:
        sent = given(d=self.D, topic="/cam/image_rect")
        info = one(made().run([sent])).messages["depth/camera_info"]
        assert info["k"][0] == 45.0
        assert not any(info["d"])

    def test_off_passes_the_lens_on(self, made: Any, given: Any) -> None:
        info = one(made(rectify="off").run([given(d=self.D)])).messages["depth/camera_info"]
        assert (info["k"][0], tuple(info["d"])) == (50.0, self.D)

    def test_what_the_raw_image_does_not_show_is_nan(self, made: Any, given: Any) -> None:
        pincushion = (0.6, 0.0, 0.0, 0.0, 0.0)
        depth = values_of(one(made().run([given(d=pincushion)])).messages["depth/image"])
        assert np.isnan(depth[0, 0])
        assert np.isfinite(depth[20:28, 28:36]).all()

    def test_a_view_is_kept_until_something_changes(self, made: Any, given: Any) -> None:
        stream = Stream("/cam/image_raw")
        pipeline = made()
        first, second = pipeline.decode([given(stream=stream), given(stream=stream)])
        assert first.view is second.view
        (third,) = pipeline.decode([given(stream=stream, d=self.D)])
        assert third.view is not first.view


class TestRotate180:
    def test_the_network_sees_it_upright_and_outputs_stay(
        self, made: Any, given: Any, picture: np.ndarray
    ) -> None:
        messages = one(made(rotate_180=True).run([given()])).messages
        np.testing.assert_allclose(
            values_of(messages["depth/image"]), by_hand(picture, upside_down=True), atol=1e-4
        )
        plain = one(made().run([given()])).messages
        assert messages["depth/camera_info"] == plain["depth/camera_info"]


class TestMask:
    def write(self, path: Path, mask: np.ndarray) -> str:
        assert cv2.imwrite(str(path), mask)
        return str(path)

    def test_the_robot_s_own_body_is_nan(self, made: Any, given: Any, tmp_path: Path) -> None:
        mask = np.full((48, 64), 255, np.uint8)
        mask[30:, 10:20] = 0
        path = self.write(tmp_path / "mask.png", mask)
        plain = values_of(one(made().run([given()])).messages["depth/image"])
        messages = one(made(mask_image=path).run([given()])).messages
        depth = values_of(messages["depth/image"])
        np.testing.assert_array_equal(np.isnan(depth), mask == 0)
        np.testing.assert_array_equal(depth[mask > 0], plain[mask > 0])
        cloud = np.frombuffer(bytes(messages["points"]["data"]), "<f4").reshape(48, 64, 4)
        assert np.isnan(cloud[mask == 0][:, :3]).all()

    def test_it_bends_with_the_image(self, made: Any, given: Any, tmp_path: Path) -> None:
        mask = np.full((48, 64), 255, np.uint8)
        mask[:, :12] = 0
        path = self.write(tmp_path / "mask.png", mask)
        sent = given(d=(-0.2, 0.05, 0.0, 0.0, 0.0))
        depth = values_of(one(made(mask_image=path).run([sent])).messages["depth/image"])
        widths = np.isnan(depth).sum(axis=1)
        assert widths[0] != widths[24]  # a straight edge in the raw image is none any more

    def test_another_size_fails_the_frame(self, made: Any, given: Any, tmp_path: Path) -> None:
        path = self.write(tmp_path / "mask.png", np.zeros((10, 10), np.uint8))
        (failed,) = made(mask_image=path).run([given()])
        assert isinstance(failed, ShapeError)
        assert "mask_image: expected 64 x 48 px as the image has, got 10 x 10" in str(failed)

    def test_no_picture(self, made: Any, tmp_path: Path) -> None:
        with pytest.raises(ParameterError, match=r"mask_image: .* is no picture"):
            made(mask_image=str(tmp_path / "none.png"))


class TestColor:
    def test_fixed_for_metres(self, made: Any, given: Any) -> None:
        messages = one(made(color__min=2.0, color__max=3.5).run([given()])).messages
        expected = colorize(values_of(messages["depth/image"]), 2.0, 3.5)
        np.testing.assert_array_equal(values_of(messages["depth/color"]), expected)

    def test_fixed_for_relative_is_the_reference(self, made: Any, given: Any) -> None:
        messages = one(made(RELATIVE, color__map="gray").run([given()])).messages
        expected = colorize(values_of(messages["inverse_depth/image"]), 4.0, 0.0, "gray")
        np.testing.assert_array_equal(values_of(messages["depth/color"]), expected)

    @pytest.mark.parametrize("kind", [METRIC, RELATIVE])
    def test_adaptive_follows_slowly(self, made: Any, given: Any, kind: Kind) -> None:
        stream = Stream("/cam/image_raw")
        pipeline = made(kind, color__range="adaptive")
        pipeline.run([given(stream=stream)])
        near, far = stream.color_range
        assert (near < far) is (kind is METRIC)
        dark = np.zeros((48, 64, 3), np.uint8)
        pipeline.run([given(dark, stream=stream)])
        middle = stream.color_range
        for _ in range(80):
            pipeline.run([given(dark, stream=stream)])
        end = stream.color_range
        assert abs(middle[0] - near) < 0.2 * abs(end[0] - near)
        assert end != middle


class TestDeviceImage:
    """The path of a GPU, walked with tensors on the CPU: only the upload itself is missing."""

    @pytest.mark.parametrize("kind", [METRIC, RELATIVE])
    @pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
    @pytest.mark.parametrize("values", [{}, {"rotate_180": True}])
    @pytest.mark.parametrize("d", [(), (-0.2, 0.05, 0.001, -0.001, 0.0)])
    def test_tensors_give_the_same_messages(
        self,
        made: Any,
        given: Any,
        kind: Kind,
        encoding: str,
        values: dict[str, Any],
        d: tuple[float, ...],
    ) -> None:
        pipeline = made(kind, **values)
        sent = given(encoding=encoding, d=d)
        (frame,) = pipeline.decode([sent])
        uploaded = DeviceImage(torch.from_numpy(frame.image.pixels.copy()), frame.image.bgr)
        batch = pipeline.prepare([replace(frame, image=uploaded)])
        assert isinstance(batch.frames[0].image, DeviceImage)
        found = one(pipeline.pack(pipeline.to_depth(pipeline.infer(batch))))
        assert bytes_of(found) == bytes_of(one(pipeline.run([sent])))


class TestConstruction:
    def test_near_beyond_the_model_s_far(self, made: Any) -> None:
        with pytest.raises(ParameterError, match=r"near 19\.5 m, far 19\.0 m"):
            made(near=19.5)
