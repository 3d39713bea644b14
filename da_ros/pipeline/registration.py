"""Does a depth image lie on the colour image, pixel by pixel? A wrong one gives wrong metres."""

from __future__ import annotations

from typing import Any

from da_ros.errors import CameraError
from da_ros.geometry.camera import PinholeCamera
from da_ros.pipeline.stream import View

_ALIKE = 0.03  # Of the field of view, and of the image's size.


def registration_fault(
    depth_size: tuple[int, int],
    depth_fields: dict[str, Any] | None,
    view: View,
    image_size: tuple[int, int],
    *,
    rectified: bool,
) -> str:
    """Say why a depth image cannot be one that is registered to the image.

    Args:
        depth_size: (height, width) of the depth image [px].
        depth_fields: Its camera_info, as of ``conversions.camera_fields_of``; None if unknown.
        view: Of the image.
        image_size: (height, width) of the image [px].
        rectified: Whether the depth image is rectified already.

    Returns:
        Empty if it may be.
    """
    height, width = depth_size
    if rectified and view.rectification is None and view.camera and view.camera.is_distorted:
        return "the depth image is rectified and the image is not: see the parameter rectify"
    if abs(width * image_size[0] / (height * image_size[1]) - 1.0) > _ALIKE:
        return (
            f"the depth image of {width} x {height} px has another shape than the image of "
            f"{image_size[1]} x {image_size[0]} px: it is not registered to it"
        )
    if depth_fields is None or view.camera is None:
        return ""
    try:
        depth_camera = PinholeCamera.from_fields(**depth_fields)
    except CameraError as error:
        return f"unusable camera_info of the depth image: {error}"
    if rectified or not depth_camera.is_distorted:
        depth_camera = depth_camera.rectified()  # P describes its pixels
    # Of the image whose pixels the depth's are to be: as it came, or as we rectified it.
    raw = None if view.rectification is None or rectified else view.rectification.raw
    camera = raw or view.camera
    return _other_view(camera, depth_camera) or _other_lens(camera, depth_camera)


def _other_view(camera: PinholeCamera, depth_camera: PinholeCamera) -> str:
    """Compare the fields of view; sizes in pixels may differ."""
    pairs = (
        ("fx/width", camera.fx / camera.width, depth_camera.fx / depth_camera.width),
        ("fy/height", camera.fy / camera.height, depth_camera.fy / depth_camera.height),
        ("cx/width", camera.cx / camera.width, depth_camera.cx / depth_camera.width),
        ("cy/height", camera.cy / camera.height, depth_camera.cy / depth_camera.height),
    )
    far = [f"{name} {b:.3f} beside {a:.3f}" for name, a, b in pairs if abs(a - b) > _ALIKE]
    if not far:
        return ""
    return (
        f"the depth image's camera_info is that of another camera ({', '.join(far)} of the "
        "image's): register it to the image first (depth_image_proc register, align_depth)"
    )


def _other_lens(camera: PinholeCamera, depth_camera: PinholeCamera) -> str:
    """One image with its lens's distortion and the other without do not lie on each other."""
    if depth_camera.is_distorted and not camera.is_distorted:
        return (
            "the depth image has a distorted lens and the image is rectified: rectify the depth "
            "too (a topic whose name says rect), or give the raw image"
        )
    return ""
