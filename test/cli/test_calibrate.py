"""``da_ros calibrate`` as a user types it, on the real bag with nano."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from da_ros.errors import InputError
from da_ros.network.estimator import DepthEstimator
from da_ros.scale.observations.static import load_calibration

DEPTH = "/camera/depth/image_raw"


def da_ros(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "da_ros", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture
def source(shared_data: Path) -> Path:
    return shared_data / "bags" / "tum_fr1_rgbd_mcap"


class TestCalibrate:
    def test_a_relative_model_of_a_fixed_camera(self, source: Path, tmp_path: Path) -> None:
        target = tmp_path / "hall.yaml"
        done = da_ros(
            "calibrate", source, "--image", "/camera/color/image_raw", "--camera-info",
            "/camera/color/camera_info", "--depth", DEPTH, "--static-camera", "-o", target,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "5 images of /camera/color/image_raw: 5 fitted, 0 refused" in done.stdout
        assert "spread between 5 frames" in done.stdout
        assert target.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        estimator = DepthEstimator.load("nano")
        size = estimator.network_size(480, 640)
        made = load_calibration(target, estimator.info, size, True)
        assert (made.frames, made.source) == (5, "depth_image")
        assert made.coefficients[0] > 0
        with pytest.raises(InputError, match="network input of"):
            load_calibration(target, estimator.info, (size[0] + 32, size[1]), True)
        again = da_ros("calibrate", source, "--depth", DEPTH, "--static-camera", "-o", target)
        assert again.returncode == 2
        assert "already there; --overwrite replaces" in again.stderr

    def test_a_relative_model_of_a_moving_one_is_not_saved(
        self, source: Path, tmp_path: Path
    ) -> None:
        target = tmp_path / "k.yaml"
        done = da_ros(
            "calibrate", source, "--depth", DEPTH, "--every", 2, "-o", target,
            "--plot", tmp_path / "p.png",
        )  # fmt: skip
        assert done.returncode == 3, done.stderr
        assert "A live source is needed: scale and shift of a relative model" in done.stdout
        assert not target.exists()
        assert (tmp_path / "p.png").exists()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "nothing to calibrate from: expected --depth TOPIC"),
            (("--depth", "/nowhere"), f"/nowhere: the bag has none such; it has: {DEPTH}"),
            (("--ground-height", "-1"), "scale.camera_height"),
            (("--depth", DEPTH, "--every", "0"), "every: expected at least 1"),
            (("--depth", DEPTH, "--scale-calibration-file", "x"), "does not take one"),
            (("--depth", DEPTH, "--plot", "k.bmp"), "k.bmp: expected a plot's name to end in"),
            (("--depth", DEPTH, "-o", "."), "expected the name of a file to write, got a folder"),
        ],
    )
    def test_refusals(
        self, source: Path, tmp_path: Path, words: tuple[str, ...], said: str
    ) -> None:
        done = da_ros("calibrate", source, "-o", tmp_path / "k.yaml", *words)
        assert done.returncode == 2
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not list(tmp_path.iterdir())

    def test_a_folder_that_is_not_there(self, source: Path, tmp_path: Path) -> None:
        done = da_ros("calibrate", source, "--depth", DEPTH, "-o", tmp_path / "no" / "k.yaml")
        assert done.returncode == 2
        assert "there is no folder" in done.stderr

    def test_a_plot_that_cannot_be_written_costs_itself(
        self, source: Path, tmp_path: Path
    ) -> None:
        target, picture = tmp_path / "hall.yaml", tmp_path / "hall.png"
        picture.symlink_to("/dev/full")
        done = da_ros(
            "calibrate", source, "--depth", DEPTH, "--static-camera", "-o", target, "--overwrite",
        )  # fmt: skip
        assert done.returncode == 3
        assert f"no plot: {picture}: cannot be written" in done.stderr
        assert target.is_file()

    def test_the_help_teaches(self) -> None:
        done = da_ros("calibrate", "--help")
        assert done.returncode == 0
        assert "da_ros calibrate rec --depth" in done.stdout
        assert "--scale-camera-pitch" in done.stdout
