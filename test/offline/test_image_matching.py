"""What belongs to each image: by stamp, waiting no longer than it must."""

from __future__ import annotations

from typing import Any

import bag_maker
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition
from rosbags.interfaces import MessageDefinitionFormat as Format

from da_ros.offline.bag_cameras import BagCamera
from da_ros.offline.bag_input import RawMessage
from da_ros.offline.image_matching import (
    WAIT_NS,
    EvidenceTopics,
    ImageMatching,
    MatchedImage,
)

IMAGE, INFO = "/cam/image_raw", "/cam/camera_info"
CAMERA = BagCamera(IMAGE, bag_maker.IMAGE, INFO)
OTHER = BagCamera("/other/image_raw", bag_maker.IMAGE, "/other/camera_info")


def raw(entry: bag_maker.Entry) -> RawMessage:
    none = MessageDefinition(Format.NONE, "")
    extra = ConnectionExtRosbag2("cdr", [])
    connection = Connection(1, entry.topic, entry.msgtype, none, "", 0, extra, None)
    data = bag_maker.STORE.serialize_cdr(entry.message, entry.msgtype)
    return RawMessage(connection, entry.timestamp, data)


def image(stamp: int, at: int, topic: str = IMAGE) -> RawMessage:
    return raw(bag_maker.image(topic, at, stamp))


def info(stamp: int, at: int = 0, topic: str = INFO) -> RawMessage:
    """Its fx says its stamp."""
    return raw(bag_maker.info(topic, at, stamp, fx=float(stamp)))


def taken(matching: ImageMatching, now: int | None) -> list[tuple[int, float | None]]:
    """Stamp of each image that is ready, and fx of its camera_info."""
    return [
        (found.stamp, None if found.info is None else found.info.k[0])
        for found in matching.ready(now)
    ]


class TestCameraInfo:
    def test_waits_for_the_equal_stamp(self) -> None:
        matching = ImageMatching([CAMERA])
        matching.feed(info(1))
        matching.feed(image(2, 100))
        assert taken(matching, 100) == []
        matching.feed(info(2))
        assert taken(matching, 101) == [(2, 2.0)]
        assert taken(matching, None) == []

    def test_takes_the_one_before_when_a_later_one_has_come(self) -> None:
        matching = ImageMatching([CAMERA])
        for message in (info(1), image(2, 100), info(3)):
            matching.feed(message)
        assert taken(matching, 101) == [(2, 1.0)]

    def test_waits_no_longer_than_half_a_second(self) -> None:
        matching = ImageMatching([CAMERA])
        matching.feed(info(1))
        matching.feed(image(2, 100))
        assert taken(matching, 100 + WAIT_NS) == []
        assert taken(matching, 101 + WAIT_NS) == [(2, 1.0)]

    def test_the_first_image_may_have_to_take_a_later_one(self) -> None:
        matching = ImageMatching([CAMERA])
        matching.feed(image(2, 100))
        matching.feed(info(3))
        assert taken(matching, 101) == [(2, 3.0)]

    def test_never_any(self) -> None:
        matching = ImageMatching([CAMERA])
        matching.feed(image(2, 100))
        assert taken(matching, 200) == []
        assert taken(matching, None) == [(2, None)]

    def test_without_a_topic_nothing_waits(self) -> None:
        matching = ImageMatching([BagCamera(IMAGE, bag_maker.IMAGE, None)])
        matching.feed(image(2, 100))
        assert taken(matching, 100) == [(2, None)]

    def test_images_keep_their_order_among_cameras(self) -> None:
        """The second camera is ready first, and waits for the first: batches are fixed."""
        matching = ImageMatching([CAMERA, OTHER])
        matching.feed(image(2, 100))
        matching.feed(image(3, 101, OTHER.image_topic))
        matching.feed(info(3, topic="/other/camera_info"))
        assert taken(matching, 102) == []
        matching.feed(info(2))
        assert taken(matching, 103) == [(2, 2.0), (3, 3.0)]

    @settings(max_examples=50)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("info"), st.integers(0, 20)),
                st.tuples(st.just("image"), st.integers(0, 20)),
            ),
            max_size=40,
        )
    )
    def test_every_image_once_in_order_and_its_own_info_if_it_came_in_time(
        self, events: list[tuple[str, int]]
    ) -> None:
        matching = ImageMatching([CAMERA])
        out: list[tuple[int, float | None]] = []
        for now, (kind, stamp) in enumerate(events):
            matching.feed(info(stamp, now) if kind == "info" else image(stamp, now))
            out += taken(matching, now)
        out += taken(matching, None)
        assert [stamp for stamp, _ in out] == [stamp for kind, stamp in events if kind == "image"]
        known, place = set(), 0
        for kind, stamp in events:
            if kind == "info":
                known.add(stamp)
                continue
            if stamp in known:
                assert out[place][1] == stamp
            place += 1
        assert all((fx is None) == (not known) for _, fx in out)


class Shelf:
    """Notes what it is given; complete when a cloud of a later stamp has come."""

    def __init__(self) -> None:
        self.depths: list[Any] = []
        self.infos: list[Any] = []
        self.clouds: list[int] = []

    def add_depth(self, message: Any) -> None:
        self.depths.append(message)

    def add_depth_info(self, message: Any) -> None:
        self.infos.append(message)

    def add_cloud(self, message: Any) -> None:
        self.clouds.append(message.header.stamp.nanosec)

    def match(self, stamp_ns: int) -> tuple[Any, ...]:
        return tuple(stamp for stamp in self.clouds if stamp <= stamp_ns)

    def is_complete(self, stamp_ns: int) -> bool:
        return any(stamp >= stamp_ns for stamp in self.clouds)


class TestEvidence:
    TOPICS = EvidenceTopics("/depth/image", "/depth/camera_info", "/lidar")

    def matching(self, shelf: Shelf) -> ImageMatching:
        return ImageMatching([CAMERA], {IMAGE: (self.TOPICS, shelf)})

    def test_looks_ahead(self) -> None:
        shelf = Shelf()
        matching = self.matching(shelf)
        for message in (info(2), raw(bag_maker.cloud("/lidar", 50, 1)), image(2, 100)):
            matching.feed(message)
        assert list(matching.ready(100)) == []
        matching.feed(raw(bag_maker.cloud("/lidar", 120, 3)))
        (found,) = matching.ready(120)
        assert found.evidence == (1,)

    def test_gives_up_after_half_a_second(self) -> None:
        matching = self.matching(Shelf())
        matching.feed(info(2))
        matching.feed(image(2, 100))
        assert list(matching.ready(100 + WAIT_NS)) == []
        (found,) = matching.ready(101 + WAIT_NS)
        assert found.evidence == ()

    def test_every_topic_reaches_its_place(self) -> None:
        shelf = Shelf()
        matching = self.matching(shelf)
        assert matching.topics == {IMAGE, INFO, *self.TOPICS.types}
        matching.feed(raw(bag_maker.image("/depth/image", 1, 1, encoding="16UC1")))
        matching.feed(raw(bag_maker.info("/depth/camera_info", 1, 1)))
        matching.feed(raw(bag_maker.cloud("/lidar", 1, 7)))
        assert [message.encoding for message in shelf.depths] == ["16UC1"]
        assert (len(shelf.infos), shelf.clouds) == (1, [7])


class TestTransforms:
    def test_an_image_carries_those_since_the_image_before(self) -> None:
        matching = ImageMatching([CAMERA], transforms=True, dynamic=True)
        out: list[MatchedImage] = []
        for message in (
            raw(bag_maker.transform("/tf_static", 1, 1, "base", "cam")),
            info(10),
            image(10, 100),
            raw(bag_maker.transform("/tf", 101, 9, "odom", "base")),
        ):
            matching.feed(message)
            out += matching.ready(message.timestamp)
        assert out == []  # the newest pose is older than the image
        matching.feed(raw(bag_maker.transform("/tf", 102, 11, "odom", "base")))
        (first,) = matching.ready(102)
        found = [(static, message.transforms[0]) for static, message in first.transforms]
        assert [
            (static, pose.child_frame_id, pose.header.stamp.nanosec) for static, pose in found
        ] == [(True, "cam", 1), (False, "base", 9), (False, "base", 11)]
        matching.feed(info(11))
        matching.feed(image(11, 110))
        (second,) = matching.ready(110)
        assert second.transforms == ()

    def test_no_tf_is_waited_for_half_a_second(self) -> None:
        matching = ImageMatching([CAMERA], transforms=True, dynamic=True)
        matching.feed(info(10))
        matching.feed(image(10, 100))
        assert list(matching.ready(100 + WAIT_NS)) == []
        assert len(list(matching.ready(101 + WAIT_NS))) == 1
