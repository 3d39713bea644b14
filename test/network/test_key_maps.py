from __future__ import annotations

import layouts
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.errors import WeightsError
from da_ros.network.key_maps import layout_of, official_names, unknown_layout_message


@pytest.fixture(scope="module")
def small() -> dict[str, torch.Tensor]:
    return layouts.random_state("small")


class TestLayoutOf:
    @settings(max_examples=50)
    @given(
        prefix=st.lists(st.sampled_from(["module", "model", "net", "depth_net"]), max_size=3),
        last=st.sampled_from(["cls_token", "blocks.3.norm1.weight", "norm.bias"]),
    )
    def test_official_behind_any_prefix(self, prefix: list[str], last: str) -> None:
        before = "".join(f"{part}." for part in prefix)
        assert layout_of({f"{before}pretrained.{last}": 0}) == ("official", before)

    @pytest.mark.parametrize("before", ["", "model.", "module.model."])
    def test_huggingface_behind_a_prefix(self, before: str) -> None:
        name = f"{before}backbone.embeddings.cls_token"
        assert layout_of({name: 0}) == ("huggingface", before)

    def test_others(self) -> None:
        assert layout_of({}) is None
        assert layout_of({"blocks.0.norm1.weight": 0, "pretrained": 0}) is None


class TestOfficialNames:
    def test_official_stays(self, small: dict[str, torch.Tensor]) -> None:
        assert official_names(small) == small

    @pytest.mark.parametrize("prefix", ["module.", "model.", "net.depth_anything."])
    def test_prefix_goes(self, small: dict[str, torch.Tensor], prefix: str) -> None:
        named = official_names({prefix + name: tensor for name, tensor in small.items()})
        assert named == small

    # The test's own table of names, written in the other direction, is the oracle.
    @pytest.mark.parametrize("prefix", ["", "model."])
    def test_huggingface_is_undone(self, small: dict[str, torch.Tensor], prefix: str) -> None:
        theirs = layouts.as_huggingface(small)
        assert len(theirs) == 287
        named = official_names({prefix + name: tensor for name, tensor in theirs.items()})
        assert named.keys() == small.keys()
        assert all(torch.equal(named[name], small[name]) for name in small)

    def test_giants_swiglu(self) -> None:
        shapes = layouts.official_shapes("giant")
        state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
        named = official_names(layouts.as_huggingface(state))
        assert {name: tuple(tensor.shape) for name, tensor in named.items()} == shapes

    def test_what_transformers_saves(
        self, small: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        transformers = pytest.importorskip("transformers")
        from safetensors.torch import load_file

        backbone = transformers.Dinov2Config(
            image_size=518,
            patch_size=14,
            hidden_size=384,
            num_attention_heads=6,
            out_indices=[3, 6, 9, 12],
            reshape_hidden_states=False,
        )
        config = transformers.DepthAnythingConfig(
            backbone_config=backbone,
            reassemble_hidden_size=384,
            patch_size=14,
            neck_hidden_sizes=[48, 96, 192, 384],
            fusion_hidden_size=64,
        )
        folder = tmp_path_factory.mktemp("saved")
        transformers.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
        saved = load_file(folder / "model.safetensors")
        named = official_names(saved)
        assert {n: tuple(t.shape) for n, t in named.items()} == layouts.official_shapes("small")

    def test_an_incomplete_attention_stays_for_the_strict_check(
        self, small: dict[str, torch.Tensor]
    ) -> None:
        theirs = layouts.as_huggingface(small)
        del theirs["backbone.encoder.layer.5.attention.attention.key.weight"]
        named = official_names(theirs)
        assert "pretrained.blocks.5.attn.qkv.weight" not in named
        assert "pretrained.blocks.5.attn.query.weight" in named
        assert "pretrained.blocks.5.attn.qkv.bias" in named

    def test_two_tensors_of_one_name(self) -> None:
        one = torch.zeros(1)
        twice = {"backbone.layernorm.weight": one, "pretrained.norm.weight": one}
        with pytest.raises(WeightsError, match=r"two tensors .* are pretrained\.norm\.weight"):
            official_names(twice)

    def test_another_network(self) -> None:
        with pytest.raises(WeightsError, match=r"no model that da_ros knows \(conv1\.weight\)"):
            official_names({"conv1.weight": torch.zeros(1)})


class TestUnknownLayoutMessage:
    def test_bare_encoder(self) -> None:
        assert "bare DINOv2 encoder" in unknown_layout_message(["cls_token", "blocks.0.ls1.gamma"])

    def test_names_the_first_few(self) -> None:
        assert "(a, b, c, ...)" in unknown_layout_message(["a", "b", "c", "d"])
        assert "(none at all)" in unknown_layout_message([])
