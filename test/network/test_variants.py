from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from da_ros.errors import ParameterError
from da_ros.network.spec import DepthAnythingSpec, NanoSpec
from da_ros.network.variants import REGISTRY, get_variant, variant_for, variant_of_sha256
from da_ros.types import Kind

THREE = ("small", "base", "large")
NAMES = (
    "nano",
    *(f"metric-indoor-{size}" for size in THREE),
    *(f"metric-outdoor-{size}" for size in THREE),
    *(f"v2-{size}" for size in (*THREE, "giant")),
    *(f"v1-{size}" for size in THREE),
)


class TestRegistry:
    def test_has_every_model_under_its_name(self) -> None:
        assert sorted(REGISTRY) == sorted(NAMES)
        assert all(name == variant.name for name, variant in REGISTRY.items())

    @pytest.mark.parametrize("name", NAMES)
    def test_kind_and_max_depth_go_together(self, name: str) -> None:
        variant = REGISTRY[name]
        if name.startswith("metric"):
            assert variant.kind is Kind.METRIC_DEPTH
            assert variant.max_depth == (20.0 if "indoor" in name else 80.0)
            assert variant.reference_inverse_depth is None
        else:
            assert variant.kind is Kind.RELATIVE_INVERSE_DEPTH
            assert variant.max_depth is None
            assert variant.reference_inverse_depth is not None
            assert variant.reference_inverse_depth > 0.0

    # The facts that no shape check could ever catch.
    @pytest.mark.parametrize(
        ("name", "taps"),
        [
            ("v1-small", (8, 9, 10, 11)),
            ("v1-base", (8, 9, 10, 11)),
            ("v1-large", (20, 21, 22, 23)),
            ("v2-small", (2, 5, 8, 11)),
            ("v2-base", (2, 5, 8, 11)),
            ("v2-large", (4, 11, 17, 23)),
            ("v2-giant", (9, 19, 29, 39)),
            ("metric-indoor-small", (2, 5, 8, 11)),
            ("metric-outdoor-large", (4, 11, 17, 23)),
        ],
    )
    def test_taps(self, name: str, taps: tuple[int, ...]) -> None:
        assert REGISTRY[name].taps == taps

    @pytest.mark.parametrize("name", NAMES)
    def test_taps_are_blocks_of_the_encoder(self, name: str) -> None:
        variant = REGISTRY[name]
        if isinstance(variant.architecture, NanoSpec):
            assert variant.taps == ()
            return
        depth = variant.architecture.encoder.depth
        assert len(variant.taps) == 4
        assert list(variant.taps) == sorted(set(variant.taps))
        assert variant.taps[-1] == depth - 1

    def test_resize_rule_is_the_official_one(self) -> None:
        for variant in REGISTRY.values():
            if isinstance(variant.architecture, DepthAnythingSpec):
                rule = variant.resize
                assert (rule.target, rule.multiple) == (518, 14)
                assert (rule.interpolation, rule.mode) == ("bicubic", "cover")

    def test_every_hash_is_one_and_belongs_to_one_row(self) -> None:
        hashes = [file.sha256 for row in REGISTRY.values() for file in row.checkpoints]
        assert len(hashes) >= 23
        assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in hashes)
        assert len(set(hashes)) == len(hashes)

    def test_every_published_model_has_its_official_file_first(self) -> None:
        for name, variant in REGISTRY.items():
            if name in ("nano", "v2-giant"):
                continue
            first = variant.checkpoints[0]
            letter = variant.size[0]
            assert first.layout == "official"
            assert re.search(rf"vit{letter}(14)?\.pth$", first.filename)
            assert first.size_bytes is not None

    def test_revisions_are_commits_or_main(self) -> None:
        files = [file for row in REGISTRY.values() for file in row.checkpoints if file.repo]
        for file in files:
            assert re.fullmatch(r"main|[0-9a-f]{40}", file.revision), file
        assert [
            f for f in files if f.repo.startswith("depth-anything/") and f.revision == "main"
        ] == []

    def test_files_have_names_of_their_own_on_this_disk(self) -> None:
        names = [file.local_name for row in REGISTRY.values() for file in row.checkpoints]
        assert len(set(names)) == len(names)

    def test_giant_was_never_published(self) -> None:
        assert REGISTRY["v2-giant"].checkpoints == ()


class TestLicences:
    @pytest.mark.parametrize("name", NAMES)
    def test_descendants_of_non_commercial_weights_are_marked(self, name: str) -> None:
        variant = REGISTRY[name]
        small = variant.size in ("small", "nano")
        expected = not small and variant.family != "v1"
        assert variant.non_commercial is expected
        assert ("NC" in variant.licence_line) is expected

    def test_metric_base_shows_its_own_and_its_parents_licence(self) -> None:
        line = REGISTRY["metric-outdoor-base"].licence_line
        assert line == "Apache-2.0; fine-tuned on Virtual KITTI 2 from v2-base (CC-BY-NC-4.0)"


class TestGetVariant:
    def test_knows_every_name(self) -> None:
        assert all(get_variant(name).name == name for name in NAMES)

    def test_unknown_name_is_answered_with_the_list(self) -> None:
        with pytest.raises(ParameterError, match=r"called 'vits'; there are nano, metric-indoor-"):
            get_variant("vits")


class TestVariantFor:
    @pytest.mark.parametrize("name", [name for name in NAMES if name != "nano"])
    def test_finds_each_row_by_size_and_family(self, name: str) -> None:
        family, size = name.rsplit("-", 1)
        assert variant_for(size, family).name == name

    @pytest.mark.parametrize("family", ["metric-indoor", "metric-outdoor", "v2", "v1"])
    def test_nano_is_nano_in_any_family(self, family: str) -> None:
        assert variant_for("nano", family).name == "nano"

    @pytest.mark.parametrize(
        ("size", "family"), [("giant", "v1"), ("giant", "metric-indoor"), ("small", "v3")]
    )
    def test_other_pairs_are_refused_with_the_list(self, size: str, family: str) -> None:
        with pytest.raises(
            ParameterError, match=r"the pairs are nano, small metric-indoor, .*giant v2"
        ):
            variant_for(size, family)


class TestVariantOfSha256:
    def test_finds_rows_by_any_of_their_files(self) -> None:
        for variant in REGISTRY.values():
            for file in variant.checkpoints:
                assert variant_of_sha256(file.sha256) is variant
                assert variant_of_sha256(file.sha256.upper()) is variant

    def test_unknown_is_none(self) -> None:
        assert variant_of_sha256("0" * 64) is None


class TestImport:
    def test_registry_needs_no_torch(self, repository: Path) -> None:
        code = (
            "import sys; import da_ros.network.variants, da_ros.network.hub, da_ros.cli.models;"
            "print([m for m in ('torch', 'huggingface_hub', 'cv2') if m in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=repository,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == "[]"
