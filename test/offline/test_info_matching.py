"""Pairing images and camera_info by stamp."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from da_ros.offline.info_matching import WAIT_NS, InfoMatcher


def taken(matcher: InfoMatcher[str], now: int | None) -> list[tuple[str, object]]:
    return list(matcher.ready(now))


class TestInfoMatcher:
    def test_waits_for_the_equal_stamp(self) -> None:
        matcher: InfoMatcher[str] = InfoMatcher()
        matcher.add_info(1, "old")
        matcher.add_image(2, 100, "image")
        assert taken(matcher, 100) == []
        matcher.add_info(2, "its own")
        assert taken(matcher, 101) == [("image", "its own")]
        assert taken(matcher, None) == []

    def test_takes_the_one_before_when_a_later_one_has_come(self) -> None:
        matcher: InfoMatcher[str] = InfoMatcher()
        matcher.add_info(1, "before")
        matcher.add_image(2, 100, "image")
        matcher.add_info(3, "after")
        assert taken(matcher, 101) == [("image", "before")]

    def test_waits_no_longer_than_half_a_second(self) -> None:
        matcher: InfoMatcher[str] = InfoMatcher()
        matcher.add_info(1, "once and for all")
        matcher.add_image(2, 100, "image")
        assert taken(matcher, 100 + WAIT_NS) == []
        assert taken(matcher, 101 + WAIT_NS) == [("image", "once and for all")]

    def test_the_first_image_may_have_to_take_a_later_one(self) -> None:
        matcher: InfoMatcher[str] = InfoMatcher()
        matcher.add_image(2, 100, "image")
        matcher.add_info(3, "after")
        assert taken(matcher, 101) == [("image", "after")]

    def test_never_any(self) -> None:
        matcher: InfoMatcher[str] = InfoMatcher()
        matcher.add_image(2, 100, "image")
        assert taken(matcher, 200) == []
        assert taken(matcher, None) == [("image", None)]

    def test_without_a_topic_nothing_waits(self) -> None:
        matcher: InfoMatcher[str] = InfoMatcher(has_info=False)
        matcher.add_image(2, 100, "image")
        assert taken(matcher, 100) == [("image", None)]

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("info"), st.integers(0, 20)),
                st.tuples(st.just("image"), st.integers(0, 20)),
            ),
            max_size=60,
        )
    )
    def test_every_image_once_in_order_and_its_own_info_if_it_came_in_time(
        self, events: list[tuple[str, int]]
    ) -> None:
        matcher: InfoMatcher[str] = InfoMatcher()
        out: list[tuple[str, object]] = []
        images, known = [], set()
        for now, (kind, stamp) in enumerate(events):
            if kind == "info":
                matcher.add_info(stamp, stamp)
                known.add(stamp)
            else:
                images.append(f"{len(images)}:{stamp}")
                matcher.add_image(stamp, now, images[-1])
            out += taken(matcher, now)
        out += taken(matcher, None)
        assert [name for name, _ in out] == images
        before = set()
        place = 0
        for kind, stamp in events:
            if kind == "info":
                before.add(stamp)
            else:
                if stamp in before:
                    assert out[place][1] == stamp
                place += 1
        assert all((info is None) == (not known) for _, info in out)
