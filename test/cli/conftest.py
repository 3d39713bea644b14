"""Puts test/support on the path; a nano with seeded random weights, saved as a file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))


@pytest.fixture(scope="session")
def nano_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights whose output is about 1 +- 0.3 before the last ReLU, and differs everywhere."""
    import torch
    from safetensors.torch import save_file
    from torch import nn

    from da_ros.network.build import build_network
    from da_ros.network.variants import get_variant

    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = build_network(get_variant("nano"))  # its biases stay as they are drawn here
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        picture = torch.randn(1, 3, 192, 256)
    with torch.no_grad():
        raw = network.raw(picture)
        network.head2.weight *= 0.3 / raw.std()
        network.head2.bias += 1.0 - network.raw(picture).mean()
    path = tmp_path_factory.mktemp("weights") / "nano.safetensors"
    save_file(network.state_dict(), path)
    return path
