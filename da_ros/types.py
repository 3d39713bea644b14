"""The nouns that travel between rooms, with shapes, units and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class Kind(str, Enum):
    """What a model's numbers mean; everything downstream dispatches on it."""

    RELATIVE_INVERSE_DEPTH = "relative_inverse_depth"
    """1/z = scale * value + shift with unknown scale > 0 and shift; 0 is legal and farthest."""

    RELATIVE_DEPTH = "relative_depth"
    """z = scale * value + shift with unknown scale > 0 and shift."""

    METRIC_DEPTH = "metric_depth"
    """z in metres along the optical axis."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class ModelInfo:
    """Which weights made a prediction.

    Attributes:
        model_id: Registry name, such as ``metric-indoor-small`` or ``nano``.
        sha256: Of the weights file, lower-case hex.
        verified: Whether the sha256 is in the registry; False means the user said what it is.
        kind: What the numbers mean.
        max_depth: What a metric checkpoint's activation multiplies by [m]; None if not metric.
        reference_inverse_depth: ``d_ref`` of the nominal view, a fixed number of a relative
            checkpoint in its own unit; None for metric ones.
        licence: SPDX name, with the ancestry where it matters.
    """

    model_id: str
    sha256: str
    verified: bool
    kind: Kind
    max_depth: float | None = None
    reference_inverse_depth: float | None = None
    licence: str = "unknown"

    def __str__(self) -> str:
        """Name and kind, and whether anybody but the user says so."""
        checked = "" if self.verified else ", unverified: the user said what it is"
        return f"{self.model_id} ({self.kind}{checked})"


@dataclass(frozen=True, eq=False)
class Prediction:
    """The network's output on its own grid, before any resize, scale or range limit.

    Attributes:
        values: (B, h, w) float32, on the device that computed it; unit and meaning per ``kind``.
        model: Which weights made it.
    """

    values: Tensor
    model: ModelInfo

    @property
    def kind(self) -> Kind:
        """What the values mean."""
        return self.model.kind


@dataclass(frozen=True)
class ScaleShift:
    """1/z = scale * d + shift, with d a relative inverse depth.

    Attributes:
        scale: [1/m per unit of d], > 0.
        shift: [1/m].
        covariance: Of (scale, shift): var(scale), cov, var(shift).
    """

    scale: float
    shift: float
    covariance: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class DepthScale:
    """z = factor * z_network, for metric models.

    Attributes:
        factor: Dimensionless, > 0.
        variance: Of the factor.
    """

    factor: float = 1.0
    variance: float = 0.0


@dataclass(frozen=True)
class ScaleSupport:
    """What the metres of a frame rest on.

    Attributes:
        sources: Of the last evidence accepted: depth_image, point_cloud, ground_plane, static.
        state: none, calibrated, held or stale.
        age: Of that evidence [s]; NaN if there was none.
        inliers: Points of it that agreed.
    """

    sources: tuple[str, ...]
    state: str
    age: float
    inliers: int


@dataclass(frozen=True)
class ScaleObservation:
    """What sensors measured at one frame, all of them together.

    Attributes:
        sources: That measured.
        offered: Points that they gave.
        used: Of these, that went into fits.
        inliers: Of these, that agreed.
        residual: Median relative residual of the inliers; NaN without a fit.
        refusal: Why it was not accepted; empty if it was.
    """

    sources: tuple[str, ...] = ()
    offered: int = 0
    used: int = 0
    inliers: int = 0
    residual: float = float("nan")
    refusal: str = ""


@dataclass(frozen=True)
class DepthRange:
    """Where depth is reported: nearer is -Inf, farther is +Inf (REP 117).

    Attributes:
        near: [m], > 0.
        far: [m], > near.
    """

    near: float
    far: float

    def __post_init__(self) -> None:
        if not 0.0 < self.near < self.far:
            from da_ros.errors import ParameterError

            raise ParameterError(
                f"depth range: expected 0 < near < far, got near {self.near} m, far {self.far} m"
            )


@dataclass(frozen=True)
class StageTimes:
    """Wall-clock milliseconds that one frame spent in each stage; a batch's time is shared out."""

    decode_ms: float = 0.0
    prepare_ms: float = 0.0
    infer_ms: float = 0.0
    to_depth_ms: float = 0.0
    pack_ms: float = 0.0


@dataclass(frozen=True)
class Header:
    """A message header, kept verbatim from the image to every output.

    Attributes:
        sec: Stamp, whole seconds of the clock in use, int32.
        nanosec: Stamp, nanoseconds, uint32.
        frame_id: TF frame of the camera's optical centre.
    """

    sec: int = 0
    nanosec: int = 0
    frame_id: str = ""

    @property
    def stamp_ns(self) -> int:
        """Stamp as one number [ns]."""
        return self.sec * 1_000_000_000 + self.nanosec
