"""What a part of the benchmark reports: a table, and figures beside their bars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from da_ros.types import Kind, ModelInfo

ROOT = Path(__file__).resolve().parents[2]
MODEL = ModelInfo("nano", "0" * 64, True, Kind.RELATIVE_INVERSE_DEPTH, None, 0.5)

Item = TypeVar("Item")


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Attributes:
        data: Folder of rgbd frames.
        seeds: Of the simulated errors, each frame.
        every: Take every n-th frame.
        scenes: Generated scenes of a part that scans them.
        trials: Of the stated noise.
        pictures: Folder for pictures to look at; None makes none.
    """

    data: Path = ROOT.parent / "shared" / "data" / "rgbd"
    seeds: int = 20
    every: int = 1
    scenes: int = 200
    trials: int = 5000
    pictures: Path | None = None


@dataclass(frozen=True)
class Bar:
    """One figure and what it has to be.

    Attributes:
        name: What it is.
        value: Measured.
        low: At least this.
        high: At most this.
    """

    name: str
    value: float
    low: float = -math.inf
    high: float = math.inf

    @property
    def met(self) -> bool:
        return self.low <= self.value <= self.high

    def line(self) -> str:
        limits = [f">= {self.low:g}"] if self.low > -math.inf else []
        limits += [f"<= {self.high:g}"] if self.high < math.inf else []
        said = "met" if self.met else "NOT MET"
        return f"{said}: {self.name}: {self.value:.4g} (bar: {' and '.join(limits)})"


@dataclass(frozen=True)
class Part:
    """What a part found.

    Attributes:
        title: What was measured.
        columns: Of the table.
        rows: Of it.
        bars: Figures that have one.
        notes: Whatever else belongs to it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    bars: Sequence[Bar] = ()
    notes: Sequence[str] = field(default_factory=tuple)

    def text(self) -> str:
        """A Markdown table, the notes, and each bar."""
        table = [
            self.columns,
            ["-"] * len(self.columns),
            *([_cell(v) for v in r] for r in self.rows),
        ]
        lines = ["| " + " | ".join(cells) + " |" for cells in table]
        return "\n".join(
            [f"\n## {self.title}\n", *lines, "", *self.notes, *(b.line() for b in self.bars)]
        )

    def record(self) -> dict[str, Any]:
        """For machines."""
        bars = [{**_finite(asdict(bar)), "met": bar.met} for bar in self.bars]
        rows = [[_plain(value) for value in row] for row in self.rows]
        return {
            "title": self.title,
            "columns": list(self.columns),
            "rows": rows,
            "bars": bars,
            "notes": list(self.notes),
        }


def progress(items: Iterable[Item], name: str, total: int) -> Iterable[Item]:
    """Go through items with a bar on a terminal's stderr."""
    return tqdm(items, desc=name, total=total, dynamic_ncols=True, disable=None)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int)):
        return value
    number = float(value)
    return round(number, 6) if math.isfinite(number) else str(number)


def _finite(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity: a missing limit is left out."""
    return {
        name: _plain(value)
        for name, value in fields.items()
        if not (isinstance(value, float) and math.isinf(value) and name in ("low", "high"))
    }
