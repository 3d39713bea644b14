"""Does the node answer while it works on one core beside a busy loop?

    python -m benchmarks.responsiveness

The node (nano, one torch thread) and a busy loop share one core; images come at 30 Hz and its
outputs are subscribed. From the other core, 200 get_parameters calls one after the other: their
99th percentile is to be 100 ms or less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks import harness
from benchmarks.node_process import Camera, node_command, outputs_of, quiet_ros, running

CALLS = 200
BAR_MS = 100.0
RATE = 30.0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=("nano", "small"), default="nano")
    parser.add_argument("--json", type=Path, help="write the record here")
    return parser.parse_args()


class Caller:
    """Calls get_parameters and times it; a spinning camera carries the answers."""

    def __init__(self, camera: Camera) -> None:
        from rcl_interfaces.srv import GetParameters

        self._request = GetParameters.Request(names=["near", "far"])
        self._client = camera.node.create_client(GetParameters, "/da_ros/get_parameters")
        if not self._client.wait_for_service(timeout_sec=30.0):
            raise SystemExit("the node's parameter service is not there")

    def milliseconds(self) -> float:
        start, answered = time.perf_counter(), threading.Event()
        call = self._client.call_async(self._request)
        call.add_done_callback(lambda _: answered.set())
        if not answered.wait(30.0):
            raise SystemExit("no answer within 30 s")
        return 1000.0 * (time.perf_counter() - start)


def pinned(pid: int, core: int) -> subprocess.Popen[bytes]:
    """Put all threads of a process on one core, and a busy loop beside them."""
    words = ["taskset", "-a", "-c", "-p", str(core), str(pid)]
    subprocess.run(words, check=True, capture_output=True)
    return subprocess.Popen(["taskset", "-c", str(core), sys.executable, "-c", "while True: pass"])


def measured(model: str) -> dict[str, Any]:
    first, *others = sorted(os.sched_getaffinity(0))
    if others:
        os.sched_setaffinity(0, others)  # the caller is not what is measured
    with (
        tempfile.TemporaryDirectory() as folder,
        running(node_command(model, 1, Path(folder))) as process,
    ):
        camera = Camera(outputs_of(model))
        busy = None
        stop = threading.Event()
        sender = threading.Thread(target=send_until, args=(camera, stop))
        try:
            camera.until_first(process)
            sender.start()
            busy = pinned(process.pid, first)
            time.sleep(3.0)
            caller, before, begin = Caller(camera), len(camera.ages), time.monotonic()
            times = [(time.sleep(0.02), caller.milliseconds())[1] for _ in range(CALLS)]
            rate = (len(camera.ages) - before) / (time.monotonic() - begin)
        finally:
            stop.set()
            if busy is not None:
                busy.kill()
                busy.wait()
            if sender.is_alive():
                sender.join()
            camera.close()
    cuts = statistics.quantiles(times, n=100)
    return {"median_ms": cuts[49], "p99_ms": cuts[98], "max_ms": max(times), "delivered_hz": rate}


def send_until(camera: Camera, stop: threading.Event) -> None:
    while not stop.is_set():
        camera.send()
        stop.wait(1.0 / RATE)


def main() -> None:
    options = parsed()
    quiet_ros()
    before = harness.circumstances()
    found = measured(options.model)
    for name, value in found.items():
        print(f"{name}: {value:.1f}")
    print(f"bar {BAR_MS:g} ms: {'held' if found['p99_ms'] <= BAR_MS else 'MISSED'}")
    if options.json is not None:
        record = {"model": options.model, **found, "bar_ms": BAR_MS, **before}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
