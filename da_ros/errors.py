"""What can go wrong, by who can mend it.

A message says what was wrong, what was expected, what was got, and what to do. Everything that
da_ros raises on purpose is a ``DaRosError``; any other exception is a bug and propagates.
"""

from __future__ import annotations


class DaRosError(Exception):
    """Root of every error that da_ros raises on purpose."""


class InputError(DaRosError):
    """An image, message, file or argument from outside cannot be used as it is."""


class ShapeError(InputError):
    """Two things that must agree in size do not."""


class CameraError(InputError):
    """Intrinsics or distortion that describe no usable camera."""


class ParameterError(DaRosError):
    """A parameter, or a combination of parameters, outside what it may be."""


class DeviceError(DaRosError):
    """The compute device asked for is not there or has run out of memory."""


class WeightsError(DaRosError):
    """Model weights that are missing, damaged, unsafe, or not what they are said to be.

    Attributes:
        fault: Short machine-readable reason, one of the ``FAULTS``.
    """

    FAULTS = (
        "missing",
        "download",
        "licence",
        "truncated",
        "lfs_pointer",
        "html",
        "unsafe_pickle",
        "zoedepth",
        "unknown_layout",
        "unknown_file",
        "keys",
        "shapes",
        "hash_mismatch",
        "other_model",
    )

    def __init__(self, fault: str, message: str) -> None:
        if fault not in self.FAULTS:
            raise ValueError(f"fault {fault!r} is none of {self.FAULTS}")
        super().__init__(message)
        self.fault = fault


class BagError(DaRosError):
    """A bag that cannot be read, or an output that must not be written."""
