"""Photos in; depth, pictures and clouds out: the engine behind ``da_ros image``."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from da_ros.conversions import DecodedImage
from da_ros.errors import DaRosError, InputError
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.cloud import pack_cloud
from da_ros.geometry.depth import depth_to_millimetres
from da_ros.offline.photos import CameraChoice, Photo, find_photos, output_stems, read_photo
from da_ros.pictures.colormap import value_range
from da_ros.pictures.ply import write_ply
from da_ros.pictures.render import render_cloud
from da_ros.pictures.scale_bar import METRES, RELATIVE, picture_with_bar
from da_ros.pictures.sheet import fit_width
from da_ros.pipeline import DepthFrame, DepthPipeline, Frame, Stream
from da_ros.types import Header, Kind, StageTimes

ByteImage = npt.NDArray[np.uint8]

OUTPUTS = frozenset(
    {"depth", "depth_mm", "points", "inverse_depth", "nominal_depth", "nominal_points"}
)
"""What is asked of the pipeline; a model gives those of its kind."""

COLOR, MILLIMETRES = "color.png", "depth_mm.png"
"""Outputs that are pictures, as their names end."""

VIEW_WIDTH = 960
"""Pictures for the page are kept at this width [px], so that many photos fit in memory."""


@dataclass(frozen=True)
class PhotoResult:
    """What became of one photo.

    Attributes:
        path: The photo.
        stem: What its outputs' names begin with.
        error: Why there are none; empty if all went well.
        files: Name behind the stem to file, in the order in which they were written.
        facts: For people: name to value.
        pictures: Caption to RGB (H, W, 3) uint8, for the page.
    """

    path: Path
    stem: str
    error: str = ""
    files: dict[str, Path] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, ByteImage] = field(default_factory=dict)


def plan_photos(inputs: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Say which photos there are, and what their outputs' names begin with.

    Args:
        inputs: Files and folders.
        out: Folder for the outputs.

    Returns:
        (photo, out / stem) for each.

    Raises:
        InputError: If a folder has no photo, the outputs would lie among the inputs, or one of
            them has the name of another photo.
    """
    if any(path.is_dir() and path.resolve() == out.resolve() for path in inputs):
        raise InputError(f"the outputs must not go into a folder of photos, got {out} as both")
    paths = find_photos(inputs)
    targets = [out / stem for stem in output_stems(paths)]
    photos = {path.resolve(): path for path in paths}
    for target, name in product(targets, (COLOR, MILLIMETRES)):
        if photo := photos.get(_named(target, name).resolve()):
            raise InputError(
                f"{photo}: an output of {target.name} would replace it; choose another -o"
            )
    return list(zip(paths, targets, strict=True))


def convert_photos(
    plan: Sequence[tuple[Path, Path]],
    pipeline: DepthPipeline,
    choice: CameraChoice,
    most_points: int,
) -> Iterator[PhotoResult]:
    """Do the photos one by one; those that fail are reported and the others go on.

    Args:
        plan: From :func:`plan_photos`; the folders of the outputs must be there.
        pipeline: The network and its parameters.
        choice: Of the camera.
        most_points: Larger clouds are thinned.

    Yields:
        One result per photo.
    """
    for path, target in plan:
        try:
            yield _convert(path, target, pipeline, choice, most_points)
        except DaRosError as error:
            reason = " ".join(str(error).split()).removeprefix(f"{path}: ")
            yield PhotoResult(path, target.name, error=reason)
        except MemoryError:
            reason = "not enough memory for a picture of its size; scale it down"
            yield PhotoResult(path, target.name, error=reason)


def depth_of(photo: Photo, camera: PinholeCamera, pipeline: DepthPipeline) -> DepthFrame:
    """Run the pipeline on one picture in memory.

    Args:
        photo: The picture.
        camera: Of the picture; its distortion is undone, as the parameters say.
        pipeline: The network and its parameters.

    Returns:
        Depth, inverse depth and nominal depth, as far as the model gives them.

    Raises:
        DaRosError: If the pipeline refuses the picture.
    """
    stream = Stream()
    size = photo.rgb.shape[0], photo.rgb.shape[1]
    view = stream.view(camera.fields(), size, pipeline.params.camera, None)
    image = DecodedImage(photo.rgb)
    frame = Frame(Header(), image, stream, view, pipeline.wanted(OUTPUTS), size, StageTimes())
    made = pipeline.to_depth(pipeline.infer(pipeline.prepare([frame])))[0]
    if isinstance(made, DaRosError):
        raise made
    return made


def _convert(
    path: Path, target: Path, pipeline: DepthPipeline, choice: CameraChoice, most_points: int
) -> PhotoResult:
    """Read one photo, run the pipeline, write everything."""
    photo = read_photo(path)
    camera, source = choice.for_photo(photo)
    start = time.perf_counter()
    made = depth_of(photo, camera, pipeline)
    seconds = time.perf_counter() - start
    width, height = photo.rgb.shape[1], photo.rgb.shape[0]
    result = PhotoResult(path, target.name)
    result.facts["photo"] = f"{width} x {height} px, camera: {source}"
    result.facts["network"] = (
        f"{made.network_size[1]} x {made.network_size[0]} px, {seconds:.2f} s from pixels to depth"
    )
    _keep(
        result,
        "photo" if made.frame.view.rectification is None else "photo, lens undone",
        _rgb_of(made),
    )
    writer = _Writer(result, target, made)
    with _all_or_nothing(result):
        if made.model.kind is Kind.METRIC_DEPTH:
            writer.metres()
        else:
            writer.relative()
        writer.clouds(pipeline, most_points)
    return result


@contextmanager
def _all_or_nothing(result: PhotoResult) -> Iterator[None]:
    """Give a photo's files their names once all are written; if not, older ones stay."""
    try:
        yield
        for path in result.files.values():
            _partial(path).replace(path)
    except OSError as error:
        *_, path = result.files.values()
        # A full disk shows in NumPy as an error without a number.
        reason = error.strerror or f"{error} (is the disk full?)"
        raise InputError(f"{path} cannot be written: {reason}") from error
    finally:
        for path in result.files.values():
            with suppress(OSError):
                _partial(path).unlink()


def _named(target: Path, name: str) -> Path:
    """Where an output of a photo lies."""
    return target.with_name(f"{target.name}_{name}")


def _partial(path: Path) -> Path:
    """Where a file grows; the suffix stays, since it says the format."""
    return path.with_name(f".part_{path.name}")


@dataclass(frozen=True)
class _Writer:
    """Writes the files of one photo, and notes them in its result."""

    result: PhotoResult
    target: Path
    made: DepthFrame

    def metres(self) -> None:
        """Depth in metres and millimetres, and its picture."""
        assert self.made.depth is not None
        depth = self._array("depth.npy", self.made.depth)
        millimetres = depth_to_millimetres(self.made.depth).cpu().numpy()
        self._picture(MILLIMETRES, millimetres)
        near, far = value_range(depth)
        self._colors(picture_with_bar(depth, near, far, METRES), "depth")
        self.result.facts["depth"] = f"{near:.2f} to {far:.2f} m (1 % to 99 % of the pixels)"

    def relative(self) -> None:
        """Inverse depth as the network gave it, its picture, and the nominal view."""
        assert self.made.inverse_depth is not None
        inverse = self._array("inverse_depth.npy", self.made.inverse_depth)
        far, near = value_range(inverse)
        self._colors(picture_with_bar(inverse, near, far, RELATIVE), "inverse depth")
        self.result.facts["inverse depth"] = f"{far:.3g} to {near:.3g}, relative: not metres"
        if self.made.nominal is not None:
            self._array("nominal_depth.npy", self.made.nominal)

    def clouds(self, pipeline: DepthPipeline, most_points: int) -> None:
        """The cloud as PLY, and a view of it for the page."""
        metric = self.made.depth is not None
        depth = self.made.depth if metric else self.made.nominal
        camera, cloud = self.made.frame.camera, pipeline.params.cloud
        if depth is None or camera is None:
            return
        stride = _stride(camera, cloud.stride, most_points)
        limits = cloud.max_range or None, cloud.edge_threshold or None
        points = pack_cloud(depth, camera, None, stride, *limits).cpu().numpy()
        rgb = np.ascontiguousarray(_rgb_of(self.made)[::stride, ::stride])
        name = "points.ply" if metric else "nominal_points.ply"
        unit = "metres" if metric else "nominal, for viewing only: not metres"
        path = self._file(name)
        count = write_ply(path, points, rgb if cloud.color else None, f"da_ros, {unit}")
        thinned = f" (stride {stride})" if stride > 1 else ""
        self.result.facts["cloud"] = f"{count} point{'s' * (count != 1)}{thinned}, {unit}"
        _keep(
            self.result,
            "cloud, seen from the right" + ("" if metric else " (nominal)"),
            render_cloud(points, rgb),
        )

    def _file(self, name: str) -> Path:
        """Where to write what will be called so; see ``_all_or_nothing``."""
        path = _named(self.target, name)
        self.result.files[name] = path
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "Is a directory")
        return _partial(path)

    def _array(self, name: str, values: Tensor) -> npt.NDArray[np.float32]:
        array = values.cpu().numpy()
        np.save(self._file(name), array)
        return array

    def _picture(self, name: str, pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> None:
        Image.fromarray(pixels).save(self._file(name))

    def _colors(self, picture: ByteImage, caption: str) -> None:
        self._picture(COLOR, picture)
        _keep(self.result, caption, picture)


def _keep(result: PhotoResult, caption: str, picture: ByteImage) -> None:
    result.pictures[caption] = fit_width(picture, min(VIEW_WIDTH, picture.shape[1]))


def _rgb_of(made: DepthFrame) -> ByteImage:
    """The pixels that the depth belongs to, (H, W, 3)."""
    rgb = made.frame.image.rgb
    return rgb.cpu().numpy() if isinstance(rgb, Tensor) else rgb


def _stride(camera: PinholeCamera, least: int, most_points: int) -> int:
    """Smallest stride that keeps a cloud within a number of points."""
    stride = least
    while -(-camera.width // stride) * -(-camera.height // stride) > most_points:
        stride += 1
    return stride
