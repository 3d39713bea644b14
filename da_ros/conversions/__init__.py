"""Message fields to arrays and back, duck-typed: one code for rclpy's and rosbags' messages."""

from __future__ import annotations

from da_ros.conversions.compressed import compressed_image_to_rgb, decode_compressed
from da_ros.conversions.encodings import ENCODINGS, Encoding, encoding_named
from da_ros.conversions.fields import (
    Fields,
    camera_fields_of,
    camera_info_fields,
    cloud_fields,
    header_of,
    image_fields,
    message_data,
)
from da_ros.conversions.images import DecodedImage, decode_image, image_to_rgb
from da_ros.conversions.own_fields import (
    depth_info_fields,
    retracted_estimate,
    scale_estimate_fields,
)

__all__ = [
    "ENCODINGS",
    "DecodedImage",
    "Encoding",
    "Fields",
    "camera_fields_of",
    "camera_info_fields",
    "cloud_fields",
    "compressed_image_to_rgb",
    "decode_compressed",
    "decode_image",
    "depth_info_fields",
    "encoding_named",
    "header_of",
    "image_fields",
    "image_to_rgb",
    "message_data",
    "retracted_estimate",
    "scale_estimate_fields",
]
