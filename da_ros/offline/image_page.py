"""The page that shows what ``da_ros image`` made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from da_ros.offline.images import PhotoResult
from da_ros.offline.words import NO_METRES, describe_model
from da_ros.pictures.html import Figure, Section, write_page
from da_ros.types import Kind, ModelInfo

MOST_SECTIONS = 100
"""Photos on a page: with their pictures inside, more would be too much for a browser."""


def write_image_page(path: Path, results: Sequence[PhotoResult], model: ModelInfo) -> None:
    """Write the page; photos that failed come first.

    Args:
        path: File to write; the outputs lie beside it.
        results: Of all photos.
        model: Which weights.
    """
    failed = [result for result in results if result.error]
    done = [result for result in results if not result.error]
    intro = [describe_model(model)]
    if model.kind is not Kind.METRIC_DEPTH:
        intro.append(NO_METRES)
    if len(done) > MOST_SECTIONS:
        intro.append(
            f"The first {MOST_SECTIONS} of {len(done)} photos; the others are files only."
        )
    sections = []
    if failed:
        reasons = {str(result.path): result.error for result in failed}
        sections.append(Section(f"{len(failed)} failed", facts=reasons))
    sections += [_section(result) for result in done[:MOST_SECTIONS]]
    write_page(path, "da_ros image", sections, intro)


def _section(result: PhotoResult) -> Section:
    figures = [
        Figure(picture, caption, lossless="depth" in caption)
        for caption, picture in result.pictures.items()
    ]
    files = {path.name: path.name for path in result.files.values()}
    return Section(str(result.path), figures, result.facts, files)
