from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from da_ros.training.scenes.builder import Builder
from da_ros.training.scenes.generate import write_scene
from da_ros.training.scenes.outdoor import daylight, dusk

DARKEST_DAY = 0.2 * 0.2126 + 0.4 * 0.7152 + 0.7 * 0.0722  # the zenith of a clear one


def luminance(colour: tuple[float, float, float]) -> float:
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


class TestDaylight:
    @pytest.mark.parametrize("family", ["street", "open", "yard"])
    def test_some_skies_are_darker_than_any_by_day(self, family: str) -> None:
        skies = [write_scene(seed, family, 20).lighting.sky for seed in range(300)]
        dark = sum(luminance(sky) < 0.5 * DARKEST_DAY for sky in skies)
        assert 20 < dark < 90

    def test_dusk_is_as_frequent_as_it_says(self) -> None:
        def horizon(seed: int) -> float:
            builder = Builder(random.Random(seed), 4, outdoor=True)
            daylight(builder)
            return max(builder.lighting.horizon)

        evenings = sum(horizon(seed) < 0.7 for seed in range(1000))
        assert abs(evenings - 200) < 4 * math.sqrt(1000 * 0.2 * 0.8)


class TestDusk:
    @pytest.mark.parametrize("seed", range(20))
    def test_takes_light_away_and_leaves_colours(self, seed: int) -> None:
        builder = Builder(random.Random(seed), 4, outdoor=True)
        before = replace(builder.lighting)
        dusk(builder)
        after = builder.lighting
        for name in ("sky", "horizon"):
            pairs = zip(getattr(after, name), getattr(before, name), strict=True)
            assert all(0 < new < old for new, old in pairs)
        assert 0 <= after.sun < before.sun
        assert 0 < after.ambient <= before.ambient
        assert after.horizon[0] / before.horizon[0] > 0.99 * after.sky[0] / before.sky[0]
        assert (after.direction, after.fog, after.tint) == (
            before.direction,
            before.fog,
            before.tint,
        )
