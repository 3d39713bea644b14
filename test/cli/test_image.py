"""`da_ros image` as a user runs it: a real network, real files, the program's own exit codes."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from PIL import Image

from da_ros.cli.main import main
from da_ros.geometry.camera import PinholeCamera

SUFFIXES = (
    "inverse_depth.npy",
    "color.png",
    "nominal_depth.npy",
    "nominal_points.ply",
)


def photo(path: Path, width: int = 96, height: int = 64, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    Image.fromarray(noise).resize((width, height)).save(path)
    return path


def ply_points(path: Path) -> np.ndarray:
    """x y z of a file with colours, by the format's rules."""
    body = path.read_bytes().split(b"end_header\n", 1)[1]
    layout = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
    return np.frombuffer(body, layout)["xyz"]


@pytest.fixture
def words(nano_weights: Path, tmp_path: Path) -> list[str]:
    return ["--model", str(nano_weights), "--variant", "nano", "-o", str(tmp_path / "out")]


class TestImage:
    def test_relative_model_writes_what_it_may(
        self, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["image", str(photo(tmp_path / "a.png")), *words]) == 0
        made = sorted(path.name for path in (tmp_path / "out").iterdir())
        assert made == sorted([f"a_{suffix}" for suffix in SUFFIXES] + ["index.html"])
        inverse = np.load(tmp_path / "out" / "a_inverse_depth.npy")
        assert inverse.dtype == np.float32
        assert inverse.shape == (64, 96)
        assert inverse.std() > 0.01
        stdout = capsys.readouterr().out
        assert "60 deg assumed" in stdout
        assert "says what is nearer, not how far" in stdout
        assert "unverified" in stdout

    def test_cloud_lies_where_the_nominal_depth_says(
        self, tmp_path: Path, words: list[str]
    ) -> None:
        path = photo(tmp_path / "a.png")
        assert main(["image", str(path), *words, "--fov", "90", "--stride", "2"]) == 0
        depth = np.load(tmp_path / "out" / "a_nominal_depth.npy")
        points = ply_points(tmp_path / "out" / "a_nominal_points.ply")
        assert 0 < len(points) <= 32 * 48
        u = points[:, 0] / points[:, 2] * 48.0 + 47.5  # 90 degrees: f = half of the width
        v = points[:, 1] / points[:, 2] * 48.0 + 31.5
        assert np.abs(u - np.rint(u)).max() < 1e-3
        columns, rows = np.rint(u).astype(int), np.rint(v).astype(int)
        assert (columns % 2 == 0).all()
        assert depth[rows, columns] == pytest.approx(points[:, 2])

    def test_large_clouds_are_thinned(
        self,
        tmp_path: Path,
        words: list[str],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("da_ros.cli.image.IMAGE_POINTS", 2000)
        path = photo(tmp_path / "a.png", 96, 64)
        assert main(["image", str(path), *words]) == 0
        assert "(stride 2)" in capsys.readouterr().out
        assert len(ply_points(tmp_path / "out" / "a_nominal_points.ply")) <= 48 * 32

    def test_names_that_clash_are_kept_apart(self, tmp_path: Path, words: list[str]) -> None:
        paths = [photo(tmp_path / d / "x.png", seed=i) for i, d in enumerate("ab")]
        assert main(["image", *map(str, paths), *words]) == 0
        one, two = (np.load(tmp_path / "out" / f"{d}_x_inverse_depth.npy") for d in "ab")
        assert not np.array_equal(one, two)

    def test_some_fail_and_the_others_go_on(
        self, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a.png").write_text("no picture")
        photo(tmp_path / "in" / "b.png")
        assert main(["image", str(tmp_path / "in"), *words]) == 3
        captured = capsys.readouterr()
        assert "1 of 2 photos" in captured.out
        assert re.search(r"a\.png: failed: .*not a picture", captured.err)
        assert (tmp_path / "out" / "b_color.png").is_file()
        assert "1 failed" in (tmp_path / "out" / "index.html").read_text()

    def test_all_fail(
        self, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One line, and the page of an earlier run stays."""
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "index.html").write_text("of an earlier run")
        for names, said in (
            (["nothing.png"], "nothing.png: no such file"),
            (["nothing.png", "none.png"], "none of 2 photos; the first: "),
        ):
            assert main(["image", *(str(tmp_path / name) for name in names), *words]) == 2
            shown = capsys.readouterr()
            assert shown.out == ""
            (line,) = [text for text in shown.err.splitlines() if text.strip() != "photos"]
            assert line.startswith("da_ros: error: ")
            assert said in line
        assert (tmp_path / "out" / "index.html").read_text() == "of an earlier run"

    def test_calibration_file_rectifies(self, tmp_path: Path, words: list[str]) -> None:
        path = photo(tmp_path / "a.png")
        calibration = tmp_path / "camera.yaml"
        calibration.write_text(
            "image_width: 96\nimage_height: 64\ncamera_name: test\n"
            "camera_matrix: {rows: 3, cols: 3, data: [80, 0, 47.5, 0, 80, 31.5, 0, 0, 1]}\n"
            "distortion_model: plumb_bob\n"
            "distortion_coefficients: {rows: 1, cols: 5, data: [-0.2, 0.0, 0.0, 0.0, 0.0]}\n"
            "rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}\n"
            "projection_matrix: {rows: 3, cols: 4, data: [60, 0, 47.5, 0, 0, 60, 31.5, 0, 0, 0, 1,"
            " 0]}\n"
        )
        assert main(["image", str(path), *words, "--camera", str(calibration)]) == 0
        points = ply_points(tmp_path / "out" / "a_nominal_points.ply")
        u = points[:, 0] / points[:, 2] * PinholeCamera.from_yaml(calibration).rectified().fx
        assert np.abs(u + 47.5 - np.rint(u + 47.5)).max() < 1e-3
        # P is wider than the lens: the corners of the rectified picture were never seen.
        assert np.isnan(np.load(tmp_path / "out" / "a_inverse_depth.npy")[0, 0])

    def test_same_command_twice_gives_the_same_files(
        self, tmp_path: Path, words: list[str]
    ) -> None:
        path = photo(tmp_path / "a.png")
        contents = []
        for _ in range(2):
            assert main(["image", str(path), *words]) == 0
            contents.append([(tmp_path / "out" / f"a_{s}").read_bytes() for s in SUFFIXES])
        assert contents[0] == contents[1]

    def test_in_its_own_process(self, tmp_path: Path, words: list[str]) -> None:
        path = photo(tmp_path / "a.png")
        done = subprocess.run(
            [sys.executable, "-m", "da_ros", "image", str(path), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "1 of 1 photos" in done.stdout


class TestDisk:
    def test_a_file_that_cannot_be_written_fails_its_photo_alone(
        self, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        paths = [photo(tmp_path / f"{stem}.png") for stem in "ab"]
        (tmp_path / "out" / "a_nominal_points.ply").mkdir(parents=True)
        assert main(["image", *map(str, paths), *words]) == 3
        error = capsys.readouterr().err
        assert "a_nominal_points.ply cannot be written: Is a directory" in error
        # Nothing half-done stays of the one, and the other is whole.
        made = {path.name for path in (tmp_path / "out").iterdir()}
        assert made == {"a_nominal_points.ply", "index.html", *(f"b_{s}" for s in SUFFIXES)}

    def test_a_name_too_long_for_what_is_put_behind_it(
        self, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["image", str(photo(tmp_path / f"{'x' * 245}.png")), *words]) == 2
        error = capsys.readouterr().err
        assert "_inverse_depth.npy cannot be written: File name too long" in error

    def test_a_full_disk(self, tmp_path: Path, words: list[str]) -> None:
        path = photo(tmp_path / "a.png", 640, 480)
        done = subprocess.run(
            [sys.executable, "-m", "da_ros", "image", str(path), *words],
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6)),
        )
        assert done.returncode == 2
        assert "a_inverse_depth.npy cannot be written: " in done.stderr
        assert "Traceback" not in done.stderr
        assert list((tmp_path / "out").iterdir()) == []

    def test_what_was_there_survives_a_failure(self, tmp_path: Path, words: list[str]) -> None:
        path = photo(tmp_path / "a.png")
        assert main(["image", str(path), *words]) == 0
        before = {name: (tmp_path / "out" / f"a_{name}").read_bytes() for name in SUFFIXES[:3]}
        (tmp_path / "out" / "a_nominal_points.ply").unlink()
        (tmp_path / "out" / "a_nominal_points.ply").mkdir()
        photo(path, seed=1)
        assert main(["image", str(path), *words]) == 2
        after = {name: (tmp_path / "out" / f"a_{name}").read_bytes() for name in SUFFIXES[:3]}
        assert after == before

    def test_the_page_cannot_be_written(
        self, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "out" / "index.html").mkdir(parents=True)
        assert main(["image", str(photo(tmp_path / "a.png")), *words]) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.endswith("out/index.html: Is a directory")


class TestOddPhotos:
    @pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2), (41, 7), (7, 41), (641, 479)])
    def test_sizes(self, tmp_path: Path, words: list[str], width: int, height: int) -> None:
        pixels = np.random.default_rng(3).integers(0, 255, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.png")
        assert main(["image", str(tmp_path / "a.png"), *words]) == 0
        depth = np.load(tmp_path / "out" / "a_nominal_depth.npy")
        assert depth.shape == (height, width)
        assert np.isfinite(depth).all()
        points = ply_points(tmp_path / "out" / "a_nominal_points.ply")
        assert len(points) <= width * height  # less those that hang on edges
        assert len(points) > 0 or width * height < 10  # which may be all of a few

    def test_too_long(
        self, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["image", str(photo(tmp_path / "a.png", 340, 20)), *words]) == 2
        assert "a.png: image of 340x20 px: expected" in capsys.readouterr().err

    def test_names(self, tmp_path: Path, words: list[str]) -> None:
        stems = ["größe 深度", "a & <b>", 'it\'s "so"', "-dash", "100%"]
        stems.append(os.fsdecode(b"not\xffutf8"))
        for stem in stems:
            photo(tmp_path / "in" / f"{stem}.png")
        assert main(["image", str(tmp_path / "in"), *words]) == 0
        page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
        linked = {unquote_to_bytes(unescape(link)) for link in re.findall('href="([^"]+)"', page)}
        made = {os.fsencode(path.name) for path in (tmp_path / "out").iterdir()}
        assert linked == made - {b"index.html"}
        assert len(linked) == len(stems) * len(SUFFIXES)


class TestRefusals:
    @pytest.mark.parametrize(
        ("extra", "message"),
        [
            (["--fov", "60", "--camera", "c.yaml"], "--camera and --fov both say"),
            (["--fov", "180"], "expected an angle between 0 and 180 degrees, got 180"),
            (["--camera", "no.yaml"], "no.yaml: cannot be read"),
            (["--precision", "fp8"], "precision"),
            (["--device", "tpu"], "device"),
            (["--variant", "v2-smal"], "no model is called 'v2-smal'"),
        ],
    )
    def test_options(
        self,
        tmp_path: Path,
        words: list[str],
        capsys: pytest.CaptureFixture[str],
        extra: list[str],
        message: str,
    ) -> None:
        assert main(["image", str(photo(tmp_path / "a.png")), *words, *extra]) == 2
        stderr = capsys.readouterr().err.splitlines()
        assert len(stderr) == 1
        assert message in stderr[0]

    def test_unknown_model(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = photo(tmp_path / "a.png")
        assert main(["image", str(path), "-o", str(tmp_path / "o"), "--model", "huge"]) == 2
        assert "huge" in capsys.readouterr().err

    def test_outputs_among_the_photos(
        self, nano_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        photo(tmp_path / "in" / "a.png")
        assert main(["image", str(tmp_path / "in"), "-o", str(tmp_path / "in")]) == 2
        assert "must not go into a folder of photos" in capsys.readouterr().err
        assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.png"]

    def test_out_is_a_file(
        self, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "out").write_text("a file")
        assert main(["image", str(photo(tmp_path / "a.png")), *words]) == 2
        assert "cannot be made a folder" in capsys.readouterr().err
