"""Segments end with the last image of a batch, and hold every message once, in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from da_ros.offline.bag_cameras import BagCamera
from da_ros.offline.bag_segments import BATCH_HELD, COPIES_HELD, Segment, Segmenter, Slot
from da_ros.offline.image_matching import MatchedImage

EMPTY = bytes(3 * COPIES_HELD)
CAMERA = BagCamera("/cam", "sensor_msgs/msg/Image", None)


def image(number: int, *, ready: bool = True) -> Slot:
    made = MatchedImage(CAMERA, number, number, b"raw", ready=ready)
    return Slot("/cam", 0, number, b"raw", made)


def other(number: int, size: int = 3) -> Slot:
    return Slot("/other", 1, number, bytes(size))


def stamps(segment: Segment) -> list[int]:
    return [slot.timestamp for slot in segment.slots]


class TestSegmenter:
    def test_ends_with_the_last_image_of_a_batch(self) -> None:
        segments = Segmenter(batch=2, split=100)
        for slot in (other(0), image(1), other(2), image(3), other(4)):
            segments.add(slot)
        (first,) = segments.full()
        assert (stamps(first), first.position, len(first.images)) == ([0, 1, 2, 3], 4, 2)
        (rest,) = segments.rest()
        assert (stamps(rest), rest.position) == ([4], 5)

    def test_waits_for_an_image_that_is_not_ready(self) -> None:
        segments = Segmenter(batch=1, split=100)
        late = image(0, ready=False)
        assert late.image is not None
        for slot in (late, image(1)):
            segments.add(slot)
        assert list(segments.full()) == []
        late.image.ready = True
        assert [stamps(segment) for segment in segments.full()] == [[0], [1]]

    def test_a_part_ends_after_so_many_images(self) -> None:
        segments = Segmenter(batch=2, split=3)
        for number in range(10):
            segments.add(image(number))
        # At the end of the batch in which the third image is.
        assert [segment.cut for segment in segments.rest()] == [False, True, False, True, False]

    def test_messages_without_images_do_not_pile_up(self) -> None:
        segments = Segmenter(batch=2, split=100)
        taken = 0
        for number in range(10):
            segments.add(other(number, COPIES_HELD // 3))
            taken += sum(len(segment.slots) for segment in segments.full())
        assert taken == 8

    def test_a_batch_that_does_not_fill_does_not_hold_up_much(self) -> None:
        segments = Segmenter(batch=4, split=100)
        segments.add(image(0))
        segments.add(other(1, BATCH_HELD))
        (segment,) = segments.full()
        assert stamps(segment) == [0, 1]

    @given(
        st.lists(
            st.tuples(st.booleans(), st.integers(0, 6), st.sampled_from([0, 1, 5, 9, 40])),
            max_size=60,
        ),
        st.integers(1, 5),
        st.integers(1, 9),
        st.integers(0, 60),
    )
    def test_every_message_once_and_the_same_after_a_resume(
        self, recorded: list[tuple[bool, int, int]], batch: int, split: int, cut: int
    ) -> None:
        """Messages are an image or not, so many messages early, and so many 16ths of a limit."""

        def cut_up(behind: int) -> list[Segment]:
            segments = Segmenter(batch, split)
            found: list[Segment] = []
            waiting: list[tuple[int, MatchedImage]] = []
            for place, (is_image, delay, size) in enumerate(recorded):
                slot = image(place, ready=False) if is_image else other(place)
                slot = slot._replace(raw=memoryview(EMPTY)[: size * COPIES_HELD // 16])
                if slot.image is not None:
                    waiting.append((place + delay, slot.image))
                if place < behind:
                    segments.pass_over()
                else:
                    segments.add(slot)
                while waiting and waiting[0][0] <= place:
                    waiting.pop(0)[1].ready = True
                found += segments.full()
            for _, late in waiting:
                late.ready = True
            return found + list(segments.rest())

        def plain(segments: list[Segment]) -> list[tuple[list[int], int, bool]]:
            return [(stamps(segment), segment.position, segment.cut) for segment in segments]

        whole = cut_up(0)
        assert [n for segment in whole for n in stamps(segment)] == list(range(len(recorded)))
        assert all(len(segment.images) <= batch for segment in whole)
        for segment in whole[:-1]:  # full, or holding up too much
            held = BATCH_HELD if segment.images else COPIES_HELD
            size = sum(len(slot.raw) for slot in segment.slots)
            assert len(segment.images) == batch or size > held
        cuts = [place for place, segment in enumerate(whole) if segment.cut]
        if cuts:
            at = cuts[cut % len(cuts)]
            assert plain(cut_up(whole[at].position)) == plain(whole[at + 1 :])
