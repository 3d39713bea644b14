"""Sentences that the terminal and the pages share."""

from __future__ import annotations

from da_ros.types import ModelInfo

NO_METRES = (
    "This model is relative: it says what is nearer, not how far. inverse_depth is its own "
    "output; files called nominal are for viewing only, their metres are made up."
)


def describe_model(model: ModelInfo) -> str:
    """One line on which weights made something."""
    return f"Model {model}, licence {model.licence}, sha256 {model.sha256[:12]}."
