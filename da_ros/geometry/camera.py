"""Pinhole cameras with a lens: read from ROS, changed along with their image, published again.

Pixel (u, v) = (0, 0) is the **centre** of the top left pixel, as in OpenCV and ROS; an image of
width w therefore covers u from -1/2 to w - 1/2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from da_ros.errors import CameraError
from da_ros.geometry.camera_checks import (
    IDENTITY_ROTATION,
    check_distortion,
    check_intrinsics,
    check_projection,
    check_rotation,
)
from da_ros.geometry.camera_file import read_calibration
from da_ros.geometry.distortion import EQUIDISTANT, PLUMB_BOB

if TYPE_CHECKING:
    from pathlib import Path


_LAST_ROW = (0.0, 0.0, 1.0, 0.0)  # Of every P.


class RegionOfInterest(NamedTuple):
    """A sensor_msgs/RegionOfInterest in full-resolution pixels; all zero is the whole image.

    do_rectify is not read: image_geometry, too, lets it change none of K, D, R and P.
    """

    x_offset: int = 0
    y_offset: int = 0
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class PinholeCamera:
    """Intrinsics of the pixels of one image, whatever crop or binning they came through.

    Attributes:
        width: Of the image [px].
        height: Of the image [px].
        fx: Focal length of the image as the sensor saw it (K), > 0 [px].
        fy: As fx, vertically [px].
        cx: Principal point of the same image [px].
        cy: As cx, vertically [px].
        distortion_model: As in CameraInfo.
        distortion: Coefficients as in CameraInfo.d; empty or all zero means that the pixels are
            already those of a rectified image, as image_geometry takes it.
        rectification: R, rotates camera coordinates to rectified ones, row-major.
        projection: P (3 x 4, row-major) of the rectified image; None where it is K.

    Raises:
        CameraError: If the numbers describe no usable camera.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = PLUMB_BOB
    distortion: tuple[float, ...] = ()
    rectification: tuple[float, ...] = IDENTITY_ROTATION
    projection: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise CameraError(
                f"camera: expected an image of at least 1x1 px, got {self.width}x{self.height}"
            )
        check_intrinsics("K", self.fx, self.fy, self.cx, self.cy)
        check_distortion(self.distortion_model, self.distortion)
        check_rotation(self.rectification)
        if self.projection is not None:
            check_projection(self.projection)

    @classmethod
    def from_fields(
        cls,
        *,
        height: int,
        width: int,
        distortion_model: str,
        d: Sequence[float],
        k: Sequence[float],
        r: Sequence[float],
        p: Sequence[float],
        binning_x: int = 0,
        binning_y: int = 0,
        roi: tuple[int, int, int, int] | None = None,
    ) -> PinholeCamera:
        """Read the fields of a sensor_msgs/CameraInfo.

        K, D, R and P are those of the full sensor; the camera returned is that of the image that
        was sent: cut to the region of interest, then binned. As in image_geometry the offset of
        the region is subtracted from the principal points, and binning divides.

        Args:
            height: Full sensor height [px].
            width: Full sensor width [px].
            distortion_model: One of ``distortion.COEFFICIENT_COUNTS``; any other name needs d
                empty or zero.
            d: Distortion coefficients.
            k: 3 x 3 row-major; zero in place 0 means uncalibrated.
            r: 3 x 3 row-major; all zero means identity.
            p: 3 x 4 row-major; zero in place 0 means K.
            binning_x: 0 and 1 mean none.
            binning_y: As binning_x.
            roi: A ``RegionOfInterest``: x_offset, y_offset, width, height in full-resolution px;
                all zero or None means the full sensor.

        Returns:
            The camera of the image.

        Raises:
            CameraError: If the fields describe no usable camera.

        Source:
            image_geometry, PinholeCameraModel::fromCameraInfo; sensor_msgs/CameraInfo.
        """
        for name, values, count in (("K", k, 9), ("R", r, 9), ("P", p, 12)):
            if len(values) != count:
                raise CameraError(f"camera: expected {count} numbers in {name}, got {len(values)}")
        if float(k[0]) == 0.0:
            raise CameraError(
                "camera: K is zero, which says that the camera is not calibrated; calibrate it, "
                "or give the field of view"
            )
        if float(k[1]) != 0.0:
            raise CameraError(f"camera: skewed pixels are not supported, got K[1] = {k[1]}")
        full = cls(
            width=int(width),
            height=int(height),
            fx=float(k[0]),
            fy=float(k[4]),
            cx=float(k[2]),
            cy=float(k[5]),
            distortion_model=str(distortion_model),
            distortion=tuple(float(value) for value in d),
            rectification=_floats(r) if any(float(v) != 0.0 for v in r) else IDENTITY_ROTATION,
            projection=_floats(p) if float(p[0]) != 0.0 else None,
        )
        return full._region(roi)._binned(max(1, int(binning_x)), max(1, int(binning_y)))

    @classmethod
    def from_fov(cls, width: int, height: int, horizontal_fov_deg: float) -> PinholeCamera:
        """Make an ideal camera with square pixels and a centred principal point.

        Args:
            width: [px].
            height: [px].
            horizontal_fov_deg: Angle between the left and right edges of the image [deg].

        Returns:
            The camera.

        Raises:
            CameraError: If the angle is not between 0 and 180 degrees.
        """
        if not 0.0 < horizontal_fov_deg < 180.0:
            raise CameraError(
                "camera: expected a horizontal field of view between 0 and 180 degrees, "
                f"got {horizontal_fov_deg}"
            )
        focal = width / 2 / math.tan(math.radians(horizontal_fov_deg) / 2)
        return cls(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)

    @classmethod
    def from_yaml(cls, path: str | Path) -> PinholeCamera:
        """Read a file of ROS's camera_calibration (camera_info_manager's YAML).

        Args:
            path: The file.

        Returns:
            The camera.

        Raises:
            CameraError: If the file is missing, is no such file, or describes no usable camera.
        """
        fields = read_calibration(path)
        try:
            return cls.from_fields(**fields)
        except CameraError as error:
            raise CameraError(f"{path}: {error}") from error

    @property
    def is_distorted(self) -> bool:
        """Whether the image must be rectified, or its rays undistorted, before a pinhole fits."""
        return any(self.distortion)

    @property
    def k(self) -> tuple[float, ...]:
        """K, 3 x 3 row-major."""
        return (self.fx, 0.0, self.cx, 0.0, self.fy, self.cy, 0.0, 0.0, 1.0)

    @property
    def p(self) -> tuple[float, ...]:
        """P, 3 x 4 row-major; made of K where there is none."""
        if self.projection is not None:
            return self.projection
        return (self.fx, 0.0, self.cx, 0.0, 0.0, self.fy, self.cy, 0.0, 0.0, 0.0, 1.0, 0.0)

    def fields(self) -> dict[str, Any]:
        """Return CameraInfo's fields that describe this very image: no region, no binning."""
        return {
            "height": self.height,
            "width": self.width,
            "distortion_model": self.distortion_model if self.is_distorted else PLUMB_BOB,
            "d": self.distortion if self.is_distorted else (0.0,) * 5,
            "k": self.k,
            "r": self.rectification,
            "p": self.p,
            "binning_x": 0,
            "binning_y": 0,
            "roi": RegionOfInterest(),
        }

    def rectified(self) -> PinholeCamera:
        """Return the camera of the rectified image: K = P[:3, :3], R = I, D = 0.

        P keeps its fourth column, so the right camera of a stereo pair keeps its baseline.
        """
        p = self.p
        return PinholeCamera(
            self.width, self.height, fx=p[0], fy=p[5], cx=p[2], cy=p[6], projection=p
        )

    def resized(self, width: int, height: int) -> PinholeCamera:
        """Return the camera of this image resized with half-pixel centres.

        cx' = s (cx + 1/2) - 1/2: what cv2.resize and align_corners=False do.
        """
        scale_x, scale_y = width / self.width, height / self.height
        shift_x, shift_y = (scale_x - 1) / 2, (scale_y - 1) / 2
        return self._mapped(width, height, scale_x, scale_y, shift_x, shift_y)

    def cropped(self, x: int, y: int, width: int, height: int) -> PinholeCamera:
        """Return the camera of the window whose top left pixel is (x, y).

        Raises:
            CameraError: If the window is empty or leaves the image.
        """
        right, bottom = x + width, y + height
        if not (0 <= x < right <= self.width and 0 <= y < bottom <= self.height):
            raise CameraError(
                f"camera: the {width}x{height} px window at ({x}, {y}) is not within the "
                f"{self.width}x{self.height} px image"
            )
        return self._mapped(width, height, 1.0, 1.0, float(-x), float(-y))

    def strided(self, n: int) -> PinholeCamera:
        """Return the camera of image[::n, ::n]: cx' = cx / n, sizes rounded up.

        Raises:
            CameraError: If n < 1.
        """
        if n < 1:
            raise CameraError(f"camera: expected a stride of 1 or more, got {n}")
        return self._mapped(-(-self.width // n), -(-self.height // n), 1 / n, 1 / n, 0.0, 0.0)

    def rotated_180(self) -> PinholeCamera:
        """Return the camera of the image turned upside down, image[::-1, ::-1].

        The optical frame turns with it, by 180 degrees about z.
        """
        p = self.p
        row_x = (p[0], 0.0, self.width - 1 - p[2], 0.0 - p[3])
        row_y = (0.0, p[5], self.height - 1 - p[6], 0.0 - p[7])
        return replace(
            self,
            cx=self.width - 1 - self.cx,
            cy=self.height - 1 - self.cy,
            distortion=_turned_distortion(self.distortion_model, self.distortion),
            rectification=_turned_rotation(self.rectification),
            projection=None if self.projection is None else row_x + row_y + _LAST_ROW,
        )

    def _mapped(
        self,
        width: int,
        height: int,
        scale_x: float,
        scale_y: float,
        shift_x: float,
        shift_y: float,
    ) -> PinholeCamera:
        """Move every pixel (u, v) to (scale_x u + shift_x, scale_y v + shift_y)."""
        p = self.p
        row_x = (p[0] * scale_x, 0.0, p[2] * scale_x + shift_x, p[3] * scale_x)
        row_y = (0.0, p[5] * scale_y, p[6] * scale_y + shift_y, p[7] * scale_y)
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * scale_x,
            fy=self.fy * scale_y,
            cx=self.cx * scale_x + shift_x,
            cy=self.cy * scale_y + shift_y,
            projection=None if self.projection is None else row_x + row_y + _LAST_ROW,
        )

    def _region(self, roi: tuple[int, int, int, int] | None) -> PinholeCamera:
        """Cut to a region of interest as CameraInfo states it."""
        if roi is None or not any(roi):
            return self
        return self.cropped(*(int(value) for value in roi))

    def _binned(self, binning_x: int, binning_y: int) -> PinholeCamera:
        """Bin as image_geometry does: principal points divide, without a half-pixel term."""
        if binning_x == 1 and binning_y == 1:
            return self
        width, height = self.width // binning_x, self.height // binning_y
        return self._mapped(width, height, 1 / binning_x, 1 / binning_y, 0.0, 0.0)


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _turned_distortion(model: str, coefficients: tuple[float, ...]) -> tuple[float, ...]:
    """Negate what is odd in the coordinates: tangential, prism and tilt terms."""
    if model == EQUIDISTANT:
        return coefficients
    odd = {2, 3, 8, 9, 10, 11, 12, 13}
    return tuple(0.0 - c if i in odd else c for i, c in enumerate(coefficients))


def _turned_rotation(r: tuple[float, ...]) -> tuple[float, ...]:
    """Conjugate R with the half turn about z."""
    return tuple(0.0 - value if i in (2, 5, 6, 7) else value for i, value in enumerate(r))
