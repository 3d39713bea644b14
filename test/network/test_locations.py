from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from da_ros.errors import WeightsError
from da_ros.network.checkpoints import Checkpoint
from da_ros.network.digest import cached_sha256
from da_ros.network.hub import fetch_weights, verify
from da_ros.network.locations import (
    candidates,
    find_weights,
    hub_cache_folder,
    state_on_disk,
    weights_folder,
)
from da_ros.network.variants import REGISTRY, Variant

CONTENT = b"\x08\0\0\0\0\0\0\0{}      "  # the smallest .safetensors file
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DA_ROS_WEIGHTS", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def small(**changes: object) -> Variant:
    """v2-small, as if CONTENT were its file."""
    file = Checkpoint("org/Small", "a.pth", "main", DIGEST, len(CONTENT), "official")
    return replace(REGISTRY["v2-small"], checkpoints=(replace(file, **changes),))


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


class TestFolders:
    def test_default(self, tmp_path: Path) -> None:
        assert weights_folder() == tmp_path / ".cache" / "da_ros" / "weights"
        assert hub_cache_folder() == tmp_path / ".cache" / "huggingface" / "hub"

    def test_xdg(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
        assert weights_folder() == tmp_path / "x" / "da_ros" / "weights"
        assert hub_cache_folder() == tmp_path / "x" / "huggingface" / "hub"

    def test_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DA_ROS_WEIGHTS", "~/w")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        assert weights_folder() == tmp_path / "w"
        assert hub_cache_folder() == tmp_path / "hf" / "hub"
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
        assert hub_cache_folder() == tmp_path / "hub"


class TestFindWeights:
    def test_in_our_folder(self) -> None:
        path = put(weights_folder() / "a.pth")
        assert find_weights(small()) == path

    @pytest.mark.parametrize(
        ("changes", "folder"),
        [
            ({}, "models--org--Small"),
            ({"repo_type": "space", "filename": "checkpoints/a.pth"}, "spaces--org--Small"),
            ({"layout": "huggingface", "filename": "model.safetensors"}, "models--org--Small"),
        ],
    )
    def test_where_other_programs_left_it(self, changes: dict[str, str], folder: str) -> None:
        variant = small(**changes)
        blob = put(hub_cache_folder() / folder / "blobs" / DIGEST)
        name = variant.checkpoints[0].filename
        link = hub_cache_folder() / folder / "snapshots" / "f00" / name
        link.parent.mkdir(parents=True)
        link.symlink_to(blob)
        assert find_weights(variant) == link

    def test_ours_comes_first(self) -> None:
        put(hub_cache_folder() / "models--org--Small" / "snapshots" / "f00" / "a.pth")
        ours = put(weights_folder() / "a.pth")
        assert find_weights(small()) == ours

    def test_missing_says_what_to_type(self) -> None:
        with pytest.raises(WeightsError) as caught:
            find_weights(REGISTRY["metric-indoor-small"])
        assert caught.value.fault == "missing"
        assert str(caught.value) == (
            "no weights of metric-indoor-small here; fetch them with `da_ros models fetch "
            "metric-indoor-small` (model_size:=nano needs no download, nor does --model nano)"
        )

    def test_missing_non_commercial_names_the_option(self) -> None:
        with pytest.raises(WeightsError, match="fetch v2-large --accept-license`"):
            find_weights(REGISTRY["v2-large"])

    def test_never_published(self) -> None:
        with pytest.raises(WeightsError, match="never published; a file of your own needs"):
            find_weights(REGISTRY["v2-giant"])

    def test_untrained_nano(self) -> None:
        with pytest.raises(WeightsError, match="this da_ros has no trained nano"):
            find_weights(replace(REGISTRY["nano"], checkpoints=()))

    def test_shipped_file_that_is_gone(self) -> None:
        file = Checkpoint("", "gone.safetensors", "", DIGEST, None, "official")
        with pytest.raises(WeightsError, match="they come with da_ros: install it again"):
            find_weights(replace(REGISTRY["nano"], checkpoints=(file,)))

    @pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT[:-1] + b"\n"])
    def test_a_damaged_file_is_never_found(self, content: bytes) -> None:
        path = put(weights_folder() / "a.pth", content)
        with pytest.raises(WeightsError) as caught:
            find_weights(small())
        assert caught.value.fault == "hash_mismatch"
        assert str(caught.value).startswith(f"{path} is not the v2-small it should be")

    def test_nor_one_that_may_not_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another user's, in a cache that is shared."""

        def refused(path: Path) -> str:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("da_ros.network.locations.cached_sha256", refused)
        with pytest.raises(WeightsError, match="or it cannot be read"):
            find_weights(REGISTRY["nano"])

    def test_partial_downloads_are_no_candidates(self) -> None:
        put(weights_folder() / ".partial" / DIGEST)
        assert [place.path for place in candidates(small())] == [weights_folder() / "a.pth"]
        with pytest.raises(WeightsError, match="no weights of v2-small here"):
            find_weights(small())


class TestStateOnDisk:
    def test_each(self) -> None:
        assert state_on_disk(small()) == "absent"
        path = put(weights_folder() / "a.pth", CONTENT[:-1])
        assert state_on_disk(small()) == "wrong"
        path.write_bytes(CONTENT)
        assert state_on_disk(small()) == "unchecked"
        cached_sha256(path)
        assert state_on_disk(small()) == "ready"
        assert state_on_disk(small(sha256="0" * 64)) == "wrong"


class TestFetchWeights:
    """Without a network; test_download.py has one."""

    def test_what_is_here_needs_no_consent(self) -> None:
        path = put(weights_folder() / "a.pth")
        assert fetch_weights(replace(small(), non_commercial=True)) == path

    @pytest.mark.parametrize(
        "name", [name for name, row in REGISTRY.items() if row.non_commercial]
    )
    def test_no_consent_no_download(self, name: str) -> None:
        with pytest.raises(WeightsError) as caught:
            fetch_weights(REGISTRY[name])
        assert caught.value.fault == ("missing" if name == "v2-giant" else "licence")


class TestVerify:
    def test_known(self) -> None:
        variant = small()
        path = put(weights_folder() / "a.pth")
        assert verify(path, {"v2-small": variant}) == (DIGEST, variant)

    def test_unknown(self, tmp_path: Path) -> None:
        assert verify(put(tmp_path / "x")) == (DIGEST, None)

    def test_reads_the_file_anew(self) -> None:
        import os

        path = put(weights_folder() / "a.pth")
        os.utime(path, ns=(1, 1))
        cached_sha256(path)
        path.write_bytes(CONTENT[:-1] + b"\n")
        os.utime(path, ns=(1, 1))
        assert verify(path)[0] == hashlib.sha256(CONTENT[:-1] + b"\n").hexdigest()

    @pytest.mark.parametrize(("content", "fault"), [(b"", "truncated"), (b"<html>", "html")])
    def test_no_weights_file(self, tmp_path: Path, content: bytes, fault: str) -> None:
        with pytest.raises(WeightsError) as caught:
            verify(put(tmp_path / "x", content))
        assert caught.value.fault == fault
