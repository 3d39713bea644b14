"""Several bags as one."""

from __future__ import annotations

from pathlib import Path

import bag_maker

from da_ros.offline.bag_inputs import BagInputs


class TestBagInputs:
    def test_merged_by_time(self, tmp_path: Path) -> None:
        one = bag_maker.write_bag(tmp_path / "one", bag_maker.frames("/cam", 3))
        two = bag_maker.write_bag(
            tmp_path / "two", bag_maker.frames("/cam", 3, 1_010_000_000), storage="sqlite3"
        )
        with BagInputs([one, two]) as source:
            found = [(m.connection.topic, m.timestamp) for m in source.messages()]
            assert [connection.id for connection in source.connections] == [0, 1]
            assert source.counts() == {"/cam/image_raw": 6, "/cam/camera_info": 6}
            assert source.times == (1_005_000_000, 1_010_000_000 + 66_000_000 + 6_000_000)
        assert [at for _, at in found] == sorted(at for _, at in found)
        assert len(found) == 12

    def test_topics_that_differ_stay_apart(self, tmp_path: Path) -> None:
        one = bag_maker.write_bag(tmp_path / "one", [bag_maker.info("/x", 1, 1)])
        two = bag_maker.write_bag(tmp_path / "two", [bag_maker.image("/x", 2, 2)])
        with BagInputs([one, two]) as source:
            assert [c.msgtype for c in source.connections] == [bag_maker.INFO, bag_maker.IMAGE]
            types = [message.connection.msgtype for message in source.messages()]
        assert types == [bag_maker.INFO, bag_maker.IMAGE]

    def test_files_of_a_killed_recorder_in_the_order_of_their_numbers(
        self, tmp_path: Path
    ) -> None:
        folder = tmp_path / "in"
        folder.mkdir()
        for number in (10, 9):
            bag = bag_maker.write_bag(tmp_path / f"p_{number}", [bag_maker.odd(number)])
            (bag / f"p_{number}.mcap").rename(folder / f"p_{number}.mcap")
        with BagInputs([folder]) as source:
            assert [file.name for file in source.files] == ["p_9.mcap", "p_10.mcap"]
            assert [message.timestamp for message in source.messages()] == [9, 10]

    def test_latched(self, tmp_path: Path) -> None:
        entries = [
            bag_maker.odd(1),
            bag_maker.info("/x", 2, 2),
            bag_maker.odd(3),
            bag_maker.odd(9),
        ]
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        with BagInputs([bag]) as source:
            assert [message.timestamp for message in source.latched(9)] == [1, 3]
