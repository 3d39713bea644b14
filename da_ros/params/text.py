"""The files that are generated from the declarations: config/depth.yaml and docs/parameters.md."""

from __future__ import annotations

import textwrap

from da_ros.params.node import DepthNodeParams
from da_ros.params.spec import ParamGroup, ParamSpec, Value, field_specs

_NOTE = "Generated from da_ros/params: run `python -m da_ros.params` after a change there."
_WIDTH = 99


def parameters_yaml() -> str:
    """Return config/depth.yaml: every parameter at its default, commented."""
    lines = [f"# {_NOTE}", "/**:", "  ros__parameters:"]
    before = ""
    for group in DepthNodeParams().groups().values():
        lines += ["", *_yaml_group(type(group), begins=before != group.PREFIX)]
        before = group.PREFIX
    return "\n".join(lines) + "\n"


def parameters_markdown() -> str:
    """Return docs/parameters.md: a table for each group."""
    lines = [
        "# Parameters",
        "",
        f"<!-- {_NOTE} -->",
        "",
        "A dynamic parameter acts on the next frame; any other needs the node cleaned up, set and "
        "configured again.",
        "",
    ]
    for group in DepthNodeParams().groups().values():
        lines += _markdown_group(type(group))
    return "\n".join(lines)


def _yaml_group(group: type[ParamGroup], *, begins: bool) -> list[str]:
    """Lines of a group; one that does not begin a map goes on with that of the group before."""
    indent = " " * 4
    lines = [f"{indent}# {(group.__doc__ or '').strip()}"]
    if group.PREFIX:
        lines += [f"{indent}{group.PREFIX.rstrip('.')}:"] if begins else []
        indent += "  "
    for spec in field_specs(group):
        comment = f"{spec.description} Allowed: {spec.allowed}."
        lines += textwrap.wrap(
            comment, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
        )
        lines.append(f"{indent}{spec.field}: {_yaml_value(spec.default)}")
    return lines


def _yaml_value(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _markdown_group(group: type[ParamGroup]) -> list[str]:
    title = (group.__doc__ or "").strip().rstrip(".")
    head = ["| name | type | default | allowed | dynamic | meaning |", "|-|-|-|-|-|-|"]
    return [f"## {title}", "", *head, *(_markdown_row(spec) for spec in field_specs(group)), ""]


def _markdown_row(spec: ParamSpec) -> str:
    cells = (
        f"`{spec.name}`",
        spec.type,
        f"`{_yaml_value(spec.default)}`",
        spec.allowed.replace("|", "\\|"),
        "yes" if spec.dynamic else "no",
        spec.description.replace("|", "\\|"),
    )
    return f"| {' | '.join(cells)} |"
