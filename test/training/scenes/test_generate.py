from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from solids import Solid, scene_of

from da_ros.errors import ParameterError
from da_ros.training.scenes.builder import (
    BOX,
    CENTRE,
    HALF,
    MATERIAL,
    QUADRIC,
    ROTATION,
    SOLID_FIELDS,
    TEXTURE,
    Builder,
    rotation_x,
    rotation_y,
    rotation_z,
)
from da_ros.training.scenes.families import FAMILIES
from da_ros.training.scenes.generate import CLOSEST, generate, worth_seeing, write_scene
from da_ros.training.scenes.tensors import CHUNK, stack
from da_ros.training.scenes.textures import Atlas


class TestWriteScene:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_every_family_writes_sound_scenes(self, family: str) -> None:
        for seed in range(12):
            scene = write_scene(seed, family, textures=20)
            assert scene.family == family
            assert len(scene.solids) >= 3
            assert np.isfinite(scene.solids).all()
            assert (scene.solids[:, HALF] > 0).all()
            turns = scene.solids[:, ROTATION].reshape(-1, 3, 3).astype(np.float64)
            np.testing.assert_allclose(
                turns @ turns.transpose(0, 2, 1), np.eye(3)[None] + 0 * turns, atol=1e-5
            )
            assert (scene.solids[:, MATERIAL] < len(scene.materials)).all()
            assert (scene.materials[:, TEXTURE] < 20).all()
            is_box = (scene.solids[:, QUADRIC] == BOX).all(1)
            assert is_box[: scene.boxes].all()
            assert not is_box[scene.boxes :].any()
            assert 0.4 < scene.camera.focal < 1.3
            assert scene.ground.material < len(scene.materials)

    def test_the_same_seed_writes_the_same_scene(self) -> None:
        one, again, other = (write_scene(seed) for seed in (7, 7, 8))
        assert np.array_equal(one.solids, again.solids)
        assert np.array_equal(one.materials, again.materials)
        assert (one.camera, one.lighting, one.ground) == (
            again.camera,
            again.lighting,
            again.ground,
        )
        assert one.camera != other.camera

    def test_families_are_drawn_by_their_shares(self) -> None:
        drawn = [write_scene(seed).family for seed in range(300)]
        for name, family in FAMILIES.items():
            spread = math.sqrt(300 * family.share * (1 - family.share))
            assert abs(drawn.count(name) - 300 * family.share) < 4 * spread

    def test_refuses_a_family_that_is_none(self) -> None:
        with pytest.raises(ParameterError, match=r"called 'sea'; there are room, .*yard"):
            write_scene(1, "sea")

    def test_the_shares_add_up_to_one(self) -> None:
        assert sum(family.share for family in FAMILIES.values()) == pytest.approx(1.0)


class TestWorthSeeing:
    def test_several_things_are_and_a_wall_is_not(self) -> None:
        things = [Solid("box", (0.4 * k, -1.0, 3.0), (0.1, 0.3, 0.1)) for k in range(-3, 4)]
        wall = Solid("box", (0.0, -1.0, 3.0), (9.0, 9.0, 0.1))
        many, nothing, plain = scene_of(*things, ground=True), scene_of(), scene_of(wall)
        seen = worth_seeing(stack([many, nothing, plain], "cpu")).tolist()
        assert seen == [True, False, False]

    def test_a_thing_in_the_cameras_face_is_not(self) -> None:
        things = [Solid("box", (0.4 * k, -1.0, 3.0), (0.1, 0.3, 0.1)) for k in range(-3, 4)]
        close = Solid("box", (0.0, -1.0, 0.9 * CLOSEST), (0.01, 0.01, 0.01))
        far = Solid("box", (0.0, -1.0, 1.4 * CLOSEST), (0.01, 0.01, 0.01))
        scenes = [scene_of(*things, solid, ground=True) for solid in (close, far)]
        assert worth_seeing(stack(scenes, "cpu")).tolist() == [False, True]


class TestGenerate:
    def test_gives_pictures_with_their_depth(self, atlas: Atlas) -> None:
        batch = generate([1, 2], atlas, 24, 32)
        assert batch.rgb.shape == (2, 24, 32, 3)
        assert batch.rgb.dtype == torch.uint8
        assert batch.depth.shape == (2, 24, 32)
        assert (batch.depth > CLOSEST / 2).all()
        assert len(batch.scenes) == 2

    def test_one_seed_gives_one_picture_whatever_stands_beside_it(self, atlas: Atlas) -> None:
        alone, together = generate([4], atlas, 24, 32), generate([3, 4], atlas, 24, 32)
        assert np.array_equal(alone.scenes[0].solids, together.scenes[1].solids)
        difference = alone.rgb[0].float() - together.rgb[1].float()
        assert difference.abs().mean() < 1.0
        torch.testing.assert_close(alone.depth[0], together.depth[1])

    def test_of_one_family(self, atlas: Atlas) -> None:
        batch = generate([1, 2], atlas, 16, 24, 1, family="street")
        assert {scene.family for scene in batch.scenes} == {"street"}


class TestBuilder:
    def test_at_stands_in_the_frame_of_its_parent(self) -> None:
        builder = Builder(random.Random(0), 4)
        material = builder.material()
        there = builder.at(1.0, 0.0, 2.0, math.pi / 2).at(0.0, 0.0, 3.0)
        there.solid((0.0, -1.0, 0.5), (1.0, 2.0, 3.0), material)
        row = builder.scene("test").solids[0]
        np.testing.assert_allclose(row[CENTRE], (1.0 + 3.5, -1.0, 2.0), atol=1e-6)
        np.testing.assert_allclose(row[ROTATION].reshape(3, 3), rotation_y(math.pi / 2), atol=1e-6)

    def test_a_box_stands_on_its_bottom(self) -> None:
        builder = Builder(random.Random(0), 4)
        builder.box(1.0, -0.5, 2.0, 0.4, 0.6, 0.8, builder.material())
        row = builder.scene("test").solids[0]
        np.testing.assert_allclose(row[CENTRE], (1.0, -0.8, 2.0), atol=1e-6)
        np.testing.assert_allclose(row[HALF], (0.2, 0.3, 0.4), atol=1e-6)

    def test_nothing_is_thinner_than_a_millimetre_each_side(self) -> None:
        builder = Builder(random.Random(0), 4)
        builder.box(0.0, 0.0, 0.0, 1.0, 0.0, 1.0, builder.material())
        assert builder.scene("test").solids[0, HALF].min() == pytest.approx(1e-3)

    @pytest.mark.parametrize(
        ("turn", "of", "to"),
        [
            (rotation_y, (0, 0, 1), (1, 0, 0)),  # z towards x
            (rotation_x, (0, 0, 1), (0, -1, 0)),  # looks up
            (rotation_z, (1, 0, 0), (0, 1, 0)),
        ],
    )
    def test_turns_go_the_way_they_say(self, turn: object, of: object, to: object) -> None:
        rotated = np.array(turn(math.pi / 2)) @ np.array(of)  # type: ignore[operator]
        np.testing.assert_allclose(rotated, to, atol=1e-12)


class TestStack:
    def test_pads_to_whole_chunks(self) -> None:
        scenes = [scene_of(*[Solid("box")] * 9), scene_of(Solid("cone"))]
        tensors = stack(scenes, "cpu")
        assert tensors.boxes.shape == (2, 2 * CHUNK, SOLID_FIELDS)
        assert tensors.rounds.shape == (2, CHUNK, SOLID_FIELDS)
        assert not tensors.hilly
        assert len(tensors) == 2
