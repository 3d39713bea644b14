"""The one place that chooses where the network computes, and in which precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from da_ros.errors import DeviceError, ParameterError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

BF16_COMPUTE_CAPABILITY = (8, 0)
"""Ampere and later multiply bfloat16 at full speed."""

FP16_COMPUTE_CAPABILITY = (7, 0)
"""Volta and Turing have fast float16 only."""


@dataclass(frozen=True)
class CpuFeatures:
    """Instructions that decide which way of computing is the fast one.

    Attributes:
        avx512_bf16: Twice the float32 rate in matrix products.
        amx_bf16: A matrix unit, many times the float32 rate.
        avx512f: Registers of 16 float32 numbers.
    """

    avx512_bf16: bool = False
    amx_bf16: bool = False
    avx512f: bool = False


@cache
def cpu_features() -> CpuFeatures:
    """What this processor can do, as the kernel tells it (nothing, where it does not)."""
    try:
        return features_of(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        return CpuFeatures()


def features_of(cpuinfo: str) -> CpuFeatures:
    """Read the flags of the first processor out of the text of /proc/cpuinfo."""
    for line in cpuinfo.splitlines():
        name, _, flags = line.partition(":")
        if name.strip() == "flags":
            words = set(flags.split())
            amx = {"amx_tile", "amx_bf16"} <= words
            return CpuFeatures("avx512_bf16" in words, amx, "avx512f" in words)
    return CpuFeatures()


def choose_device(name: str) -> torch.device:
    """Turn a device's name into a device that is there.

    Args:
        name: ``auto`` (the first CUDA GPU, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        The device.

    Raises:
        ParameterError: If the name is none of these.
        DeviceError: If the GPU asked for is not there.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if name == "cpu":
        return torch.device("cpu")
    if kind != "cuda" or (":" in name and not number.isdecimal()):
        raise ParameterError(f"device {name!r}: expected auto, cpu, cuda or cuda:N")
    return _cuda_device(int(number or 0))


def choose_precision(device: torch.device, name: str) -> torch.dtype:
    """Turn a precision's name into the one to compute in.

    ``auto`` takes bfloat16 where the device is fast in it (GPUs from Ampere on, CPUs with
    avx512_bf16 or AMX), float16 on older GPUs that have it, and float32 elsewhere.

    Args:
        device: Where the network computes.
        name: ``auto``, ``fp32``, ``bf16`` or ``fp16``.

    Returns:
        The precision of everything but the network's last layers.

    Raises:
        ParameterError: If the name is none of these, or is fp16 on a CPU.
    """
    if name == "auto":
        return _cuda_precision(device) if device.type == "cuda" else _cpu_precision()
    if name not in PRECISIONS:
        raise ParameterError(f"precision {name!r}: expected auto, {', '.join(PRECISIONS)}")
    if name == "fp16" and device.type == "cpu":
        raise ParameterError("precision fp16 on a CPU is slower than fp32; use auto, bf16 or fp32")
    return PRECISIONS[name]


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return True
    # torch has no class of its own for the CPU's.
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """Compute float32 convolutions in float32, which cuDNN by default does not (TF32)."""
    before = torch.backends.cudnn.allow_tf32
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        if device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = before


def _cuda_device(index: int) -> torch.device:
    if not torch.cuda.is_available():
        reason = "is a CPU build" if torch.version.cuda is None else "finds no GPU or driver"
        raise DeviceError(
            f"device cuda: torch {torch.__version__} {reason}; install a CUDA build of torch and "
            "the NVIDIA driver, or set device to auto or cpu"
        )
    count = torch.cuda.device_count()
    if index >= count:
        raise DeviceError(f"device cuda:{index}: this machine has {count} GPU(s), numbered from 0")
    return torch.device("cuda", index)


def _cuda_precision(device: torch.device) -> torch.dtype:
    capability = torch.cuda.get_device_capability(device)
    if capability >= BF16_COMPUTE_CAPABILITY:
        return torch.bfloat16
    return torch.float16 if capability >= FP16_COMPUTE_CAPABILITY else torch.float32


def _cpu_precision() -> torch.dtype:
    features = cpu_features()
    return torch.bfloat16 if features.avx512_bf16 or features.amx_bf16 else torch.float32
