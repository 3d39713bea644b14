from __future__ import annotations

import argparse
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.errors import WeightsError
from da_ros.network.checkpoint_faults import (
    check_no_other_model,
    check_zip_contents,
    container_of,
    pickle_fault,
)
from da_ros.network.weights import read_tensors

STATE = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.arange(3.0)}


class Runs:
    """Pickles to a call of os.system."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch /tmp/da_ros_test_was_run",))


def fault_of(path: Path) -> WeightsError:
    """The error of opening and reading a file."""
    with pytest.raises(WeightsError) as caught:
        read_tensors(path, container_of(path))
    return caught.value


def safetensors_bytes(header: dict[str, object] | bytes, tail: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tail


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A checkpoint as torch wrote it before 1.6."""
    path = tmp_path / "old.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A checkpoint as torch writes it."""
    path = tmp_path / "new.pth"
    torch.save(STATE, path)
    return path


@pytest.fixture
def safe(tmp_path: Path) -> Path:
    from safetensors.torch import save_file

    path = tmp_path / "safe.safetensors"
    save_file(STATE, path)
    return path


class TestContainerOf:
    def test_knows_the_three(self, old: Path, new: Path, safe: Path) -> None:
        assert [container_of(p) for p in (old, new, safe)] == ["pickle", "zip", "safetensors"]

    def test_whatever_the_name_says(self, safe: Path, tmp_path: Path) -> None:
        assert container_of(safe.rename(tmp_path / "model.pth")) == "safetensors"

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda path: None, "there is no file"),
            (lambda path: path.mkdir(), "is a folder; expected a .pth or .safetensors file"),
            (lambda path: path.symlink_to("nowhere"), "there is no file"),
            (os.mkfifo, "is no regular file"),
        ],
    )
    def test_nothing_to_read(self, tmp_path: Path, make, message: str) -> None:
        path = tmp_path / "x.pth"
        make(path)
        error = fault_of(path)
        assert error.fault == "missing"
        assert message in str(error)

    def test_empty(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        path.touch()
        error = fault_of(path)
        assert error.fault == "truncated"
        assert "it is empty (0 bytes)" in str(error)

    def test_lfs_pointer_says_how_large_the_file_is(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        path.write_text(
            "version https://git-lfs.github.com/spec/v1\n"
            "oid sha256:715fade13be8f229f8a70cc02066f656f2423a59effd0579197bbf57860e1378\n"
            "size 99218434\n"
        )
        error = fault_of(path)
        assert error.fault == "lfs_pointer"
        assert "of a file of 99,218,434 bytes" in str(error)
        assert "git lfs pull" in str(error)

    @pytest.mark.parametrize(
        "page",
        [
            "<!DOCTYPE html><html><head>",
            "\n\n  <html lang='en'>",
            "\ufeff<!doctype html>",
            '<meta charset="utf-8"><title>403</title>',
            "<body>Please log in</body>",
            "<TITLE>302 Found</TITLE>",
            '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        ],
    )
    def test_web_page(self, tmp_path: Path, page: str) -> None:
        path = tmp_path / "x.pth"
        path.write_text(page, encoding="utf-8")
        error = fault_of(path)
        assert error.fault == "html"
        assert "is a web page, not weights" in str(error)

    @pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
    def test_cut_zip(self, new: Path, keep: float) -> None:
        content = new.read_bytes()
        new.write_bytes(content[: int(len(content) * keep)])
        error = fault_of(new)
        assert error.fault == "truncated"
        assert "its end is missing" in str(error)

    def test_cut_safetensors_says_how_much_there_is(self, safe: Path) -> None:
        content = safe.read_bytes()
        safe.write_bytes(content[:-5])
        error = fault_of(safe)
        assert error.fault == "truncated"
        assert f"it has {len(content) - 5:,} of {len(content):,} bytes" in str(error)

    def test_safetensors_cut_in_its_header(self, safe: Path) -> None:
        safe.write_bytes(safe.read_bytes()[:20])
        assert "its header alone" in str(fault_of(safe))

    @pytest.mark.parametrize("keep", [0.1, 0.6, 0.95])
    def test_cut_old_checkpoint(self, old: Path, keep: float) -> None:
        content = old.read_bytes()
        old.write_bytes(content[: int(len(content) * keep)])
        error = fault_of(old)
        assert error.fault == "truncated"
        assert "it ends in the middle or is damaged" in str(error)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"GGUF\x03\x00\x00\x00more", "begins with b'GGUF"),
            (b"x", "neither a .pth nor a .safetensors"),
            (safetensors_bytes(b"{not json"), "damaged .safetensors header"),
            (safetensors_bytes({"a": {"data_offsets": "none"}}), "damaged .safetensors header"),
            (struct.pack("<Q", 2**60) + b"{}", "header of 1152921504606846976 bytes"),
        ],
    )
    def test_other_files(self, tmp_path: Path, content: bytes, message: str) -> None:
        path = tmp_path / "x.pth"
        path.write_bytes(content)
        error = fault_of(path)
        assert error.fault == "unknown_layout"
        assert message in str(error)

    def test_other_zip(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("word/document.xml", "<a/>")
        assert "a zip archive, but not one of torch.save" in str(fault_of(path))

    @pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
    def test_torchscript(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pt"
        torch.jit.script(torch.nn.Linear(2, 2)).save(path)
        assert "is a TorchScript program" in str(fault_of(path))


class TestReadingPickles:
    @pytest.mark.parametrize("new_container", [True, False])
    def test_code_is_named_and_not_run(self, tmp_path: Path, new_container: bool) -> None:
        mark = Path("/tmp/da_ros_test_was_run")
        mark.unlink(missing_ok=True)
        path = tmp_path / "x.pth"
        content = {**STATE, "more": Runs()}
        torch.save(content, path, _use_new_zipfile_serialization=new_container)
        error = fault_of(path)
        assert error.fault == "unsafe_pickle"
        assert "runs code on loading (posix.system)" in str(error)
        assert not mark.exists()

    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    def test_bare_pickle(self, tmp_path: Path, protocol: int) -> None:
        path = tmp_path / "x.pth"
        path.write_bytes(pickle.dumps(Runs(), protocol=protocol))
        error = fault_of(path)
        assert error.fault == "unsafe_pickle"
        assert "posix.system" in str(error)

    def test_pickled_module(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        torch.save(torch.nn.Linear(2, 2), path)
        error = fault_of(path)
        assert error.fault == "unsafe_pickle"
        assert "torch.nn.modules.linear.Linear" in str(error)
        assert "state_dict()" in str(error)

    def test_checkpoint_with_its_arguments(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        torch.save({"model": STATE, "args": argparse.Namespace(lr=1)}, path)
        assert "argparse.Namespace" in str(fault_of(path))

    def test_pickle_of_something_else(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        path.write_bytes(pickle.dumps([1, 2, 3]))
        error = fault_of(path)
        assert error.fault == "unknown_layout"
        assert "torch finds no tensors" in str(error)

    @pytest.mark.parametrize("content", [[1.0], {"a": 1}, {1: torch.zeros(1)}, {}])
    def test_no_dictionary_of_tensors(self, tmp_path: Path, content: object) -> None:
        path = tmp_path / "x.pth"
        torch.save(content, path)
        error = fault_of(path)
        assert error.fault == "unknown_layout"
        assert "no dictionary of named tensors" in str(error)

    def test_zoedepth_that_torch_refuses(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pt"
        model = {"seed_bin_regressor._net.0.weight": torch.zeros(1)}
        torch.save({"model": model, "optimizer": Runs()}, path)
        assert fault_of(path).fault == "zoedepth"


class TestCheckZipContents:
    def test_whole(self, new: Path) -> None:
        check_zip_contents(new)

    def test_one_bit(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        torch.save({"a": torch.arange(1000.0)}, path)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="does not match its checksum") as caught:
            check_zip_contents(path)
        assert caught.value.fault == "truncated"


class TestCheckNoOtherModel:
    @pytest.mark.parametrize(
        "name",
        [
            "seed_bin_regressor._net.0.weight",
            "core.core.x.conditional_log_binomial.mlp.0.weight",
            "metric_head.attractors.0.conv1.weight",
        ],
    )
    def test_zoedepth(self, name: str) -> None:
        with pytest.raises(WeightsError, match=r"ZoeDepth.*metric-indoor-small") as caught:
            check_no_other_model(Path("x.pt"), ["core.core.pretrained.cls_token", name])
        assert caught.value.fault == "zoedepth"

    @pytest.mark.parametrize(
        "name",
        ["model.backbone.pretrained.cls_token", "model.head.scratch.sky_output_conv2.0.weight"],
    )
    def test_depth_anything_3(self, name: str) -> None:
        with pytest.raises(WeightsError, match="Depth Anything 3") as caught:
            check_no_other_model(Path("x"), [name])
        assert caught.value.fault == "unknown_layout"

    def test_ours_pass(self) -> None:
        check_no_other_model(Path("x"), ["pretrained.cls_token", "backbone.encoder.layer.0.x"])


class TestPickleFault:
    def test_unreadable_archive(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        path.write_bytes(b"PK\x03\x04")
        assert pickle_fault(path, "zip", pickle.UnpicklingError()).fault == "truncated"


HEADS = [
    b"",
    b"PK\x03\x04",
    b"\x80\x02",
    b"\x80\x04\x95",
    b"\x08\0\0\0\0\0\0\0{",
    b"<html",
    b"ver",
]


class TestHostileBytes:
    """Whatever comes from outside is read, or refused with a WeightsError."""

    @settings(max_examples=150)
    @given(head=st.sampled_from(HEADS), tail=st.binary(max_size=300))
    def test_any_bytes(
        self, tmp_path_factory: pytest.TempPathFactory, head: bytes, tail: bytes
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "hostile"
        path.write_bytes(head + tail)
        fault_of(path)

    @settings(max_examples=150)
    @given(data=st.data(), kind=st.sampled_from(["zip", "pickle", "safetensors"]))
    def test_damaged_checkpoints(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "damaged"
        content = bytearray(whole_file(path, kind))
        for _ in range(data.draw(st.integers(1, 4))):
            position = data.draw(st.integers(0, len(content) - 1))
            content[position] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
        try:
            tensors = read_tensors(path, container_of(path))
        except WeightsError:
            return
        assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())


def whole_file(path: Path, kind: str) -> bytes:
    from safetensors.torch import save_file

    if kind == "safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=kind == "zip")
    return path.read_bytes()
