"""Say how much a `pip install --dry-run --report FILE` would download, in one line."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

TIMEOUT_S = 20


def size_of(url: str) -> int:
    """Bytes behind a file or http address; 0 where the server does not say."""
    if url.startswith("file:"):
        return Path(url2pathname(urlparse(url).path)).stat().st_size
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return int(answer.headers.get("Content-Length", 0))
    except (OSError, ValueError):
        return 0


def summary(report: dict[str, Any]) -> str:
    """The package asked for, how many others come with it, and the sum of their sizes."""
    names = [item["metadata"]["name"] for item in report["install"]]
    total = sum(size_of(item["download_info"]["url"]) for item in report["install"])
    first = next(item["metadata"] for item in report["install"] if item.get("requested"))
    cuda = " with CUDA (nvidia)" if any(name.startswith("nvidia") for name in names) else ""
    size = f"{total / 1e6:.0f} MB" if total else "size unknown"
    others = len(names) - 1
    return f"{first['name']} {first['version']}{cuda} and {others} packages with it, {size}"


if __name__ == "__main__":
    print(summary(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
