"""Recorded data in, depth out, without ROS."""
