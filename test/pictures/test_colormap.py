"""Colour maps, held to scikit-image's CIELAB and CIEDE2000."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab

from da_ros.errors import ParameterError
from da_ros.pictures.colormap import (
    COLORMAPS,
    NOT_A_NUMBER,
    TOO_FAR,
    TOO_NEAR,
    color_table,
    colorize,
    colorize_on_device,
    value_range,
)


def lab_of(table: np.ndarray) -> np.ndarray:
    return rgb2lab(table[None] / 255.0)[0]


class TestColorTable:
    @pytest.mark.parametrize("name", COLORMAPS)
    def test_lightness_only_rises_towards_near(self, name: str) -> None:
        lightness = lab_of(color_table(name))[:, 0]
        assert np.diff(lightness).min() > -0.05  # rounding to 8 bits
        assert lightness[0] < 10.0
        assert lightness[-1] > 90.0

    def test_equal_steps_look_alike(self) -> None:
        lab = lab_of(color_table("ember"))
        steps = deltaE_ciede2000(lab[:-8:8], lab[8::8])
        assert steps.max() / steps.min() < 2.5
        assert steps.std() / steps.mean() < 0.25

    def test_near_end_is_warm_and_far_end_is_cold(self) -> None:
        red, _, blue = color_table("ember")[-1].astype(int)
        assert red > blue + 50
        red, _, blue = color_table("ember")[0].astype(int)
        assert blue > red

    @pytest.mark.parametrize("name", COLORMAPS)
    def test_special_colours_are_not_on_the_map(self, name: str) -> None:
        specials = np.array([NOT_A_NUMBER, TOO_FAR, TOO_NEAR])
        others = np.concatenate([color_table(name), np.roll(specials, 1, axis=0)])
        for special in specials:
            difference = deltaE_ciede2000(lab_of(others), lab_of(special[None]))
            assert difference[difference > 0.0].min() > 8.0

    def test_unknown_name_is_refused_with_the_list(self) -> None:
        with pytest.raises(ParameterError, match=r"expected one of ember, gray, got 'jet'"):
            color_table("jet")

    def test_table_cannot_be_spoilt(self) -> None:
        with pytest.raises(ValueError, match="read-only"):
            color_table("ember")[0] = 0


class TestColorize:
    def test_ends_and_middle(self) -> None:
        table = color_table("ember")
        painted = colorize(np.array([1.0, 5.5, 10.0]), near=1.0, far=10.0)
        assert painted.tolist() == [table[255].tolist(), table[128].tolist(), table[0].tolist()]

    def test_inverse_depth_has_near_above_far(self) -> None:
        painted = colorize(np.array([0.0, 3.0]), near=3.0, far=0.0)
        assert painted.tolist() == color_table("ember")[[0, 255]].tolist()

    def test_outside_takes_the_nearer_end(self) -> None:
        painted = colorize(np.array([-4.0, 99.0]), near=0.0, far=10.0)
        assert painted.tolist() == color_table("ember")[[255, 0]].tolist()

    def test_what_is_no_number_has_its_own_colour(self) -> None:
        painted = colorize(np.array([[np.nan, np.inf], [-np.inf, 1.0]]), 0.5, 2.0)
        assert painted[0].tolist() == [list(NOT_A_NUMBER), list(TOO_FAR)]
        assert painted[1, 0].tolist() == list(TOO_NEAR)

    def test_equal_ends_paint_everything_mid_way(self) -> None:
        painted = colorize(np.array([2.0, 2.0, np.nan]), 2.0, 2.0)
        assert painted[0].tolist() == color_table("ember")[128].tolist()
        assert painted[2].tolist() == list(NOT_A_NUMBER)

    @pytest.mark.parametrize("ends", [(np.nan, 1.0), (0.0, np.inf)])
    def test_ends_must_be_finite(self, ends: tuple[float, float]) -> None:
        with pytest.raises(ParameterError, match="expected finite ends"):
            colorize(np.zeros(3), *ends)

    @given(
        hnp.arrays(np.float32, hnp.array_shapes(max_dims=3), elements=st.floats(width=32)),
        st.floats(-1e6, 1e6),
        st.floats(-1e6, 1e6),
    )
    def test_any_values_give_a_colour_of_the_table(
        self, values: np.ndarray, near: float, far: float
    ) -> None:
        painted = colorize(values, near, far)
        assert painted.shape == (*values.shape, 3)
        assert painted.dtype == np.uint8
        known = {tuple(c) for c in color_table("ember").tolist()}
        known |= {NOT_A_NUMBER, TOO_FAR, TOO_NEAR}
        assert {tuple(c) for c in painted.reshape(-1, 3).tolist()} <= known


class TestValueRange:
    def test_percentiles_leave_strays_out(self) -> None:
        values = np.concatenate([np.linspace(1.0, 2.0, 1001), [1e9, -1e9, np.nan, np.inf]])
        low, high = value_range(values)
        assert low == pytest.approx(1.01, abs=0.005)
        assert high == pytest.approx(1.99, abs=0.005)

    def test_nothing_finite(self) -> None:
        assert value_range(np.array([np.nan, np.inf])) == (0.0, 1.0)


DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    ),
]


@pytest.mark.parametrize("device", DEVICES)
class TestColorizeOnDevice:
    @given(
        values=hnp.arrays(np.float32, (5, 7), elements=st.floats(width=32)),
        near=st.floats(-100, 100, width=32),
        far=st.floats(-100, 100, width=32),
        name=st.sampled_from(COLORMAPS),
    )
    def test_same_bytes_as_numpy(self, device, values, near, far, name) -> None:
        painted = colorize_on_device(torch.from_numpy(values).to(device), near, far, name)
        assert painted.device.type == device
        np.testing.assert_array_equal(painted.cpu(), colorize(values, near, far, name))

    def test_same_bytes_all_over_the_range(self, device) -> None:
        values = np.random.default_rng(0).uniform(0.0, 11.0, 100_000).astype(np.float32)
        painted = colorize_on_device(torch.from_numpy(values).to(device), 0.3, 10.0)
        np.testing.assert_array_equal(painted.cpu(), colorize(values, 0.3, 10.0))

    def test_refuses_an_end_that_is_not_finite(self, device) -> None:
        with pytest.raises(ParameterError, match="expected finite ends"):
            colorize_on_device(torch.zeros(2, device=device), 0.0, float("inf"))
