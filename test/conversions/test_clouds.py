from __future__ import annotations

import struct
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.conversions.clouds import cloud_points
from da_ros.errors import InputError


def message(
    points: np.ndarray,
    offsets: tuple[int, int, int] = (0, 4, 8),
    types: tuple[int, int, int] = (7, 7, 7),
    point_step: int = 16,
    width: int | None = None,
    row_padding: int = 0,
    big: bool = False,
) -> SimpleNamespace:
    """Packed field by field with struct: another way than the code's."""
    order, width = ">" if big else "<", width or len(points)
    height = len(points) // width
    row_step = width * point_step + row_padding
    data = bytearray(b"\xee" * (row_step * height))
    for number, point in enumerate(points):
        row, column = divmod(number, width)
        for value, offset, kind in zip(point, offsets, types, strict=True):
            at = row * row_step + column * point_step + offset
            struct.pack_into(order + ("f" if kind == 7 else "d"), data, at, value)
    fields = [
        SimpleNamespace(name=name, offset=offset, datatype=kind, count=1)
        for name, offset, kind in zip("xyz", offsets, types, strict=True)
    ]
    return SimpleNamespace(
        height=height,
        width=width,
        fields=fields,
        is_bigendian=big,
        point_step=point_step,
        row_step=row_step,
        data=bytes(data),
    )


class TestCloudPoints:
    @given(
        st.integers(1, 12),
        st.permutations([(0, 7), (4, 7), (9, 8), (20, 8)]),
        st.booleans(),
        st.integers(0, 7),
        st.integers(0, 99),
    )
    @settings(max_examples=80, deadline=None)
    def test_any_layout(
        self, count: int, places: list[tuple[int, int]], big: bool, padding: int, seed: int
    ) -> None:
        points = np.random.default_rng(seed).normal(size=(2 * count, 3)).astype(np.float32)
        offsets, types = zip(*places[:3], strict=True)
        made = message(points, offsets, types, 28 + padding, count, padding, big)
        np.testing.assert_array_equal(cloud_points(made), points)

    def test_nan_points_stay(self) -> None:
        points = np.array([[1, 2, 3], [np.nan] * 3, [4, np.inf, 6]])
        np.testing.assert_array_equal(cloud_points(message(points)), points)

    def test_no_points(self) -> None:
        made = message(np.ones((1, 3)))
        made.width, made.row_step, made.data = 0, 0, b""
        assert cloud_points(made).shape == (0, 3)

    def test_a_missing_field(self) -> None:
        made = message(np.ones((2, 3)))
        made.fields = made.fields[:2]
        with pytest.raises(InputError, match="expected fields x, y, z, got x, y"):
            cloud_points(made)

    def test_coordinates_that_are_no_floats(self) -> None:
        made = message(np.ones((2, 3)))
        made.fields[1].datatype = 5
        with pytest.raises(InputError, match="field y as FLOAT32 or FLOAT64, got type 5"):
            cloud_points(made)

    @pytest.mark.parametrize("offset", [-1, 13])
    def test_a_field_outside_the_point(self, offset: int) -> None:
        made = message(np.ones((2, 3)))
        made.fields[2].offset = offset
        with pytest.raises(InputError, match=f"field z at byte {offset} leaves the point"):
            cloud_points(made)

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"data": b"123"}, "cut short"),
            ({"point_step": 0}, "steps are wrong"),
            ({"row_step": 8}, "steps are wrong"),
            ({"width": 2**40}, "damaged"),
            ({"width": -2}, "damaged"),
        ],
    )
    def test_damaged_messages(self, change: dict[str, object], why: str) -> None:
        made = message(np.ones((2, 3)))
        with pytest.raises(InputError, match=why):
            cloud_points(SimpleNamespace(**(vars(made) | change)))
