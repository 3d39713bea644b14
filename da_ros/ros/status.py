"""The lines of the diagnostics, made of what the node knows; called from their own thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from da_ros.ros.diagnostics import ERROR, OK, WARN, Status

# The heartbeat's thread comes here while another one imports the network: two threads that import
# modules which import each other can deadlock, so this one brings none of them.
if TYPE_CHECKING:
    from da_ros.network.estimator import DepthEstimator
    from da_ros.ros.camera import Camera
    from da_ros.ros.camera_scale import CameraScale
    from da_ros.ros.frame_statistics import FrameStatistics
    from da_ros.ros.notices import Notices
    from da_ros.ros.outputs import Outputs

SILENCE_S = 2.0
"""Without an image for so long, the input is called silent."""
LOGGED_SILENCE_S = 5.0
"""After so long the log says so too: programs that start together need some time."""
DISAGREEMENT = 9.0
"""Chi-square per degree of freedom: what several sources say is three deviations apart."""


def node_status(phase: str, enabled: bool, fault: str) -> Status:
    """Lifecycle state, and why the last transition failed."""
    values = {"lifecycle state": phase, "enabled": enabled}
    if fault:
        return Status("node", fault, ERROR, values)
    return Status("node", phase if enabled else f"{phase}, disabled", OK, values)


def model_status(estimator: DepthEstimator) -> Status:
    """Which weights, where."""
    info = estimator.info
    values = {
        "model": info.model_id,
        "sha256": info.sha256,
        "verified": info.verified,
        "kind": info.kind,
        "licence": info.licence,
        "device": estimator.device,
        "precision": str(estimator.precision).removeprefix("torch."),
    }
    if not info.verified:
        return Status("model", f"{info.model_id}, not verified: the user named it", WARN, values)
    return Status("model", f"{info.model_id} on {estimator.device}", OK, values)


def input_status(
    camera: Camera, counts: FrameStatistics, notices: Notices, *, silent_s: float
) -> Status:
    """What comes in.

    Args:
        camera: Where from.
        counts: Of images.
        notices: Whatever is odd.
        silent_s: Since the activation [s].
    """
    publishers, _ = camera.publishers
    received, _ = counts.rates()
    silence = counts.silence_s
    silence = silent_s if silence is None else min(silence, silent_s)
    values = {
        "topic": camera.image_topic,
        "publishers": publishers,
        "subscribed": camera.image_choice,
        "rate [Hz]": received,
        "last image": camera.last_image or "none",
        **counts.counts(),
    }
    faults = [*camera.faults, *notices.active("input: ")]
    if not publishers:
        faults.append(f"nobody publishes {camera.image_topic}")
    elif silence > SILENCE_S:
        faults.append(f"no image on {camera.image_topic} for {silence:.0f} s")
    if faults:
        standing = {text: text for text in camera.faults}
        if silence > LOGGED_SILENCE_S:
            standing["silence"] = faults[-1]
        return Status("input", "; ".join(faults), WARN, values, standing)
    return Status("input", f"{received:.1f} images/s", OK, values)


def camera_status(camera: Camera, notices: Notices) -> Status:
    """What is known of the camera."""
    _, publishers = camera.publishers
    counts = camera.infos.counts
    values = {
        "topic": camera.info_topic,
        "publishers": publishers,
        "received": counts.received,
        "images with the one of their stamp": counts.exact,
        "images with the latest": counts.earlier,
        "images without": counts.none,
        "came late": counts.late,
        "changes": counts.changes,
    }
    faults = notices.active("camera: ")
    if not publishers and not counts.received:
        faults.append(f"nobody publishes {camera.info_topic}: no cloud, no rectification")
    if faults:
        return Status("camera_info", "; ".join(faults), WARN, values)
    return Status("camera_info", "fits the images", OK, values)


def scale_status(scale: CameraScale, notices: Notices) -> Status:
    """Whether there are metres, how sure, and what each source said last."""
    from da_ros.pipeline.packing import sigma_5m
    from da_ros.ros.camera_scale import scale_words
    from da_ros.scale.extrinsic import Mounting, mounting_words
    from da_ros.scale.filter import ScaleState

    last, reports = scale.look()
    values: dict[str, object] = {"sources": ", ".join(scale.stream.sources)}
    if last is not None:
        estimate = last.estimate
        values |= {
            "state": estimate.state,
            "age [s]": estimate.age,
            "inliers": last.basis.inliers,
            "sigma at 5 m [m]": sigma_5m(last),
            "note": last.note,
        }
    for name, count in scale.inputs.publishers.items():
        values[f"{name}: topic"] = scale.inputs.topics[name]
        values[f"{name}: publishers"] = count
        values[f"{name}: subscribed"] = scale.inputs.choices[name]
        values[f"{name}: received"] = scale.inputs.box.received[name]
    for name, report in reports.items():
        values[f"{name}: points"] = f"{report.inliers} of {report.used} of {report.offered}"
        values[f"{name}: residual"] = report.residual
        values[f"{name}: said"] = report.message
    faults = [
        f"nobody publishes {scale.inputs.topics[name]}"
        for name, count in scale.inputs.publishers.items()
        if not count
    ]
    standing = {}
    mounting = scale.mounting
    if mounting is not None:
        values["point_cloud: mounting"] = mounting_words(mounting)
        if mounting.verdict is Mounting.WRONG:
            standing["mounting"] = mounting_words(mounting)
    values["disagreement of sources"] = scale.disagreement
    if scale.disagreement > DISAGREEMENT:
        standing["disagreement"] = (
            f"the sources contradict each other (chi-square {scale.disagreement:.1f} per degree "
            "of freedom): one of them measures wrongly, or claims to be too sure"
        )
    faults += [*standing.values(), *notices.active("scale: ")]
    text = "; ".join([scale_words(last), *faults])
    calibrated = last is not None and last.estimate.state is ScaleState.CALIBRATED
    level = OK if calibrated and not faults else WARN
    return Status("scale", text, level, values, standing)


def output_status(outputs: Outputs, counts: FrameStatistics, notices: Notices) -> Status:
    """What goes out, and what it costs."""
    listeners, deaf = outputs.look()
    _, done = counts.rates()
    values: dict[str, object] = {
        "rate [Hz]": done,
        **{f"subscribers of {topic}": count for topic, count in listeners.items() if count},
        **{f"median {name}": value for name, value in counts.medians().items()},
    }
    faults = [*deaf, *notices.active("output: ")]
    if faults:
        standing = {text: text for text in deaf}
        return Status("output", "; ".join(faults), WARN, values, standing)
    if not any(listeners.values()):
        return Status("output", "nobody subscribes: nothing is computed", OK, values)
    return Status("output", f"{done:.1f} frames/s", OK, values)
