"""Where measured depth comes from: each source says at which pixels it knows how many metres.

``depth_image``, ``point_cloud`` (with ``transforms`` and ``visibility``) and ``ground_plane`` give
``points.PixelDepths``; ``static`` reads a saved calibration.
"""
