"""Pixels up, values down: what arrives is what was sent, whatever becomes of the original."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from da_ros.pipeline.transfer import to_device, to_host

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    ),
]


@pytest.mark.parametrize("device", DEVICES)
class TestToDevice:
    def test_a_read_only_view_with_gaps_arrives(self, device):
        padded = np.random.default_rng(0).integers(0, 256, (48, 70, 3), np.uint8)
        padded.setflags(write=False)
        there = to_device(padded[:, :64], torch.device(device))
        assert there.device.type == device
        np.testing.assert_array_equal(there.cpu(), padded[:, :64])

    def test_the_original_may_change_at_once(self, device):
        pixels = np.full((480, 640, 3), 7, np.uint8)
        sent = [to_device(pixels, torch.device(device)) for pixels[...] in range(20)]
        assert [int(one.min()) for one in sent] == list(range(20))
        assert [int(one.max()) for one in sent] == list(range(20))


@pytest.mark.parametrize("device", DEVICES)
class TestToHost:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.uint16])
    def test_values_shape_and_type_stay(self, device, dtype):
        values = torch.arange(24).reshape(2, 3, 4).to(dtype)
        made = to_host(values.to(device))
        assert made.dtype == values.numpy().dtype
        np.testing.assert_array_equal(made, values.numpy())

    def test_a_view_with_gaps(self, device):
        values = torch.arange(60, dtype=torch.float32).reshape(6, 10)
        np.testing.assert_array_equal(to_host(values.to(device)[::2, 1::3]), values[::2, 1::3])

    def test_results_do_not_share_memory(self, device):
        made = [to_host(torch.full((480, 640), float(n), device=device)) for n in range(5)]
        assert [one.max() for one in made] == [0, 1, 2, 3, 4]
