from __future__ import annotations

import pytest
import torch

from da_ros.training.scenes import render as render_module
from da_ros.training.scenes.families import FAMILIES
from da_ros.training.scenes.generate import write_scene
from da_ros.training.scenes.render import pixel_rays, render
from da_ros.training.scenes.tensors import stack
from da_ros.training.scenes.textures import Atlas
from da_ros.training.scenes.tiles import _in_view, fits, tile_order

SIZE = (64, 80)


class TestTiledRendering:
    @pytest.mark.parametrize("seed", [11, 12])
    @pytest.mark.parametrize("family", FAMILIES)
    def test_is_the_untiled_one_to_the_bit(
        self, family: str, seed: int, atlas: Atlas, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scenes = stack([write_scene(seed, family)], "cpu")
        assert fits(scenes, *SIZE)
        tiled = render(scenes, atlas, *SIZE)
        monkeypatch.setattr(render_module, "fits", lambda *_: False)
        whole = render(scenes, atlas, *SIZE)
        assert torch.equal(tiled.depth, whole.depth)
        assert torch.equal(tiled.index, whole.index)
        assert torch.equal(tiled.radiance, whole.radiance)

    def test_leaves_most_solids_out_of_most_tiles(self) -> None:
        scenes = stack([write_scene(11, "room")], "cpu")
        visible = _in_view(scenes, pixel_rays(scenes, *SIZE)[0][tile_order(*SIZE)])
        assert 0 < visible.float().mean() < 0.3


class TestTileOrder:
    def test_is_every_pixel_once_in_rectangles(self) -> None:
        order = tile_order(16, 24)
        assert order.shape == (64, 6)
        assert sorted(order.flatten().tolist()) == list(range(16 * 24))
        assert order[9].tolist() == [2 * 24 + 3, 2 * 24 + 4, 2 * 24 + 5, 75, 76, 77]


class TestFits:
    def test_one_scene_whose_sides_divide(self) -> None:
        one, two = (stack([write_scene(k) for k in range(n)], "cpu") for n in (1, 2))
        assert fits(one, 64, 80)
        assert not fits(two, 64, 80)
        assert not fits(one, 60, 80)
        assert not fits(one, 64, 84)
