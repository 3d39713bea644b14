"""How well metres are found: the bars of the scale room.

    python -m benchmarks.scale                     all parts, two at a time: some minutes
    python -m benchmarks.scale accuracy mounting   these
    python -m benchmarks.scale --seeds 4 --scenes 40 --trials 500    a quick look

Prints a table a part and each bar with what was measured, and writes benchmarks/results/scale.json
(parts that were not run keep their record). Parts: accuracy (AbsRel against the oracle), honesty
and pixels (is the truth where sigma says), temporal, lidar, mounting, ground, speed. Only speed
depends on what else is running; it runs alone.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.harness import circumstances
from benchmarks.scale_bars.parts import Options, Part

RESULTS = Path(__file__).resolve().parent / "results" / "scale.json"

PARTS = ("accuracy", "mounting", "honesty", "pixels", "temporal", "lidar", "ground", "speed")
"""The longest first, so that two workers end together."""

_HOMES = {"pixels": ("honesty", "run_pixels")}


def main() -> int:
    """Run the parts asked for; 1 if a bar is not met."""
    options, chosen, jobs, target = _arguments()
    records: dict[str, Any] = json.loads(target.read_text()) if target.exists() else {}
    met = True
    for name, part, seconds in _run(chosen, options, jobs):
        print(part.text(), flush=True)
        asked = {
            key: str(value)
            for key, value in vars(options).items()
            if key not in ("data", "pictures")
        }
        took = {"options": asked, "seconds": round(seconds, 1)}
        records[name] = {**part.record(), **took, **circumstances()}
        target.write_text(json.dumps(dict(sorted(records.items())), indent=1) + "\n")
        met &= all(bar.met for bar in part.bars)
    print(f"\n{'every bar is met' if met else 'A BAR IS NOT MET'}; written: {target}")
    return 0 if met else 1


def _run(chosen: list[str], options: Options, jobs: int) -> Any:
    """Parts as they end; what is timed runs alone, before the others."""
    if "speed" in chosen:
        yield "speed", *_timed("speed", options)
    others = [name for name in PARTS if name in chosen and name != "speed"]
    spawn = multiprocessing.get_context("spawn")  # OpenCV's threads do not survive a fork
    with ProcessPoolExecutor(jobs, spawn, _one_thread) as pool:
        for name, running in [(name, pool.submit(_timed, name, options)) for name in others]:
            yield name, *running.result()


def _timed(name: str, options: Options) -> tuple[Part, float]:
    import importlib

    module, function = _HOMES.get(name, (name, "run"))
    home = importlib.import_module(f"benchmarks.scale_bars.{module}")
    run: Callable[[Options], Part] = getattr(home, function)
    start = time.perf_counter()
    return run(options), time.perf_counter() - start


def _one_thread() -> None:
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _arguments() -> tuple[Options, list[str], int, Path]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, default=RESULTS)
    for field in fields(Options):
        kind = Path if field.name in ("data", "pictures") else int
        parser.add_argument(f"--{field.name}", type=kind, default=field.default)
    given = parser.parse_args()
    unknown = [name for name in given.parts if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)} (there are {', '.join(PARTS)})")
    options = Options(**{field.name: getattr(given, field.name) for field in fields(Options)})
    return options, given.parts or list(PARTS), given.jobs, given.json


if __name__ == "__main__":
    raise SystemExit(main())
