"""CUDA graphs: what is not recorded runs as it is; what is gives the same numbers."""

from __future__ import annotations

import pytest
import torch

from da_ros.network.depth_anything import DepthAnything
from da_ros.network.graphs import GraphedNetwork
from da_ros.network.variants import get_variant

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class TestGraphedNetwork:
    def test_runs_what_was_not_recorded(self):
        graphed = GraphedNetwork(lambda x: x * 2)
        assert torch.equal(graphed(torch.ones(2, 3)), torch.full((2, 3), 2.0))

    def test_the_result_is_the_callers_own(self):
        kept = torch.ones(3)
        made = GraphedNetwork(lambda x: kept)(torch.zeros(3))
        made += 1
        assert torch.equal(kept, torch.ones(3))

    @needs_gpu
    def test_a_recording_gives_the_same_numbers(self):
        device = torch.device("cuda")
        network = DepthAnything(get_variant("v2-small")).eval()
        network.for_inference(device, torch.bfloat16, packed=True)
        graphed = GraphedNetwork(torch.inference_mode()(network.forward_raw))
        graphed.record((1, 3, 70, 98), device)
        for seed in range(3):
            torch.manual_seed(seed)
            x = torch.randn(1, 3, 70, 98, device=device)
            with torch.inference_mode():
                expected = network.forward_raw(x)
            torch.testing.assert_close(graphed(x), expected)

    @needs_gpu
    def test_two_results_do_not_share_memory(self):
        graphed = GraphedNetwork(lambda x: x * 2)
        graphed.record((4,), torch.device("cuda"))
        first = graphed(torch.full((4,), 1.0, device="cuda"))
        graphed(torch.full((4,), 5.0, device="cuda"))
        assert first.tolist() == [2.0] * 4
