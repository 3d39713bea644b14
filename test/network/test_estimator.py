"""The facade: loading, sizes, predictions, memory, closing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from scaled_weights import scaled_state
from torch import nn

from da_ros.errors import DeviceError, ParameterError, ShapeError, WeightsError
from da_ros.network.build import build_network
from da_ros.network.depth_anything import UNUSED_KEYS
from da_ros.network.estimator import MOST_RECORDINGS, DepthEstimator
from da_ros.network.spec import DepthAnythingSpec, DinoV2Spec, DptSpec
from da_ros.network.variants import get_variant
from da_ros.params import ModelParams
from da_ros.types import Kind, ModelInfo

CPU = torch.device("cpu")

TINY = replace(
    get_variant("v2-small"),
    name="tiny",
    architecture=DepthAnythingSpec(
        DinoV2Spec(dim=32, depth=4, heads=2), DptSpec(16, (8, 8, 16, 16))
    ),
    taps=(0, 1, 2, 3),
)


def info_of(variant) -> ModelInfo:
    return ModelInfo(variant.name, "0" * 64, verified=False, kind=variant.kind)


def estimator(variant=TINY, network=None, precision=torch.float32, **options) -> DepthEstimator:
    torch.manual_seed(0)
    network = network or build_network(variant)
    return DepthEstimator(network, info_of(variant), variant, CPU, precision, **options)


def images(count=1, height=60, width=80) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """A small relative model's file, of unknown hash."""
    path = tmp_path_factory.mktemp("weights") / "mine.pth"
    torch.save(scaled_state(get_variant("v2-small"), seed=9), path)
    return path


class Hungry(nn.Module):
    """Runs out of memory beyond a number of pixels, as an allocator says it."""

    def __init__(self, limit: int, error: type[Exception] | Exception) -> None:
        super().__init__()
        self.limit, self.error = limit, error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] * x.shape[2] * x.shape[3] > self.limit:
            raise self.error
        return x.mean(1)


class TestNetworkSize:
    def test_follows_the_variant(self):
        assert estimator().network_size(480, 640) == (518, 686)
        nano = get_variant("nano")
        height, width = estimator(nano).network_size(480, 640)
        assert height == nano.resize.target
        assert width % 32 == 0
        assert abs(width - height * 4 / 3) <= 16

    def test_follows_the_input_size(self):
        assert estimator(input_size=252).network_size(480, 640) == (252, 336)
        assert estimator(input_size=0).network_size(480, 640) == (518, 686)


class TestEstimate:
    @pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
    @pytest.mark.parametrize(
        ("name", "grid"), [("tiny", (70, 98)), ("nano", (48, 48))], ids=["tiny", "nano"]
    )
    def test_predicts_on_the_networks_grid(self, name, grid, precision):
        variant = TINY if name == "tiny" else get_variant("nano")
        made = estimator(variant, precision=precision, input_size=70)
        prediction = made.estimate(images(count=2))
        assert prediction.values.shape == (2, *grid)
        assert prediction.values.dtype is torch.float32
        assert prediction.kind is Kind.RELATIVE_INVERSE_DEPTH
        assert prediction.model is made.info
        assert bool(torch.isfinite(prediction.values).all())

    def test_each_image_of_a_batch_stands_alone(self):
        made, pair = estimator(input_size=70), images(count=2)
        together = made.estimate(pair).values
        for one in range(2):
            alone = made.estimate(pair[one : one + 1]).values[0]
            torch.testing.assert_close(together[one], alone, rtol=1e-4, atol=1e-5)

    def test_the_result_may_be_changed_in_place(self):
        made, given = estimator(input_size=70), images()
        first = made.estimate(given).values
        kept = first.clone()
        first.mul_(2.0)
        assert torch.equal(made.estimate(given).values, kept)

    def test_bgr_is_the_same_picture(self):
        made, rgb = estimator(input_size=70), images()
        swapped = np.ascontiguousarray(rgb[..., ::-1])
        expected = made.estimate(rgb).values
        assert torch.equal(made.estimate(swapped, bgr=True).values, expected)

    def test_keeps_no_graph_for_gradients(self):
        made = estimator(input_size=70)
        batch = made.prepare(images()).requires_grad_()
        assert not made.infer(batch).values.requires_grad

    @pytest.mark.slow
    def test_compiled_computes_the_same(self):
        expected = estimator(input_size=70).estimate(images()).values
        made = estimator(input_size=70, compiled=True)
        made.warm_up(60, 80)
        torch.testing.assert_close(made.estimate(images()).values, expected, rtol=1e-3, atol=1e-4)


class TestSeveralThreads:
    @pytest.mark.parametrize("name", ["tiny", "nano"])
    def test_each_gets_its_own_prediction(self, name):
        """More sizes than are remembered, so that the threads drop what others just made."""
        on_cpu = ModelParams(device="cpu")  # also where there is a GPU
        model = estimator() if name == "tiny" else DepthEstimator.load("nano", on_cpu)
        assert model.takes_several
        edge = model.variant.resize.multiple
        sizes = [(edge * (2 + n % 5), edge * (2 + n // 5)) for n in range(20)]
        given = [torch.rand(1, 3, *size, generator=torch.manual_seed(1)) for size in sizes] * 2
        alone = [model.infer(batch).values for batch in given]
        with ThreadPoolExecutor(4) as pool:
            together = [made.values for made in pool.map(model.infer, given)]
        assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))

    def test_compiled_takes_one(self):
        assert not estimator(compiled=True).takes_several


class TestPrepare:
    def test_sizes_may_differ_when_the_network_sees_one(self):
        mixed = [images(height=60, width=80)[0], images(height=120, width=160)[0]]
        assert estimator(input_size=70).prepare(mixed).shape == (2, 3, 70, 98)

    def test_refuses_images_of_several_network_sizes(self):
        mixed = [images(height=60, width=80)[0], images(height=80, width=60)[0]]
        with pytest.raises(ShapeError, match="one network size expected, got"):
            estimator(input_size=70).prepare(mixed)

    def test_refuses_what_is_no_image(self):
        with pytest.raises(ShapeError, match="expected uint8 images"):
            estimator().prepare([np.zeros((60, 80), np.uint8)])

    def test_refuses_nothing(self):
        with pytest.raises(ShapeError, match="at least one image"):
            estimator().prepare([])


class TestMemory:
    @pytest.mark.parametrize(
        "error",
        [
            torch.cuda.OutOfMemoryError("CUDA out of memory"),
            MemoryError(),
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1"),
        ],
        ids=["cuda", "python", "cpu"],
    )
    def test_names_a_size_that_fits(self, error):
        made = estimator(network=Hungry(70 * 140, error))
        with pytest.raises(DeviceError, match=r"for 1 image\(s\) of 280x140 .* 1 of 140x70 fits"):
            made.infer(torch.zeros(1, 3, 140, 280))

    def test_names_one_image_where_a_batch_does_not_fit(self):
        made = estimator(network=Hungry(140 * 280, MemoryError()))
        with pytest.raises(DeviceError, match=r"4 image\(s\) of 280x140 px; 1 of 280x140 fits"):
            made.infer(torch.zeros(4, 3, 140, 280))

    def test_says_so_when_nothing_fits(self):
        made = estimator(network=Hungry(0, MemoryError()))
        with pytest.raises(DeviceError, match="nor for any smaller size; free some"):
            made.infer(torch.zeros(1, 3, 140, 280))

    def test_a_bug_is_not_taken_for_it(self):
        made = estimator(network=Hungry(0, RuntimeError("shapes differ")))
        with pytest.raises(RuntimeError, match="shapes differ"):
            made.infer(torch.zeros(1, 3, 140, 280))


class TestWarmUp:
    def test_runs_the_size_that_frames_will_have(self):
        seen = []
        network = Hungry(10**9, MemoryError())
        network.register_forward_hook(lambda module, given, made: seen.append(given[0].shape))
        estimator(network=network, input_size=70).warm_up(60, 80, batch=3)
        assert seen == [(3, 3, 70, 98)]

    def test_runs_out_of_memory_at_once(self):
        made = estimator(network=Hungry(100, MemoryError()))
        with pytest.raises(DeviceError, match="not enough memory on cpu"):
            made.warm_up(60, 80)


class StandIn:
    """Says that it is a GPU, where there is none; what would be freed is counted."""

    type = "cuda"

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.freed = 0
        patch.setattr(torch.cuda, "empty_cache", self.free)

    def free(self) -> None:
        self.freed += 1


class TestGpuMemory:
    """By fault injection with a stand-in; benchmarks/gpu.py does it on a GPU."""

    def test_it_is_freed_where_it_ran_out(self, monkeypatch):
        made = estimator(network=Hungry(0, torch.cuda.OutOfMemoryError("CUDA out of memory")))
        device = StandIn(monkeypatch)
        monkeypatch.setattr(made, "device", device)
        assert made._attempt(torch.zeros(1, 3, 70, 70)) is None
        assert device.freed == 1

    def test_recordings_give_way(self, monkeypatch):
        """A recorded shape's memory is its own, also when only other shapes come."""
        made = estimator(network=Hungry(0, torch.cuda.OutOfMemoryError("CUDA out of memory")))
        monkeypatch.setattr(made, "device", StandIn(monkeypatch))
        made._graphs._recordings[1, 3, 140, 140] = object()

        def free():
            assert not made._graphs._recordings
            made._network.limit = 70 * 70

        monkeypatch.setattr(torch.cuda, "empty_cache", free)
        assert made._attempt(torch.zeros(1, 3, 70, 70)) is not None

    def test_close_frees_it_and_drops_the_recordings(self, monkeypatch):
        import weakref

        made = estimator()
        made.estimate(images())
        device = StandIn(monkeypatch)
        monkeypatch.setattr(made, "device", device)
        cleared = []
        monkeypatch.setattr(made._graphs, "clear", lambda: cleared.append(True))
        alive = weakref.ref(made._network)
        there = []
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: there.append(alive()))
        made.close()
        assert cleared == [True]
        assert there == [None], "emptied once, after the network is gone"


class TestClose:
    def test_frees_the_network(self):
        import gc
        import weakref

        network = build_network(TINY)
        alive = weakref.ref(network)
        made = estimator(network=network)
        made.estimate(images())
        del network
        made.close()
        gc.collect()
        assert alive() is None

    def test_nothing_runs_afterwards(self):
        made = estimator()
        made.close()
        made.close()
        assert made.info.model_id == "tiny"
        with pytest.raises(DeviceError, match="the estimator of tiny is closed; load it again"):
            made.estimate(images())


class TestOtherShapes:
    """Batches of shapes that ``warm_up`` was not told of.

    A stand-in for a GPU: the recording itself is replaced, the network runs on the CPU.
    """

    @pytest.fixture
    def made(self, monkeypatch):
        made = estimator()
        made.recorded, made.said = [], []
        monkeypatch.setattr(made._graphs, "record", lambda shape, _: made.recorded.append(shape))
        made.device = torch.device("cuda")
        made.say = made.said.append
        monkeypatch.setattr(made, "prepare", lambda images: torch.zeros(len(images), 3, 70, 98))
        monkeypatch.setattr(made, "_attempt", lambda batch: batch[:, 0])
        return made

    def test_are_recorded_when_they_come_again(self, made):
        for _ in range(5):
            made.infer(torch.zeros(1, 3, 56, 56))
        assert made.recorded == [(1, 3, 56, 56)]
        assert made.said == [
            "recording the network for 1 x 56x56 px, for which it was not warmed up"
        ]

    def test_the_one_warmed_up_for_is_recorded_once(self, made):
        made.warm_up(70, 98)
        for _ in range(3):
            made.infer(torch.zeros(1, 3, 70, 98))
        assert made.recorded == [(1, 3, 70, 98)]
        assert made.said == []

    def test_that_come_once_are_not(self, made):
        for side in range(14, 140, 14):
            made.infer(torch.zeros(1, 3, side, side))
        assert made.recorded == []

    def test_of_many_a_few_are(self, made):
        for side in [*range(14, 140, 14)] * 3:
            made.infer(torch.zeros(1, 3, side, side))
        assert len(made.recorded) == MOST_RECORDINGS
        assert len(made.said) == MOST_RECORDINGS

    def test_a_compilation_is_said_before_it_begins(self, made):
        made._compiled, made.device = True, CPU
        for _ in range(3):
            made.infer(torch.zeros(1, 3, 28, 42))
        assert made.said == [
            "compiling the network for 1 x 42x28 px, for which it was not warmed up"
        ]
        assert made.recorded == []

    def test_on_a_cpu_nothing_waits(self, made):
        made.device = CPU
        for _ in range(3):
            made.infer(torch.zeros(1, 3, 28, 42))
        assert made.said == made.recorded == []


class TestLoad:
    def params(self, **changes) -> ModelParams:
        return ModelParams(**{"device": "cpu", "precision": "fp32", "input_size": 70, **changes})

    def test_a_file_with_its_variant(self, weights_file):
        params = self.params(model_variant="metric-indoor-small")
        made = DepthEstimator.load(weights_file, params)
        values = made.estimate(images()).values
        assert made.info.kind is Kind.METRIC_DEPTH
        assert not made.info.verified
        assert made.device == CPU
        assert made.precision is torch.float32
        assert values.shape == (1, 70, 98)
        assert 0 < float(values.min()) < float(values.max()) < 20

    def test_the_file_is_what_computes(self, weights_file):
        variant = get_variant("v2-small")
        network = build_network(variant)
        state = scaled_state(variant, seed=9)
        used = {k: v for k, v in state.items() if not k.startswith(UNUSED_KEYS)}
        network.load_state_dict(used)
        params = self.params(model_variant="v2-small", model_path=str(weights_file))
        prepared = (loaded := DepthEstimator.load(params=params)).prepare(images())
        with torch.inference_mode():
            expected = network(prepared)
        torch.testing.assert_close(loaded.infer(prepared).values, expected, rtol=1e-4, atol=1e-4)

    def test_a_file_without_its_variant_is_refused(self, weights_file):
        with pytest.raises(WeightsError) as caught:
            DepthEstimator.load(weights_file, self.params())
        assert caught.value.fault == "unknown_file"

    def test_a_missing_file_is_refused(self, tmp_path):
        with pytest.raises(WeightsError) as caught:
            DepthEstimator.load(tmp_path / "nothing.pth", self.params())
        assert caught.value.fault == "missing"

    def test_a_wrong_name_lists_the_right_ones(self):
        with pytest.raises(ParameterError, match="no model is called 'v2-smal'; there are nano"):
            DepthEstimator.load("v2-smal", self.params())

    @pytest.mark.parametrize(
        ("stated", "message"),
        [
            ("v2-smal", "no model is called 'v2-smal'"),
            ("v1-small", "model_variant v1-small goes with .* but the model is v2-small"),
        ],
    )
    def test_a_variant_is_not_ignored_beside_a_name(self, stated, message):
        with pytest.raises(ParameterError, match=message):
            DepthEstimator.load("v2-small", self.params(model_variant=stated))

    def test_a_name_whose_weights_are_not_here(self, tmp_path, monkeypatch):
        monkeypatch.setenv("DA_ROS_WEIGHTS", str(tmp_path))
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(WeightsError) as caught:
            DepthEstimator.load("v2-giant", self.params())
        assert caught.value.fault == "missing"

    def test_the_parameters_name_a_model(self, tmp_path, monkeypatch):
        monkeypatch.setenv("DA_ROS_WEIGHTS", str(tmp_path))
        with pytest.raises(ParameterError, match="no model has model_size 'giant'"):
            DepthEstimator.load(params=self.params(model_size="giant"))

    @pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
    def test_a_missing_gpu_comes_before_the_weights(self):
        with pytest.raises(DeviceError, match="device cuda"):
            DepthEstimator.load("v2-small", self.params(device="cuda"))

    def test_threads_are_set(self, weights_file):
        before = torch.get_num_threads()
        params = self.params(model_variant="v2-small", cpu_threads=1)
        try:
            DepthEstimator.load(weights_file, params)
            assert torch.get_num_threads() == 1
        finally:
            torch.set_num_threads(before)
