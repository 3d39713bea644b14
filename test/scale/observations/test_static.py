from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from da_ros.errors import InputError
from da_ros.scale.fit import Fit
from da_ros.scale.observations.static import (
    calibration_of_fits,
    load_calibration,
    save_calibration,
)
from da_ros.types import Kind, ModelInfo

SIZE = (252, 336)
RELATIVE = ModelInfo("nano", "ab" * 32, True, Kind.RELATIVE_INVERSE_DEPTH, None, 0.5)
METRIC = ModelInfo("metric-indoor-small", "cd" * 32, True, Kind.METRIC_DEPTH, 20.0)


def fit(values: list[float]) -> Fit:
    count = len(values)
    covariance = 1e-4 * np.eye(count)
    return Fit(
        np.array(values),
        covariance,
        covariance / 2,
        0.05,
        0.04,
        np.eye(count),
        0.03,
        np.ones(20, bool),
        20,
    )


def saved(path: Path, model: ModelInfo = RELATIVE, **changes: Any) -> Path:
    values = [2.0, 0.1] if model is RELATIVE else [1.1]
    fits = [fit([v + 0.01 * k for v in values]) for k in range(5)]
    made = calibration_of_fits(fits, model, SIZE, "depth_image", "2026-01-02T03:04:05", True)
    save_calibration(made, path)
    if changes:
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    return path


class TestRoundTrip:
    @pytest.mark.parametrize("model", [RELATIVE, METRIC])
    def test_what_is_saved_is_loaded(self, tmp_path: Path, model: ModelInfo) -> None:
        values = [2.0, 0.1] if model is RELATIVE else [1.1]
        fits = [fit([v * 1.01**k for v in values]) for k in range(7)]
        made = calibration_of_fits(fits, model, SIZE, "depth_image", "2026-01-02", True)
        save_calibration(made, tmp_path / "c.yaml")
        assert load_calibration(tmp_path / "c.yaml", model, SIZE, True) == made
        np.testing.assert_allclose(made.observed.coefficients, np.array(values) * 1.01**3)

    def test_the_spread_between_frames_is_in_the_covariance(self) -> None:
        fits = [fit([2.0 + 0.2 * (-1) ** k, 0.1]) for k in range(10)]
        made = calibration_of_fits(fits, RELATIVE, SIZE, "x", "2026", True)
        assert made.covariance[0][0] == pytest.approx(0.04 * 10 / 9 + 1e-4)
        assert made.covariance[1][1] == pytest.approx(1e-4)

    def test_no_frame_is_no_calibration(self) -> None:
        with pytest.raises(InputError, match="nothing to save"):
            calibration_of_fits([], RELATIVE, SIZE, "x", "2026", True)

    def test_an_unwritable_path_is_said(self, tmp_path: Path) -> None:
        made = calibration_of_fits([fit([1.1])], METRIC, SIZE, "x", "2026", False)
        with pytest.raises(InputError, match="cannot be written"):
            save_calibration(made, tmp_path / "none" / "c.yaml")


class TestRefusals:
    def test_another_model(self, tmp_path: Path) -> None:
        other = replace(RELATIVE, model_id="v2-small", sha256="ef" * 32)
        with pytest.raises(InputError, match=r"made with nano .*not with v2-small"):
            load_calibration(saved(tmp_path / "c.yaml"), other, SIZE, True)

    def test_another_size(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="network input of 336x252 px, not 672x504"):
            load_calibration(saved(tmp_path / "c.yaml"), RELATIVE, (504, 672), True)

    def test_another_kind(self, tmp_path: Path) -> None:
        path = saved(tmp_path / "c.yaml", METRIC)
        other = replace(METRIC, kind=Kind.RELATIVE_INVERSE_DEPTH)
        with pytest.raises(InputError, match="made for metric_depth"):
            load_calibration(path, other, SIZE, True)

    def test_a_relative_model_that_may_move(self, tmp_path: Path) -> None:
        path = saved(tmp_path / "c.yaml")
        with pytest.raises(InputError, match="a camera that stands still"):
            load_calibration(path, RELATIVE, SIZE, False)
        moved = saved(tmp_path / "d.yaml", static_camera=False)
        with pytest.raises(InputError, match="a camera that stands still"):
            load_calibration(moved, RELATIVE, SIZE, True)

    def test_a_metric_model_may_move(self, tmp_path: Path) -> None:
        path = saved(tmp_path / "c.yaml", METRIC)
        assert load_calibration(path, METRIC, SIZE, False).coefficients == (pytest.approx(1.12),)

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"format": "other"}, "with format: da_ros scale calibration 1"),
            ({"coefficients": [2.0]}, "expected 2 finite"),
            ({"coefficients": [-2.0, 0.1]}, "expected a scale > 0"),
            ({"coefficients": [2.0, float("nan")]}, "expected 2 finite"),
            ({"coefficients": "two"}, "cannot be read"),
            ({"covariance": [[1.0]]}, "expected 2 finite"),
            ({"covariance": [[1.0, 0.0], [0.0, -1.0]]}, "without negative variance"),
            ({"covariance": [[1.0, 9.0], [9.0, 1.0]]}, "without negative variance"),
            ({"covariance": [[1.0, 0.5], [0.1, 1.0]]}, "without negative variance"),
            ({"kind": "green"}, "cannot be read"),
            ({"pixel_error": -1.0}, "expected 2 finite"),
        ],
    )
    def test_numbers_that_are_no_scale(
        self, tmp_path: Path, changes: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(InputError, match=why):
            load_calibration(saved(tmp_path / "c.yaml", **changes), RELATIVE, SIZE, True)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("[1, 2]", "expected a scale calibration"),
            ("a: [", "in YAML"),
            ("", "expected a scale"),
        ],
    )
    def test_other_files(self, tmp_path: Path, text: str, why: str) -> None:
        path = tmp_path / "c.yaml"
        path.write_text(text)
        with pytest.raises(InputError, match=why):
            load_calibration(path, RELATIVE, SIZE, True)

    def test_a_missing_file_and_a_missing_key(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be read: No such file"):
            load_calibration(tmp_path / "none.yaml", RELATIVE, SIZE, True)
        document = yaml.safe_load(saved(tmp_path / "c.yaml").read_text())
        del document["date"]
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(document))
        with pytest.raises(InputError, match="without 'date'"):
            load_calibration(tmp_path / "c.yaml", RELATIVE, SIZE, True)
