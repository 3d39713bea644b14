"""The benchmark harness: what it calls, how often, and what it makes of the times."""

from __future__ import annotations

import argparse
import json

import pytest

from benchmarks.harness import Figure, circumstances, measure, publish, quartiles, table


class TestMeasure:
    def test_interleaves_the_cases(self):
        calls = []
        cases = {name: lambda name=name: calls.append(name) for name in "abc"}
        measure(cases, "a", repetitions=4, warm_up=1)
        rounds = [calls[i : i + 3] for i in range(0, 15, 3)]
        assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
        assert len({one[0] for one in rounds}) == 3

    def test_the_baseline_has_ratio_one(self):
        figures = measure({"a": int, "b": int}, "b", repetitions=5)
        assert [figure.name for figure in figures] == ["a", "b"]
        assert (figures[1].ratio, figures[1].ratio_low, figures[1].ratio_high) == (1, 1, 1)
        assert all(figure.low_ms <= figure.median_ms <= figure.high_ms for figure in figures)
        assert {figure.repetitions for figure in figures} == {5}

    def test_synchronizes_around_every_call(self):
        log = []
        measure(
            {"a": lambda: log.append("call")},
            "a",
            repetitions=2,
            warm_up=0,
            synchronize=lambda: log.append("wait"),
        )
        assert log == ["wait", "call", "wait"] * 2

    def test_refuses_an_unknown_baseline(self):
        with pytest.raises(ValueError, match=r"baseline 'x' is none of \['a'\]"):
            measure({"a": int}, "x")


class TestQuartiles:
    def test_interpolates(self):
        assert quartiles([4, 1, 3, 2, 5]) == (2, 3, 4)

    def test_one_value_is_all_three(self):
        assert quartiles([7.0]) == (7.0, 7.0, 7.0)


class TestPublish:
    def test_appends_records(self, tmp_path, capsys):
        figure = Figure("a", 1.0, 0.9, 1.1, 1.0, 1.0, 1.0, 5)
        options = argparse.Namespace(json=tmp_path / "out.json", threads=2)
        publish("first", [figure], options)
        publish("second", [figure], options, notes={"memory": 12})
        records = json.loads(options.json.read_text())
        assert [record["title"] for record in records] == ["first", "second"]
        assert records[1]["notes"] == {"memory": 12}
        assert records[0]["figures"][0]["median_ms"] == 1.0
        assert {"commit", "date", "versions", "hardware", "load", "threads"} <= set(records[0])
        assert table([figure]) in capsys.readouterr().out

    def test_circumstances_name_the_machine(self):
        known = circumstances()
        assert known["hardware"]["cores"] >= 1
        assert "torch" in known["versions"]
