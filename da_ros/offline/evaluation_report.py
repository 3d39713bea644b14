"""What an evaluation found, as text, as JSON and as a picture sheet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from da_ros.evaluation import (
    Evaluated,
    ImageResult,
    Means,
    Protocol,
    Score,
    Summary,
    valid_pixels,
)
from da_ros.evaluation.ordering import LEAST_RATIO
from da_ros.geometry.depth import resize_prediction
from da_ros.network.estimator import DepthEstimator
from da_ros.pictures.colormap import colorize, value_range
from da_ros.pictures.sheet import contact_sheet, fit_width

ByteImage = npt.NDArray[np.uint8]

COLUMNS = {"model": "model", "row_fit": "row fit", "plane_fit": "plane fit"}
HEADINGS = (
    "image",
    "prediction, aligned (near is bright)",
    "truth",
    "error: dark 0, bright 50 %",
)
CELL_WIDTH = 320
MOST_ROWS = 40
WORST = 5
LARGEST_ERROR = 0.5


def predictor(
    estimator: DepthEstimator,
) -> Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]:
    """Make a function from image (H, W, 3) to the model's own output at (H, W)."""

    def predict(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        values = estimator.estimate(rgb[None]).values
        return resize_prediction(values, *rgb.shape[:2])[0].cpu().numpy()

    return predict


def evaluation_text(
    results: Sequence[ImageResult], summary: Summary, settings: Mapping[str, Any]
) -> str:
    """Lay out the figures as a table.

    Args:
        results: Of all images.
        summary: Of the same.
        settings: From the caller: protocol, cap, crop and so on; what is itself a mapping is not
            for the table.

    Returns:
        Lines of text.
    """
    plain = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    head = ", ".join(f"{name} {value}" for name, value in plain.items())
    rows = [_header(), *(_row(name, means) for name, means in summary.groups.items())]
    rows.append(_row("mean of groups", summary.over_groups))
    rows.append(_row("mean of images", summary.over_images))
    lines = [head, "each cell: AbsRel / RMSE / delta1", "", *_aligned(rows)]
    worst = sorted(
        (result for result in results if result.scores),
        key=lambda result: -result.scores["model"].abs_rel,
    )
    if summary.ordering is not None:
        lines += ["", f"ordering: {ordering_line(summary.ordering)}"]
    lines += ["", "worst: " + ", ".join(_short(result) for result in worst[:WORST])]
    lines += [f"note: {result.name}: {result.note}" for result in results if result.note]
    if summary.unscored:
        lines.append(f"{len(summary.unscored)} of {len(results)} images were not scored")
    return "\n".join(lines)


def ordering_line(share: float) -> str:
    """The ordering score in words."""
    return f"{share:.1%} of pixel pairs more than {LEAST_RATIO - 1:.0%} apart ordered right"


def evaluation_json(
    results: Sequence[ImageResult], summary: Summary, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Collect the same as plain numbers: settings, groups, means, every image."""
    return {
        "settings": dict(settings),
        "groups": {name: asdict(means) for name, means in summary.groups.items()},
        "mean_over_groups": asdict(summary.over_groups),
        "mean_over_images": asdict(summary.over_images),
        "ordering": summary.ordering,
        "images": [asdict(result) for result in results],
    }


class WorstSheet:
    """Collects the pictures of the worst images of a run, small, so that any set fits in memory.

    Args:
        protocol: What the predictions were aligned by.
        cap: As in the evaluation [m].
        crop: As in the evaluation.
    """

    def __init__(self, protocol: Protocol, cap: float, crop: str = "none") -> None:
        self._protocol, self._cap, self._crop = protocol, cap, crop
        self._rows: list[tuple[float, str, list[ByteImage]]] = []
        self._seen = 0

    def add(self, item: Evaluated) -> None:
        """Take one image in; those without a score are left out."""
        if item.prediction is None:
            return
        self._seen += 1
        score = item.result.scores["model"]
        pictures = pictures_of(item, self._protocol, self._cap, self._crop)
        self._rows.append((score.abs_rel, caption_of(item.result), pictures))
        self._rows.sort(key=lambda row: -row[0])
        del self._rows[MOST_ROWS:]

    def picture(self) -> ByteImage:
        """Draw the sheet, worst first.

        Returns:
            RGB, (H, W, 3) uint8.

        Raises:
            InputError: If no image was taken in.
        """
        captions = [caption for _, caption, _ in self._rows]
        if captions and self._seen > len(captions):
            captions[0] = f"the worst {len(captions)} of {self._seen} images; {captions[0]}"
        return contact_sheet([row for *_, row in self._rows], captions, HEADINGS, CELL_WIDTH)


def pictures_of(
    item: Evaluated, protocol: Protocol, cap: float, crop: str = "none"
) -> list[ByteImage]:
    """Draw image, prediction, truth and error of one image, each ``CELL_WIDTH`` wide.

    Args:
        item: With a prediction.
        protocol: What it was aligned by.
        cap: As in the evaluation [m].
        crop: As in the evaluation.

    Returns:
        Four pictures; prediction and truth share one range of disparity.
    """
    assert item.prediction is not None
    valid = valid_pixels(item.sample.depth, cap, crop)
    truth = np.where(valid, item.sample.depth, np.nan).astype(np.float64)
    prediction, true = item.prediction, 1.0 / truth
    if protocol is Protocol.DISP_LS:
        seen, error = prediction, np.abs(prediction - true) / true
    else:
        seen, error = 1.0 / prediction, np.abs(prediction - truth) / truth
    far, near = value_range(true)
    pictures = [
        item.sample.rgb,
        colorize(seen, near, far),
        colorize(np.where(np.isposinf(item.sample.depth), np.inf, true), near, far),
        colorize(error, LARGEST_ERROR, 0.0),
    ]
    return [fit_width(picture, CELL_WIDTH) for picture in pictures]


def caption_of(result: ImageResult) -> str:
    """One line with the figures of an image that was scored."""
    parts = [
        f"{words} {result.scores[method].abs_rel:.3f} / {result.scores[method].delta1:.3f}"
        for method, words in COLUMNS.items()
    ]
    return f"{result.name}   AbsRel / delta1: {', '.join(parts)}   {result.note}"


def _header() -> list[str]:
    return ["group", "images", *COLUMNS.values()]


def _row(name: str, means: Means) -> list[str]:
    return [name, str(means.images), *(_cell(means.scores[method]) for method in COLUMNS)]


def _cell(score: Score) -> str:
    return f"{score.abs_rel:.4f} / {score.rmse:.3f} / {score.delta1:.3f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _short(result: ImageResult) -> str:
    return f"{result.name} {result.scores['model'].abs_rel:.3f}"
