"""The texts of our messages, and that they say what every reader of them expects."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from da_ros.errors import DaRosError
from da_ros.message_definitions import (
    MESSAGE_NAMES,
    definition_folders,
    message_definition,
    message_definitions,
)


def constants(name: str) -> dict[str, int]:
    return {
        key: int(value)
        for key, value in re.findall(r"^uint8 (\w+)=(\d+)", message_definition(name), re.MULTILINE)
    }


class TestMessageDefinition:
    @pytest.mark.parametrize("name", MESSAGE_NAMES)
    def test_is_the_file_of_the_tree(self, name: str, repository: Path) -> None:
        assert message_definition(name) == (repository / "msg" / f"{name}.msg").read_text()

    def test_an_unknown_name_is_refused_with_the_list(self) -> None:
        with pytest.raises(DaRosError, match="'Depth': expected one of DepthInfo, ScaleEstimate"):
            message_definition("Depth")

    def test_a_lost_file_says_where_it_was_looked_for(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(
            "da_ros.message_definitions.__file__", str(tmp_path / "da_ros" / "module.py")
        )
        with pytest.raises(DaRosError, match=re.escape(f"looked in {tmp_path / 'msg'}")):
            message_definition("DepthInfo")


class TestMessageDefinitions:
    def test_all_messages_are_there_and_built(self, repository: Path) -> None:
        files = {path.stem for path in (repository / "msg").glob("*.msg")}
        built = re.findall(r'"msg/(\w+)\.msg"', (repository / "CMakeLists.txt").read_text())
        assert files == set(MESSAGE_NAMES) == set(built)
        assert set(message_definitions()) == {f"da_ros/msg/{name}" for name in files}

    def test_rosbags_reads_them(self) -> None:
        store = get_typestore(Stores.ROS2_JAZZY)
        for name, text in message_definitions().items():
            store.register(get_types_from_msg(text, name))
            assert store.hash_rihs01(name).startswith("RIHS01_")


class TestDefinitionFolders:
    @pytest.mark.parametrize(
        "site",
        [
            "venv/lib/python3.11/site-packages",
            "workspace/install/da_ros/lib/python3.12/site-packages",
            "workspace/install/da_ros/local/lib/python3.10/dist-packages",
            "target",
        ],
    )
    def test_reach_the_share_of_every_kind_of_prefix(self, site: str, tmp_path: Path) -> None:
        prefix = tmp_path / re.split("/(local|lib)/", site)[0]
        folders = definition_folders(tmp_path / site / "da_ros" / "message_definitions.py")
        assert prefix / "share" / "da_ros" / "msg" in folders


class TestContent:
    def test_both_messages_agree_on_every_shared_constant(self) -> None:
        info, estimate = constants("DepthInfo"), constants("ScaleEstimate")
        shared = info.keys() & estimate.keys()
        assert shared >= {"TRANSFORM_SCALE", "STATE_HELD", "SOURCE_STATIC"}
        assert {key: info[key] for key in shared} == {key: estimate[key] for key in shared}

    def test_sources_can_be_summed(self) -> None:
        sources = [v for k, v in constants("DepthInfo").items() if k.startswith("SOURCE_")]
        assert sorted(sources) == [0, *(1 << bit for bit in range(len(sources) - 1))]

    @pytest.mark.parametrize("name", MESSAGE_NAMES)
    def test_every_field_says_what_it_is(self, name: str) -> None:
        for line in message_definition(name).splitlines():
            assert not line or line.startswith("#") or "# " in line or "_NONE=0" in line, line

    @pytest.mark.parametrize("name", MESSAGE_NAMES)
    def test_every_float_has_a_unit(self, name: str) -> None:
        lines = re.findall(r"^float\d+\S* .*$", message_definition(name), re.MULTILINE)
        assert lines
        for line in lines:
            assert re.search(r"\[[^\]]+\]|in its unit|products of their units", line.split("#")[1])
