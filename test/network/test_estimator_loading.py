"""From a saved file to a prediction, through ``DepthEstimator.load`` as every user calls it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_hub import FakeHub
from layouts import as_huggingface
from safetensors.torch import save_file
from scaled_weights import scaled_state

from da_ros.errors import ParameterError, WeightsError
from da_ros.network.estimator import DepthEstimator
from da_ros.network.variants import get_variant
from da_ros.params import ModelParams
from da_ros.types import Kind

SIZE = 70  # shorter side of the network's input [px]
HEIGHT, WIDTH = 120, 160
GRID = (70, 98)  # 4:3 at SIZE, in patches of 14


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One set of weights, saved in every way, and a home of its own."""
    folder = tmp_path_factory.mktemp("weights")
    state = scaled_state(get_variant("v2-small"))
    torch.save(state, folder / "official.pth")
    torch.save({"model": {f"module.{n}": t for n, t in state.items()}}, folder / "training.pth")
    save_file(as_huggingface(state), folder / "huggingface.safetensors")
    save_file({n: t.half() for n, t in state.items()}, folder / "half.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HOME", "HF_HUB_CACHE"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(folder))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("DA_ROS_WEIGHTS", str(folder / "fetched"))
        yield folder


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    noise = np.random.default_rng(5).integers(0, 256, (2, HEIGHT, WIDTH, 3), np.uint8)
    ramp = np.linspace(0, 255, WIDTH).astype(np.uint8)[None, None, :, None]
    return (noise // 2 + ramp // 2).astype(np.uint8)


def params(variant: str = "", **changes: object) -> ModelParams:
    fixed = {"device": "cpu", "precision": "fp32", "input_size": SIZE}
    return ModelParams(model_variant=variant, **{**fixed, **changes})


def depth_of(path: Path, variant: str, images: np.ndarray) -> torch.Tensor:
    estimator = DepthEstimator.load(path, params(variant))
    return estimator.estimate(images).values.clone()


class TestFile:
    def test_official_file_predicts(self, folder: Path, images: np.ndarray) -> None:
        estimator = DepthEstimator.load(folder / "official.pth", params("v2-small"))
        made = estimator.estimate(images)
        assert made.kind is Kind.RELATIVE_INVERSE_DEPTH
        assert tuple(made.values.shape) == (2, *GRID)
        assert made.values.dtype == torch.float32
        assert torch.isfinite(made.values).all()
        assert made.values.min() >= 0
        assert made.values.std() > 0.1
        assert made.model.model_id == "v2-small"
        assert not made.model.verified
        assert made.model is estimator.info

    @pytest.mark.parametrize("name", ["huggingface.safetensors", "training.pth"])
    def test_other_layouts_of_the_same_weights_predict_the_same(
        self, folder: Path, images: np.ndarray, name: str
    ) -> None:
        official = depth_of(folder / "official.pth", "v2-small", images)
        assert torch.equal(depth_of(folder / name, "v2-small", images), official)

    def test_half_precision_weights_predict_nearly_the_same(
        self, folder: Path, images: np.ndarray
    ) -> None:
        official = depth_of(folder / "official.pth", "v2-small", images)
        half = depth_of(folder / "half.safetensors", "v2-small", images)
        difference = (half - official).abs()
        assert 0 < difference.max() < 0.05 * official.std()

    # Trap 1: the same file loads as V1 without a word from any shape check, and means garbage.
    def test_what_the_user_says_changes_what_comes_out(
        self, folder: Path, images: np.ndarray
    ) -> None:
        as_v2 = depth_of(folder / "official.pth", "v2-small", images)
        as_v1 = depth_of(folder / "official.pth", "v1-small", images)
        assert (as_v1 - as_v2).abs().median() > 0.1 * as_v2.std()

    @pytest.mark.parametrize(
        ("name", "max_depth"), [("metric-indoor-small", 20.0), ("metric-outdoor-small", 80.0)]
    )
    def test_a_metric_name_gives_metres_below_its_max_depth(
        self, folder: Path, images: np.ndarray, name: str, max_depth: float
    ) -> None:
        made = DepthEstimator.load(folder / "official.pth", params(name)).estimate(images)
        assert made.kind is Kind.METRIC_DEPTH
        assert made.model.max_depth == max_depth
        assert 0 < made.values.min() < made.values.max() < max_depth

    def test_path_by_parameter(self, folder: Path, images: np.ndarray) -> None:
        path = str(folder / "official.pth")
        estimator = DepthEstimator.load(params=params("v2-small", model_path=path))
        expected = depth_of(folder / "official.pth", "v2-small", images)
        assert torch.equal(estimator.estimate(images).values, expected)


class TestRefusals:
    def test_unknown_file_without_a_name(self, folder: Path) -> None:
        with pytest.raises(WeightsError, match="name it with --variant") as caught:
            DepthEstimator.load(folder / "official.pth", params())
        assert caught.value.fault == "unknown_file"

    def test_unknown_name_of_a_variant(self, folder: Path) -> None:
        with pytest.raises(ParameterError, match=r"called 'vits'; there are nano, metric-"):
            DepthEstimator.load(folder / "official.pth", params("vits"))

    def test_missing_file(self, folder: Path) -> None:
        with pytest.raises(WeightsError, match=r"there is no file .*gone\.pth"):
            DepthEstimator.load(folder / "gone.pth", params("v2-small"))

    def test_weights_that_were_not_fetched(self, folder: Path) -> None:
        with pytest.raises(WeightsError) as caught:
            DepthEstimator.load("metric-indoor-small", params())
        assert caught.value.fault == "missing"
        assert "`da_ros models fetch metric-indoor-small`" in str(caught.value)
        assert "model_size:=nano" in str(caught.value)

    def test_by_size_and_family(self, folder: Path) -> None:
        asked = params(model_size="large", model_family="v2")
        with pytest.raises(WeightsError, match="models fetch v2-large --accept-license"):
            DepthEstimator.load(params=asked)

    def test_pair_that_there_is_not(self, folder: Path) -> None:
        with pytest.raises(ParameterError, match="the pairs are nano"):
            DepthEstimator.load(params=params(model_size="giant", model_family="v1"))

    def test_another_file_under_a_published_name_is_never_loaded(self, folder: Path) -> None:
        name = get_variant("v1-small").checkpoints[0].local_name
        place = folder / "fetched" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes((folder / "official.pth").read_bytes())
        with pytest.raises(WeightsError, match="is not the v1-small it should be") as caught:
            DepthEstimator.load("v1-small", params())
        assert caught.value.fault == "hash_mismatch"

    @pytest.mark.parametrize(("allowed", "asked"), [(False, 0), (True, 1)])
    def test_the_hub_is_asked_only_where_that_is_allowed(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool, asked: int
    ) -> None:
        hub = FakeHub({})
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        try:
            with pytest.raises(WeightsError) as caught:
                DepthEstimator.load("v2-small", params(allow_download=allowed))
        finally:
            hub.close()
        assert len(hub.requests) == asked
        assert caught.value.fault == ("download" if allowed else "missing")
        assert ("HTTP 404" in str(caught.value)) is allowed
