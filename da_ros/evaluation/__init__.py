"""How good is a depth map: named protocols, metrics, and the baselines to beat."""

from __future__ import annotations

from da_ros.evaluation.ordering import ordering
from da_ros.evaluation.protocols import (
    CROPS,
    Protocol,
    Score,
    aligned,
    plane_fit,
    row_fit,
    score,
    valid_pixels,
)
from da_ros.evaluation.run import (
    Evaluated,
    ImageResult,
    Means,
    Summary,
    evaluate,
    evaluate_folder,
    summarize,
)
from da_ros.evaluation.samples import Sample, folder_samples

__all__ = [
    "CROPS",
    "Evaluated",
    "ImageResult",
    "Means",
    "Protocol",
    "Sample",
    "Score",
    "Summary",
    "aligned",
    "evaluate",
    "evaluate_folder",
    "folder_samples",
    "ordering",
    "plane_fit",
    "row_fit",
    "score",
    "summarize",
    "valid_pixels",
]
