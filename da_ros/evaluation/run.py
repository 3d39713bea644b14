"""Score a set of samples, image by image, and sum up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from da_ros.errors import InputError
from da_ros.evaluation.ordering import ordering
from da_ros.evaluation.protocols import (
    FEWEST_PIXELS,
    Protocol,
    Score,
    aligned,
    plane_fit,
    row_fit,
    score,
    valid_pixels,
)
from da_ros.evaluation.samples import Sample, folder_samples
from da_ros.types import Kind

Predict = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.floating]]
"""Image (H, W, 3) uint8 RGB -> the network's output brought to (H, W), in its own unit."""

METHODS = ("model", "row_fit", "plane_fit")
"""What is scored: the model, and the two baselines beside it."""


@dataclass(frozen=True)
class ImageResult:
    """The scores of one image.

    Attributes:
        name: Of the sample.
        group: Of the sample.
        pixels: How many were valid.
        scores: By method (``METHODS``); empty if the image was not scored.
        ordering: Share of pixel pairs that the model orders rightly, before any fit (a fit may
            turn near and far); None if not scored or too few pairs are far enough apart.
        note: Why it was not scored, or what is odd about the fit; empty if nothing.
    """

    name: str
    group: str
    pixels: int
    scores: dict[str, Score] = field(default_factory=dict)
    ordering: float | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A result with what it came from, for pictures.

    Attributes:
        sample: Image and truth.
        result: The scores.
        prediction: In the protocol's space, (H, W); None if the image was not scored.
    """

    sample: Sample
    result: ImageResult
    prediction: npt.NDArray[np.float64] | None


@dataclass(frozen=True)
class Means:
    """Mean scores over some images, by method.

    Attributes:
        images: How many were scored.
        scores: By method (``METHODS``).
    """

    images: int
    scores: dict[str, Score]


@dataclass(frozen=True)
class Summary:
    """The means of a whole set.

    Attributes:
        groups: By group, in the order of their names.
        over_groups: Mean of the groups' means: every group counts the same.
        over_images: Mean of all images: large groups count more.
        ordering: Mean of the images' shares of rightly ordered pairs; None if none has one.
        unscored: Images that were not scored.
    """

    groups: dict[str, Means]
    over_groups: Means
    over_images: Means
    ordering: float | None
    unscored: tuple[ImageResult, ...]


def evaluate(
    samples: Iterable[Sample],
    predict: Predict,
    kind: Kind,
    protocol: Protocol,
    cap: float,
    crop: str = "none",
) -> Iterator[Evaluated]:
    """Score samples one by one.

    Args:
        samples: From anywhere.
        predict: The model.
        kind: What its numbers mean; metric depth is inverted where a fit to 1/truth is asked.
        protocol: Which.
        cap: Truth from here on is not scored [m].
        crop: One of ``CROPS``.

    Yields:
        One result per sample, also for those that could not be scored.

    Raises:
        InputError: If metric_raw is asked of a model that gives no metres.
        ShapeError: If a prediction has not its image's size.
    """
    if protocol is Protocol.METRIC_RAW and kind is not Kind.METRIC_DEPTH:
        raise InputError(
            f"protocol metric_raw: expected a metric model, got {kind}, which has no metres; "
            "take depth_from_disp_ls"
        )
    for sample in samples:
        valid = valid_pixels(sample.depth, cap, crop)
        pixels = int(valid.sum())
        if pixels < FEWEST_PIXELS:
            note = f"{pixels} valid pixels, at least {FEWEST_PIXELS} are needed"
            yield Evaluated(
                sample, ImageResult(sample.name, sample.group, pixels, note=note), None
            )
            continue
        yield _evaluated(sample, valid, predict(sample.rgb), kind, protocol, cap)


def evaluate_folder(
    root: Path,
    predict: Predict,
    kind: Kind,
    protocol: Protocol,
    cap: float,
    crop: str = "none",
) -> Iterator[Evaluated]:
    """Score a folder of samples; see :func:`folder_samples` and :func:`evaluate`."""
    return evaluate(folder_samples(root), predict, kind, protocol, cap, crop)


def summarize(results: Sequence[ImageResult]) -> Summary:
    """Take means per group, over groups and over images.

    Args:
        results: Of all images.

    Returns:
        The means; the images without a score are listed, not averaged.

    Raises:
        InputError: If no image was scored.
    """
    scored = [result for result in results if result.scores]
    unscored = tuple(result for result in results if not result.scores)
    if not scored:
        reasons = "; ".join(f"{result.name}: {result.note}" for result in unscored[:3])
        raise InputError(f"evaluation: no image could be scored ({reasons or 'no images'})")
    groups = {
        group: _means([result.scores for result in scored if result.group == group])
        for group in sorted({result.group for result in scored})
    }
    shares = [result.ordering for result in scored if result.ordering is not None]
    over_groups = _means([means.scores for means in groups.values()])
    return Summary(
        groups=groups,
        over_groups=Means(len(scored), over_groups.scores),
        over_images=_means([result.scores for result in scored]),
        ordering=float(np.mean(shares)) if shares else None,
        unscored=unscored,
    )


def _evaluated(
    sample: Sample,
    valid: npt.NDArray[np.bool_],
    prediction: npt.NDArray[np.floating],
    kind: Kind,
    protocol: Protocol,
    cap: float,
) -> Evaluated:
    """Score one sample that has enough valid pixels."""
    values = _as_fitted(prediction, kind, protocol)
    pixels = int(valid.sum())
    if values.shape == valid.shape and not np.isfinite(values[valid]).all():
        count = int((~np.isfinite(values[valid])).sum())
        note = f"the prediction is not finite in {count} of {pixels} valid pixels"
        return Evaluated(sample, ImageResult(sample.name, sample.group, pixels, note=note), None)
    placed = aligned(values, sample.depth, valid, protocol, cap)
    truth = sample.depth
    scores = {
        "model": score(placed, truth, valid, protocol),
        "row_fit": score(row_fit(truth, valid, protocol, cap), truth, valid, protocol),
        "plane_fit": score(plane_fit(truth, valid, protocol, cap), truth, valid, protocol),
    }
    note = "" if protocol is Protocol.METRIC_RAW else _oddness(values[valid], truth[valid])
    nearness = prediction if kind is Kind.RELATIVE_INVERSE_DEPTH else -prediction
    ordered = ordering(nearness, truth, valid)
    result = ImageResult(sample.name, sample.group, pixels, scores, ordered, note)
    return Evaluated(sample, result, placed)


def _as_fitted(
    prediction: npt.NDArray[np.floating], kind: Kind, protocol: Protocol
) -> npt.NDArray[np.floating]:
    """Inverse depth for the fits, metres for metric_raw."""
    if kind is Kind.RELATIVE_INVERSE_DEPTH or protocol is Protocol.METRIC_RAW:
        return prediction
    with np.errstate(divide="ignore"):
        return 1.0 / prediction.astype(np.float64)


def _oddness(values: npt.NDArray[np.floating], truth: npt.NDArray[np.floating]) -> str:
    """What a reader of the score should know about the fit."""
    spread = float(values.max() - values.min())
    if spread <= 1e-9 * float(np.abs(values).max()):
        return "the prediction is constant: scored as the mean disparity"
    disparity = 1.0 / truth.astype(np.float64)
    if np.mean((values - values.mean()) * (disparity - disparity.mean())) < 0.0:
        return "near and far are swapped: the fit's scale is negative"
    return ""


def _means(rows: Sequence[dict[str, Score]]) -> Means:
    return Means(
        len(rows),
        {
            method: Score(
                abs_rel=float(np.mean([row[method].abs_rel for row in rows])),
                rmse=float(np.mean([row[method].rmse for row in rows])),
                delta1=float(np.mean([row[method].delta1 for row in rows])),
            )
            for method in METHODS
        },
    )
