"""The parameters themselves: name, default, unit, range, meaning. The only home of defaults.

A group is a frozen dataclass; each field is made by :func:`~da_ros.params.spec.param`. Building or
replacing a group validates it. A parameter's public (ROS) name is its group's ``PREFIX`` plus the
field's name. Nothing is declared here that nothing honours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, TypeVar

from da_ros.errors import ParameterError
from da_ros.params.scale import ScaleParams
from da_ros.params.spec import ParamGroup, Value, field_specs, param

CLI_MODEL = "nano"
"""``--model`` of the commands: the one whose weights are shipped, so that all of them run."""

METRIC_FAR_FRACTION = 0.95
"""``far: 0`` of a metric model, as a share of max_depth: its sigmoid ends just below 1."""

RELATIVE_FAR = 20.0
"""``far: 0`` of a relative model [m]."""

IMAGE_FOV_DEG = 60.0
"""Horizontal field of view [deg] of a photo that comes without --camera, --fov or EXIF."""

IMAGE_POINTS = 1_000_000
"""A photo's cloud takes every n-th row and column so that it has no more points than this."""

DEMO_SEED = 8
"""Scene of ``da_ros demo``: chosen for what there is to see, before any model had seen it."""

DEMO_FRAMES = 8
"""Length of the sequence that ``da_ros demo`` renders."""

DEMO_WIDTH, DEMO_HEIGHT = 640, 480
"""Size of its pictures [px]."""

EVALUATION_CAP = 80.0
"""Truth from here on is not scored by ``da_ros eval`` [m]."""

EVALUATION_SEED = 900_500_000
"""First generated scene that ``da_ros eval`` scores; nano trains on none from 900,000,000 on."""

OUTPUTS = (
    "depth",
    "depth_mm",
    "camera_info",
    "points",
    "inverse_depth",
    "nominal_depth",
    "nominal_points",
    "color",
    "info",
    "std",
    "scale",
)
"""Everything the pipeline can make of one image; the fields of :class:`OutputParams`."""

BAG_OUTPUTS = tuple(name for name in OUTPUTS if name not in ("depth_mm", "color"))
"""What ``da_ros bag`` adds unless told otherwise, as far as the model can make it."""

BAG_BATCH = 4
"""Images per network call of ``da_ros bag``."""

STATIC_SPREAD = 0.05
"""Up to this spread between frames a saved calibration is called good enough, relative."""

STATIC_FEWEST_FRAMES = 5
"""Fitted frames from which ``da_ros calibrate`` can tell a spread."""

BAG_SPLIT = 256
"""Images per file of the bag that ``da_ros bag`` writes; a resumed run repeats at most these."""

BAG_NAMESPACE = "/da_ros"
"""Name of the node, under which its ``~/`` topics lie, live and in a bag."""


@dataclass(frozen=True)
class ModelParams(ParamGroup):
    """Which network, from where, and how it computes."""

    model_size: str = param(
        "small",
        "Size of the model. nano is shipped with da_ros and needs no download.",
        choices=("nano", "small", "base", "large", "giant"),
    )
    model_family: str = param(
        "metric-indoor",
        "Family of the model: metric ones give metres (indoor to 20 m, outdoor to 80 m); v2 and "
        "v1 give relative inverse depth. Without effect for nano, which is relative.",
        choices=("metric-indoor", "metric-outdoor", "v2", "v1"),
    )
    model_path: str = param(
        "", "Weights file (.pth or .safetensors) instead of model_size and model_family."
    )
    model_variant: str = param(
        "",
        "Registry name (see `da_ros models list`) that an unknown model_path belongs to; the "
        "model is then called unverified.",
    )
    device: str = param(
        "auto",
        "Where the network computes. auto takes the first CUDA GPU, else the CPU.",
        pattern=r"auto|cpu|cuda(:\d+)?",
    )
    precision: str = param(
        "auto",
        "Number format of the network. auto takes the fastest that the device is good at.",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    input_size: int = param(
        0,
        "Shorter side of the network's input; 0 is the size the model was trained for. Rounded "
        "to what the model can take.",
        unit="px",
        bounds=(0, 2048),
    )
    compile: bool = param(
        False, "Compile the network with torch.compile, during the warm-up at load."
    )
    cpu_threads: int = param(
        0, "Threads of the network on the CPU; 0 leaves it to torch.", bounds=(0, 256)
    )
    allow_download: bool = param(
        False, "Fetch missing weights from the hub. Off: a missing file is an error."
    )


@dataclass(frozen=True)
class DepthParams(ParamGroup):
    """From the network's numbers to depth."""

    near: float = param(
        0.2, "Nearer depth is -Inf (REP 117).", unit="m", bounds=(0.001, 1000.0), dynamic=True
    )
    far: float = param(
        0.0,
        f"Depth from here on is +Inf (REP 117). 0 takes {METRIC_FAR_FRACTION:g} x max_depth for "
        f"metric models and {RELATIVE_FAR:g} m for relative ones.",
        unit="m",
        bounds=(0.0, 10000.0),
        dynamic=True,
    )
    nominal_d_ref: float = param(
        0.0,
        "Relative inverse depth that the nominal view shows at near; 0 takes the checkpoint's "
        "own. For viewing only.",
        bounds=(0.0, 1.0e6),
        dynamic=True,
    )

    def _check_together(self) -> None:
        if 0.0 < self.far <= self.near:
            raise ParameterError(
                f"parameters near and far: expected near < far, got near {self.near:g} m and far "
                f"{self.far:g} m; far 0 takes the model's own"
            )


@dataclass(frozen=True)
class CameraParams(ParamGroup):
    """How an image and its camera are read."""

    rectify: str = param(
        "auto",
        "Undo the lens distortion before the network. auto: when camera_info has any and the "
        "image topic's name does not say rect.",
        choices=("auto", "on", "off"),
    )
    rotate_180: bool = param(
        False,
        "The camera hangs upside down: the network sees the image the right way up. Every output "
        "still lies on the image as it came, in its frame.",
    )
    mask_image: str = param(
        "",
        "Grey picture of the input image's size and orientation; where it is 0 (the robot's own "
        "body), depth is NaN.",
    )
    frame_id_override: str = param(
        "", "frame_id of every output instead of the image's; for drivers that leave it empty."
    )


@dataclass(frozen=True)
class CloudParams(ParamGroup):
    """The point cloud."""

    PREFIX: ClassVar[str] = "cloud."

    stride: int = param(
        1, "Take every n-th row and column.", unit="px", bounds=(1, 64), dynamic=True
    )
    max_range: float = param(
        0.0,
        "Points farther along the optical axis are left out (NaN); 0 keeps all.",
        unit="m",
        bounds=(0.0, 10000.0),
        dynamic=True,
    )
    edge_threshold: float = param(
        0.1,
        "Leave out points between a near and a far surface: where inverse depth jumps by more "
        "than this share between neighbours. 0 keeps all.",
        bounds=(0.0, 0.99),
        dynamic=True,
    )
    color: bool = param(True, "Points carry the image's colour (field rgb).", dynamic=True)


@dataclass(frozen=True)
class ColorParams(ParamGroup):
    """The colour picture."""

    PREFIX: ClassVar[str] = "color."

    map: str = param(
        "ember",
        "Colour map, near to far: ember from yellow over red to violet, gray from white to black.",
        choices=("ember", "gray"),
        dynamic=True,
    )
    range: str = param(
        "fixed",
        "fixed: from min to max, so that colours compare between frames. adaptive: follows the "
        "scene slowly.",
        choices=("fixed", "adaptive"),
        dynamic=True,
    )
    min: float = param(
        0.3,
        "Depth shown as nearest; for relative models the near end is the checkpoint's d_ref.",
        unit="m",
        bounds=(0.001, 1000.0),
        dynamic=True,
    )
    max: float = param(
        10.0,
        "Depth shown as farthest; for relative models the far end is 0.",
        unit="m",
        bounds=(0.001, 10000.0),
        dynamic=True,
    )

    def _check_together(self) -> None:
        if self.min >= self.max:
            raise ParameterError(
                f"parameters color.min and color.max: expected min < max, got {self.min:g} m and "
                f"{self.max:g} m"
            )


@dataclass(frozen=True)
class OutputParams(ParamGroup):
    """Which outputs may be made; each is computed only while it is asked for."""

    PREFIX: ClassVar[str] = "outputs."

    depth: bool = param(
        True, "depth/image, 32FC1 metres; of metric models, or with a scale.", dynamic=True
    )
    depth_mm: bool = param(
        True, "depth/image_raw, 16UC1 millimetres; metric or with a scale.", dynamic=True
    )
    camera_info: bool = param(True, "camera_info beside every depth image.", dynamic=True)
    points: bool = param(
        True, "points, PointCloud2 in metres; metric or with a scale.", dynamic=True
    )
    inverse_depth: bool = param(
        True, "inverse_depth/image, 32FC1 as the network gave it; relative only.", dynamic=True
    )
    nominal_depth: bool = param(
        True, "nominal/depth/image, for viewing only; relative only.", dynamic=True
    )
    nominal_points: bool = param(
        True, "nominal/points, for viewing only; relative only.", dynamic=True
    )
    color: bool = param(True, "depth/color, rgb8 for people.", dynamic=True)
    info: bool = param(True, "depth_info: model, scale, sizes and times.", dynamic=True)
    std: bool = param(
        True,
        "depth/std, 32FC1 metres: standard deviation of depth; with a scale only.",
        dynamic=True,
    )
    scale: bool = param(
        True, "scale: what the calibrator knows; with a scale source only.", dynamic=True
    )


Params = TypeVar("Params", bound="PipelineParams")


@dataclass(frozen=True)
class PipelineParams:
    """One of each group: all that decides what a frame becomes."""

    model: ModelParams = field(default_factory=ModelParams)
    depth: DepthParams = field(default_factory=DepthParams)
    camera: CameraParams = field(default_factory=CameraParams)
    cloud: CloudParams = field(default_factory=CloudParams)
    color: ColorParams = field(default_factory=ColorParams)
    outputs: OutputParams = field(default_factory=OutputParams)
    scale: ScaleParams = field(default_factory=ScaleParams)

    def groups(self) -> dict[str, ParamGroup]:
        """Return the groups by attribute name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def values(self) -> dict[str, Value]:
        """Return every parameter's value by public name."""
        return {
            spec.name: getattr(group, spec.field)
            for group in self.groups().values()
            for spec in field_specs(type(group))
        }

    def with_values(self: Params, values: Mapping[str, object]) -> Params:
        """Return a copy with some parameters set, by public name.

        All new values of a group are set at once, so near and far may move together.

        Raises:
            ParameterError: If a name is unknown or a value is not allowed.
        """
        unknown = sorted(set(values) - set(self.values()))
        if unknown:
            raise ParameterError(
                f"unknown parameter {', '.join(unknown)}; known: {', '.join(self.values())}"
            )
        changed: dict[str, Any] = {
            name: _replaced(group, values) for name, group in self.groups().items()
        }
        return replace(self, **changed)


def _replaced(group: Any, values: Mapping[str, object]) -> Any:
    # Any: replace() keeps the group's own type, which a mapping of names cannot say.
    specs = field_specs(type(group))
    return replace(group, **{s.field: values[s.name] for s in specs if s.name in values})
