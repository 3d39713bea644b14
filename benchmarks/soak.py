"""20,000 frames through one node: does its memory, its threads or its descriptors grow?

    python -m benchmarks.soak                 # nano, 20,000 frames
    python -m benchmarks.soak --frames 4000

The next image is sent when the cloud of the last one has come. RSS medians of the second tenth and
of the last tenth of the frames must be within 1 %.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.node import PROFILE, Camera, command, rss_mb, running

EVERY = 20


def counts(pid: int) -> tuple[int, int]:
    """Threads and descriptors of a process."""
    threads, descriptors = (list(Path(f"/proc/{pid}/{kind}").iterdir()) for kind in ("task", "fd"))
    return len(threads), len(descriptors)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=2, help="of the network (2)")
    options = parser.parse_args()
    options.model = "nano"
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ["AMENT_PREFIX_PATH"] = os.environ.get("AMENT_PREFIX_PATH", sys.prefix)
    os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = PROFILE
    os.environ["FASTDDS_DEFAULT_PROFILES_FILE"] = PROFILE
    memory: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(command(options, Path(folder))) as process,
    ):
        camera = Camera("/da_ros", metric=False)
        try:
            first = (0, 0)
            while len(camera.ages) < options.frames:
                before, sent = len(camera.ages), time.monotonic()
                camera.send()
                while len(camera.ages) == before and time.monotonic() - sent < 2.0:
                    time.sleep(0.001)
                if process.poll() is not None:
                    raise SystemExit("the node has ended; its log is above")
                if len(camera.ages) % EVERY == 0 and len(camera.ages) > before:
                    memory.append(rss_mb(process.pid))
                if len(camera.ages) >= options.frames // 10 and first == (0, 0):
                    first = counts(process.pid)
            last = counts(process.pid)
        finally:
            camera.close()
    tenth = len(memory) // 10
    early = statistics.median(memory[tenth : 2 * tenth])
    late = statistics.median(memory[-tenth:])
    print(f"RSS {early:.1f} MB early, {late:.1f} MB late: {100 * (late / early - 1):+.2f} %")
    print(f"threads {first[0]} -> {last[0]}, descriptors {first[1]} -> {last[1]}")
    if abs(late / early - 1) > 0.01 or last[0] > first[0] or last[1] > first[1]:
        raise SystemExit("it grows")


if __name__ == "__main__":
    main()
