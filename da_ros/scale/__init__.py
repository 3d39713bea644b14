"""Metric scale: from the network's relative numbers to metres, with evidence and its uncertainty.

``fit`` finds s and t of y = 1/z = s d + t among outliers (``robust`` is the arithmetic,
``correlation`` what neighbouring pixels share); ``filter`` carries them over time through
``alignment``; ``observations`` is where measured depth comes from; ``calibrator`` joins all of it
for one camera; ``extrinsic`` tells a wrongly mounted scanner; ``uncertainty`` says how far off
each pixel may be. No ROS in here; all times are message stamps.
"""
