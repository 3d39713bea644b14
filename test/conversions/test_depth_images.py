from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.conversions.depth_images import decode_depth
from da_ros.errors import InputError


def message(
    values: np.ndarray, encoding: str, padding: int = 0, big: bool = False
) -> SimpleNamespace:
    rows = values.astype(values.dtype.newbyteorder(">" if big else "<"))
    step = values.shape[1] * values.itemsize + padding
    data = b"".join(row.tobytes() + b"\xff" * padding for row in rows)
    height, width = values.shape
    return SimpleNamespace(
        height=height, width=width, encoding=encoding, is_bigendian=int(big), step=step, data=data
    )


class TestDecodeDepth:
    @given(
        st.integers(1, 9), st.integers(1, 9), st.integers(0, 5), st.booleans(), st.integers(0, 99)
    )
    @settings(max_examples=60, deadline=None)
    def test_millimetres(self, height: int, width: int, pad: int, big: bool, seed: int) -> None:
        values = np.random.default_rng(seed).integers(0, 4, (height, width)).astype(np.uint16)
        values *= 20_000
        found = decode_depth(message(values, "16UC1", pad, big))
        wanted = [[np.nan if v == 0 else v / 1000 for v in row] for row in values]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        assert found.dtype == np.float32

    @pytest.mark.parametrize("big", [False, True])
    def test_metres_stay_as_they_are(self, big: bool) -> None:
        values = np.array([[1.5, np.nan], [np.inf, 0.0], [-np.inf, 65.0]], np.float32)
        np.testing.assert_array_equal(decode_depth(message(values, "32FC1", 3, big)), values)

    def test_the_last_rows_padding_may_be_missing(self) -> None:
        made = message(np.ones((3, 2), np.uint16), "16UC1", padding=4)
        made.data = made.data[:-4]
        np.testing.assert_allclose(decode_depth(made), 0.001)

    def test_other_encodings_are_refused(self) -> None:
        with pytest.raises(InputError, match="'rgb8' is not supported; supported: 16UC1"):
            decode_depth(message(np.ones((3, 2), np.uint16), "rgb8"))

    @pytest.mark.parametrize("change", [{"step": 3}, {"data": b"123"}, {"height": 4}])
    def test_what_was_cut_short_is_refused(self, change: dict[str, object]) -> None:
        made = message(np.ones((3, 2), np.uint16), "16UC1")
        with pytest.raises(InputError, match="cut short"):
            decode_depth(SimpleNamespace(**(vars(made) | change)))

    def test_no_size_is_refused(self) -> None:
        made = message(np.ones((3, 2), np.uint16), "16UC1")
        made.height = 0
        with pytest.raises(InputError, match="at least 1 x 1"):
            decode_depth(made)
