"""The network under the official positional rule, against figures recorded from the public code.

``official_figures.json`` holds numbers only: the public code at the commit it names was run once
on the same seeded weights and pictures.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import torch
from scaled_weights import digest_of, picture, scaled_state

from da_ros.network.depth_anything import UNUSED_KEYS, DepthAnything
from da_ros.network.variants import get_variant

FIGURES = json.loads((Path(__file__).parent / "official_figures.json").read_text())


@cache
def state_of(name: str, seed: int) -> dict[str, torch.Tensor]:
    return scaled_state(get_variant(name), seed)


@pytest.mark.parametrize(
    "case",
    FIGURES["cases"],
    ids=lambda case: f"{case['variant']}-{case['height']}x{case['width']}",
)
class TestOfficialFigures:
    def test_our_network_gives_them(self, case):
        state = state_of(case["variant"], case["seed"])
        drawn = "alike" if digest_of(state) == case["weights_sha256"] else "differently"
        raw, final = self.run(case, state, "official")
        tolerance = 1e-4 * case["raw_std"]
        assert raw == pytest.approx(case["raw"], abs=tolerance), f"weights were drawn {drawn}"
        slope = (get_variant(case["variant"]).max_depth or 4.0) / 4
        assert final == pytest.approx(case["output"], abs=slope * tolerance)

    def test_the_other_rule_does_not(self, case):
        if case["height"] == 518:
            pytest.skip("small sizes show it; at 518x518 the rules agree")
        state = state_of(case["variant"], case["seed"])
        raw, _ = self.run(case, state, "huggingface")
        assert raw != pytest.approx(case["raw"], abs=1e-3 * case["raw_std"])

    @staticmethod
    def run(case, state, rule):
        network = DepthAnything(get_variant(case["variant"]), rule).eval()
        used = {name: value for name, value in state.items() if not name.startswith(UNUSED_KEYS)}
        network.load_state_dict(used)
        image = picture(case["height"], case["width"], case["seed"])
        with torch.inference_mode():
            raw = network.forward_raw(image)[0]
            final = network.activate(raw)
        places = (case["rows"], case["columns"])
        return raw[places].tolist(), final[places].tolist()
