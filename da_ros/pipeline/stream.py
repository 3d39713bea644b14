"""What is remembered of one camera from frame to frame."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from da_ros.errors import CameraError, ParameterError, ShapeError
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.rectify import RectificationMap, rectify
from da_ros.params import CameraParams

if TYPE_CHECKING:
    from da_ros.pipeline.scale import StreamScale

Mask = npt.NDArray[np.bool_]

_SAYS_RECT = re.compile(r"(^|[/_])rect(ified)?([/_]|$)")
_COLOR_INERTIA = 0.9  # share of the old range that an adaptive one keeps per frame


@dataclass(frozen=True, eq=False)
class View:
    """How the pixels of one camera are read: computed once, used for every frame.

    Attributes:
        camera: Of the pixels that the outputs show; None if nobody knows it.
        note: Why there is no camera, in words; empty if there is one.
        rectification: Map to straighten the image with; None where it stays as it is.
        keep: (H, W) bool, False where depth is NaN: masked, or not in the raw image; None if
            everything is kept.
    """

    camera: PinholeCamera | None
    note: str = ""
    rectification: RectificationMap | None = None
    keep: Mask | None = None

    @cached_property
    def _keep_on(self) -> dict[torch.device, Tensor]:
        return {}

    def blanked(self, values: Tensor) -> Tensor:
        """Set values, (H, W), to NaN where nothing is kept."""
        if self.keep is None:
            return values
        if values.device not in self._keep_on:
            self._keep_on[values.device] = torch.from_numpy(self.keep).to(values.device)
        return torch.where(self._keep_on[values.device], values, torch.nan)


@dataclass
class Stream:
    """One camera. Decode keeps its view, scale its calibrator, to_depth its colour range.

    Attributes:
        topic: Resolved name of the image topic; whether it says rect decides rectify: auto.
        color_range: (near, far) of an adaptive colour picture, in the unit of its values.
        scale: Where its metres come from; None without a source of scale.
    """

    topic: str = ""
    color_range: tuple[float, float] | None = None
    scale: StreamScale | None = None
    _color_metres: bool = field(default=False, repr=False)
    _view_key: object = field(default=None, repr=False)
    _view: View | None = field(default=None, repr=False)

    def view(
        self,
        camera_fields: dict[str, Any] | None,
        size: tuple[int, int],
        params: CameraParams,
        mask: Mask | None,
    ) -> View:
        """Return how to read an image; computed anew only when something changed.

        Args:
            camera_fields: From ``conversions.camera_fields_of``, or None.
            size: (height, width) of the image [px].
            params: Rectification and the rest.
            mask: (H, W) bool, False on the robot's own body; None for no mask.

        Raises:
            ShapeError: If the mask and the image differ in size.
        """
        key = (camera_fields, size, params, id(mask))
        if self._view is None or key != self._view_key:
            self._view = _view_of(camera_fields, size, self.topic, params, mask)
            self._view_key = key
        return self._view

    def forget(self) -> None:
        """Let what is remembered over time start anew."""
        self.color_range = None
        if self.scale is not None:
            self.scale.reset()

    def state(self) -> dict[str, Any]:
        """What is remembered over time, in plain values and arrays, for ``restore``."""
        return {
            "color_range": self.color_range,
            "color_metres": self._color_metres,
            "scale": None if self.scale is None else self.scale.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was asked, of a stream with the same sources of scale."""
        color = state["color_range"]
        self.color_range = None if color is None else (float(color[0]), float(color[1]))
        self._color_metres = bool(state["color_metres"])
        if self.scale is not None:
            self.scale.restore(state["scale"])

    def follow_color(
        self, near: float, far: float, *, metres: bool = False
    ) -> tuple[float, float]:
        """Move the adaptive colour range a step towards that of a new frame, of the same unit."""
        if self.color_range is not None and self._color_metres == metres:
            old_near, old_far = self.color_range
            near = _COLOR_INERTIA * old_near + (1.0 - _COLOR_INERTIA) * near
            far = _COLOR_INERTIA * old_far + (1.0 - _COLOR_INERTIA) * far
        self.color_range, self._color_metres = (near, far), metres
        return self.color_range


def says_rect(topic: str) -> bool:
    """Whether a topic's name says that its image is rectified, such as image_rect_color."""
    return _SAYS_RECT.search(topic) is not None


def read_mask(path: str) -> Mask | None:
    """Read ``mask_image``: True where pixels count.

    Raises:
        ParameterError: If the file is no picture.
    """
    if not path:
        return None
    picture = cv2.imread(path, cv2.IMREAD_GRAYSCALE) if Path(path).is_file() else None
    if picture is None:
        raise ParameterError(f"parameter mask_image: {path!r} is no picture that can be read")
    return np.asarray(picture) > 0


def _view_of(
    fields: dict[str, Any] | None,
    size: tuple[int, int],
    topic: str,
    params: CameraParams,
    mask: Mask | None,
) -> View:
    if mask is not None and mask.shape != size:
        raise ShapeError(
            f"mask_image: expected {size[1]} x {size[0]} px as the image has, got "
            f"{mask.shape[1]} x {mask.shape[0]}"
        )
    camera, note = _camera_of(fields, size)
    if camera is None:
        return View(None, note, keep=mask)
    straighten = params.rectify == "on" or (
        params.rectify == "auto" and camera.is_distorted and not says_rect(topic)
    )
    if straighten:
        rectification = RectificationMap.of(camera)
        keep = _kept(rectification, mask)
        return View(rectification.rectified, "", rectification, keep)
    if says_rect(topic) or not camera.is_distorted:
        # P describes these pixels: of a rectified image's camera_info, which is the raw camera's,
        # and of a lens without distortion, as image_geometry reads it.
        camera = camera.rectified()
    return View(camera, "", None, mask)


def _camera_of(
    fields: dict[str, Any] | None, size: tuple[int, int]
) -> tuple[PinholeCamera | None, str]:
    """Read a camera, or say why there is none for an image of this size."""
    if fields is None:
        return None, "no camera_info"
    try:
        camera = PinholeCamera.from_fields(**fields)
    except CameraError as error:
        return None, f"unusable camera_info: {error}"
    if (camera.height, camera.width) != size:
        return None, (
            f"camera_info is for {camera.width} x {camera.height} px, the image has "
            f"{size[1]} x {size[0]} px"
        )
    return camera, ""


def _kept(rectification: RectificationMap, mask: Mask | None) -> Mask | None:
    keep: Mask = rectification.valid
    if mask is not None:
        keep = keep & (rectify(mask.astype(np.uint8), rectification, nearest=True) > 0)
    return None if bool(keep.all()) else keep
