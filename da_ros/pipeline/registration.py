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
) -> str:
    """Say why a depth image cannot be one that is registered to the image.

    Args:
        depth_size: (height, width) of the depth image [px].
        depth_fields: Its camera_info, as of ``conversions.camera_fields_of``; None if unknown.
        view: Of the image.
        image_size: (height, width) of the image [px].

    Returns:
        Empty if it may be.
    """
    height, width = depth_size
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
    camera = view.camera if view.rectification is None else view.rectification.raw
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
