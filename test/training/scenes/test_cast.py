from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from solids import SHAPES, Solid, crossing, scene_of

from da_ros.training.scenes.builder import (
    NO_CUT,
    Ground,
    Scene,
    multiply,
    rotation_x,
    rotation_y,
    rotation_z,
)
from da_ros.training.scenes.cast import FAR, axes_of, cast, ground_height
from da_ros.training.scenes.generate import write_scene
from da_ros.training.scenes.tensors import CHUNK, nowhere, stack

Vector3 = tuple[float, float, float]

number = st.floats(-1.0, 1.0, width=32)
vectors = st.tuples(number, number, number)
angles = st.floats(-3.1, 3.1)
rotations = st.builds(
    lambda a, b, c: multiply(rotation_y(a), multiply(rotation_x(b), rotation_z(c))),
    angles,
    angles,
    angles,
)
sizes = st.floats(0.05, 2.0)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[float, float, float, float]:
    normal = np.array(draw(vectors))
    length = float(np.linalg.norm(normal))
    assume(length > 0.1)
    x, y, z = (normal / length).tolist()
    return x, y, z, draw(st.floats(-0.3, 0.5))


def solids(shape: str, cut: st.SearchStrategy[tuple[float, ...]]) -> st.SearchStrategy[Solid]:
    half = st.tuples(sizes, sizes, sizes)
    return st.builds(Solid, st.just(shape), vectors, half, rotations, cut)


def first_hit(
    scene: Scene, origin: Vector3, direction: Vector3, near: float = 0.0
) -> tuple[float, int]:
    o, d = (torch.tensor([[v]], dtype=torch.float32) for v in (origin, direction))
    t, index = cast(stack([scene], "cpu"), axes_of(o), axes_of(d), near)
    return float(t), int(index)


def unit(v: Vector3) -> Vector3:
    length = math.sqrt(sum(x * x for x in v))
    assume(length > 0.1)
    return v[0] / length, v[1] / length, v[2] / length


def check_against_oracle(solid: Solid, start: Vector3, aim: Vector3) -> None:
    """One ray from outside or inside, towards the solid's neighbourhood."""
    origin = tuple(float(np.float32(5 * x)) for x in start)
    target = [solid.centre[i] + 0.7 * max(solid.half) * aim[i] for i in range(3)]
    direction = unit(tuple(target[i] - origin[i] for i in range(3)))
    expected = crossing(solid, origin, direction)
    # What barely grazes, or starts on the surface, is up to rounding.
    assume(abs(expected.depth) > 1e-2)
    assume(abs(expected.enter) > 1e-2)
    # Towards a cone's tip two roots meet, and float32 has half of its digits.
    entry = [o + expected.enter * d for o, d in zip(origin, direction, strict=True)]
    assume(solid.shape != "cone" or math.dist(entry, solid.tip) > 0.05)
    t, index = first_hit(scene_of(solid), origin, direction)
    if expected.depth > 0 or expected.enter < 0:
        assert (t, index) == (FAR, -1)
        return
    assert index == (0 if solid.shape == "box" else CHUNK)
    assert t == pytest.approx(expected.enter, abs=5e-3)
    assert abs(solid.excess([o + t * d for o, d in zip(origin, direction, strict=True)])) < 5e-3


class TestCast:
    @pytest.mark.parametrize("shape", SHAPES)
    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_enters_solids_where_their_definition_says(
        self, shape: str, data: st.DataObject
    ) -> None:
        solid = data.draw(solids(shape, st.just(NO_CUT)))
        check_against_oracle(solid, data.draw(vectors), data.draw(vectors))

    @pytest.mark.parametrize("shape", SHAPES)
    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_enters_cut_solids_where_their_definition_says(
        self, shape: str, data: st.DataObject
    ) -> None:
        solid = data.draw(solids(shape, cuts()))
        check_against_oracle(solid, data.draw(vectors), data.draw(vectors))

    @pytest.mark.parametrize(
        ("shape", "origin", "direction", "distance"),
        [
            ("box", (0.0, 0.0, -3.0), (0.0, 0.0, 1.0), 2.5),
            ("ellipsoid", (0.25, 0.0, -3.0), (0.0, 0.0, 1.0), 3.0 - math.sqrt(0.1875)),
            ("cylinder", (0.3, -3.0, 0.0), (0.0, 1.0, 0.0), 2.5),
            ("cylinder", (0.3, -3.0, 0.41), (0.0, 1.0, 0.0), FAR),
            ("cone", (0.01, -3.0, 0.0), (0.0, 1.0, 0.0), 2.52),  # beside the tip
            ("cone", (0.0, -3.0, 0.0), (0.0, 1.0, 0.0), 2.5),  # onto it
            ("cone", (0.2, -3.0, 0.0), (0.0, 1.0, 0.0), 2.9),  # steep: from above onto the side
            ("cone", (0.2, 3.0, 0.0), (0.0, -1.0, 0.0), 2.5),  # from below onto the base
            ("cone", (0.0, 0.25, -3.0), (0.0, 0.0, 1.0), 3.0 - 0.375),
        ],
    )
    def test_by_hand(
        self, shape: str, origin: Vector3, direction: Vector3, distance: float
    ) -> None:
        t, _ = first_hit(scene_of(Solid(shape)), origin, direction)
        assert t == pytest.approx(distance, rel=1e-5)

    def test_the_nearest_of_many_is_hit_and_named(self) -> None:
        rng = np.random.default_rng(4)
        shapes = [SHAPES[k % 4] for k in range(30)]
        row = [Solid(s, (0.0, 0.0, 2.0 * k), (0.4, 0.4, 0.4)) for k, s in enumerate(shapes)]
        order = rng.permutation(30)
        scene = scene_of(*(row[k] for k in order))
        boxes = [k for k in order if shapes[k] == "box"]
        rounds = [k for k in order if shapes[k] != "box"]
        padded = -(-len(boxes) // CHUNK) * CHUNK
        for start in range(-1, 29):
            t, index = first_hit(scene, (0.0, 0.0, 2.0 * start + 1.0), (0.0, 0.0, 1.0))
            hit = boxes[index] if index < padded else rounds[index - padded]
            assert hit == start + 1
            assert t == pytest.approx(0.8 if shapes[hit] == "cone" else 0.6, abs=1e-4)

    def test_distance_counts_in_lengths_of_the_direction(self) -> None:
        scene = scene_of(Solid("box", (0.0, 0.0, 5.0)))
        t, _ = first_hit(scene, (0.0, 0.0, 0.0), (0.0, 0.0, 0.5))
        assert t == pytest.approx(9.0)

    def test_hits_at_or_before_near_are_passed_through(self) -> None:
        scene = scene_of(Solid("box", (0.0, 0.0, 1.5)), Solid("box", (0.0, 0.0, 5.5)))
        forward = ((0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
        assert first_hit(scene, *forward, near=0.99)[0] == pytest.approx(1.0)
        assert first_hit(scene, *forward, near=1.0)[0] == pytest.approx(5.0)

    def test_a_batch_is_its_scenes_one_by_one(self) -> None:
        scenes = [
            scene_of(Solid("box", (0.0, 0.0, 5.0))),
            scene_of(*(Solid("cone", (0.0, 0.0, 3.0 + k)) for k in range(11)), ground=True),
            replace(scene_of(ground=True), ground=Ground(1, [(0.5, 0.3, 0.4, 1.0)])),
        ]
        rng = np.random.default_rng(2)
        directions = torch.from_numpy(rng.standard_normal((3, 40, 3))).float()
        origin = torch.tensor([0.0, -1.0, 0.0]).expand(3, 1, 3)
        together, _ = cast(stack(scenes, "cpu"), axes_of(origin), axes_of(directions), 0.02)
        for k, scene in enumerate(scenes):
            rays = axes_of(origin[k : k + 1]), axes_of(directions[k : k + 1])
            alone, _ = cast(stack([scene], "cpu"), *rays, 0.02)
            torch.testing.assert_close(together[k], alone[0], rtol=0, atol=0)

    def test_what_fills_up_the_lists_is_never_hit(self) -> None:
        rng = np.random.default_rng(3)
        rays = torch.from_numpy(rng.standard_normal((1, 500, 3))).float()
        rays[0, :3] = torch.tensor([[0.0, 1.0, 0.0], [1e-7, 1.0, 0.0], [0.0, 1.0, 1e-6]])
        rays[0, :100] *= 100  # towards the light, directions are long
        tensors = stack([scene_of()], "cpu")
        assert torch.equal(tensors.boxes[0, 0], torch.from_numpy(nowhere()))
        t, index = cast(tensors, axes_of(torch.zeros(1, 1, 3)), axes_of(rays), 0.0)
        assert (index == -1).all()
        assert (t == FAR).all()


class TestGround:
    @settings(max_examples=50, deadline=None)
    @given(vectors, st.floats(0.1, 4.0))
    def test_flat_ground_lies_at_zero(self, direction: Vector3, height: float) -> None:
        assume(abs(direction[1]) > 1e-2)
        t, index = first_hit(scene_of(ground=True), (0.3, -height, -0.2), direction)
        if direction[1] > 0:
            assert index == -2
            assert t == pytest.approx(height / direction[1], rel=1e-4)
        else:
            assert (t, index) == (FAR, -1)

    def test_a_scene_may_have_none(self) -> None:
        assert first_hit(scene_of(), (0.0, -1.0, 0.0), (0.0, 1.0, 0.2)) == (FAR, -1)

    def test_a_solid_in_front_hides_it(self) -> None:
        scene = scene_of(Solid("box"), ground=True)
        t, index = first_hit(scene, (0.0, -2.0, 0.0), (0.0, 1.0, 0.0))
        assert (t, index) == (pytest.approx(1.5), 0)

    @pytest.mark.parametrize("seed", range(4))
    def test_hills_are_hit_on_their_surface_and_not_through_it(self, seed: int) -> None:
        scene = hilly_scene(seed)
        tensors = stack([scene], "cpu")
        rng = np.random.default_rng(seed)
        rays = rng.standard_normal((400, 3)) * (1.0, 0.3, 1.0)
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        start = np.array([0.0, -1.6, 0.0])
        t, index = cast(
            tensors,
            axes_of(torch.from_numpy(start).float().expand(1, 1, 3)),
            axes_of(torch.from_numpy(rays).float()[None]),
            0.02,
        )
        hit = (index[0] == -2).numpy()
        assert 100 < hit.sum() < 400
        distance = t[0].double().numpy()[hit]
        points = start + distance[:, None] * rays[hit]
        height = literal_height(scene, points[:, 0], points[:, 2])
        assert np.abs(points[:, 1] - height).max() < 2e-3 * distance.max()
        before = start + (0.9 * distance)[:, None] * rays[hit]
        above = literal_height(scene, before[:, 0], before[:, 2]) - before[:, 1]
        assert np.mean(above > 0) > 0.97, "most rays are in the air just before they hit"

    @pytest.mark.parametrize("distance", [40.0, 400.0, 4000.0])
    def test_hills_go_on_as_far_as_flat_ground(self, distance: float) -> None:
        """Down from high above hills of a few metres: what is hit is near the mean ground."""
        scene = hilly_scene(7)
        swing = sum(abs(wave[0]) for wave in scene.ground.waves)
        high = 10 * swing + 0.25 * distance
        slope = np.array([0.0, high, distance]) / math.hypot(high, distance)
        t, index = first_hit(scene, (0.0, -high, 0.0), tuple(slope.tolist()))
        assert index == -2
        y = -high + t * slope[1]
        height = literal_height(scene, np.zeros(1), np.array([t * slope[2]]))[0]
        assert abs(y - height) < 2e-3 * t
        assert t == pytest.approx(math.hypot(high, distance), rel=2 * swing / high + 1e-3)

    def test_ground_height_is_its_waves(self) -> None:
        scene = hilly_scene(7)
        x, z = np.random.default_rng(1).uniform(-20, 20, (2, 50))
        height = ground_height(
            stack([scene], "cpu"), *(torch.from_numpy(v).float()[None] for v in (x, z))
        )
        np.testing.assert_allclose(height[0].numpy(), literal_height(scene, x, z), atol=1e-4)

    def test_ground_is_at_the_foot_of_the_camera(self) -> None:
        here = torch.zeros(1, 1)
        assert float(ground_height(stack([hilly_scene(2)], "cpu"), here, here)) == 0.0


def hilly_scene(seed: int) -> Scene:
    """The ground of an "open" scene with hills, without what stands on it."""
    for number in range(seed * 100, seed * 100 + 100):
        scene = write_scene(number, "open")
        if scene.ground.waves:
            return replace(scene_of(ground=True), ground=scene.ground)
    raise AssertionError("no hills")


def literal_height(scene: Scene, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    height = np.zeros_like(x)
    for amplitude, kx, kz, phase in scene.ground.waves:
        for k in range(len(x)):
            wave = math.sin(kx * x[k] + kz * z[k] + phase) - math.sin(phase)
            height[k] -= amplitude * wave
    return height
