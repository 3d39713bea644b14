"""Reading photos of every kind, and naming what is made of them."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from da_ros.errors import CameraError, InputError
from da_ros.geometry.camera import PinholeCamera
from da_ros.offline.photos import (
    CameraChoice,
    Photo,
    find_photos,
    fov_of_35mm,
    output_stems,
    read_photo,
)

ORIENTATION, EXIF_IFD, FOCAL_35MM = 0x0112, 0x8769, 0xA405


def pattern() -> np.ndarray:
    """(4, 6, 3): every pixel another colour."""
    rows, columns = np.mgrid[:4, :6]
    return np.stack([rows * 60, columns * 40, 255 - rows * 20 - columns * 9], -1).astype(np.uint8)


class TestReadPhoto:
    def test_rgb_png_is_exact(self, tmp_path: Path) -> None:
        Image.fromarray(pattern()).save(tmp_path / "a.png")
        photo = read_photo(tmp_path / "a.png")
        assert np.array_equal(photo.rgb, pattern())
        assert photo.focal_35mm is None

    @pytest.mark.parametrize(
        ("value", "turn"),
        [
            (1, lambda a: a),
            (2, lambda a: a[:, ::-1]),
            (3, lambda a: a[::-1, ::-1]),
            (4, lambda a: a[::-1]),
            (5, lambda a: a.transpose(1, 0, 2)),
            (6, lambda a: np.rot90(a, -1)),
            (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
            (8, lambda a: np.rot90(a, 1)),
        ],
    )
    def test_exif_orientation(self, tmp_path: Path, value: int, turn: object) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = value
        Image.fromarray(pattern()).save(tmp_path / "a.png", exif=exif)
        photo = read_photo(tmp_path / "a.png")
        assert np.array_equal(photo.rgb, turn(pattern()))
        assert photo.turned is (value != 1)

    def test_exif_focal_length(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif.get_ifd(EXIF_IFD)[FOCAL_35MM] = 28
        Image.fromarray(pattern()).save(tmp_path / "a.jpg", exif=exif)
        assert read_photo(tmp_path / "a.jpg").focal_35mm == 28.0

    def test_zero_focal_length_is_unknown(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif.get_ifd(EXIF_IFD)[FOCAL_35MM] = 0
        Image.fromarray(pattern()).save(tmp_path / "a.jpg", exif=exif)
        assert read_photo(tmp_path / "a.jpg").focal_35mm is None

    def test_damaged_exif_is_no_reason_to_refuse(self, tmp_path: Path) -> None:
        Image.fromarray(pattern()).save(
            tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff"
        )
        assert read_photo(tmp_path / "a.jpg").rgb.shape == (4, 6, 3)

    def test_no_warning_of_what_is_read_all_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Pillow warns of pictures from 90 million pixels on, and of EXIF that is cut."""
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)  # it refuses from twice as many on
        exif = Image.Exif()
        exif[0x010E] = "a text that will be cut short"
        block = exif.tobytes()[:-12]
        Image.fromarray(pattern()).save(tmp_path / "a.jpg", exif=block, quality=95)
        with pytest.warns(Image.DecompressionBombWarning), Image.open(tmp_path / "a.jpg"):
            pass
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read_photo(tmp_path / "a.jpg").rgb.shape == (4, 6, 3)

    def test_16_bit_grey_keeps_the_high_byte(self, tmp_path: Path) -> None:
        values = np.array([[0, 255, 256], [513, 32768, 65535]], np.uint16)
        Image.fromarray(values).save(tmp_path / "a.png")
        rgb = read_photo(tmp_path / "a.png").rgb
        assert rgb[..., 0].tolist() == [[0, 0, 1], [2, 128, 255]]
        assert (rgb == rgb[..., :1]).all()

    def test_16_bit_tiff_of_the_other_endianness(self, tmp_path: Path) -> None:
        values = np.array([[0, 256], [32768, 65535]], ">u2")
        image = Image.frombytes("I;16B", (2, 2), values.tobytes())
        image.save(tmp_path / "a.tif")
        assert read_photo(tmp_path / "a.tif").rgb[..., 1].tolist() == [[0, 1], [128, 255]]

    @pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
    def test_other_modes_give_rgb(self, tmp_path: Path, mode: str) -> None:
        suffix = "tif" if mode == "CMYK" else "png"
        image = Image.fromarray(np.full((3, 5, 3), 255, np.uint8)).convert(mode)
        image.save(tmp_path / f"a.{suffix}")
        rgb = read_photo(tmp_path / f"a.{suffix}").rgb
        assert rgb.shape == (3, 5, 3)
        assert (rgb == 255).all()

    def test_palette_with_transparency_shows_its_colours(self, tmp_path: Path) -> None:
        image = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
        image.putpalette([200, 10, 20, 30, 40, 250])
        image.save(tmp_path / "a.png", transparency=0)
        assert read_photo(tmp_path / "a.png").rgb.tolist() == [[[200, 10, 20], [30, 40, 250]]]

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"a\.png: no such file"):
            read_photo(tmp_path / "a.png")

    def test_no_picture(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_text("<html>not found</html>")
        with pytest.raises(InputError, match=r"a\.png: not a picture that can be read"):
            read_photo(tmp_path / "a.png")

    def test_floating_point_tiff(self, tmp_path: Path) -> None:
        Image.fromarray(np.ones((3, 3), np.float32)).save(tmp_path / "a.tif")
        with pytest.raises(InputError, match="floating-point pixels"):
            read_photo(tmp_path / "a.tif")

    def test_gigantic_picture(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "a.png")
        with pytest.raises(InputError, match="not a picture that can be read"):
            read_photo(tmp_path / "a.png")

    @given(st.sampled_from(["PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP"]), st.data())
    def test_damaged_files_are_refused_or_read(
        self, tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
    ) -> None:
        """Cut anywhere and with a few bytes changed: an InputError or a picture, nothing else."""
        buffer = io.BytesIO()
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (9, 8, 3), np.uint8)).save(
            buffer, kind
        )
        raw = bytearray(buffer.getvalue())
        for _ in range(data.draw(st.integers(0, 3))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        path = tmp_path_factory.mktemp("photo") / "a.bin"
        path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
        try:
            photo = read_photo(path)
        except InputError:
            return
        assert photo.rgb.ndim == 3
        assert photo.rgb.dtype == np.uint8


class TestFindPhotos:
    def test_folders_are_read_in_order_and_not_deeper(self, tmp_path: Path) -> None:
        for name in ("b.JPG", "a.png", "notes.txt", "deep/c.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        odd = tmp_path / "notes.txt"
        assert find_photos([odd, tmp_path, tmp_path / "a.png"]) == [
            odd,
            tmp_path / "a.png",
            tmp_path / "b.JPG",
        ]

    def test_what_only_looks_like_a_photo_is_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "folder.png").mkdir()
        for name in ("._a.jpg", ".hidden.png", "a.jpg"):
            (tmp_path / name).touch()
        assert find_photos([tmp_path]) == [tmp_path / "a.jpg"]
        assert find_photos([tmp_path / ".hidden.png"]) == [tmp_path / ".hidden.png"]

    def test_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no photo in the folder"):
            find_photos([tmp_path])


class TestOutputStems:
    @pytest.mark.parametrize(
        ("paths", "stems"),
        [
            (["a/x.jpg", "a/y.jpg"], ["x", "y"]),
            (["a/x.jpg", "b/x.jpg", "b/z.jpg"], ["a_x", "b_x", "z"]),
            (["a/x.jpg", "a/x.png"], ["a_x_jpg", "a_x_png"]),
            (["a/X.jpg", "b/x.jpg"], ["a_X", "b_x"]),
            (["p/a/x.jpg", "q/a/x.jpg"], ["a_x_jpg", "a_x_jpg_2"]),
            (["a/x.jpg", "b/x.jpg", "c/a_x.jpg"], ["a_x_jpg", "b_x", "c_a_x_jpg"]),
        ],
    )
    def test_values(self, paths: list[str], stems: list[str]) -> None:
        assert output_stems([Path("/photos") / p for p in paths]) == stems

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["p", "q", "p/a", "q/a", "a_x"]),
                st.sampled_from(["x", "X", "a_x", "a_x_jpg", "x_2", "a_x_jpg_2"]),
                st.sampled_from([".jpg", ".png", ".JPG", ""]),
            ),
            max_size=12,
            unique=True,
        )
    )
    def test_no_two_are_alike(self, parts: list[tuple[str, str, str]]) -> None:
        paths = [Path("/root") / folder / (stem + suffix) for folder, stem, suffix in parts]
        stems = output_stems(paths)
        assert len(stems) == len(paths)
        assert len({stem.lower() for stem in stems}) == len(stems)


class TestFov:
    def test_full_frame_is_exact(self) -> None:
        """50 mm on 36 mm x 24 mm: the textbook's 39.6 degrees."""
        assert fov_of_35mm(50.0, 3600, 2400) == pytest.approx(39.598, abs=1e-3)

    def test_phone_of_4_to_3(self) -> None:
        """26 mm equivalent: a diagonal angle of 79.5 degrees, as CIPA defines it."""
        horizontal = math.radians(fov_of_35mm(26.0, 4000, 3000))
        diagonal = 2 * math.atan(math.tan(horizontal / 2) * 5 / 4)
        assert math.degrees(diagonal) == pytest.approx(79.52, abs=0.01)


class TestCameraChoice:
    @staticmethod
    def photo(width: int, height: int, focal: float | None = None) -> Photo:
        return Photo(np.zeros((height, width, 3), np.uint8), focal)

    def test_calibration_first(self) -> None:
        known = PinholeCamera(640, 480, 500.0, 500.0, 320.0, 240.0)
        choice = CameraChoice(known, None, 60.0)
        assert choice.for_photo(self.photo(640, 480, 28.0)) == (known, "calibration file")

    def test_calibration_is_scaled_to_the_photo(self) -> None:
        known = PinholeCamera(640, 480, 500.0, 510.0, 319.5, 239.5)
        camera, source = CameraChoice(known, None, 60.0).for_photo(self.photo(1280, 960))
        assert (camera.fx, camera.fy, camera.cx) == (1000.0, 1020.0, 639.5)
        assert source == "calibration file, scaled from 640 x 480 px"

    def test_calibration_of_a_turned_photo_is_said_to_be_so(self) -> None:
        known = PinholeCamera(640, 480, 500.0, 500.0, 320.0, 240.0)
        turned = Photo(np.zeros((480, 640, 3), np.uint8), None, turned=True)
        _, source = CameraChoice(known, None, 60.0).for_photo(turned)
        assert source == "calibration file, taken as that of the photo after EXIF has turned it"

    def test_calibration_of_another_shape(self) -> None:
        known = PinholeCamera(640, 480, 500.0, 500.0, 320.0, 240.0)
        with pytest.raises(CameraError, match="another shape: cropped or turned"):
            CameraChoice(known, None, 60.0).for_photo(self.photo(480, 640))

    def test_given_field_of_view(self) -> None:
        camera, source = CameraChoice(None, 90.0, 60.0).for_photo(self.photo(640, 480, 28.0))
        assert camera.fx == pytest.approx(320.0)
        assert source == "field of view 90 deg as given"

    def test_exif(self) -> None:
        camera, source = CameraChoice(None, None, 60.0).for_photo(self.photo(3600, 2400, 50.0))
        assert camera.fx == pytest.approx(5000.0)
        assert source == "field of view 39.6 deg from EXIF (50 mm equivalent)"

    def test_assumed_and_said(self) -> None:
        camera, source = CameraChoice(None, None, 60.0).for_photo(self.photo(640, 480))
        assert camera.fx == pytest.approx(320.0 / math.tan(math.radians(30.0)))
        assert source == "field of view 60 deg assumed (no --camera, --fov or EXIF)"
