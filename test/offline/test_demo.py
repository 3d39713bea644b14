"""The demo's engine on a sequence whose depth is a formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore
from torch import Tensor, nn

from da_ros.errors import BagError
from da_ros.geometry.camera import PinholeCamera
from da_ros.network.estimator import DepthEstimator
from da_ros.network.variants import get_variant
from da_ros.offline.demo import DemoResult, KnownSequence, demo_figures, run_demo
from da_ros.types import Kind, ModelInfo

FRAMES, HEIGHT, WIDTH = 3, 96, 128


def sequence() -> KnownSequence:
    """A wall with a window to the sky behind a floor and a box; the camera walks on.

    The blue of a pixel is its inverse depth, so that a network can read it off.
    """
    camera = PinholeCamera.from_fov(WIDTH, HEIGHT, 70.0)
    u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    frames = []
    for index in range(FRAMES):
        with np.errstate(divide="ignore"):
            floor = np.where(y > 0, 1.2 / np.maximum(y, 1e-9), np.inf)
        depth = np.minimum(floor, 8.0 - 0.4 * index)
        depth[10:30, 80:110] = np.inf
        box = (np.abs(x) < 0.2) & (np.abs(y) < 0.3)
        depth[box] = 3.0 - 0.4 * index
        frames.append(depth.astype(np.float32))
    depth = np.stack(frames)
    rgb = np.full((*depth.shape, 3), 60, np.uint8)
    rgb[..., 2] = np.rint(np.clip(250.0 / depth, 0, 255))
    return KnownSequence(rgb, depth, camera)


class ReadsBlue(nn.Module):
    """The inverse depth that the sequence hides in blue, in the grid that nano has."""

    def forward(self, x: Tensor) -> Tensor:
        blue = x[:, 2] * 0.225 + 0.406
        return nn.functional.avg_pool2d(blue[:, None], 2)[:, 0].clamp_min(0.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoResult, KnownSequence]:
    info = ModelInfo("nano", "0" * 64, False, Kind.RELATIVE_INVERSE_DEPTH, None, 1.0)
    cpu = torch.device("cpu")
    estimator = DepthEstimator(ReadsBlue(), info, get_variant("nano"), cpu, torch.float32)
    known = sequence()
    return run_demo(known, estimator, tmp_path_factory.mktemp("demo"), 80.0), known


Made = tuple[DemoResult, KnownSequence]


class TestTargets:
    @pytest.mark.parametrize("name", ["recording", "with_depth"])
    def test_a_folder_of_other_things_is_refused_before_anything_is_written(
        self, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "diary.txt").write_text("mine")
        info = ModelInfo("nano", "0" * 64, False, Kind.RELATIVE_INVERSE_DEPTH, None, 1.0)
        cpu = torch.device("cpu")
        estimator = DepthEstimator(ReadsBlue(), info, get_variant("nano"), cpu, torch.float32)
        with pytest.raises(BagError, match=f"{name} is there and is no bag"):
            run_demo(sequence(), estimator, tmp_path, 80.0)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        assert (tmp_path / name / "diary.txt").read_text() == "mine"


class TestRunDemo:
    def test_a_network_that_sees_depth_scores_well(self, made: Made) -> None:
        result, _ = made
        scores = result.summary.over_images.scores
        assert result.summary.over_images.images == FRAMES
        assert scores["model"].abs_rel < 0.05 < scores["plane_fit"].abs_rel
        assert result.summary.ordering is not None
        assert result.summary.ordering > 0.97

    def test_every_file_is_there(self, made: Made) -> None:
        result, _ = made
        assert all(path.exists() for path in result.files.values())
        assert {"recording", "recording with depth", "sheet", "page"} <= set(result.files)

    def test_recording_holds_pictures_and_truth(self, made: Made) -> None:
        """Read by rosbags' high-level reader, with its own idea of the messages."""
        result, known = made
        store = get_typestore(Stores.ROS2_JAZZY)
        with AnyReader([result.files["recording"]], default_typestore=store) as reader:
            got: dict[str, list[object]] = {}
            for connection, stamp, raw in reader.messages():
                message = reader.deserialize(raw, connection.msgtype)
                assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec == stamp
                got.setdefault(connection.topic, []).append(message)
        colors, depths = got["/camera/color/image_raw"], got["/camera/depth/image_raw"]
        for index in range(FRAMES):
            image = np.asarray(colors[index].data).reshape(HEIGHT, WIDTH, 3)
            assert np.array_equal(image, known.rgb[index])
            depth = np.asarray(depths[index].data).view(np.float32).reshape(HEIGHT, WIDTH)
            assert np.array_equal(depth, known.depth[index])
        assert got["/camera/color/camera_info"][0].k[0] == pytest.approx(known.camera.fx)
        stamps = [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in colors]
        assert np.diff(stamps).tolist() == [100_000_000] * (FRAMES - 1)

    def test_depth_is_added_to_every_frame_and_no_metres(self, made: Made) -> None:
        result, _ = made
        assert result.report.done == FRAMES
        store = get_typestore(Stores.ROS2_JAZZY)
        with AnyReader([result.files["recording with depth"]], default_typestore=store) as reader:
            counts = {c.topic: c.msgcount for c in reader.connections}
        assert counts["/da_ros/inverse_depth/image"] == FRAMES
        assert counts["/da_ros/nominal/points"] == FRAMES
        assert counts["/camera/color/image_raw"] == FRAMES
        assert "/da_ros/depth/image" not in counts
        assert "/da_ros/points" not in counts

    def test_true_cloud_is_the_truth(self, made: Made) -> None:
        result, known = made
        body = result.files["cloud, true"].read_bytes().split(b"end_header\n", 1)[1]
        points = np.frombuffer(body, np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)]))["xyz"]
        assert 0.8 * np.isfinite(known.depth[0]).sum() < len(points)
        u = points[:, 0] / points[:, 2] * known.camera.fx + known.camera.cx
        v = points[:, 1] / points[:, 2] * known.camera.fy + known.camera.cy
        true = known.depth[0][np.rint(v).astype(int), np.rint(u).astype(int)]
        assert points[:, 2].tolist() == pytest.approx(true.tolist())

    def test_figures_in_words(self, made: Made) -> None:
        result, _ = made
        figures = demo_figures(result)
        assert list(figures) == [
            "frames",
            "protocol",
            "model",
            "row fit",
            "plane fit",
            "ordering",
        ]
        assert figures["frames"] == "3"
        score = result.summary.over_images.scores["model"]
        assert figures["model"].startswith(f"AbsRel {score.abs_rel:.3f}, RMSE")

    def test_page_names_model_and_figures(self, made: Made) -> None:
        result, _ = made
        page = result.files["page"].read_text(encoding="utf-8")
        assert "Model nano (relative_inverse_depth, unverified" in page
        assert demo_figures(result)["plane fit"] in page
        assert page.count("<img ") == 3

    def test_again_into_the_same_folder(self, made: Made) -> None:
        result, known = made
        out = result.files["page"].parent
        info = ModelInfo("nano", "0" * 64, False, Kind.RELATIVE_INVERSE_DEPTH, None, 1.0)
        cpu = torch.device("cpu")
        estimator = DepthEstimator(ReadsBlue(), info, get_variant("nano"), cpu, torch.float32)
        again = run_demo(known, estimator, out, 80.0)
        assert again.summary == result.summary
        assert again.report.done == FRAMES
