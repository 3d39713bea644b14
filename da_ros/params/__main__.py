"""Write config/depth.yaml and docs/parameters.md of a checkout: ``python -m da_ros.params``."""

from __future__ import annotations

from pathlib import Path

from da_ros.params.text import parameters_markdown, parameters_yaml

if __name__ == "__main__":
    (Path("config") / "depth.yaml").write_text(parameters_yaml(), encoding="utf-8")
    (Path("docs") / "parameters.md").write_text(parameters_markdown(), encoding="utf-8")
