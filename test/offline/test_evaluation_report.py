from __future__ import annotations

import json

import numpy as np
import pytest

from da_ros.errors import InputError
from da_ros.evaluation import Evaluated, ImageResult, Protocol, Sample, Score, evaluate, summarize
from da_ros.offline.evaluation_report import (
    CELL_WIDTH,
    WorstSheet,
    evaluation_json,
    evaluation_text,
)
from da_ros.pictures.colormap import NOT_A_NUMBER, color_table
from da_ros.types import Kind

DEPTH = Protocol.DEPTH_FROM_DISP_LS


def result(name: str, abs_rel: float, note: str = "") -> ImageResult:
    score = Score(abs_rel, 0.25, 0.75)
    scores = {"model": score, "row_fit": Score(0.5, 1.0, 0.125), "plane_fit": score}
    return ImageResult(name, name.split("_", maxsplit=1)[0], 100, scores, note=note)


def evaluated(name: str = "a_1", factor: float = 1.0) -> Evaluated:
    """A ramp whose left half is unknown, predicted too far by a factor."""
    depth = np.tile(np.linspace(1.0, 4.0, 64, dtype=np.float32), (48, 1))
    depth[:, :32] = np.nan
    rgb = np.full((48, 64, 3), 77, np.uint8)
    (item,) = evaluate(
        [Sample(name, "a", rgb, depth)],
        lambda _: factor * np.tile(np.linspace(1.0, 4.0, 64), (48, 1)),
        Kind.METRIC_DEPTH,
        Protocol.METRIC_RAW,
        80.0,
    )
    return item


class TestEvaluationText:
    def test_table(self) -> None:
        results = [result("a_1", 0.1), result("b_1", 0.2), result("b_2", 0.4, "odd fit")]
        results.append(ImageResult("c_1", "c", 2, note="2 valid pixels"))
        text = evaluation_text(results, summarize(results), {"protocol": "p", "cap": 80})
        lines = text.splitlines()
        assert lines[0] == "protocol p, cap 80"
        cells = {line.split("  ")[0]: line for line in lines if " / " in line}
        assert "0.1000 / 0.250 / 0.750" in cells["a"]
        assert "0.3000 / 0.250 / 0.750" in cells["b"]
        assert "0.2000 / 0.250 / 0.750" in cells["mean of groups"]
        assert "0.2333 / 0.250 / 0.750" in cells["mean of images"]
        assert "0.5000 / 1.000 / 0.125" in cells["a"]
        assert "worst: b_2 0.400, b_1 0.200, a_1 0.100" in lines
        assert "note: b_2: odd fit" in lines
        assert "note: c_1: 2 valid pixels" in lines
        assert lines[-1] == "1 of 4 images were not scored"

    def test_columns_stand_below_each_other(self) -> None:
        results = [result("a_1", 0.1), result("averylongname_1", 0.2)]
        lines = evaluation_text(results, summarize(results), {}).splitlines()
        table = [line for line in lines if " / 0.125" in line]
        assert len(table) == 4
        assert len({line.index("0.5000 / 1.000") for line in table}) == 1


class TestEvaluationJson:
    def test_is_json_with_every_image(self) -> None:
        results = [result("a_1", 0.1), ImageResult("b_1", "b", 2, note="2 valid pixels")]
        got = json.loads(json.dumps(evaluation_json(results, summarize(results), {"cap": 80})))
        assert got["settings"] == {"cap": 80}
        assert got["groups"]["a"]["scores"]["model"]["abs_rel"] == 0.1
        assert got["mean_over_images"]["images"] == 1
        assert [image["name"] for image in got["images"]] == ["a_1", "b_1"]
        assert got["images"][1]["note"] == "2 valid pixels"


class TestWorstSheet:
    @staticmethod
    def cells(picture: np.ndarray) -> list[np.ndarray]:
        """The four pictures of the last row."""
        height = CELL_WIDTH * 48 // 64
        strip = picture[-height - 6 : -6]
        return [strip[:, 6 + i * (CELL_WIDTH + 6) :][:, :CELL_WIDTH] for i in range(4)]

    def test_perfect_prediction(self) -> None:
        sheet = WorstSheet(Protocol.METRIC_RAW, 80.0)
        sheet.add(evaluated())
        image, prediction, truth, error = self.cells(sheet.picture())
        half = CELL_WIDTH // 2 + 8
        assert (image == 77).all()
        assert np.abs(prediction[:, half:].astype(int) - truth[:, half:]).max() <= 12
        assert (truth[:, : CELL_WIDTH // 2 - 8] == NOT_A_NUMBER).all()
        assert (error[:, half:] == color_table("ember")[0]).all()

    def test_error_of_half_is_bright(self) -> None:
        sheet = WorstSheet(Protocol.METRIC_RAW, 80.0)
        sheet.add(evaluated(factor=1.6))
        error = self.cells(sheet.picture())[3]
        assert (error[:, CELL_WIDTH // 2 + 8 :] == color_table("ember")[255]).all()

    def test_worst_come_first_and_only_so_many(self) -> None:
        sheet, single = WorstSheet(DEPTH, 80.0), WorstSheet(DEPTH, 80.0)
        for index in range(45):
            sheet.add(evaluated(f"a_{index}", 1.0 + index / 100))
        single.add(evaluated())
        rows = [caption.split()[0] for _, caption, _ in sheet._rows]
        assert rows == [f"a_{index}" for index in range(44, 4, -1)]
        row_height = single.picture().shape[0]
        assert sheet.picture().shape[0] < 41 * row_height

    def test_unscored_images_are_left_out(self) -> None:
        sheet = WorstSheet(DEPTH, 80.0)
        item = evaluated()
        sheet.add(Evaluated(item.sample, ImageResult("x", "x", 0, note="none"), None))
        with pytest.raises(InputError, match="at least one picture"):
            sheet.picture()
