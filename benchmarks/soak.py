"""20,000 frames through one node: does its memory, its threads or its descriptors grow?

    python -m benchmarks.soak        # nano, 640x480, 20,000 frames: 12 minutes of two free cores
    python -m benchmarks.soak --width 320 --height 240 --input-size 64 --threads 1   # others work

SIGTERM ends it early, with the record of what has been. The next image is sent when the cloud of
the last one has come. RSS medians of the second tenth
(frames 2,001 to 4,000) and of the last tenth of the frames must be within 1 %.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from benchmarks import harness
from benchmarks.node_process import (
    HEIGHT,
    WIDTH,
    Camera,
    node_command,
    outputs_of,
    quiet_ros,
    rss_mb,
    running,
)

EVERY = 20
"""Frames between two looks at the memory."""
LOST_S = 10.0
"""An image whose cloud has not come after so long is given up."""


class Growth:
    """What is seen of a process over its frames."""

    def __init__(self, pid: int, frames: int) -> None:
        self._pid, self._frames = pid, frames
        self.memory: list[float] = []
        self.first: tuple[int, int] | None = None
        self.last = (0, 0)

    def look(self, done: int) -> None:
        """Once per frame."""
        if done % EVERY == 0:
            self.memory.append(rss_mb(self._pid))
            self.last = self._threads_and_descriptors()
        if self.first is None and done >= self._frames // 10:
            self.first = self.last

    def record(self) -> dict[str, object]:
        tenth = len(self.memory) // 10
        early = statistics.median(self.memory[tenth : 2 * tenth])
        late = statistics.median(self.memory[-tenth:])
        first = self.first or self.last
        percent = 100.0 * (late / early - 1.0)
        return {
            "rss_early_mb": early,
            "rss_late_mb": late,
            "rss_change_percent": percent,
            "threads": [first[0], self.last[0]],
            "descriptors": [first[1], self.last[1]],
            "held": abs(percent) <= 1.0 and self.last[0] <= first[0] and self.last[1] <= first[1],
            "rss_by_tenth_mb": [
                statistics.median(self.memory[i * tenth : (i + 1) * tenth]) for i in range(10)
            ],
        }

    def _threads_and_descriptors(self) -> tuple[int, int]:
        folder = Path(f"/proc/{self._pid}")
        return len(list((folder / "task").iterdir())), len(list((folder / "fd").iterdir()))


def soak(camera: Camera, process: subprocess.Popen[bytes], frames: int) -> dict[str, object]:
    """Send one image after the other until so many clouds have come."""
    seen, lost, begin = Growth(process.pid, frames), 0, time.monotonic()
    camera.until_first(process)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        contextlib.suppress(KeyboardInterrupt),
        tqdm(total=frames, mininterval=10.0, maxinterval=60.0) as progress,
    ):
        while (before := len(camera.ages)) < frames:
            if answered(camera):
                seen.look(len(camera.ages))
                progress.update(len(camera.ages) - before)
            else:
                lost += 1
                if process.poll() is not None:
                    raise SystemExit("the node has ended; its log is above")
    took = time.monotonic() - begin
    return {"frames": len(camera.ages), "lost": lost, "seconds": took, **seen.record()}


def answered(camera: Camera) -> bool:
    """Send an image and wait for its cloud."""
    before, end = len(camera.ages), time.monotonic() + LOST_S
    camera.send()
    while len(camera.ages) == before and time.monotonic() < end:
        time.sleep(0.0005)
    return len(camera.ages) > before


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=2, help="of the network (2)")
    parser.add_argument("--width", type=int, default=WIDTH, help=f"of the images ({WIDTH})")
    parser.add_argument("--height", type=int, default=HEIGHT, help=f"of the images ({HEIGHT})")
    parser.add_argument(
        "--input-size", type=int, default=0, help="of the network [px] (0: its own)"
    )
    parser.add_argument("--json", type=Path, help="write the record here")
    options = parser.parse_args()
    quiet_ros()
    before = harness.circumstances()
    with tempfile.TemporaryDirectory() as folder:
        words = node_command("nano", options.threads, Path(folder))
        words += ["-p", f"input_size:={options.input_size}"]
        found = soaked(words, options.frames, (options.width, options.height))
    found |= {"image": f"{options.width}x{options.height}", "input_size": options.input_size}
    print(json.dumps(found, indent=1))
    if options.json is not None:
        record = {**found, "threads_of_network": options.threads, **before}
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    if not found["held"]:
        raise SystemExit("it grows")


def soaked(words: list[str], frames: int, size: tuple[int, int]) -> dict[str, object]:
    """Start a node, soak it, end it."""
    with running(words) as process:
        camera = Camera(outputs_of("nano"), size=size)
        try:
            return soak(camera, process, frames)
        finally:
            camera.close()


if __name__ == "__main__":
    main()
