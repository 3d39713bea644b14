from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from solids import Solid, scene_of

from da_ros.geometry.unproject import unproject
from da_ros.training.scenes.builder import (
    GLOSS,
    Camera,
    Scene,
    multiply,
    rotation_x,
    rotation_y,
    rotation_z,
)
from da_ros.training.scenes.generate import write_scene
from da_ros.training.scenes.render import Rendered, render
from da_ros.training.scenes.sequence import pinhole_of, pose_of
from da_ros.training.scenes.tensors import stack
from da_ros.training.scenes.textures import Atlas

HEIGHT, WIDTH = 64, 80
TILTED = Camera(
    0.7,
    (0.3, -1.2, -2.0),
    multiply(rotation_y(0.2), multiply(rotation_x(-0.3), rotation_z(0.15))),
    (0.05, -0.03),
)


def shot_of(scene: Scene, atlas: Atlas, camera: Camera, supersample: int = 1) -> Rendered:
    seen = stack([replace(scene, camera=camera)], "cpu")
    return render(seen, atlas, HEIGHT, WIDTH, supersample)


def world_points(depth: torch.Tensor, camera: Camera) -> np.ndarray:
    """Depth to points (H W, 3) in the world, through the public intrinsics and pose."""
    points = unproject(depth, pinhole_of(camera, HEIGHT, WIDTH)).double().numpy().reshape(-1, 3)
    pose = pose_of(camera)
    return points @ pose[:3, :3].T + pose[:3, 3]


class TestDepth:
    def test_is_along_the_optical_axis_at_pixel_centres(self, atlas: Atlas) -> None:
        """The floor and a box, seen aslant, lie where they are once unprojected."""
        box = Solid("box", (0.4, -0.5, 1.5), (0.5, 0.5, 0.5), rotation_y(0.4))
        shot = shot_of(scene_of(box, ground=True), atlas, TILTED)
        points, index = world_points(shot.depth[0], TILTED), shot.index[0].flatten().numpy()
        assert (index == -2).sum() > 500
        assert np.abs(points[index == -2, 1]).max() < 2e-4
        assert (index == 0).sum() > 200
        assert max(abs(box.excess(p)) for p in points[index == 0]) < 1e-3

    def test_a_wall_across_the_axis_has_one_depth(self, atlas: Atlas) -> None:
        wall = Solid("box", (0.0, 0.0, 4.5), (9.0, 9.0, 0.5))
        shot = shot_of(scene_of(wall), atlas, Camera(0.5, (0.0, 0.0, 0.0)))
        torch.testing.assert_close(shot.depth, torch.full((1, HEIGHT, WIDTH), 4.0))

    def test_of_the_sky_is_infinite(self, atlas: Atlas) -> None:
        shot = shot_of(scene_of(ground=True), atlas, Camera(0.8, (0.0, -1.0, 0.0)))
        assert shot.depth[0, : HEIGHT // 2].isposinf().all()
        assert shot.depth[0, HEIGHT // 2 :].isfinite().all()
        assert torch.equal(shot.index == -1, shot.depth.isinf())

    def test_is_that_of_pixel_centres_whatever_the_supersampling(self, atlas: Atlas) -> None:
        scene = write_scene(5, "tabletop")
        once, often = (shot_of(scene, atlas, scene.camera, n) for n in (1, 2))
        assert torch.equal(once.depth, often.depth)
        assert not torch.equal(once.radiance, often.radiance)

    def test_pictures_of_a_batch_are_those_of_its_scenes(self, atlas: Atlas) -> None:
        scenes = [write_scene(k, f) for k, f in ((3, "room"), (4, "open"), (5, "street"))]
        together = render(stack(scenes, "cpu"), atlas, HEIGHT, WIDTH)
        for k, scene in enumerate(scenes):
            alone = render(stack([scene], "cpu"), atlas, HEIGHT, WIDTH)
            torch.testing.assert_close(together.depth[k], alone.depth[0])
            torch.testing.assert_close(together.radiance[k], alone.radiance[0])


class TestColour:
    @pytest.mark.parametrize(
        ("place", "rows", "columns"),
        [
            ((1.0, 0.0, 3.0), slice(24, 40), slice(50, 80)),  # x: right
            ((-1.0, 0.0, 3.0), slice(24, 40), slice(0, 30)),
            ((0.0, -0.8, 3.0), slice(0, 26), slice(32, 48)),  # y points down
            ((0.0, 0.8, 3.0), slice(38, 64), slice(32, 48)),
        ],
    )
    def test_a_red_box_is_where_it_is(
        self, place: tuple[float, float, float], rows: slice, columns: slice, atlas: Atlas
    ) -> None:
        scene = scene_of(Solid("box", place, (0.3, 0.3, 0.3)))
        shot = shot_of(scene, atlas, Camera(0.8, (0.0, 0.0, 0.0)))
        red = shot.radiance[0, ..., 0] > 2 * shot.radiance[0, ..., 1]
        assert red[rows, columns].sum() > 50
        red[rows, columns] = False
        assert not red.any()

    def test_lies_over_the_depth(self, atlas: Atlas) -> None:
        box = Solid("box", (0.4, -0.5, 1.5), (0.5, 0.5, 0.5))
        shot = shot_of(scene_of(box, ground=True), atlas, TILTED)
        red = shot.radiance[..., 0] > shot.radiance[..., 1]
        assert torch.equal(red, shot.index == 0)

    def test_is_finite_and_never_negative(self, atlas: Atlas) -> None:
        for seed in range(4):
            scene = write_scene(seed)
            radiance = shot_of(scene, atlas, scene.camera).radiance
            assert radiance.isfinite().all()
            assert radiance.min() >= 0

    def test_what_stands_in_the_way_of_the_lamp_throws_a_shadow(self, atlas: Atlas) -> None:
        """Below the box and beside it, seen from above: the lamp is straight above the box."""
        scene = scene_of(Solid("box", (0.0, -1.0, 0.0), (0.3, 0.05, 0.3)), ground=True)
        light = replace(scene.lighting, position=(0.0, -3.0, 0.0), ambient=0.2)
        camera = Camera(0.8, (0.0, -0.5, -2.0), rotation_x(-0.3))
        shot = shot_of(replace(scene, lighting=light), atlas, camera)
        points = world_points(shot.depth[0], camera)
        ground = shot.index[0].flatten().numpy() == -2
        aside = np.abs(points[:, [0, 2]]).max(1)
        bright = shot.radiance[0].flatten(0, 1)[:, 1].numpy()
        dark = bright[ground & (aside < 0.4)]  # the shadow reaches 0.3 * 3 / 2.05 m
        lit = bright[ground & (aside > 0.5) & (aside < 0.7)]
        assert len(dark) > 20
        assert dark.max() < 0.6 * lit.min()

    def test_the_sun_throws_shadows_of_what_is_nearer_than_a_hand(self, atlas: Atlas) -> None:
        """A board 4 cm above the ground, the sun straight above, seen from beside it."""
        scene = scene_of(Solid("box", (0.0, -0.05, 0.0), (0.3, 0.01, 0.3)), ground=True)
        sun = replace(scene.lighting, position=None, direction=(0.0, -1.0, 0.0), ambient=0.2)
        camera = Camera(0.8, (0.0, -0.12, -0.8), rotation_x(-0.1))
        shot = shot_of(replace(scene, lighting=sun), atlas, camera)
        points = world_points(shot.depth[0], camera)
        ground = shot.index[0].flatten().numpy() == -2
        bright = shot.radiance[0].flatten(0, 1)[:, 1].numpy()
        inside = np.abs(points[:, [0, 2]]).max(1)
        dark, lit = bright[ground & (inside < 0.29)], bright[ground & (inside > 0.31)]
        assert len(dark) > 20
        assert dark.max() < 0.6 * lit[lit > 0].min()

    @pytest.mark.parametrize("size", [(64, 80), (60, 76)])  # in tiles and whole
    def test_shiny_things_mirror_the_sky_only_outdoors(
        self, size: tuple[int, int], atlas: Atlas
    ) -> None:
        scene = scene_of(Solid("ellipsoid", (0.0, -1.0, 2.0), (0.5, 0.5, 0.5)))
        scene.materials[:, GLOSS] = 1.0
        changes = []
        for position in (None, (0.0, -3.0, 0.0)):
            light = replace(scene.lighting, position=position, horizon=(0.0, 0.0, 0.0))
            shots = []
            for sky in ((0.0, 0.0, 0.0), (5.0, 5.0, 5.0)):
                seen = replace(scene, lighting=replace(light, sky=sky))
                shots.append(render(stack([seen], "cpu"), atlas, *size))
            on_it = shots[0].index >= 0
            assert on_it.sum() > 100
            changes.append(float((shots[1].radiance - shots[0].radiance)[on_it].max()))
        assert changes[0] > 0.05
        assert changes[1] == 0.0
