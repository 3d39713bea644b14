"""The engine behind `da_ros image`, with a metric network of random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from da_ros.errors import InputError
from da_ros.network.build import build_network
from da_ros.network.estimator import DepthEstimator
from da_ros.network.variants import get_variant
from da_ros.offline.image_page import write_image_page
from da_ros.offline.images import PhotoResult, convert_photos, plan_photos
from da_ros.offline.photos import CameraChoice
from da_ros.params import DepthParams, PipelineParams
from da_ros.pipeline import DepthPipeline
from da_ros.types import Kind, ModelInfo


@pytest.fixture(scope="module")
def metric_pipeline() -> DepthPipeline:
    """metric-indoor-small, whose output is stretched to reach from near to beyond far."""
    torch.manual_seed(3)
    variant = get_variant("metric-indoor-small")
    network = build_network(variant)
    info = ModelInfo("metric-indoor-small", "0" * 64, False, Kind.METRIC_DEPTH, 20.0)
    estimator = DepthEstimator(
        network, info, variant, torch.device("cpu"), torch.float32, input_size=112
    )
    batch = estimator.prepare(np.random.default_rng(0).integers(0, 255, (1, 80, 120, 3), np.uint8))
    values = estimator.infer(batch).values
    low, high = (float(torch.quantile(values, share)) for share in (0.1, 0.9))
    return DepthPipeline(estimator, PipelineParams(depth=DepthParams(near=low, far=high)))


@pytest.fixture
def result(metric_pipeline: DepthPipeline, tmp_path: Path) -> PhotoResult:
    pixels = np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    plan = plan_photos([tmp_path / "a.png"], tmp_path / "out")
    (tmp_path / "out").mkdir()
    choice = CameraChoice(None, None, 60.0)
    (made,) = convert_photos(plan, metric_pipeline, choice, 10**6)
    assert made.error == ""
    return made


class TestPlanPhotos:
    def test_an_output_that_would_replace_another_photo(self, tmp_path: Path) -> None:
        """As when a folder holds outputs of an earlier run, and all of it is given."""
        photos = [tmp_path / "1.png", tmp_path / "1_color.png"]
        for path in photos:
            Image.new("RGB", (8, 8)).save(path)
        with pytest.raises(InputError, match=r"1_color\.png: an output of 1 would replace it"):
            plan_photos(photos, tmp_path)
        assert [path for path, _ in plan_photos(photos, tmp_path / "out")] == photos
        assert plan_photos(photos[:1], tmp_path) == [(photos[0], tmp_path / "1")]


class TestMetricModel:
    def test_files(self, result: PhotoResult) -> None:
        assert list(result.files) == ["depth.npy", "depth_mm.png", "color.png", "points.ply"]
        assert all(path.is_file() for path in result.files.values())

    def test_depth_follows_rep_117(self, result: PhotoResult) -> None:
        depth = np.load(result.files["depth.npy"])
        assert depth.dtype == np.float32
        assert depth.shape == (80, 120)
        assert np.isposinf(depth).any()
        assert np.isneginf(depth).any()
        assert np.isfinite(depth).any()

    def test_millimetres_are_the_metres(self, result: PhotoResult) -> None:
        depth = np.load(result.files["depth.npy"]).astype(np.float64)
        with Image.open(result.files["depth_mm.png"]) as image:
            assert image.mode.startswith("I;16")
            millimetres = np.array(image)
        finite = np.isfinite(depth)
        assert (millimetres[~finite] == 0).all()
        assert np.abs(millimetres[finite] - 1000.0 * depth[finite]).max() <= 0.5

    def test_cloud_holds_the_finite_depths(self, result: PhotoResult) -> None:
        depth = np.load(result.files["depth.npy"])
        head = result.files["points.ply"].read_bytes().split(b"end_header\n")[0].decode()
        assert "comment da_ros, metres" in head
        count = int(head.split("element vertex ")[1].split()[0])
        assert 0 < count <= np.isfinite(depth).sum()

    def test_page_says_metres_and_nothing_of_nominal(
        self, result: PhotoResult, metric_pipeline: DepthPipeline, tmp_path: Path
    ) -> None:
        write_image_page(tmp_path / "index.html", [result], metric_pipeline.model)
        page = (tmp_path / "index.html").read_text()
        assert "nominal" not in page
        assert "metric-indoor-small" in page
        assert page.count("<img ") == 3


class TestPage:
    def test_only_so_many_photos_are_shown(self, tmp_path: Path) -> None:
        picture = np.zeros((4, 4, 3), np.uint8)
        results = [
            PhotoResult(Path(f"p{i}.jpg"), f"p{i}", pictures={"photo": picture})
            for i in range(130)
        ]
        model = ModelInfo("m", "0" * 64, True, Kind.METRIC_DEPTH, 20.0)
        write_image_page(tmp_path / "p.html", results, model)
        page = (tmp_path / "p.html").read_text()
        assert page.count("<img ") == 100
        assert "The first 100 of 130 photos" in page
