"""The scale of one camera's stream: evidence that came with a frame in, its metres' scale out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from da_ros.conversions import camera_fields_of, header_of
from da_ros.conversions.clouds import cloud_points
from da_ros.conversions.depth_images import decode_depth
from da_ros.errors import DaRosError, InputError
from da_ros.geometry.camera import PinholeCamera
from da_ros.params import ScaleParams
from da_ros.pipeline.frames import CloudEvidence, DepthEvidence, Evidence, Predicted
from da_ros.pipeline.mounting import MountingWatch
from da_ros.pipeline.registration import registration_fault
from da_ros.scale.calibrator import Calibration, Calibrator, CalibratorOptions, NetworkFrame
from da_ros.scale.extrinsic import MountingCheck, MountingOptions, check_mounting
from da_ros.scale.filter import Observed
from da_ros.scale.observations import depth_image, ground_plane, point_cloud, static
from da_ros.scale.observations.depth_image import DepthImageOptions, depth_image_points
from da_ros.scale.observations.ground_plane import (
    GroundOptions,
    downward_from_base,
    downward_from_pitch,
    ground_fit,
    ground_points,
)
from da_ros.scale.observations.point_cloud import (
    Cloud,
    PointCloudOptions,
    point_cloud_points,
    points_in_camera,
)
from da_ros.scale.observations.points import PixelDepths
from da_ros.scale.observations.static import (
    StaticCalibration,
    check_input_size,
    load_calibration,
)
from da_ros.scale.observations.transforms import (
    FixedTransform,
    TransformBuffer,
    TransformSource,
    pose_matrix,
)
from da_ros.scale.observations.visibility import VisibilityOptions
from da_ros.scale.options import FilterOptions, FitOptions
from da_ros.types import Kind, ModelInfo

_SMALL, _LARGE = 240, 480
"""Heights of images [px] between which the cloud's windows are as chosen."""

Values = npt.NDArray[np.float32]


class StreamScale:
    """A camera's calibrator, and what its sources need; for one thread.

    Attributes:
        sources: Names of those that are switched on.
        watch: Looks at the cloud's mounting now and then, if anybody set it.
    """

    def __init__(
        self,
        model: ModelInfo,
        params: ScaleParams,
        transforms: TransformSource,
        known: StaticCalibration | None,
    ) -> None:
        """Set up; ``of`` is the way in.

        Args:
            model: Whose numbers they are.
            params: Sources and their options.
            transforms: Where the frames are.
            known: A saved calibration.
        """
        self.sources = params.sources
        self.watch: MountingWatch | None = None
        self._params, self._transforms, self._known = params, transforms, known
        self._is_metric = model.kind is Kind.METRIC_DEPTH
        self._mounting = _mounting(params)
        self._calibrator = Calibrator(model, _options(params))

    @classmethod
    def of(
        cls, model: ModelInfo, params: ScaleParams, transforms: TransformSource | None = None
    ) -> StreamScale | None:
        """Make the scale of a stream.

        Args:
            model: Whose numbers they are.
            params: Sources and their options.
            transforms: Where the frames are; None knows none.

        Returns:
            None if no source is switched on.

        Raises:
            InputError: If the saved calibration is none of this model, or the model's numbers
                can have no scale.
        """
        if not params.sources:
            return None
        known = None
        if params.calibration_file:
            path = Path(params.calibration_file)
            known = load_calibration(path, model, None, params.static_camera)
        return cls(model, params, transforms or TransformBuffer(), known)

    def observe(self, item: Predicted) -> Calibration:
        """Go on to the next frame of the stream.

        Args:
            item: With the network's values, and the evidence that came with the image.

        Returns:
            Its scale. Evidence that cannot be used is reported with the reason, never raised.
        """
        values = item.values.detach().cpu().numpy()
        frame = NetworkFrame(values, item.frame.header.stamp_ns, _image_size(item))
        known, fault = self._saved(item.network_size)
        points = [self._kept(item, self._points(item, one, values)) for one in item.frame.evidence]
        if self._params.ground_plane:
            points.append(self._kept(item, self._guarded(ground_plane.SOURCE, self._ground, item)))
        if fault is not None:
            points.append(fault)
        if self.watch is not None and _clouds_of(item):
            self.watch.look(frame.stamp_ns, lambda: self.check_mounting(item))
        return self._calibrator.observe(frame, points, known)

    def measure(self, item: Predicted, evidence: Sequence[Evidence]) -> list[PixelDepths]:
        """Turn evidence into points of an image, without learning from them."""
        values = item.values.detach().cpu().numpy()
        return [self._kept(item, self._points(item, one, values)) for one in evidence]

    def check_mounting(self, item: Predicted) -> MountingCheck | None:
        """See whether the cloud beside an image fits to it; takes some tenths of a second.

        Args:
            item: With the network's values, and the evidence that came with the image.

        Returns:
            None if no cloud came with it, its place is not known, or no use is made of clouds.
        """
        camera = item.frame.camera
        clouds = _clouds_of(item)
        if camera is None or not clouds or not self._params.point_cloud:
            return None
        try:
            points, _ = points_in_camera(*self._placed(item, clouds[0], camera))
        except DaRosError:
            return None  # ``observe`` reports it
        values = item.values.detach().cpu().numpy()
        if self._is_metric:
            values = np.where(values > 0, 1.0 / np.where(values > 0, values, 1.0), np.nan)
        try:
            return check_mounting(points, values, camera, MountingOptions())
        except np.linalg.LinAlgError:
            return None  # it is a look beside the way: it must not cost the image

    def reset(self) -> None:
        """Forget the scale."""
        self._calibrator.reset()

    def state(self) -> dict[str, Any]:
        """What is remembered, in plain numbers, strings, lists and arrays, for ``restore``."""
        return self._calibrator.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was asked."""
        self._calibrator.restore(state)

    def measured(self, item: Predicted) -> list[PixelDepths]:
        """What all sources measured at the pixels of an image, or why they did not."""
        points = self.measure(item, item.frame.evidence)
        if self._params.ground_plane:
            points.append(self._kept(item, self._guarded(ground_plane.SOURCE, self._ground, item)))
        return points

    # --- Sources -------------------------------------------------------------------------------

    def _saved(self, size: tuple[int, int]) -> tuple[Observed | None, PixelDepths | None]:
        """The saved calibration, or why it does not hold for this image."""
        if self._known is None:
            return None, None
        try:
            check_input_size(Path(self._params.calibration_file), self._known, size)
        except InputError as error:
            return None, PixelDepths.none(static.SOURCE, str(error))
        return self._known.observed, None

    def _points(self, item: Predicted, evidence: Evidence, values: Values) -> PixelDepths:
        if isinstance(evidence, DepthEvidence):
            return self._guarded(depth_image.SOURCE, self._depth_image, item, evidence)
        return self._guarded(point_cloud.SOURCE, self._cloud, item, evidence, values)

    def _guarded(self, source: str, measure: Any, *given: Any) -> PixelDepths:
        """Measure; what a sensor sends must not cost the image."""
        if source not in self.sources:
            return PixelDepths.none(source, f"not used: scale.{source} is off")
        try:
            found: PixelDepths = measure(*given)
        except DaRosError as error:
            return PixelDepths.none(source, str(error))
        return found

    def _depth_image(self, item: Predicted, evidence: DepthEvidence) -> PixelDepths:
        metres = decode_depth(evidence.image)
        height, width = _image_size(item)
        lens = item.frame.view.rectification
        info = None if evidence.camera_info is None else camera_fields_of(evidence.camera_info)
        size = (int(metres.shape[0]), int(metres.shape[1]))
        fault = registration_fault(
            size, info, item.frame.view, (height, width), rectified=evidence.rectified
        )
        if fault:
            return PixelDepths.none(depth_image.SOURCE, fault, int(np.isfinite(metres).sum()))
        return depth_image_points(
            metres,
            header_of(evidence.image).stamp_ns,
            item.frame.header.stamp_ns,
            PinholeCamera.from_fov(width, height, 60.0) if lens is None else lens.raw,
            _depth_options(self._params),
            straighten=lens is not None and not evidence.rectified,
        )

    def _cloud(self, item: Predicted, evidence: CloudEvidence, values: Values) -> PixelDepths:
        camera = item.frame.camera
        if camera is None:
            raise InputError(f"a cloud needs the camera: {item.frame.view.note}")
        cloud, frame_id, stamp_ns, transforms, options = self._placed(item, evidence, camera)
        return point_cloud_points(cloud, frame_id, stamp_ns, camera, transforms, values, options)

    def _placed(
        self, item: Predicted, evidence: CloudEvidence, camera: PinholeCamera
    ) -> tuple[Cloud, str, int, TransformSource, PointCloudOptions]:
        """A cloud, the image's frame and stamp, and where the cloud's frame is."""
        header, of_image = header_of(evidence.cloud), item.frame.header
        cloud = Cloud(cloud_points(evidence.cloud), header.frame_id, header.stamp_ns)
        transforms = self._mounting or self._transforms
        options = _cloud_options(self._params, camera.height)
        return cloud, of_image.frame_id, of_image.stamp_ns, transforms, options

    def _ground(self, item: Predicted) -> PixelDepths:
        camera, params = item.frame.camera, self._params
        if camera is None:
            raise InputError(f"the ground needs the camera: {item.frame.view.note}")
        downward = downward_from_pitch(params.camera_pitch, params.camera_roll)
        height = params.camera_height
        if params.base_frame:
            header = item.frame.header
            stamp = header.stamp_ns
            pose = self._transforms.lookup(header.frame_id, stamp, params.base_frame, stamp, None)
            downward = downward_from_base(pose)
            height = height or float(np.linalg.inv(pose)[2, 3])
        return ground_points(camera, downward, replace(_ground_options(params), height=height))

    def _kept(self, item: Predicted, points: PixelDepths) -> PixelDepths:
        """Leave out points on the robot's own body, and where the raw image shows nothing."""
        keep = item.frame.view.keep
        if keep is None or len(points.depth) == 0:
            return points
        height, width = keep.shape
        u = np.clip(np.rint(points.pixels[:, 0]), 0, width - 1).astype(np.intp)
        v = np.clip(np.rint(points.pixels[:, 1]), 0, height - 1).astype(np.intp)
        seen = keep[v, u]
        return replace(
            points,
            pixels=points.pixels[seen],
            depth=points.depth[seen],
            sigma=points.sigma[seen],
            common=None if points.common is None else points.common[seen],
        )


def _clouds_of(item: Predicted) -> list[CloudEvidence]:
    return [one for one in item.frame.evidence if isinstance(one, CloudEvidence)]


def _image_size(item: Predicted) -> tuple[int, int]:
    height, width = item.frame.image.pixels.shape[:2]
    return int(height), int(width)


def _mounting(params: ScaleParams) -> FixedTransform | None:
    """Where the cloud's frame is, if a parameter says so."""
    pose = params.fixed_pose
    if pose is None:
        return None
    return FixedTransform(pose_matrix(np.array(pose[:3]), np.array(pose[3:])))


def _options(params: ScaleParams) -> CalibratorOptions:
    fit = FitOptions(seed=params.seed)
    # A depth camera's edges are taken off before, and what is left of it is seldom wrong.
    by_source = {depth_image.SOURCE: replace(fit, trusted=True)}
    if params.ground_plane:
        by_source[ground_plane.SOURCE] = ground_fit(fit, _ground_options(params))
    ages = FilterOptions(held_after=params.held_after, stale_after=params.stale_after)
    return CalibratorOptions(fit, by_source, ages)


def _depth_options(params: ScaleParams) -> DepthImageOptions:
    return DepthImageOptions(
        sync_tolerance=params.sync_tolerance,
        noise=params.depth_noise,
        near=params.min_range,
        far=params.max_range,
        seed=params.seed,
    )


def _cloud_options(params: ScaleParams, image_height: int) -> PointCloudOptions:
    usual = VisibilityOptions()
    # Chosen in pixels of usual images: a thumbnail has fewer, a large one more to the same angle.
    size = min(image_height / _SMALL, max(image_height / _LARGE, 1.0))
    return PointCloudOptions(
        # A fixed transform says nothing of how the robot moved between two stamps.
        fixed_frame="" if params.fixed_pose else params.fixed_frame,
        max_time_offset=params.max_time_offset,
        noise=params.cloud_noise,
        near=params.min_range,
        far=params.max_range,
        seed=params.seed,
        visibility=replace(
            usual,
            window_px=max(4, round(size * usual.window_px)),
            edge_px=max(1, round(size * usual.edge_px)),
        ),
    )


def _ground_options(params: ScaleParams) -> GroundOptions:
    """Options; where the height comes from TF, it is put in with each frame."""
    return GroundOptions(
        height=params.camera_height or 1.0,
        height_std=params.camera_height_std,
        pitch_std=params.pitch_std,
        roll_std=params.pitch_std,
    )
