"""Parameters of the metric scale; see :mod:`da_ros.params.groups` for the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from da_ros.errors import ParameterError
from da_ros.params.spec import ParamGroup, param


@dataclass(frozen=True)
class ScaleParams(ParamGroup):
    """Where metres come from: measured depth, a saved calibration, or none."""

    PREFIX: ClassVar[str] = "scale."

    depth_image: bool = param(
        False, "Source: a depth image registered to the camera (RGB-D, stereo)."
    )
    point_cloud: bool = param(
        False, "Source: a point cloud (LiDAR, landmarks) in a frame that TF knows."
    )
    ground_plane: bool = param(
        False,
        "Source: the ground in the image, seen from a known height. Needs camera_height, or "
        "base_frame.",
    )
    calibration_file: str = param(
        "",
        "Source: a calibration saved earlier, for this model and input size. Of a relative model "
        "only with static_camera.",
    )
    static_camera: bool = param(
        False,
        "The camera stands still and looks at the same scene, now and when calibration_file was "
        "saved.",
    )
    policy: str = param(
        "hold",
        "Without new evidence: hold gives metres until stale_after, with growing uncertainty; "
        "refuse gives none from held_after on.",
        choices=("hold", "refuse"),
        dynamic=True,
    )
    held_after: float = param(
        1.0,
        "Age of the last accepted evidence from which a scale is called held.",
        unit="s",
        bounds=(0.01, 3600.0),
    )
    stale_after: float = param(
        5.0, "Age from which there are no metres.", unit="s", bounds=(0.01, 3600.0)
    )
    sync_tolerance: float = param(
        0.02,
        "Most that the stamps of a depth image and the image may differ.",
        unit="s",
        bounds=(0.0, 1.0),
    )
    cloud_window: float = param(
        0.1,
        "Most that a cloud may be older than the image where fixed_frame bridges them.",
        unit="s",
        bounds=(0.0, 10.0),
    )
    fixed_frame: str = param(
        "odom",
        "TF frame that stands still between the stamps of cloud and image; empty if none does.",
    )
    max_time_offset: float = param(
        0.02,
        "Most that a cloud may be newer than the image, and without a fixed frame older.",
        unit="s",
        bounds=(0.0, 1.0),
    )
    fixed_transform: str = param(
        "",
        "Where the cloud's frame is in the camera's optical frame, instead of TF: x y z [m] and "
        "the quaternion qx qy qz qw, seven numbers with spaces between.",
    )
    camera_height: float = param(
        0.0,
        "Height of the camera over the ground; 0 takes that over base_frame, which must lie on "
        "the ground.",
        unit="m",
        bounds=(0.0, 1000.0),
    )
    camera_height_std: float = param(
        0.01, "How well the height is known.", unit="m", bounds=(0.0, 100.0)
    )
    camera_pitch: float = param(
        0.0,
        "Angle of the optical axis below the horizon; without effect with base_frame.",
        unit="rad",
        bounds=(-1.5708, 1.5708),
    )
    camera_roll: float = param(
        0.0,
        "Roll of the camera, clockwise as it looks; without effect with base_frame.",
        unit="rad",
        bounds=(-3.1416, 3.1416),
    )
    pitch_std: float = param(
        0.009, "How well pitch and roll are known, in motion.", unit="rad", bounds=(0.0, 0.5)
    )
    base_frame: str = param(
        "",
        "TF frame of the robot whose z axis points up, such as base_footprint: gives pitch and "
        "roll. Empty takes camera_pitch and camera_roll.",
    )
    depth_noise: float = param(
        0.01, "Noise of the depth image, as a share of depth.", bounds=(0.0, 0.5)
    )
    cloud_noise: float = param(0.02, "Noise of the cloud's ranges.", unit="m", bounds=(0.0, 10.0))
    min_range: float = param(
        0.1, "Nearer measurements are not used.", unit="m", bounds=(0.0, 100.0)
    )
    max_range: float = param(
        100.0,
        "Farther measurements are not used; sensors report their cap as a measurement.",
        unit="m",
        bounds=(0.1, 1000.0),
    )
    seed: int = param(0, "Of the points that are drawn.", bounds=(0, 2**31 - 1))

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of what is switched on."""
        switches = ("depth_image", "point_cloud", "ground_plane")
        found = [name for name in switches if getattr(self, name)]
        return (*found, *(["static"] if self.calibration_file else []))

    @property
    def fixed_pose(self) -> tuple[float, ...] | None:
        """``fixed_transform`` as x y z and a unit quaternion x y z w; None if there is none."""
        if not self.fixed_transform.strip():
            return None
        try:
            numbers = [float(word) for word in self.fixed_transform.split()]
        except ValueError:
            numbers = []
        length = math.sqrt(sum(value**2 for value in numbers[3:]))
        finite = all(math.isfinite(value) for value in numbers)
        if len(numbers) != 7 or not finite or not 0.99 < length < 1.01:
            raise ParameterError(
                "parameter scale.fixed_transform: expected x y z qx qy qz qw, seven finite "
                f"numbers, the last four a unit quaternion, got {self.fixed_transform!r}"
            )
        return (*numbers[:3], *(value / length for value in numbers[3:]))

    def _check_together(self) -> None:
        if self.held_after > self.stale_after:
            raise ParameterError(
                "parameters scale.held_after and scale.stale_after: expected held_after <= "
                f"stale_after, got {self.held_after:g} s and {self.stale_after:g} s"
            )
        if self.min_range >= self.max_range:
            raise ParameterError(
                "parameters scale.min_range and scale.max_range: expected min_range < max_range, "
                f"got {self.min_range:g} m and {self.max_range:g} m"
            )
        if self.ground_plane and not (self.camera_height or self.base_frame):
            raise ParameterError(
                "parameter scale.ground_plane: the ground gives no scale without a height; set "
                "scale.camera_height, or scale.base_frame to a TF frame on the ground"
            )
        _ = self.fixed_pose  # raises if it is none


@dataclass(frozen=True)
class ScaleNodeParams(ParamGroup):
    """The metric scale in the node; the command line has none of these."""

    PREFIX: ClassVar[str] = "scale."

    wait: float = param(
        0.03,
        "How long an image waits for the depth image or cloud that belongs to it.",
        unit="s",
        bounds=(0.0, 1.0),
        dynamic=True,
    )
    calibrate_frames: int = param(
        20, "Frames that the service ~/calibrate gathers.", bounds=(1, 10000), dynamic=True
    )
    calibrate_timeout: float = param(
        30.0,
        "The service ~/calibrate gives up after this.",
        unit="s",
        bounds=(0.1, 3600.0),
        dynamic=True,
    )
    save_path: str = param(
        "", "File that the service ~/save_calibration writes; a folder of it must exist.",
        dynamic=True,
    )  # fmt: skip
