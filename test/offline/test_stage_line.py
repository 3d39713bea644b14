"""Batches pass all stages in order, side by side, and an error comes out where it is awaited."""

from __future__ import annotations

import threading

import pytest

from da_ros.offline.stage_line import StageLine


class TestStageLine:
    def test_all_stages_in_order(self) -> None:
        with StageLine(lambda x: [x], lambda x: [*x, "b"], lambda x: [*x, "c"]) as line:
            out = []
            for number in range(20):
                line.submit(number)
                out += list(line.finished())
            out += list(line.finished(all_of_them=True))
        assert out == [[number, "b", "c"] for number in range(20)]

    def test_never_more_under_way_than_there_are_stages(self) -> None:
        started: list[int] = []
        gate = threading.Event()

        def hold(number: int) -> int:
            started.append(number)
            gate.wait(10)
            return number

        with StageLine(lambda x: x, hold) as line:
            for number in range(line.ahead):
                line.submit(number)
                assert list(line.finished()) == []
            line.submit(line.ahead)
            gate.set()
            assert 0 in list(line.finished())
            list(line.finished(all_of_them=True))

    def test_stages_overlap(self) -> None:
        """The second stage of one batch waits for the first stage of the next."""
        began = threading.Event()

        def first(number: int) -> int:
            if number == 1:
                began.set()
            return number

        def second(number: int) -> int:
            if number == 0:
                assert began.wait(10)
            return number

        with StageLine(first, second) as line:
            line.submit(0)
            line.submit(1)
            assert list(line.finished(all_of_them=True)) == [0, 1]

    def test_a_wide_stage_works_on_several_and_keeps_their_order(self) -> None:
        """The first batch waits in the wide stage until the second has passed it."""
        passed = threading.Event()
        left: list[int] = []

        def wide(number: int) -> int:
            if number == 0:
                assert passed.wait(10)
            if number == 1:
                passed.set()
            return number

        def last(number: int) -> int:
            left.append(number)
            return number

        with StageLine(lambda x: x, wide, last, widths=(1, 2, 1)) as line:
            for number in range(4):
                line.submit(number)
            assert list(line.finished(all_of_them=True)) == [0, 1, 2, 3]
        assert left == [0, 1, 2, 3]
        assert line.ahead == 4

    def test_an_error_comes_out(self) -> None:
        def fail(number: int) -> int:
            raise ZeroDivisionError(number)

        with StageLine(fail, lambda x: x) as line:
            line.submit(1)
            with pytest.raises(ZeroDivisionError, match="1"):
                list(line.finished(all_of_them=True))

    def test_leaving_early_stops_its_threads(self) -> None:
        before = threading.active_count()
        with StageLine(lambda x: x, lambda x: x) as line:
            line.submit(1)
        assert threading.active_count() == before
