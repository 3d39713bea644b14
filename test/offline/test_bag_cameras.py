"""Which topics become cameras."""

from __future__ import annotations

from pathlib import Path

import bag_maker
import pytest

from da_ros.errors import BagError, ParameterError
from da_ros.offline.bag_cameras import BagCamera, choose_cameras
from da_ros.offline.bag_input import BagInput

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"


def chosen(path: Path, *images: str, infos: tuple[str, ...] = ()) -> list[BagCamera]:
    with BagInput(path) as bag:
        return choose_cameras(bag, images, infos, "/da_ros")


class TestChooseCameras:
    def test_colour_with_camera_info_beside_it(self, tmp_path: Path) -> None:
        entries = [
            *bag_maker.frames("/cam", 1),
            bag_maker.image("/lonely/image_raw", 1, 1),
            bag_maker.image("/depth/image_raw", 1, 1, encoding="16UC1"),
            bag_maker.info("/depth/camera_info", 1, 1),
            bag_maker.image("/infra/image_raw", 1, 1, encoding="mono8"),
            bag_maker.info("/infra/camera_info", 1, 1),
            bag_maker.image("/cam/da_ros/depth/color", 1, 1),
            bag_maker.info("/cam/da_ros/depth/camera_info", 1, 1),
        ]
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        assert chosen(bag) == [BagCamera("/cam/image_raw", IMAGE, "/cam/camera_info", "/da_ros")]

    def test_grey_where_there_is_no_colour(self, tmp_path: Path) -> None:
        entries = [
            bag_maker.image("/infra/image_rect", 1, 1, encoding="mono8"),
            bag_maker.info("/infra/camera_info", 1, 1),
        ]
        (camera,) = chosen(bag_maker.write_bag(tmp_path / "in", entries))
        assert camera.image_topic == "/infra/image_rect"
        assert camera.stream.topic == "/infra/image_rect"

    def test_raw_rather_than_compressed(self, tmp_path: Path) -> None:
        entries = [
            bag_maker.compressed("/a/image_raw/compressed", 1, 1),
            *bag_maker.frames("/a", 1),
            bag_maker.compressed("/b/image_raw/compressed", 1, 1),
            bag_maker.info("/b/camera_info", 1, 1),
        ]
        cameras = chosen(bag_maker.write_bag(tmp_path / "in", entries))
        assert [(c.image_topic, c.msgtype) for c in cameras] == [
            ("/a/image_raw", IMAGE),
            ("/b/image_raw/compressed", COMPRESSED),
        ]
        assert [c.namespace for c in cameras] == ["/a/da_ros", "/b/da_ros"]

    def test_two_cameras_in_one_namespace(self, tmp_path: Path) -> None:
        entries = [
            bag_maker.image("/cam/left", 1, 1),
            bag_maker.image("/cam/right", 1, 1),
            bag_maker.info("/cam/camera_info", 1, 1),
        ]
        cameras = chosen(bag_maker.write_bag(tmp_path / "in", entries))
        assert [c.namespace for c in cameras] == ["/cam/left/da_ros", "/cam/right/da_ros"]

    def test_named_topics_keep_their_order(self, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(
            tmp_path / "in", bag_maker.frames("/a", 1) + bag_maker.frames("/b", 1)
        )
        cameras = chosen(bag, "/b/image_raw", "/a/image_raw")
        assert [c.info_topic for c in cameras] == ["/b/camera_info", "/a/camera_info"]

    def test_named_camera_infos(self, tmp_path: Path) -> None:
        bag = bag_maker.write_bag(
            tmp_path / "in", bag_maker.frames("/a", 1) + bag_maker.frames("/b", 1)
        )
        (camera,) = chosen(bag, "/a/image_raw", infos=("/b/camera_info",))
        assert camera.info_topic == "/b/camera_info"

    def test_wildcards_stand_for_cameras(self, tmp_path: Path) -> None:
        """Depth, our own outputs and second transports are left out; what is named stays."""
        entries = [
            *bag_maker.frames("/a", 1),
            *bag_maker.frames("/b", 1),
            bag_maker.compressed("/a/image_raw/compressed", 1, 1),
            bag_maker.compressed("/c/image_raw/compressed", 1, 1),
            bag_maker.image("/a/depth", 2, 2, encoding="16UC1"),
            bag_maker.compressed("/a/depth/compressedDepth", 1, 1, "16UC1; compressedDepth png"),
            bag_maker.image("/a/da_ros/depth/color", 1, 1),
        ]
        bag = bag_maker.write_bag(tmp_path / "in", entries)

        def topics(*patterns: str) -> list[str]:
            return [camera.image_topic for camera in chosen(bag, *patterns)]

        assert topics("*") == ["/a/image_raw", "/b/image_raw", "/c/image_raw/compressed"]
        assert topics("/b/image_raw", "/*/image_raw") == ["/b/image_raw", "/a/image_raw"]
        assert topics("/*/image_raw", "/b/image_raw") == ["/a/image_raw", "/b/image_raw"]
        assert topics("/a/*", "/b/*") == ["/a/image_raw", "/b/image_raw"]
        assert topics("/a/depth") == ["/a/depth"]
        with pytest.raises(ParameterError, match=r"each of the 2 image topics \(/a/image_raw, /b"):
            chosen(bag, "/*/image_raw", infos=("/a/camera_info",))
        infos = ("/b/camera_info", "/a/camera_info")
        cameras = chosen(bag, "/*/image_raw", infos=infos)
        assert [camera.info_topic for camera in cameras] == list(infos)

    def test_the_reasons_why_there_is_none(self, tmp_path: Path) -> None:
        entries = [
            bag_maker.image("/lonely/image_raw", 1, 1),
            bag_maker.compressed("/d/compressedDepth", 1, 1, "16UC1; compressedDepth png"),
        ]
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        with pytest.raises(BagError) as caught:
            chosen(bag)
        assert "/d/compressedDepth: compressed image of format" in str(caught.value)
        assert "/lonely/image_raw: no camera_info beside it" in str(caught.value)

    @pytest.mark.parametrize(
        ("images", "infos", "message"),
        [
            (("/a/camera_info",), (), r"/a/camera_info \(sensor_msgs/msg/CameraInfo\) is no"),
            (("/a/image_raw",), ("/a/image_raw",), r"/a/image_raw \(sensor_msgs/msg/Image\) is"),
            ((), ("/a/camera_info",), r"the 0 image topics \(none named\), got 1"),
            (("/a/image_raw", "/a/image_raw"), (), "the same camera is named twice"),
            (("/a/image_raw", "/a/image_raw/compressed"), (), "the same camera is named twice"),
        ],
    )
    def test_refusals(
        self,
        tmp_path: Path,
        images: tuple[str, ...],
        infos: tuple[str, ...],
        message: str,
    ) -> None:
        entries = [
            *bag_maker.frames("/a", 1),
            bag_maker.compressed("/a/image_raw/compressed", 1, 1),
        ]
        bag = bag_maker.write_bag(tmp_path / "in", entries)
        with pytest.raises(ParameterError, match=message):
            chosen(bag, *images, infos=infos)
