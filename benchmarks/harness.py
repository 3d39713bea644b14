"""The shared benchmark harness: fair medians on a noisy machine.

Cases are run in rounds, one call of each per round, so that a busy moment of the machine hits all
of them alike; the order turns by one each round. A ratio is the median over the rounds of (time of
the case / time of the baseline in the same round), which noise of minutes cannot bend. What comes
out is a table for people and a JSON record for machines.

Typical use::

    from benchmarks.harness import arguments, measure, publish

    options = arguments(__doc__)                    # --repetitions --warm-up --threads --json
    figures = measure(
        {"ours": lambda: ours(x), "theirs": lambda: theirs(x)},
        baseline="theirs",
        repetitions=options.repetitions,
        warm_up=options.warm_up,
    )
    publish("network, S at 518x686", figures, options, notes={"threads": 2})

On a GPU pass ``synchronize=torch.cuda.synchronize``: it is called around each timed call.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

VERSIONED = ("numpy", "torch", "cv2", "transformers", "openvino", "rclpy")


@dataclass(frozen=True)
class Figure:
    """What one case took.

    Attributes:
        name: Of the case.
        median_ms: Of one call.
        low_ms: First quartile.
        high_ms: Third quartile.
        ratio: To the baseline of the same run; 1 for the baseline itself.
        ratio_low: First quartile of the rounds' ratios.
        ratio_high: Third quartile.
        repetitions: Timed calls.
    """

    name: str
    median_ms: float
    low_ms: float
    high_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    repetitions: int


def measure(
    cases: Mapping[str, Callable[[], object]],
    baseline: str,
    *,
    repetitions: int = 15,
    warm_up: int = 3,
    synchronize: Callable[[], object] = lambda: None,
) -> list[Figure]:
    """Time cases against a baseline, interleaved.

    Args:
        cases: Functions to call, by name.
        baseline: Name of the case that ratios refer to.
        repetitions: Timed rounds.
        warm_up: Untimed rounds before them.
        synchronize: Waits until the device has finished.

    Returns:
        One figure per case, in the given order.
    """
    if baseline not in cases:
        raise ValueError(f"baseline {baseline!r} is none of {list(cases)}")
    names = list(cases)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-warm_up, repetitions):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            elapsed = _time_once(cases[name], synchronize)
            if number >= 0:
                times[name].append(elapsed)
    return [_figure(name, times[name], times[baseline]) for name in names]


def _time_once(call: Callable[[], object], synchronize: Callable[[], object]) -> float:
    synchronize()
    start = time.perf_counter()
    call()
    synchronize()
    return (time.perf_counter() - start) * 1e3


def _figure(name: str, times: Sequence[float], baseline: Sequence[float]) -> Figure:
    ratios = [mine / theirs for mine, theirs in zip(times, baseline, strict=True)]
    low, middle, high = quartiles(times)
    ratio_low, ratio, ratio_high = quartiles(ratios)
    return Figure(name, middle, low, high, ratio, ratio_low, ratio_high, len(times))


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """First quartile, median, third quartile, interpolated."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def table(figures: Sequence[Figure]) -> str:
    """A Markdown table of figures."""
    lines = [
        "| case | median ms | IQR ms | ratio | ratio IQR |",
        "|-|-|-|-|-|",
        *(
            f"| {f.name} | {f.median_ms:.2f} | {f.low_ms:.2f}-{f.high_ms:.2f} "
            f"| {f.ratio:.3f} | {f.ratio_low:.3f}-{f.ratio_high:.3f} |"
            for f in figures
        ),
    ]
    return "\n".join(lines)


def arguments(
    description: str | None, extra: Callable[[argparse.ArgumentParser], object] | None = None
) -> argparse.Namespace:
    """Parse the options that every benchmark has, and set torch's and OpenCV's threads.

    Args:
        description: The benchmark's docstring.
        extra: Adds options of its own.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=15, help="timed rounds (15)")
    parser.add_argument("--warm-up", type=int, default=3, help="untimed rounds before (3)")
    parser.add_argument("--threads", type=int, default=2, help="of torch and OpenCV (2)")
    parser.add_argument("--json", type=Path, help="write the record here")
    if extra is not None:
        extra(parser)
    options = parser.parse_args()
    _set_threads(options.threads)
    return options


def _set_threads(count: int) -> None:
    import cv2
    import torch

    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def publish(
    title: str,
    figures: Sequence[Figure],
    options: argparse.Namespace,
    notes: Mapping[str, object] | None = None,
) -> None:
    """Print the table, and append the record to the JSON file if one was asked for.

    Args:
        title: What was measured.
        figures: From ``measure``.
        options: From ``arguments``.
        notes: Whatever else belongs to the record (errors, memory, sizes).
    """
    print(f"\n## {title}\n{table(figures)}")
    for name, value in (notes or {}).items():
        print(f"{name}: {value}")
    if options.json is None:
        return
    record = {
        "title": title,
        "figures": [asdict(figure) for figure in figures],
        "notes": dict(notes or {}),
        "threads": options.threads,
        **circumstances(),
    }
    known = json.loads(options.json.read_text()) if options.json.exists() else []
    options.json.write_text(json.dumps([*known, record], indent=1) + "\n")


def circumstances() -> dict[str, object]:
    """Commit, versions, hardware, load and date: what a figure needs to mean anything."""
    return {
        "commit": _git("rev-parse", "--short", "HEAD"),
        "modified": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": _versions(),
        "hardware": _hardware(),
        "load": os.getloadavg()[0],
    }


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far [MB]; measure each case in its own."""
    # Not getrusage: its figure starts at the peak of the process that started this one.
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) / 1024
    return float("nan")


def _git(*words: str) -> str:
    here = Path(__file__).resolve().parent
    try:
        made = subprocess.run(
            ["git", *words], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return made.stdout.strip()


def _versions() -> dict[str, str]:
    """Of libraries that the benchmark has imported."""
    loaded = {name: sys.modules[name] for name in VERSIONED if name in sys.modules}
    return {name: str(getattr(module, "__version__", "?")) for name, module in loaded.items()}


def _hardware() -> dict[str, object]:
    made: dict[str, object] = {"machine": platform.machine(), "cores": os.cpu_count()}
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    known = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {name.strip(): value.strip() for name, value in known.items()}
    made["cpu"] = fields.get("model name", platform.processor())
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    made["flags"] = [flag for flag in wanted if flag in fields.get("flags", "").split()]
    torch = sys.modules.get("torch") or importlib.import_module("torch")
    if torch.cuda.is_available():
        made["gpu"] = torch.cuda.get_device_name()
    return made
