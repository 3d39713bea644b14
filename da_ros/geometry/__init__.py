"""Geometry: what a pixel, a depth and a camera mean to each other, without ROS.

``camera`` reads intrinsics and changes them with the image; ``distortion`` is the lens maths;
``rectify`` straightens images; ``depth`` turns predictions into metres; ``unproject`` lifts
metres to points; ``cloud`` filters and packs them. docs/geometry.md states the conventions.
"""
