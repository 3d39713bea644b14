from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from solids import Solid, scene_of
from torch import Tensor
from torch.nn import functional as F

from da_ros.training.scenes import soft
from da_ros.training.scenes.builder import Camera, rotation_x
from da_ros.training.scenes.render import Rendered, render
from da_ros.training.scenes.tensors import stack
from da_ros.training.scenes.textures import Atlas

HEIGHT, WIDTH = 24, 40


class TestPatterns:
    def test_rays_are_as_dense_as_their_cosine(self) -> None:
        rays, share = soft.hemisphere(8, 8)
        torch.testing.assert_close(rays.norm(dim=1), torch.ones(64))
        # Means over the hemisphere with density cos / pi: of z 2/3, of z^2 1/2, of x and y 0.
        torch.testing.assert_close(rays.mean(0), torch.tensor([0, 0, 2 / 3]), atol=0.01, rtol=0)
        assert float((rays[:, 2] ** 2).mean()) == pytest.approx(0.5, abs=0.01)
        for distance in (0.1, 0.5, 1.0, 2.0):
            reached = float((share > distance).float().mean())
            assert reached == pytest.approx(np.exp(-distance), abs=0.02)

    def test_points_fill_the_ball(self) -> None:
        points = soft.ball(8, 8)
        assert points.norm(dim=1).max() < 1
        assert points.mean(0).norm() < 0.04
        spread = points.T @ points / 64  # of an even ball: r^2 / 5 each way
        torch.testing.assert_close(spread, 0.2 * torch.eye(3), atol=0.03, rtol=0)

    def test_every_quarter_of_a_block_is_a_coarse_copy_of_it(self) -> None:
        whole = soft._strata(16, 8).view(16, 8, 3)
        assert torch.equal(whole[:8], whole[8:])
        cells = {tuple(row) for row in (whole[:8] * 8).long().view(-1, 3)[:, :2].tolist()}
        assert len(cells) == 64
        for y in (0, 4):
            for x in (0, 4):
                quarter = (whole[y : y + 4, x : x + 4].reshape(16, 3) * 4).long()
                assert len({tuple(row) for row in quarter[:, :2].tolist()}) == 16
                levels = (whole[y : y + 4, x : x + 4, 2].flatten() * 16).long()
                assert sorted(levels.tolist()) == list(range(16))


unit = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: sum(x * x for x in v) > 0.01)


class TestAbout:
    @given(normal=unit, rays=st.lists(unit, min_size=2, max_size=2))
    @settings(deadline=None)
    def test_turns_the_third_axis_to_the_normal(
        self, normal: tuple[float, ...], rays: list[tuple[float, ...]]
    ) -> None:
        n = F.normalize(torch.tensor(normal, dtype=torch.float64), dim=0)
        r = F.normalize(torch.tensor(rays, dtype=torch.float64), dim=1)
        turned = soft.about(n.expand(2, 3), r)
        torch.testing.assert_close(turned @ n, r[:, 2])
        torch.testing.assert_close(turned[0] @ turned[1], r[0] @ r[1])


class TestShare:
    def test_is_the_mean_of_what_shows_the_same_surface(self) -> None:
        """Against the two means of the docstring's windows, pixel by pixel."""
        rng = torch.Generator().manual_seed(0)
        values = torch.rand((2, HEIGHT * WIDTH), generator=rng)
        index = torch.randint(-2, 2, (2, 3, 4), generator=rng)
        index = index.repeat_interleave(HEIGHT // 3, 1).repeat_interleave(WIDTH // 4, 2)
        normal = torch.zeros(2, HEIGHT, WIDTH, 3)
        normal[..., 1] = -1.0
        normal[:, :, ::3] = F.normalize(torch.tensor([0.0, -1.0, 1.0]), dim=0)
        shared = soft.share(values, index.flatten(1), normal.flatten(1, 2), HEIGHT, WIDTH)
        for k in range(2):
            slow = values[k].view(HEIGHT, WIDTH)
            for places in ((-1, 0, 1, 2), (-2, 2)):
                slow = slow_mean(slow, index[k], normal[k], places)
            torch.testing.assert_close(shared[k].view(HEIGHT, WIDTH), slow)


def slow_mean(values: Tensor, index: Tensor, normal: Tensor, places: tuple[int, ...]) -> Tensor:
    made = values.clone()
    for y in range(HEIGHT):
        for x in range(WIDTH):
            there = []
            for dy in places:
                for dx in places:
                    v, u = min(max(y + dy, 0), HEIGHT - 1), min(max(x + dx, 0), WIDTH - 1)
                    facing = float(normal[y, x] @ normal[v, u])
                    if index[v, u] == index[y, x] and facing > soft.SAME_WAY:
                        there.append(float(values[v, u]))
            if there:
                made[y, x] = float(np.mean(there))
    return made


def seen_from_above(solid: Solid, atlas: Atlas, **light: object) -> Rendered:
    """Ground and one solid from 2 m above the origin, x to the right."""
    scene = scene_of(solid, ground=True)
    lighting = replace(scene.lighting, **light)  # type: ignore[arg-type]
    camera = Camera(1.0, (0.0, -2.0, 0.0), rotation_x(-np.pi / 2))
    return render(stack([replace(scene, lighting=lighting, camera=camera)], "cpu"), atlas, 96, 128)


def across(shot: Rendered) -> tuple[np.ndarray, np.ndarray]:
    """Where the pixels of the middle rows lie along x [m], and how bright the ground is there."""
    x = 2.0 * (np.arange(128) + 0.5 - 64) / 128
    bright = shot.radiance[0, 44:52, :, 1]
    return x, bright.mean(0).numpy()


class TestLight:
    def test_at_the_foot_of_a_high_wall_half_the_sky_is_gone(self, atlas: Atlas) -> None:
        wall = Solid("box", (0.55, -5.0, 0.0), (0.5, 5.0, 9.0))  # its face at x = 0.05
        dark = {"sun": 0.0, "fill": 0.0, "ambient": 1.0, "reach": 100.0}
        x, whole = across(seen_from_above(wall, atlas, shade=0.0, **dark))
        _, shaded = across(seen_from_above(wall, atlas, shade=1.0, **dark))
        ratio = shaded / whole
        near = (x > -0.1) & (x < 0.03)
        assert ratio[near].mean() == pytest.approx(0.5, abs=0.06)
        _, half = across(seen_from_above(wall, atlas, shade=0.5, **dark))
        assert (half / whole)[near].mean() == pytest.approx(0.75, abs=0.03)
        short = {**dark, "reach": 0.05}
        _, only_near = across(seen_from_above(wall, atlas, shade=1.0, **short))
        assert (only_near / whole)[x < -0.5].min() > 0.98

    def test_a_large_lamp_has_soft_shadows(self, atlas: Atlas) -> None:
        """A board's edge at x = 0, halfway up to the lamp: of the ball, what is left of -x shows.

        The share of a ball's volume beyond a plane is a cubic of the plane's place.
        """
        x, share = lit_below_a_board(0.3, atlas)
        place = (x / 0.3).clip(-1, 1)
        expected = 0.5 - 0.75 * place + 0.25 * place**3
        assert ((x > -0.2) & (x < 0.2)).sum() > 1000
        assert np.abs(share - expected).mean() < 0.03
        assert np.abs(share - expected).max() < 0.2

    def test_a_point_of_light_has_sharp_ones(self, atlas: Atlas) -> None:
        x, share = lit_below_a_board(0.0, atlas)
        assert set(np.unique(share)) == {0.0, 1.0}
        assert share[x < -0.02].min() == 1.0
        assert share[x > 0.02].max() == 0.0


def lit_below_a_board(size: float, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """Places on the ground along x [m], and the share of a lamp 2 m up that they see."""
    lamp = {"position": (0.0, -2.0, 0.0), "sun": 1.0, "ambient": 0.0, "fill": 0.0, "size": size}
    camera = Camera(1.0, (0.0, -0.9, 0.0), rotation_x(-np.pi / 2))  # from below the board
    seen = []
    board = Solid("box", (3.0, -1.0, 0.0), (3.0, 0.002, 3.0))
    for scene in (scene_of(board, ground=True), scene_of(ground=True)):
        lighting = replace(scene.lighting, **lamp)  # type: ignore[arg-type]
        scenes = stack([replace(scene, lighting=lighting, camera=camera)], "cpu")
        shot = render(scenes, atlas, 192, 256)
        assert bool((shot.index == -2).all())
        seen.append(shot.radiance[0, ..., 1].numpy())
    x = 0.9 * (np.arange(256) + 0.5 - 128) / 256
    inside = slice(8, -8)  # where no window is cut off
    share = (seen[0] / seen[1])[inside, inside]
    return np.broadcast_to(x[inside], share.shape), share
