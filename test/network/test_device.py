"""Which device and precision are chosen, and what is said when there is no such thing."""

from __future__ import annotations

import pytest
import torch

from da_ros.errors import DeviceError, ParameterError
from da_ros.network.device import (
    CpuFeatures,
    choose_device,
    choose_precision,
    cpu_features,
    exact_float32,
    features_of,
    is_out_of_memory,
)

CPU = torch.device("cpu")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


class TestFeaturesOf:
    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            ("fpu avx2", CpuFeatures()),
            ("fpu avx512_bf16 avx512f", CpuFeatures(avx512_bf16=True, avx512f=True)),
            ("fpu avx512f", CpuFeatures(avx512f=True)),
            ("avx512_bf16 amx_tile amx_bf16", CpuFeatures(avx512_bf16=True, amx_bf16=True)),
            ("amx_tile amx_int8", CpuFeatures()),
            ("xavx512_bf16x", CpuFeatures()),
        ],
    )
    def test_reads_whole_words_of_the_flags(self, flags, expected):
        text = f"processor\t: 0\nmodel name\t: avx512_bf16\nflags\t\t: {flags}\nbugs\t\t:\n"
        assert features_of(text) == expected

    def test_an_arm_machine_has_none(self):
        assert features_of("processor\t: 0\nFeatures\t: fp asimd bf16\n") == CpuFeatures()

    def test_this_machine_agrees_with_torch(self):
        assert cpu_features().avx512_bf16 == torch.cpu._is_avx512_bf16_supported()
        assert cpu_features().avx512f == torch.cpu._is_avx512_supported()


class TestChooseDevice:
    def test_cpu_is_the_cpu(self):
        assert choose_device("cpu") == CPU

    @without_gpu
    def test_auto_falls_back_to_the_cpu(self):
        assert choose_device("auto") == CPU

    @without_gpu
    @pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:3"])
    def test_a_missing_gpu_is_an_error_that_says_what_to_do(self, name):
        with pytest.raises(DeviceError, match=r"install a CUDA build .* or set device to auto"):
            choose_device(name)

    @pytest.mark.parametrize("name", ["", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cpu:0"])
    def test_other_names_are_refused(self, name):
        with pytest.raises(ParameterError, match="expected auto, cpu, cuda or cuda:N"):
            choose_device(name)

    def test_a_gpu_too_many_is_refused(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        assert choose_device("cuda:1") == torch.device("cuda", 1)
        with pytest.raises(DeviceError, match=r"cuda:2: this machine has 2 GPU\(s\)"):
            choose_device("cuda:2")

    def test_auto_takes_the_first_gpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert choose_device("auto") == torch.device("cuda", 0)


class TestChoosePrecision:
    @pytest.mark.parametrize(
        ("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
    )
    def test_a_named_one_is_taken(self, name, dtype):
        assert choose_precision(CPU, name) is dtype

    @pytest.mark.parametrize(
        ("features", "dtype"),
        [
            (CpuFeatures(), torch.float32),
            (CpuFeatures(avx512_bf16=True), torch.bfloat16),
            (CpuFeatures(amx_bf16=True), torch.bfloat16),
        ],
    )
    def test_auto_on_a_cpu_follows_its_instructions(self, monkeypatch, features, dtype):
        monkeypatch.setattr("da_ros.network.device.cpu_features", lambda: features)
        assert choose_precision(CPU, "auto") is dtype

    @pytest.mark.parametrize(
        ("capability", "dtype"),
        [
            ((6, 1), torch.float32),  # Pascal
            ((7, 5), torch.float16),  # Turing
            ((8, 7), torch.bfloat16),  # Orin
            ((9, 0), torch.bfloat16),  # Hopper
        ],
    )
    def test_auto_on_a_gpu_follows_its_generation(self, monkeypatch, capability, dtype):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        assert choose_precision(torch.device("cuda", 0), "auto") is dtype

    def test_fp16_needs_a_gpu(self):
        assert choose_precision(torch.device("cuda", 0), "fp16") is torch.float16
        with pytest.raises(ParameterError, match="fp16 on a CPU is slower"):
            choose_precision(CPU, "fp16")

    def test_other_names_are_refused(self):
        with pytest.raises(ParameterError, match="precision 'int8': expected auto, fp32"):
            choose_precision(CPU, "int8")


class TestExactFloat32:
    @pytest.mark.parametrize("before", [False, True])
    def test_turns_tf32_off_for_a_while(self, monkeypatch, before):
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", before)
        with exact_float32(torch.device("cuda")):
            assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.allow_tf32 is before

    def test_leaves_a_cpu_alone(self):
        before = torch.backends.cudnn.allow_tf32
        with exact_float32(CPU):
            assert torch.backends.cudnn.allow_tf32 is before


class TestIsOutOfMemory:
    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (torch.cuda.OutOfMemoryError("CUDA out of memory"), True),
            (MemoryError(), True),
            (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
            (RuntimeError("shapes do not match"), False),
            (ValueError("DefaultCPUAllocator"), False),
        ],
    )
    def test_by_class_and_words(self, error: Exception, expected: bool) -> None:
        assert is_out_of_memory(error) is expected

    def test_what_torch_really_raises(self) -> None:
        with pytest.raises(RuntimeError) as caught:
            torch.empty(2**50, dtype=torch.uint8)
        assert is_out_of_memory(caught.value)
