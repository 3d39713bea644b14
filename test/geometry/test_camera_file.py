"""Calibration files: what ROS writes is read, anything else is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from da_ros.errors import CameraError
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.camera_file import read_calibration

WRITTEN_BY_ROS = """\
image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [438.783367, 0, 305.593336, 0, 437.302876, 243.738352, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.361976, 1e-05, 0.001014, -0.000484, 0]
rectification_matrix:
  rows: 3
  cols: 3
  data: [0.999978, 0.002789, -0.006046, -0.002816, 0.999986, -0.004401, 0.006034,
    0.004417, 0.999972]
projection_matrix:
  rows: 3
  cols: 4
  data: [393.653800, 0, 322.797939, 0, 0, 393.653800, 241.090902, 0, 0, 0, 1, 0]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "camera.yaml"
    path.write_text(text)
    return path


class TestFromYaml:
    def test_every_number(self, tmp_path: Path) -> None:
        camera = PinholeCamera.from_yaml(written(tmp_path, WRITTEN_BY_ROS))
        assert (camera.width, camera.height) == (640, 480)
        assert camera.k == (438.783367, 0, 305.593336, 0, 437.302876, 243.738352, 0, 0, 1)
        # 1e-05 is a string to YAML 1.1.
        assert camera.distortion == (-0.361976, 1e-05, 0.001014, -0.000484, 0)
        assert camera.rectification[1] == 0.002789
        assert camera.p[2] == 322.797939

    def test_model_left_out_is_plumb_bob(self, tmp_path: Path) -> None:
        text = WRITTEN_BY_ROS.replace("distortion_model: plumb_bob\n", "")
        camera = PinholeCamera.from_yaml(written(tmp_path, text))
        assert camera.distortion_model == "plumb_bob"

    def test_shortest_file(self, tmp_path: Path) -> None:
        text = (
            "image_width: 8\nimage_height: 6\ncamera_matrix: {data: [9, 0, 4, 0, 9, 3, 0, 0, 1]}"
        )
        camera = PinholeCamera.from_yaml(written(tmp_path, text))
        assert camera == PinholeCamera(8, 6, 9.0, 9.0, 4.0, 3.0)

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(CameraError, match=r"absent\.yaml: cannot be read: No such file"):
            PinholeCamera.from_yaml(tmp_path / "absent.yaml")

    def test_unusable_camera_names_the_file(self, tmp_path: Path) -> None:
        text = WRITTEN_BY_ROS.replace("438.783367", "0")
        with pytest.raises(CameraError, match=r"camera\.yaml: camera: K is zero"):
            PinholeCamera.from_yaml(written(tmp_path, text))


class TestReadCalibration:
    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("image_width: 640", "image_width: wide", "image_width to be a whole number > 0"),
            ("image_height: 480", "image_height: 0", "image_height to be a whole number > 0"),
            ("image_height: 480\n", "", "image_height .* got None"),
            ("image_width: 640", "image_width: true", "image_width .* got True"),
            ("data: [438.783367, 0,", "data: [438.783367,", "9 numbers in camera_matrix, got 8"),
            ("data: [438.783367,", "data: [wide,", "camera_matrix to have a list of numbers"),
            ("[-0.361976, 1e-05, 0.001014, -0.000484, 0]", "", "distortion_coefficients to have"),
            ("camera_matrix:\n", "camera_matrix: 5\nother:\n", "camera_matrix to have .* got 5"),
            ("camera_matrix:\n", "other:\n", "camera_matrix to have .* got None"),
        ],
    )
    def test_names_the_key(self, tmp_path: Path, old: str, new: str, message: str) -> None:
        assert old in WRITTEN_BY_ROS
        with pytest.raises(CameraError, match=message):
            read_calibration(written(tmp_path, WRITTEN_BY_ROS.replace(old, new)))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "got NoneType"),
            ("- 1\n- 2\n", "got list"),
            ("a: [1", "ROS camera calibration in YAML"),
            ("%YAML:1.0\nM: !!opencv-matrix\n   rows: 3\n", "ROS camera calibration in YAML"),
        ],
    )
    def test_other_files(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(CameraError, match=message) as caught:
            read_calibration(written(tmp_path, text))
        assert "\n" not in str(caught.value)

    def test_picture(self, tmp_path: Path) -> None:
        path = tmp_path / "camera.yaml"
        path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
        with pytest.raises(CameraError, match="ROS camera calibration in YAML"):
            read_calibration(path)

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(CameraError, match="cannot be read"):
            read_calibration(tmp_path)
