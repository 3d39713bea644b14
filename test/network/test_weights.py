from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import layouts
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from da_ros.errors import WeightsError
from da_ros.network.build import build_network, empty_state
from da_ros.network.checkpoints import Checkpoint
from da_ros.network.depth_anything import UNUSED_KEYS
from da_ros.network.digest import sha256_of
from da_ros.network.variants import REGISTRY, Registry, Variant
from da_ros.network.weights import fit_to, load_weights
from da_ros.types import Kind

PUBLISHED = [name for name, row in REGISTRY.items() if row.checkpoints and name != "nano"]
SMALL = [name for name in PUBLISHED if name.endswith("small")]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def write(folder: Path, variant: Variant, checkpoint: Checkpoint, mark: int) -> Path:
    """A file of the checkpoint's own layout and shapes, light, and unlike any other's."""
    path = folder / f"{mark}.{checkpoint.filename.rsplit('/', 1)[-1]}"
    if checkpoint.layout == "official":
        torch.save(layouts.flat_state(variant.size, mark / 64), path)
    else:
        shapes = layouts.official_shapes(variant.size)
        on_meta = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
        theirs = layouts.as_huggingface(on_meta)
        named = {name: tuple(tensor.shape) for name, tensor in theirs.items()}
        layouts.save_sparse_safetensors(path, named, variant.name)
    return path


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, dict[str, Path]]:
    """The registry with each row's hash that of a synthetic official file, and those files."""
    folder = tmp_path_factory.mktemp("official")
    rows, files = dict(REGISTRY), {}
    for mark, name in enumerate(PUBLISHED):
        first = REGISTRY[name].checkpoints[0]
        files[name] = write(folder, REGISTRY[name], first, mark)
        known = replace(first, sha256=sha256_of(files[name]), size_bytes=None)
        rows[name] = replace(REGISTRY[name], checkpoints=(known,))
    return rows, files


@pytest.fixture(scope="module")
def huggingface_family(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Registry, dict[str, Path]]:
    """The same in Hugging Face's layout; of v2-base no file's hash is known, so it lends one."""
    folder = tmp_path_factory.mktemp("huggingface")
    rows, files = dict(REGISTRY), {}
    for mark, name in enumerate(PUBLISHED):
        first = replace(REGISTRY[name].checkpoints[0], layout="huggingface")
        first = replace(first, filename="model.safetensors")
        files[name] = write(folder, REGISTRY[name], first, mark)
        known = replace(first, sha256=sha256_of(files[name]), size_bytes=None)
        rows[name] = replace(REGISTRY[name], checkpoints=(known,))
    return rows, files


LARGE_ARE_SLOW = [
    pytest.param(name, marks=[pytest.mark.slow] if name.endswith("large") else [])
    for name in PUBLISHED
]
"""Each large model fills 1.3 GB of memory."""


class TestEachRow:
    @pytest.mark.parametrize("name", LARGE_ARE_SLOW)
    def test_loads_its_official_file(self, name: str, family) -> None:
        registry, files = family
        loaded = load_weights(files[name], registry=registry)
        assert loaded.variant.name == loaded.info.model_id == name
        assert loaded.info.verified
        assert loaded.info.sha256 == sha256_of(files[name])
        assert loaded.info.kind is REGISTRY[name].kind
        assert loaded.info.max_depth == REGISTRY[name].max_depth
        assert loaded.info.reference_inverse_depth == REGISTRY[name].reference_inverse_depth
        assert loaded.info.licence == REGISTRY[name].licence_line
        expected = empty_state(loaded.variant)
        assert {n: t.shape for n, t in loaded.state_dict.items()} == {
            n: t.shape for n, t in expected.items()
        }
        value = PUBLISHED.index(name) / 64
        assert all(float(t.flatten()[0]) == value for t in loaded.state_dict.values())

    @pytest.mark.parametrize("name", LARGE_ARE_SLOW)
    def test_loads_its_huggingface_file(self, name: str, tmp_path: Path) -> None:
        variant = REGISTRY[name]
        checkpoint = next((c for c in variant.checkpoints if c.layout == "huggingface"), None)
        if checkpoint is None:  # no known hash: still loads, as whatever the user says
            checkpoint = replace(
                variant.checkpoints[0], filename="m.safetensors", layout="huggingface"
            )
        path = write(tmp_path, variant, checkpoint, 0)
        known = replace(checkpoint, sha256=sha256_of(path))
        registry = {**REGISTRY, name: replace(variant, checkpoints=(known,))}
        loaded = load_weights(path, variant, registry)
        assert loaded.info.verified
        assert loaded.state_dict.keys() == empty_state(variant).keys()
        assert {tensor.dtype for tensor in loaded.state_dict.values()} == {torch.float32}

    @pytest.mark.parametrize("rows", ["family", "huggingface_family"])
    @pytest.mark.parametrize(
        ("asked", "given_file"),
        [
            pair
            for pair in permutations(PUBLISHED, 2)
            if REGISTRY[pair[0]].size == REGISTRY[pair[1]].size
        ],
    )
    def test_refuses_every_other_rows_file_of_equal_shapes(
        self, asked: str, given_file: str, rows: str, request: pytest.FixtureRequest
    ) -> None:
        registry, files = request.getfixturevalue(rows)
        with pytest.raises(WeightsError) as caught:
            load_weights(files[given_file], registry[asked], registry)
        assert caught.value.fault == "other_model"
        assert f"is {given_file} (its sha256 says so), not {asked}" in str(caught.value)

    @pytest.mark.parametrize("layout", ["official", "huggingface"])
    def test_giant_fits_its_layout(self, layout: str) -> None:
        giant = REGISTRY["v2-giant"]
        shapes = layouts.official_shapes("giant")
        state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
        if layout == "huggingface":
            state = layouts.as_huggingface(state)
        assert fit_to(giant, state, Path("giant.pth")).keys() == empty_state(giant).keys()

    def test_nano_loads_its_own_names(self, tmp_path: Path) -> None:
        nano = REGISTRY["nano"]
        path = tmp_path / "nano.safetensors"
        half = {name: t.half() for name, t in build_network(nano).state_dict().items()}
        save_file(half, path)
        loaded = load_weights(path, nano)
        build_network(nano).load_state_dict(loaded.state_dict)
        assert all(torch.equal(loaded.state_dict[n], half[n].float()) for n in half)


class TestUnknownFile:
    @pytest.fixture(scope="class")
    @staticmethod
    def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("unknown") / "mine.pth"
        torch.save(layouts.flat_state("small", 0.5), path)
        return path

    def test_without_a_name_the_fitting_rows_are_listed(self, path: Path) -> None:
        with pytest.raises(WeightsError) as caught:
            load_weights(path)
        assert caught.value.fault == "unknown_file"
        assert "fit metric-indoor-small, metric-outdoor-small, v2-small, v1-small:" in str(
            caught.value
        )
        assert "name it with --variant (node: model_variant)" in str(caught.value)

    @pytest.mark.parametrize("name", SMALL)
    def test_is_what_the_user_says_and_unverified(self, path: Path, name: str) -> None:
        loaded = load_weights(path, REGISTRY[name])
        assert loaded.variant.name == name
        assert not loaded.info.verified
        assert loaded.info.licence == "unknown"
        assert loaded.info.kind is REGISTRY[name].kind
        metric = loaded.info.kind is Kind.METRIC_DEPTH
        assert (loaded.info.max_depth is not None) is metric

    def test_of_another_size_is_refused(self, path: Path) -> None:
        with pytest.raises(WeightsError) as caught:
            load_weights(path, REGISTRY["v2-base"])
        assert caught.value.fault == "shapes"
        assert "pretrained.cls_token has shape (1, 1, 384), expected (1, 1, 768)" in str(
            caught.value
        )

    def test_of_another_depth_is_refused_by_its_names(self, path: Path) -> None:
        with pytest.raises(WeightsError) as caught:
            load_weights(path, REGISTRY["v2-large"])
        assert caught.value.fault == "keys"
        assert "168 (pretrained.blocks.12." in str(caught.value)

    def test_of_no_model_that_there_is(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        state = layouts.flat_state("small")
        state["pretrained.pos_embed"] = torch.zeros(1, 577, 384)
        torch.save(state, path)
        with pytest.raises(WeightsError, match="tensors fit no model that da_ros knows") as caught:
            load_weights(path)
        assert caught.value.fault == "unknown_file"

    def test_of_another_network(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        torch.save({"conv1.weight": torch.zeros(1)}, path)
        with pytest.raises(WeightsError, match=r"no model that da_ros knows \(conv1") as caught:
            load_weights(path)
        assert caught.value.fault == "unknown_layout"

    def test_bare_encoder(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        torch.save({"blocks.0.ls1.gamma": torch.zeros(1)}, path)
        with pytest.raises(WeightsError, match="bare DINOv2 encoder") as caught:
            load_weights(path, REGISTRY["v2-small"])
        assert caught.value.fault == "unknown_layout"
        assert str(path) in str(caught.value)

    def test_damage_inside_is_noticed(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        torch.save(layouts.random_state("small"), path)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="does not match its checksum") as caught:
            load_weights(path, REGISTRY["v2-small"])
        assert caught.value.fault == "truncated"


class TestThirdParty:
    """Official names, mostly fp16, behind whatever a training program put before them."""

    @pytest.mark.parametrize("prefix", ["", "module.", "model."])
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
    def test_safetensors(self, tmp_path: Path, prefix: str, dtype: torch.dtype) -> None:
        state = layouts.random_state("small", seed=3, dtype=dtype)
        path = tmp_path / "third.safetensors"
        save_file({prefix + name: tensor for name, tensor in state.items()}, path)
        loaded = load_weights(path, REGISTRY["v2-small"]).state_dict
        assert len(loaded) == 234
        assert all(torch.equal(loaded[name], state[name].float()) for name in loaded)
        assert not any(name.startswith(UNUSED_KEYS) for name in loaded)

    @pytest.mark.parametrize("key", ["model", "state_dict"])
    def test_training_checkpoint(self, tmp_path: Path, key: str) -> None:
        path = tmp_path / "latest.pth"
        state = {f"module.{n}": t for n, t in layouts.flat_state("small", 0.25).items()}
        torch.save({key: state, "epoch": 3, "optimizer": {"state": {}}}, path)
        assert len(load_weights(path, REGISTRY["metric-indoor-small"]).state_dict) == 234

    def test_without_what_is_never_used(self, tmp_path: Path) -> None:
        path = tmp_path / "slim.pth"
        state = layouts.flat_state("small", 0.125)
        torch.save({n: t for n, t in state.items() if not n.startswith(UNUSED_KEYS)}, path)
        assert len(load_weights(path, REGISTRY["v2-small"]).state_dict) == 234


class TestFitTo:
    def test_names_missing_and_unexpected_tensors(self) -> None:
        state = layouts.flat_state("small")
        for name in ("pretrained.norm.bias", "depth_head.projects.3.bias"):
            del state[name]
        state["depth_head.extra.weight"] = torch.zeros(1)
        with pytest.raises(WeightsError) as caught:
            fit_to(REGISTRY["v2-small"], state, Path("x.pth"))
        assert caught.value.fault == "keys"
        assert str(caught.value) == (
            "x.pth does not fit v2-small: 2 (pretrained.norm.bias, depth_head.projects.3.bias) "
            "missing, 1 (depth_head.extra.weight) unexpected"
        )

    def test_names_only_the_first_few(self) -> None:
        state = layouts.flat_state("small")
        state = {name: tensor for name, tensor in state.items() if ".blocks.7." not in name}
        with pytest.raises(
            WeightsError, match=r"14 \([^,]+, [^,]+, [^,]+, \.\.\.\) missing, none"
        ):
            fit_to(REGISTRY["v2-small"], state, Path("x.pth"))

    @pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool])
    def test_no_numbers_with_a_point(self, dtype: torch.dtype) -> None:
        state = layouts.flat_state("small")
        state["pretrained.norm.bias"] = torch.zeros(384, dtype=dtype)
        with pytest.raises(WeightsError, match=r"pretrained\.norm\.bias is torch\.\w+, expected"):
            fit_to(REGISTRY["v2-small"], state, Path("x.pth"))

    def test_a_tensor_that_claims_to_be_huge_is_refused_unread(self) -> None:
        state = layouts.flat_state("small")
        state["pretrained.norm.bias"] = torch.zeros(1).expand(1 << 60)
        with pytest.raises(WeightsError, match=r"has shape \(1152921504606846976,\)"):
            fit_to(REGISTRY["v2-small"], state, Path("x.pth"))

    @settings(max_examples=25)
    @given(data=st.data())
    def test_any_one_wrong_shape_is_named(self, data: st.DataObject) -> None:
        state = layouts.flat_state("small")
        used = sorted(name for name in state if not name.startswith(UNUSED_KEYS))
        name = data.draw(st.sampled_from(used))
        shape = list(state[name].shape)
        side = data.draw(st.integers(0, len(shape) - 1))
        shape[side] += data.draw(st.sampled_from([-1, 1, 7]))
        state[name] = torch.zeros(1).expand(shape)
        with pytest.raises(WeightsError) as caught:
            fit_to(REGISTRY["v2-small"], state, Path("x.pth"))
        assert caught.value.fault == "shapes"
        assert f"{name} has shape {tuple(shape)}" in str(caught.value)


class TestFaults:
    """A file's faults arrive through load_weights; each has its test in test_checkpoint_faults."""

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            (None, "missing"),
            (b"", "truncated"),
            (b"<!doctype html>", "html"),
            (b"version https://git-lfs.github.com/spec/v1\n", "lfs_pointer"),
            (b"PK\x03\x04 and so on", "truncated"),
            (b"what is this", "unknown_layout"),
        ],
    )
    def test_each_has_its_own(self, tmp_path: Path, content: bytes | None, fault: str) -> None:
        path = tmp_path / "x.pth"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            load_weights(path, REGISTRY["v2-small"])
        assert caught.value.fault == fault
        assert str(path) in str(caught.value)

    def test_zoedepth_file(self, tmp_path: Path) -> None:
        path = tmp_path / "depth_anything_metric_depth_indoor.pt"
        core = {f"core.core.{n}": t for n, t in layouts.flat_state("large").items()}
        heads = {"seed_bin_regressor._net.0.weight": torch.zeros(1)}
        torch.save({"model": core | heads, "optimizer": None, "epoch": 1}, path)
        with pytest.raises(WeightsError, match=r"is a ZoeDepth network .* fetch metric") as caught:
            load_weights(path, REGISTRY["v1-large"])
        assert caught.value.fault == "zoedepth"
