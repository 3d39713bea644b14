from __future__ import annotations

import layouts
import pytest

from da_ros.network.build import build_network, empty_state
from da_ros.network.depth_anything import UNUSED_KEYS
from da_ros.network.variants import REGISTRY

ROWS = [name for name in REGISTRY if name != "nano"]


class TestLayouts:
    """The table that the tests build files from has the published counts."""

    @pytest.mark.parametrize("size", layouts.SIZES)
    def test_counts(self, size: str) -> None:
        shapes = layouts.official_shapes(size)
        assert len(shapes) == layouts.TENSORS[size]
        parameters = sum(layouts.torch.Size(shape).numel() for shape in shapes.values())
        assert parameters == layouts.PARAMETERS[size]


class TestEmptyState:
    @pytest.mark.parametrize("name", ROWS)
    def test_is_the_published_layout_without_what_is_never_used(self, name: str) -> None:
        published = layouts.official_shapes(REGISTRY[name].size)
        used = {key: shape for key, shape in published.items() if not key.startswith(UNUSED_KEYS)}
        state = empty_state(REGISTRY[name])
        assert {key: tuple(tensor.shape) for key, tensor in state.items()} == used
        assert all(tensor.device.type == "meta" for tensor in state.values())
        assert len(published) - len(used) == 5


class TestBuildNetwork:
    def test_is_ready_for_inference(self) -> None:
        for name in ("nano", "v2-small"):
            assert not build_network(REGISTRY[name]).training
