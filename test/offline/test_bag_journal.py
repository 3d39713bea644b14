"""A journal gives back what was written, or says why it does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from da_ros.errors import BagError
from da_ros.offline.bag_journal import Journal, JournalEntry, has_journal
from da_ros.offline.bag_metadata import joined


class TestJournal:
    def test_round_trip_is_exact(self, tmp_path: Path) -> None:
        before = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
        memory = {"scale": [0.1, float("nan"), 1e-300, {"before": before}], "none": None}
        journal = Journal(tmp_path, {"topics": ("/a",)})
        assert not has_journal(tmp_path)
        journal.write(JournalEntry([{"message_count": 1}], 77, {"done": 3}, memory))
        assert has_journal(tmp_path)
        again = Journal(tmp_path, {"topics": ["/a"]})
        again.load()
        entry = again.entry
        assert entry is not None
        assert (entry.position, entry.report, entry.parts) == (
            77,
            {"done": 3},
            [{"message_count": 1}],
        )
        (first, nothing, small, other) = entry.memory["scale"]
        assert (first, small) == (0.1, 1e-300)
        assert np.isnan(nothing)
        assert other["before"].dtype == np.float32
        np.testing.assert_array_equal(other["before"], before)

    def test_another_job(self, tmp_path: Path) -> None:
        Journal(tmp_path, {"every": 1, "batch": 4}).write(JournalEntry([], 1, {}, {}))
        with pytest.raises(BagError, match=r"another job: batch was 4, is 8; every was 1, is 2"):
            Journal(tmp_path, {"every": 2, "batch": 8}).load()

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"identity": {}, "entry": 3}'])
    def test_damaged(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "journal.json").write_text(text)
        with pytest.raises(BagError, match=r"cannot be read .*start again with --overwrite"):
            Journal(tmp_path, {}).load()

    def test_another_version(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path, {})
        journal.write(JournalEntry([], 1, {}, {}))
        path = tmp_path / "journal.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
        with pytest.raises(BagError, match="another version"):
            journal.load()


class TestJoined:
    @staticmethod
    def part(name: str, start: int, duration: int, counts: tuple[int, int]) -> dict[str, object]:
        topics = [
            {"topic_metadata": {"name": topic}, "message_count": count}
            for topic, count in zip(("/a", "/b"), counts, strict=True)
        ]
        return {
            "relative_file_paths": [name],
            "files": [{"path": name}],
            "starting_time": {"nanoseconds_since_epoch": start},
            "duration": {"nanoseconds": duration},
            "message_count": sum(counts),
            "topics_with_message_count": topics,
            "version": 8,
        }

    def test_sums_and_spans(self) -> None:
        empty = self.part("x_1", 2**63 - 1, 0, (0, 0))
        made = joined(
            [self.part("x_0", 100, 50, (1, 2)), empty, self.part("x_2", 130, 70, (3, 0))]
        )
        assert made["relative_file_paths"] == ["x_0", "x_1", "x_2"]
        assert made["starting_time"]["nanoseconds_since_epoch"] == 100
        assert made["duration"]["nanoseconds"] == 100
        assert made["message_count"] == 6
        assert [topic["message_count"] for topic in made["topics_with_message_count"]] == [4, 2]
        assert made["version"] == 8

    def test_nothing_at_all(self) -> None:
        made = joined([self.part("x_0", 2**63 - 1, 0, (0, 0))])
        assert (made["message_count"], made["duration"]["nanoseconds"]) == (0, 0)
