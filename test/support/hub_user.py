"""A user's machine with a home of its own, a fake hub, and a registry of one small file."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from fake_hub import FakeHub
from safetensors.torch import save

SUPPORT = Path(__file__).resolve().parent
CONTENT = save({"a": torch.arange(1_200_000.0)})  # 4.8 MB
DIGEST = hashlib.sha256(CONTENT).hexdigest()
REVISION = "5426e4f0f36572d16453bbda7a8389317b1bef99"
FILE = "depth_anything_v2_vits.pth"
PATH = f"/org/Small/resolve/{REVISION}/{FILE}"
CHUNK = 1 << 20


@dataclass
class Machine:
    """A home of its own, a hub, and a registry of one small file."""

    home: Path
    hub: FakeHub
    repository: Path
    name: str = "v2-small"

    def __post_init__(self) -> None:
        self.checkpoint = {
            "repo": "org/Small",
            "filename": FILE,
            "revision": REVISION,
            "sha256": DIGEST,
            "size_bytes": len(CONTENT),
            "layout": "official",
        }
        self.environment = {
            **{name: value for name, value in os.environ.items() if not _is_foreign(name)},
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "HF_HOME": str(self.home / "hf"),
            "DA_ROS_WEIGHTS": str(self.weights),
            "HF_ENDPOINT": self.hub.url,
            "HF_HUB_DOWNLOAD_TIMEOUT": "60",  # a busy machine is no stalled hub
            "PYTHONPATH": str(self.repository),
        }

    @property
    def weights(self) -> Path:
        return self.home / "weights"

    @property
    def target(self) -> Path:
        return self.weights / FILE

    @property
    def partial(self) -> Path:
        return self.weights / ".partial" / DIGEST

    def command(self, *words: str) -> list[str]:
        rows = json.dumps({self.name: self.checkpoint})
        return [sys.executable, str(SUPPORT / "models_cli.py"), rows, *words]

    def run(self, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )

    def fetch(self, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
        return self.run("fetch", self.name, *words, **options)

    def nothing_was_kept(self) -> bool:
        return not self.target.exists() and not self.partial.exists()


def _is_foreign(name: str) -> bool:
    """Whether a variable of the machine that runs the tests would change a download."""
    return name.upper().endswith("_PROXY") or name.startswith("HF_")


def no_file_above(size: int) -> Callable[[], None]:
    """Limit files of a child to a size, which stands for a disk that fills up."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def read_all(terminal: int) -> str:
    """What is written to a pseudo-terminal until its other side is closed."""
    found = b""
    with suppress(OSError):  # how Linux says that nobody writes any more
        while block := os.read(terminal, 65536):
            found += block
    os.close(terminal)
    return found.decode()


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("waited 30 s in vain")
