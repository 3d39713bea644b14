"""A real RGB-D recording through the real node with the shipped model: the published metres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_through_node import nano_node, play
from held_back import recorded, table
from robot import Robot

BAR = 1.10
"""AbsRel on held-back pixels over that of least squares on all pixels, these too."""


@pytest.mark.slow
def test_published_metres_on_held_back_pixels(
    robot: Robot, shared_data: Path, tmp_path: Path
) -> None:
    frames = recorded(shared_data / "bags" / "tum_fr1_rgbd_mcap")
    robot.diagnostics.clear()
    node = nano_node(tmp_path / "node.txt")
    try:
        robot.until(lambda: "active: " in node.output, "the node")
        shown = play(robot, frames)
    finally:
        code = node.end()
    assert code == 0, node.output
    scores = [one.score for one in shown]
    print("\n" + table(scores))
    assert len(scores) == len(frames) == 5
    assert all(one.pixels > 20_000 for one in scores)
    assert all(one.published <= BAR * one.oracle for one in scores)
    assert np.mean([one.published for one in scores]) < 0.15  # not only as another bad line
    inner, outer = np.mean([one.inside for one in scores], axis=0)
    assert 0.65 < inner < 0.9  # of normal errors 68 and 95 % of the pixels;
    assert 0.82 < outer < 0.98  # these have longer tails
    for one in shown:
        inside = np.isfinite(one.points[..., 2])
        rows, columns = np.nonzero(inside)
        # The cloud is the depth picture, on its rays.
        assert np.array_equal(one.points[rows, columns, 2], one.depth[rows, columns])
