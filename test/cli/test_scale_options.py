"""Every scale parameter is an option, with its own default, and is checked as in the node."""

from __future__ import annotations

from dataclasses import fields

import pytest
import typer
from typer.testing import CliRunner

from da_ros.cli.scale_options import with_scale_options
from da_ros.errors import ParameterError
from da_ros.params import ScaleParams

WORD = typer.Option("", "--word")


def taken(*words: str) -> tuple[str, ScaleParams]:
    """What a command gets from a command line."""
    found: list[tuple[str, ScaleParams]] = []

    def command(word: str = WORD, *, scale: ScaleParams) -> None:
        found.append((word, scale))

    app = typer.Typer()
    app.command()(with_scale_options(command))
    result = CliRunner().invoke(app, list(words), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return found[0]


class TestWithScaleOptions:
    def test_defaults(self) -> None:
        assert taken("--word", "x") == ("x", ScaleParams())

    def test_values_of_every_type(self) -> None:
        _, scale = taken(
            "--scale-depth-image", "--scale-max-range", "8", "--scale-fixed-frame", "map",
            "--scale-seed", "3",
        )  # fmt: skip
        assert scale == ScaleParams(depth_image=True, max_range=8.0, fixed_frame="map", seed=3)

    def test_none_is_missing(self) -> None:
        app = typer.Typer()
        app.command()(with_scale_options(lambda *, scale: None))
        text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
        for field in fields(ScaleParams):
            assert f"--scale-{field.name.replace('_', '-')}" in text

    def test_refused_as_in_the_node(self) -> None:
        with pytest.raises(
            ParameterError, match=r"scale\.ground_plane: the ground gives no scale"
        ):
            taken("--scale-ground-plane")
