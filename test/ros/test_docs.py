"""The pages about the node name things that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from da_ros.params import DepthNodeParams
from da_ros.pipeline import TOPIC_TYPES

PAGES = ("node", "topics", "calibration", "nav2", "troubleshooting", "large_messages")


def page(repository: Path, name: str) -> str:
    return (repository / "docs" / f"{name}.md").read_text(encoding="utf-8")


class TestPitfalls:
    def test_each_of_the_17_names_tests_that_are_there(self, repository: Path) -> None:
        rows = re.findall(r"^\| (\d+) \|[^|]+\|([^|]+)\|$", page(repository, "node"), re.MULTILINE)
        assert [int(number) for number, _ in rows] == list(range(1, 18))
        sources = {p.name: p.read_text() for p in (repository / "test").rglob("test_*.py")}
        for number, cell in rows:
            names = re.findall(r"test_\w+\.py", cell)
            assert names, f"pitfall {number} names no test"
            text = "".join(sources[name] for name in names)
            for word in re.findall(r"::(\w+)", cell):
                assert re.search(rf"(class|def) {word}\b", text), (number, word)


class TestNames:
    def test_every_topic_is_documented(self, repository: Path) -> None:
        text = page(repository, "topics")
        assert [topic for topic in TOPIC_TYPES if f"`~/{topic}`" not in text] == []

    @pytest.mark.parametrize("name", PAGES)
    def test_parameters_named_with_a_value_exist(self, repository: Path, name: str) -> None:
        others = {"bond_timeout", "decay_model", "data_type", "image", "camera_info", "topic"}
        ours = set(DepthNodeParams().values()) | {"image_topic", "camera_info_topic"}
        ours |= {"scale_points_topic", "rviz_frame"}
        theirs = {"depth_image_units_divisor", "input_depth_topic", "input_depth_info_topic"}
        theirs |= {"rgb_topic", "depth_topic", "approx_sync", "image_rect"}
        named = re.findall(r"`([a-z_.]+)(?::=|: )[^`]+`", page(repository, name))
        prose = {"node", "input", "output", "dropped"}
        assert set(named) - ours - others - theirs - prose == set()

    @pytest.mark.parametrize("name", PAGES)
    def test_links_lead_somewhere(self, repository: Path, name: str) -> None:
        for target in re.findall(r"\]\(([^)#]+)\)", page(repository, name)):
            assert (repository / "docs" / target).exists(), target
