"""Photos as files: which ones, what their outputs are called, and their pixels and camera."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from da_ros.errors import CameraError, InputError
from da_ros.geometry.camera import PinholeCamera

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"}
)
"""What is taken for a photo in a folder; a file that is named itself may be called anything."""

_EXIF_IFD, _FOCAL_LENGTH_35MM, _ORIENTATION = 0x8769, 0xA405, 0x0112
_DIAGONAL_35MM = math.hypot(36.0, 24.0)


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture as it is meant to be seen.

    Attributes:
        rgb: (H, W, 3) uint8, turned as EXIF says.
        focal_35mm: Focal length in 35 mm equivalent [mm] from EXIF; None if it says none.
        turned: Whether EXIF had it turned or mirrored.
    """

    rgb: npt.NDArray[np.uint8]
    focal_35mm: float | None
    turned: bool = False


@dataclass(frozen=True)
class CameraChoice:
    """What the user said about the camera, and what to assume otherwise.

    Attributes:
        camera: From a calibration file; None for none.
        fov_deg: Horizontal field of view [deg]; None for none.
        default_fov_deg: Assumed where neither the user nor EXIF knows [deg].
    """

    camera: PinholeCamera | None
    fov_deg: float | None
    default_fov_deg: float

    def for_photo(self, photo: Photo) -> tuple[PinholeCamera, str]:
        """Return a photo's camera, and in words where it comes from.

        Raises:
            CameraError: If the calibration is of another shape of image.
        """
        height, width = photo.rgb.shape[:2]
        if self.camera is not None:
            camera, source = _fitted(self.camera, width, height)
            if photo.turned:
                source += ", taken as that of the photo after EXIF has turned it"
            return camera, source
        if self.fov_deg is not None:
            camera = PinholeCamera.from_fov(width, height, self.fov_deg)
            return camera, f"field of view {self.fov_deg:g} deg as given"
        if photo.focal_35mm is not None:
            fov = fov_of_35mm(photo.focal_35mm, width, height)
            return PinholeCamera.from_fov(width, height, fov), (
                f"field of view {fov:.1f} deg from EXIF ({photo.focal_35mm:g} mm equivalent)"
            )
        camera = PinholeCamera.from_fov(width, height, self.default_fov_deg)
        return camera, (
            f"field of view {self.default_fov_deg:g} deg assumed (no --camera, --fov or EXIF)"
        )


def find_photos(inputs: Sequence[Path]) -> list[Path]:
    """List the photos that files and folders mean.

    Folders are not searched deeper, and their hidden files are passed over: what programs put
    beside photos (``._x.jpg``) looks like one.

    Args:
        inputs: Files, taken as they are, and folders.

    Returns:
        Each file once, folders in the order of the names.

    Raises:
        InputError: If a folder has no photo.
    """
    found: dict[Path, None] = {}
    for path in inputs:
        if not path.is_dir():
            found[path] = None
            continue
        photos = [p for p in sorted(path.iterdir()) if _is_photo(p)]
        if not photos:
            raise InputError(
                f"no photo in the folder {path}: expected files such as "
                f"{', '.join(sorted(SUFFIXES))}"
            )
        found.update(dict.fromkeys(photos))
    return list(found)


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()


def output_stems(paths: Sequence[Path]) -> list[str]:
    """Name the outputs of photos so that none overwrites another's.

    A photo's stem, if it is the only one of that name; otherwise with the name of its folder
    before it; then with its suffix behind it; then with a number. Case does not tell names apart,
    since some disks do not.

    Args:
        paths: The photos.

    Returns:
        One stem per photo, all different.
    """
    resolved = [path.resolve() for path in paths]
    candidates = [
        [p.stem for p in resolved],
        [f"{p.parent.name}_{p.stem}" for p in resolved],
        [f"{p.parent.name}_{p.stem}_{p.suffix[1:].lower()}" for p in resolved],
    ]
    stems = candidates[0]
    for longer in candidates[1:]:
        clashing = _clashing(stems)
        stems = [
            new if old.lower() in clashing else old for old, new in zip(stems, longer, strict=True)
        ]
    return _numbered(stems)


def read_photo(path: Path) -> Photo:
    """Read a picture of any kind that Pillow reads.

    16-bit ones become 8-bit by their high byte, as the node does; alpha is dropped; of an
    animation the first picture is taken.

    Args:
        path: The file.

    Returns:
        The picture.

    Raises:
        InputError: If the file is missing, damaged, or no picture.
    """
    try:
        with warnings.catch_warnings():
            # Of large pictures and odd EXIF, which are read all the same.
            warnings.simplefilter("ignore")
            return _read(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a picture that can be read: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow raises any of these for damaged files, by format.
        raise InputError(f"{path}: damaged or unreadable: {error}") from error


def _read(path: Path) -> Photo:
    with Image.open(path) as image:
        image.load()
        focal = _focal_35mm(image)
        upright, turned = _upright(image)
        return Photo(_rgb(upright), focal, turned)


def fov_of_35mm(focal_mm: float, width: int, height: int) -> float:
    """Horizontal field of view of a focal length in 35 mm equivalent.

    Args:
        focal_mm: As EXIF has it: relative to the diagonal of 36 mm x 24 mm.
        width: Of the picture [px].
        height: Of the picture [px].

    Returns:
        [deg]

    Source:
        CIPA DCG-001, which defines the equivalent by the diagonal angle of view.
    """
    focal_px = focal_mm / _DIAGONAL_35MM * math.hypot(width, height)
    return math.degrees(2.0 * math.atan(width / 2.0 / focal_px))


def _rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Pixels of any mode as (H, W, 3) uint8."""
    if image.mode.startswith("I"):  # 16-bit grey, also as 32-bit numbers
        values = np.array(image)
        if values.size and (values.min() < 0 or values.max() > 65535):
            raise ValueError("32-bit numbers that are no 16-bit picture")
        grey = (values.astype(np.uint32) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range nobody states")
    return np.array(image.convert("RGB"))


def _upright(image: Image.Image) -> tuple[Image.Image, bool]:
    """Turn a picture as EXIF says; and whether it said so."""
    try:
        turned = image.getexif().get(_ORIENTATION, 1) in range(2, 9)
        return ImageOps.exif_transpose(image) if turned else image, turned
    except Exception:
        # Damaged EXIF raises nearly anything, and the picture is good without it.
        return image, False


def _focal_35mm(image: Image.Image) -> float | None:
    """EXIF's focal length; None if there is none or it makes no sense."""
    try:
        value = float(image.getexif().get_ifd(_EXIF_IFD).get(_FOCAL_LENGTH_35MM, 0))
    except Exception:
        # Damaged EXIF raises nearly anything, and the picture is good without it.
        return None
    return value if 1.0 <= value <= 10000.0 else None


def _fitted(camera: PinholeCamera, width: int, height: int) -> tuple[PinholeCamera, str]:
    """Give a calibration the photo's size, if the photo has its shape."""
    if (camera.width, camera.height) == (width, height):
        return camera, "calibration file"
    if abs(camera.width * height - camera.height * width) > max(width, height):
        raise CameraError(
            f"the calibration is for {camera.width} x {camera.height} px, the photo has "
            f"{width} x {height} px, which is another shape: cropped or turned"
        )
    return camera.resized(width, height), (
        f"calibration file, scaled from {camera.width} x {camera.height} px"
    )


def _clashing(stems: Sequence[str]) -> set[str]:
    return {stem for stem, count in Counter(s.lower() for s in stems).items() if count > 1}


def _numbered(stems: Sequence[str]) -> list[str]:
    """Put _2, _3 ... behind names that are taken."""
    taken = {stem.lower() for stem in stems if stem.lower() not in _clashing(stems)}
    named = []
    for stem in stems:
        name, number = stem, 1
        while name.lower() in taken and stem.lower() in _clashing(stems):
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.lower())
        named.append(name)
    return named
