"""The training curve as a picture."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from da_ros.errors import InputError


def check_matplotlib() -> None:
    """Say now, and not after hours of training, that the curve cannot be drawn.

    Raises:
        InputError: If matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("the curve needs matplotlib: pip install 'da_ros[train]'")


def draw_curve(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw loss and held-out figures over the samples seen.

    Args:
        rows: Of the run's log, as ``loop.read_log`` gives them.
        path: PNG to write.

    Raises:
        InputError: If matplotlib is not installed.
    """
    check_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    known = [r for r in rows if r["loss"] is not None]
    left.plot([r["samples"] for r in known], [r["loss"] for r in known], color="tab:blue")
    left.set(xlabel="samples", ylabel="training loss", title="loss on augmented pictures")
    for name, colour in (
        ("absrel", "tab:red"),
        ("delta1", "tab:green"),
        ("ordered", "tab:orange"),
    ):
        right.plot([r["samples"] for r in rows], [r[name] for r in rows], label=name, color=colour)
    right.set(xlabel="samples", ylim=(0, 1), title="held-out scenes (averaged weights)")
    right.legend()
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.xaxis.set_major_formatter(EngFormatter())  # 100 k: long runs count in millions
    figure.savefig(path, dpi=110)
