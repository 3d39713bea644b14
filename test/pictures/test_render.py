"""The cloud view, held to a pinhole projection written out for single points."""

from __future__ import annotations

import numpy as np
import pytest

from da_ros.errors import ShapeError
from da_ros.pictures.render import BACKGROUND, render_cloud

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def middle_of(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Mean (row, column) of a colour; NaN where it is not seen."""
    seen = np.argwhere((picture == colour).all(axis=-1))
    return seen.mean(axis=0) if len(seen) else np.array([np.nan, np.nan])


def wall(
    z: float, colour: tuple[int, int, int], half: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.linspace(-half, half, 90), np.linspace(-half, half, 90))
    points = np.stack([x, y, np.full_like(x, z)], axis=-1)
    return points, np.broadcast_to(np.array(colour, np.uint8), points.shape).copy()


class TestRenderCloud:
    def test_right_is_right_and_down_is_down(self) -> None:
        points = np.array([[1.0, 0, 5], [-1, 0, 5], [0, 1, 5], [0, -1, 5]])
        rgb = np.array([RED, GREEN, BLUE, (9, 9, 9)], np.uint8)
        picture = render_cloud(points, rgb, yaw_deg=0, pitch_deg=0, width=200, height=200)
        assert middle_of(picture, RED)[1] > 150 > 50 > middle_of(picture, GREEN)[1]
        assert middle_of(picture, BLUE)[0] > 150
        # Symmetric about the middle of the picture, but for the size of a square.
        assert middle_of(picture, RED)[0] == pytest.approx(100, abs=4)

    def test_seen_from_the_right_far_things_move_right(self) -> None:
        points = np.array([[0.0, 0, 3], [0, 0, 6], [1, 1, 4], [-1, -1, 5]])
        rgb = np.array([RED, GREEN, BLUE, BLUE], np.uint8)
        picture = render_cloud(points, rgb, yaw_deg=30, pitch_deg=0)
        assert middle_of(picture, GREEN)[1] > middle_of(picture, RED)[1] + 20

    def test_seen_from_above_far_things_move_up(self) -> None:
        points = np.array([[0.0, 0, 3], [0, 0, 6], [1, 1, 4], [-1, -1, 5]])
        rgb = np.array([RED, GREEN, BLUE, BLUE], np.uint8)
        picture = render_cloud(points, rgb, yaw_deg=0, pitch_deg=30)
        assert middle_of(picture, GREEN)[0] < middle_of(picture, RED)[0] - 20

    @pytest.mark.parametrize("near_first", [True, False])
    def test_near_wall_hides_far_wall(self, near_first: bool) -> None:
        walls = [wall(2.0, RED), wall(4.0, GREEN, half=0.5)]
        if not near_first:
            walls.reverse()
        points = np.concatenate([w[0].reshape(-1, 3) for w in walls])
        rgb = np.concatenate([w[1].reshape(-1, 3) for w in walls])
        picture = render_cloud(points, rgb, yaw_deg=0, pitch_deg=0)
        assert not (picture == GREEN).all(axis=-1).any()

    def test_surface_is_closed_and_fills_the_picture(self) -> None:
        points, rgb = wall(3.0, RED)
        picture = render_cloud(points, rgb, yaw_deg=0, pitch_deg=0, width=300, height=300)
        rows, columns = np.nonzero((picture == RED).all(axis=-1))
        inside = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (inside == RED).all()
        assert len(rows) > 0.75 * 300 * 300

    def test_framed_by_another_cloud(self) -> None:
        """A wall at twice the distance looks half as large, if it is seen from the same place."""
        near, rgb = wall(3.0, RED)
        far, _ = wall(6.0, RED)
        view = {"yaw_deg": 0.0, "pitch_deg": 0.0}
        alone = render_cloud(far, rgb, **view)
        together = render_cloud(far, rgb, **view, framed_by=near)
        assert np.array_equal(
            render_cloud(near, rgb, **view, framed_by=near), render_cloud(near, rgb, **view)
        )
        assert (together == RED).all(axis=-1).sum() < 0.7 * (alone == RED).all(axis=-1).sum()

    def test_no_finite_point_is_all_background(self) -> None:
        picture = render_cloud(np.full((4, 3), np.nan), np.zeros((4, 3), np.uint8))
        assert (picture == BACKGROUND).all()

    def test_single_point(self) -> None:
        picture = render_cloud(np.array([[0.0, 0, 1]]), np.array([RED], np.uint8))
        assert (picture == RED).all(axis=-1).any()

    def test_sizes_must_match(self) -> None:
        with pytest.raises(ShapeError, match="expected points and colours"):
            render_cloud(np.zeros((4, 3)), np.zeros((5, 3), np.uint8))
