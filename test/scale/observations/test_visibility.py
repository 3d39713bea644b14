from __future__ import annotations

import numpy as np

from da_ros.scale.observations.visibility import VisibilityOptions, hidden_points, near_edges

SIZE = (480, 640)
OPTIONS = VisibilityOptions()


def scan(depth_of: object, spacing: tuple[int, int] = (3, 14)) -> tuple[np.ndarray, np.ndarray]:
    """Points of a scanner's beams: close along a row, far apart between rows."""
    u, v = np.meshgrid(np.arange(0, 640, spacing[0]), np.arange(0, 480, spacing[1]))
    pixels = np.stack((u.ravel(), v.ravel()), 1).astype(float)
    return pixels, depth_of(pixels)  # type: ignore[operator]


class TestHiddenPoints:
    def test_a_point_behind_a_surface(self) -> None:
        pixels, depth = scan(lambda p: np.full(len(p), 2.0))
        through = np.array([[300.5, 205.0], [100.5, 300.0]])
        pixels, depth = np.vstack((pixels, through)), np.append(depth, [5.0, 2.1])
        found = hidden_points(pixels, depth, SIZE, OPTIONS)
        np.testing.assert_array_equal(np.flatnonzero(found), [len(depth) - 2])

    def test_noise_right_before_the_camera_hides_nothing_of_its_own_surface(self) -> None:
        """At 0.4 m two centimetres are 5 %: the nearest of some points beat the rest by 10 %."""
        rng = np.random.default_rng(0)
        pixels, depth = scan(lambda p: 0.4 + 0.02 * rng.standard_normal(len(p)))
        assert hidden_points(pixels, depth, SIZE, OPTIONS).mean() > 0.05
        kept = ~hidden_points(pixels, depth, SIZE, OPTIONS, 0.02)
        assert kept.mean() > 0.99
        pixels, depth = np.vstack((pixels, [[300.5, 205.0]])), np.append(depth, 1.0)
        assert hidden_points(pixels, depth, SIZE, OPTIONS, 0.02)[-1]

    def test_a_floor_hides_nothing(self) -> None:
        def floor(p: np.ndarray) -> np.ndarray:
            return 400.0 / np.maximum(p[:, 1] - 200, 1)

        pixels, depth = scan(floor)
        below = (pixels[:, 1] > 230) & (depth < 30)
        assert not hidden_points(pixels[below], depth[below], SIZE, OPTIONS).any()

    def test_a_background_beside_an_object_stays(self) -> None:
        pixels, depth = scan(lambda p: np.where(p[:, 0] < 300, 1.0, 4.0))
        beyond = np.abs(pixels[:, 0] - 300) > 12  # At the very edge points go, and should.
        assert not hidden_points(pixels, depth, SIZE, OPTIONS)[beyond].any()

    def test_a_background_seen_through_an_object_goes(self) -> None:
        # The scanner stands beside: it sees the wall behind where the camera sees the box.
        pixels, depth = scan(lambda p: np.full(len(p), 4.0))
        box, near = scan(lambda p: np.full(len(p), 1.0), (3, 14))
        inside = (np.abs(box - [320, 240]) < [60, 60]).all(axis=1)
        pixels = np.vstack((pixels, box[inside] + [1.0, 5.0]))
        depth = np.append(depth, near[inside])
        found = hidden_points(pixels, depth, SIZE, OPTIONS)
        core = (np.abs(pixels - [320, 240]) < [45, 40]).all(axis=1)
        assert found[core & (depth > 3)].all()
        assert not found[depth < 2].any()
        away = (np.abs(pixels - [320, 240]) > [90, 90]).any(axis=1)
        assert not found[away].any()


class TestNearEdges:
    def test_both_sides_of_a_step(self) -> None:
        values = np.full((120, 160), 0.2, np.float32)
        values[:, 80:] = 1.0
        pixels = np.array([[300.0, 100.0], [317.0, 100.0], [322.0, 400.0], [340.0, 10.0]])
        found = near_edges(pixels, values, SIZE, OPTIONS)
        assert found.tolist() == [False, True, True, False]

    def test_a_slope_is_no_edge(self) -> None:
        values = np.linspace(0, 1, 160, dtype=np.float32)[None].repeat(120, axis=0)
        pixels = np.random.default_rng(0).uniform(0, 470, (100, 2))
        assert not near_edges(pixels, values, SIZE, OPTIONS).any()
