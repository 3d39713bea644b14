"""Published values of the real weights, where they are on this machine; skipped elsewhere.

Source: MODEL_FACTS, section 2: transformers' conversion script on COCO val2017 39769.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from da_ros.errors import WeightsError
from da_ros.network.depth_anything import DepthAnything
from da_ros.network.locations import find_weights
from da_ros.network.preprocess import DEVIATION, MEAN
from da_ros.network.variants import get_variant
from da_ros.network.weights import load_weights

CORNER = [[2.6751, 2.6211, 2.6571], [2.5820, 2.6138, 2.6271], [2.6160, 2.6141, 2.6306]]

FIRST_VALUES = {
    "v2-small": 2.6751,
    "v2-base": 4.3576,
    "v2-large": 162.2751,
    "metric-indoor-small": 1.3349,
    "metric-indoor-base": 1.4601,
    "metric-indoor-large": 1.5040,
    "metric-outdoor-small": 9.5804,
    "metric-outdoor-base": 10.2916,
    "metric-outdoor-large": 14.0137,
    "v1-small": 8.8204,
    "v1-base": 26.3997,
    "v1-large": 87.9968,
}


@pytest.fixture(scope="module")
def cats(shared_data):
    """As transformers' image processor prepares it: PIL's bicubic on bytes."""
    image = pytest.importorskip("PIL.Image")
    photo = image.open(shared_data / "photos" / "coco_000000039769.png").convert("RGB")
    resized = np.asarray(photo.resize((686, 518), image.Resampling.BICUBIC)) / 255
    normalised = (resized - MEAN) / DEVIATION
    return torch.from_numpy(normalised.transpose(2, 0, 1)[None]).float()


def corner(name: str, prepared: torch.Tensor) -> np.ndarray:
    variant = get_variant(name)
    try:
        path = find_weights(variant)
    except WeightsError as error:
        pytest.skip(f"no weights of {name} on this machine ({error.fault})")
    network = DepthAnything(variant, "huggingface").eval()
    network.load_state_dict(load_weights(path, variant).state_dict)
    with torch.inference_mode():
        return network(prepared)[0, :3, :3].numpy()


class TestGoldenValues:
    @pytest.mark.parametrize("name", FIRST_VALUES)
    def test_the_first_pixel(self, cats, name):
        # Four printed decimals; 1e-6 of the value more for the large ones' float32.
        expected = FIRST_VALUES[name]
        assert corner(name, cats)[0, 0] == pytest.approx(expected, abs=1e-4 + 1e-6 * expected)

    def test_the_corner_of_the_small_one(self, cats):
        np.testing.assert_allclose(corner("v2-small", cats), CORNER, atol=1e-4)
