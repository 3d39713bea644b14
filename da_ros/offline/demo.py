"""A scene with known depth through everything: a bag, its depth, the figures, the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from da_ros.conversions import camera_info_fields, image_fields
from da_ros.evaluation import (
    Evaluated,
    Protocol,
    Sample,
    Summary,
    evaluate,
    summarize,
)
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.cloud import pack_cloud
from da_ros.network.estimator import DepthEstimator
from da_ros.offline.bag import convert_bag
from da_ros.offline.bag_folder import check_target
from da_ros.offline.bag_job import BagJob
from da_ros.offline.bag_messages import write_message
from da_ros.offline.bag_output import DEFAULT_STORAGE, BagOutput
from da_ros.offline.bag_report import BagReport
from da_ros.offline.evaluation_report import (
    COLUMNS,
    HEADINGS,
    caption_of,
    ordering_line,
    pictures_of,
    predictor,
)
from da_ros.offline.words import describe_model
from da_ros.params import CloudParams, PipelineParams
from da_ros.pictures.html import Figure, Section, write_page
from da_ros.pictures.ply import write_ply
from da_ros.pictures.render import render_cloud
from da_ros.pictures.sheet import contact_sheet
from da_ros.pipeline import DepthPipeline
from da_ros.pipeline.outputs import CAMERA_INFO, IMAGE
from da_ros.types import Header, ModelInfo

ByteImage = npt.NDArray[np.uint8]
Depth = npt.NDArray[np.float32]

PROTOCOL = Protocol.DEPTH_FROM_DISP_LS
COLOR_TOPIC, COLOR_INFO = "/camera/color/image_raw", "/camera/color/camera_info"
TRUTH_TOPIC, TRUTH_INFO = "/camera/depth/image_raw", "/camera/depth/camera_info"
FRAME_ID = "camera_optical_frame"
FRAME_NS = 100_000_000
START_NS = 1_700_000_000 * 1_000_000_000
"""Stamp of the first frame: a time that readers take for one."""


@dataclass(frozen=True, eq=False)
class KnownSequence:
    """Pictures of a moving camera with their true depth.

    Attributes:
        rgb: (N, H, W, 3) uint8.
        depth: (N, H, W) float32 [m], +Inf for the sky.
        camera: Of all pictures.
    """

    rgb: ByteImage
    depth: Depth
    camera: PinholeCamera

    def samples(self) -> Iterator[Sample]:
        """The frames as the evaluation takes them, in one group."""
        for index, (rgb, depth) in enumerate(zip(self.rgb, self.depth, strict=True)):
            yield Sample(f"frame_{index:02d}", "demo", rgb, depth)


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demo found and wrote.

    Attributes:
        summary: Errors against the truth, beside the baselines.
        report: Of the bag run.
        files: What is where.
    """

    summary: Summary
    report: BagReport
    files: dict[str, Path]


def run_demo(
    sequence: KnownSequence, estimator: DepthEstimator, out: Path, cap: float
) -> DemoResult:
    """Write the sequence as a bag, add depth to it, and hold the model to the truth.

    Args:
        sequence: The pictures.
        estimator: The model.
        out: Folder that is there; what a former demo left is replaced.
        cap: Truth from here on is not scored [m].

    Returns:
        Figures and files.

    Raises:
        DaRosError: If the bag cannot be written or no frame can be scored.
    """
    files = {"recording": out / "recording", "recording with depth": out / "with_depth"}
    for target in files.values():  # nothing is rendered into a folder that holds other things
        check_target(target, overwrite=True)
    write_recording(sequence, files["recording"])
    pipeline = DepthPipeline(estimator, PipelineParams(), info_times=False)
    job = BagJob((files["recording"],), files["recording with depth"], overwrite=True)
    report = convert_bag(job, pipeline)
    kind, predict = estimator.info.kind, predictor(estimator)
    items = list(evaluate(sequence.samples(), predict, kind, PROTOCOL, cap))
    summary = summarize([item.result for item in items])
    result = DemoResult(summary, report, files)
    _write_pictures(sequence, items, result, estimator.info, out, cap)
    return result


def write_recording(sequence: KnownSequence, path: Path) -> None:
    """Write pictures, true depth and camera_info as a robot with a depth camera records them.

    Args:
        sequence: The pictures.
        path: Bag folder to make; one of that name is replaced.

    Raises:
        BagError: If it cannot be written.
    """
    with BagOutput(path, DEFAULT_STORAGE, overwrite=True) as bag:
        topics = {COLOR_TOPIC: IMAGE, COLOR_INFO: CAMERA_INFO}
        topics |= {TRUTH_TOPIC: IMAGE, TRUTH_INFO: CAMERA_INFO}
        connections = {topic: bag.add_topic(topic, kind) for topic, kind in topics.items()}
        for index, (rgb, depth) in enumerate(zip(sequence.rgb, sequence.depth, strict=True)):
            stamp = START_NS + index * FRAME_NS
            header = Header(stamp // 10**9, stamp % 10**9, FRAME_ID)
            info = camera_info_fields(header, sequence.camera.fields())
            messages = {
                COLOR_INFO: info,
                COLOR_TOPIC: image_fields(header, np.ascontiguousarray(rgb), "rgb8"),
                TRUTH_INFO: info,
                TRUTH_TOPIC: image_fields(header, np.ascontiguousarray(depth), "32FC1"),
            }
            for topic, fields in messages.items():
                bag.write(connections[topic], stamp, write_message(fields, topics[topic]))


def demo_figures(result: DemoResult) -> dict[str, str]:
    """The figures in words: name to value."""
    means = result.summary.over_images
    figures = {
        "frames": str(means.images),
        "protocol": f"{PROTOCOL}: scale and shift fitted to the truth per frame",
    }
    for method, words in COLUMNS.items():
        score = means.scores[method]
        figures[words] = (
            f"AbsRel {score.abs_rel:.3f}, RMSE {score.rmse:.2f} m, delta1 {score.delta1:.3f}"
        )
    if result.summary.ordering is not None:
        figures["ordering"] = ordering_line(result.summary.ordering)
    return figures


def _write_pictures(
    sequence: KnownSequence,
    items: list[Evaluated],
    result: DemoResult,
    model: ModelInfo,
    out: Path,
    cap: float,
) -> None:
    """The sheet of all frames, the clouds of the first one, and the page."""
    scored = [item for item in items if item.prediction is not None]
    rows = [pictures_of(item, PROTOCOL, cap) for item in scored]
    sheet = contact_sheet(rows, [caption_of(item.result) for item in scored], HEADINGS)
    result.files["sheet"] = out / "sheet.png"
    Image.fromarray(sheet).save(result.files["sheet"])
    first = scored[0]
    assert first.prediction is not None
    views, framing = [], None
    for name, depth in (
        ("true", first.sample.depth),
        # The truth also says where the sky is: no fit of a scale does.
        ("predicted", np.where(np.isfinite(first.sample.depth), first.prediction, np.nan)),
    ):
        result.files[f"cloud, {name}"] = out / f"points_{name}.ply"
        points = _points(depth, sequence.camera)
        comment = f"da_ros demo, metres, {name}, scaled with the truth"
        write_ply(result.files[f"cloud, {name}"], points, first.sample.rgb, comment)
        framing = points if framing is None else framing
        view = render_cloud(points, first.sample.rgb, framed_by=framing)
        views.append(Figure(view, name))
    result.files["page"] = out / "index.html"
    sections = [
        Section("Against the true depth", facts=demo_figures(result)),
        Section("The first frame as a cloud, scaled with the truth", views),
        Section("All frames", [Figure(sheet, "scale and shift are fitted per frame")]),
    ]
    write_page(result.files["page"], "da_ros demo", sections, [describe_model(model)])


def _points(depth: npt.NDArray[np.floating], camera: PinholeCamera) -> Depth:
    """Points without the ones that hang between a near and a far surface, (H, W, 3)."""
    threshold = CloudParams().edge_threshold
    packed = pack_cloud(
        torch.from_numpy(depth.astype(np.float32)), camera, edge_threshold=threshold
    )
    return packed.numpy()
