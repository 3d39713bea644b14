from __future__ import annotations

import numpy as np
import pytest
import torch
from solids import SHAPES, Solid, scene_of

from da_ros.training.scenes.builder import multiply, rotation_x, rotation_y
from da_ros.training.scenes.cast import axes_of, cast
from da_ros.training.scenes.surface import Hits, surface
from da_ros.training.scenes.tensors import stack

TURN = multiply(rotation_y(0.6), rotation_x(0.4))
HALF_CUT = (0.6, -0.8, 0.0, 0.1)


def normals_of(solid: Solid) -> tuple[np.ndarray, np.ndarray]:
    """Points and normals where random rays meet one solid, (n, 3) each."""
    tensors = stack([scene_of(solid)], "cpu")
    rng = np.random.default_rng(0)
    start = rng.standard_normal((300, 3))
    start *= 4 / np.linalg.norm(start, axis=1, keepdims=True)
    rays = rng.uniform(-0.4, 0.4, (300, 3)) - start
    o, d = (torch.from_numpy(v).float()[None] for v in (start, rays))
    t, index = cast(tensors, axes_of(o), axes_of(d), 0.0)
    hits = Hits(t, index, o + t[..., None] * d, torch.nn.functional.normalize(d, dim=-1), t * 0)
    hit = (index >= 0)[0].numpy()
    normal = surface(tensors, hits).normal[0].double().numpy()
    return hits.point[0].double().numpy()[hit], normal[hit]


class TestSurface:
    @pytest.mark.parametrize("cut", [None, HALF_CUT])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_normals_point_out_of_the_solid_at_right_angles(
        self, shape: str, cut: tuple[float, float, float, float] | None
    ) -> None:
        """Along the normal one leaves the solid as fast as in any direction."""
        solid = Solid(shape, (0.1, 0.2, -0.1), (0.5, 0.8, 0.4), TURN)
        solid = solid if cut is None else Solid(shape, half=(0.5, 0.8, 0.4), cut=cut)
        points, normals = normals_of(solid)
        assert len(points) > 100
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-5)
        slanted = 0
        for p, n in zip(points, normals, strict=True):
            e = 1e-4
            slope = np.array(
                [(solid.excess(p + e * a) - solid.excess(p - e * a)) / (2 * e) for a in np.eye(3)]
            )
            slanted += slope @ n < 0.999 * np.linalg.norm(slope)
        assert slanted <= 0.03 * len(points), "all but those at an edge"

    def test_of_flat_ground_points_up(self) -> None:
        tensors = stack([scene_of(ground=True)], "cpu")
        point = torch.tensor([[[1.0, 0.0, 2.0]]])
        index = torch.full((1, 1), -2, dtype=torch.int32)
        found = surface(tensors, Hits(torch.ones(1, 1), index, point, point, torch.ones(1, 1)))
        assert found.normal.flatten().tolist() == [0.0, -1.0, 0.0]
        assert (float(found.u), float(found.v)) == (1.0, 2.0)
