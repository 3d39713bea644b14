"""What a frame costs besides the network: from the message's bytes to the messages' bytes.

    python -m benchmarks.prepost                 # raw bgr8 VGA, v2-small's grid of 518x686
    python -m benchmarks.prepost --model nano    # another grid
    python -m benchmarks.prepost --stages        # each step by itself too

The first case is the bar, 4.5 ms on two cores: decode, resize to the network's input, resize its
output back, depth, organised xyzrgb cloud, and both as array.array('B'). The others add to it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.harness import arguments, measure, publish
from da_ros.conversions import (
    cloud_fields,
    decode_compressed,
    decode_image,
    image_fields,
    message_data,
)
from da_ros.geometry.camera import PinholeCamera
from da_ros.geometry.cloud import flying_pixels, pack_cloud
from da_ros.geometry.depth import (
    depth_to_millimetres,
    inverse_depth_to_depth,
    metric_to_depth,
    resize_prediction,
)
from da_ros.geometry.rectify import RectificationMap, blank_outside, rectify
from da_ros.geometry.unproject import unproject
from da_ros.network.preprocess import network_size, prepare
from da_ros.network.variants import Variant, get_variant
from da_ros.types import DepthRange, DepthScale, Header, ScaleShift

BAR_MS = 4.5
BAR = "raw bgr8 -> depth, xyzrgb cloud"
HEIGHT, WIDTH = 480, 640
RANGE = DepthRange(0.2, 20.0)
SCALE = ScaleShift(0.5, 0.02)
EDGE = 0.1
LENS = (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)
CAMERA = PinholeCamera(WIDTH, HEIGHT, 517.3, 516.5, 318.6, 255.3, "plumb_bob", LENS)
CPU = torch.device("cpu")


def main() -> None:
    """Measure the frame, and its steps where asked."""
    options = arguments(__doc__, _add_options)
    variant = get_variant(options.model)
    size = network_size(HEIGHT, WIDTH, variant.resize)
    frame = _frame_cases(variant, size)
    figures = measure(frame, BAR, repetitions=options.repetitions, warm_up=options.warm_up)
    bar = figures[0].median_ms
    notes = {"bar": f"{BAR_MS} ms, {'held' if bar <= BAR_MS else 'MISSED'}"}
    publish(f"pre and post, VGA, network at {size[0]}x{size[1]}", figures, options, notes)
    if options.stages:
        steps = _step_cases(variant, size)
        figures = measure(
            steps, next(iter(steps)), repetitions=options.repetitions, warm_up=options.warm_up
        )
        publish("steps", figures, options)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="v2-small", help="registry name (v2-small)")
    parser.add_argument("--stages", action="store_true", help="each step by itself too")
    parser.set_defaults(repetitions=100, warm_up=10)


def _frame_cases(variant: Variant, size: tuple[int, int]) -> dict[str, Callable[[], object]]:
    raw, jpeg = _messages()
    values = _prediction(size)
    frame = partial(_frame, variant=variant, size=size, values=values)
    return {
        BAR: partial(frame, raw),
        "+ edge filter": partial(frame, raw, edge=EDGE),
        "+ rectification": partial(frame, raw, rectified=True),
        "+ JPEG": partial(frame, jpeg),
        "+ edge filter, rectification, JPEG": partial(frame, jpeg, rectified=True, edge=EDGE),
    }


def _frame(
    message: Any,
    variant: Variant,
    size: tuple[int, int],
    values: torch.Tensor,
    rectified: bool = False,
    edge: float | None = None,
) -> object:
    """All that happens to one frame but the network."""
    raw = hasattr(message, "encoding")
    decoded = decode_image(message) if raw else decode_compressed(message)
    pixels, camera = decoded.pixels, CAMERA.rectified()
    if rectified:
        straightening = RectificationMap.of(CAMERA)
        pixels = rectify(pixels, straightening)
    batch = prepare([pixels], size, variant.resize, CPU, bgr=decoded.bgr)
    inverse = resize_prediction(values, HEIGHT, WIDTH)[0]
    depth = inverse_depth_to_depth(inverse, SCALE, RANGE)
    if rectified:
        depth = blank_outside(depth, straightening)
    cloud = pack_cloud(depth, camera, pixels, edge_threshold=edge, bgr=decoded.bgr)
    fields = (
        image_fields(Header(), depth.numpy(), "32FC1"),
        cloud_fields(Header(), cloud.numpy()),
    )
    return batch, [message_data(field["data"]) for field in fields]


def _step_cases(variant: Variant, size: tuple[int, int]) -> dict[str, Callable[[], object]]:
    raw, jpeg = _messages()
    pixels, values = decode_image(raw).pixels, _prediction(size)
    inverse = resize_prediction(values, HEIGHT, WIDTH)[0]
    depth = inverse_depth_to_depth(inverse, SCALE, RANGE)
    camera, straightening = CAMERA.rectified(), RectificationMap.of(CAMERA)
    cloud = cloud_fields(Header(), pack_cloud(depth, camera, pixels).numpy())["data"]
    return {
        "prepare for the network": partial(prepare, [pixels], size, variant.resize, CPU, bgr=True),
        "decode bgr8": partial(decode_image, raw),
        "decode JPEG": partial(decode_compressed, jpeg),
        "rectify": partial(rectify, pixels, straightening),
        "resize the prediction": partial(resize_prediction, values, HEIGHT, WIDTH),
        "inverse depth to depth": partial(inverse_depth_to_depth, inverse, SCALE, RANGE),
        "metric to depth": partial(metric_to_depth, depth, DepthScale(), RANGE),
        "depth to millimetres": partial(depth_to_millimetres, depth),
        "blank outside": partial(blank_outside, depth, straightening),
        "flying pixels": partial(flying_pixels, depth, EDGE),
        "xyz points": partial(unproject, depth, camera),
        "xyz cloud": partial(pack_cloud, depth, camera),
        "xyzrgb cloud": partial(pack_cloud, depth, camera, pixels, bgr=True),
        "xyzrgb cloud through the lens": partial(pack_cloud, depth, CAMERA, pixels, bgr=True),
        "xyzrgb cloud, every 4th": partial(pack_cloud, depth, camera, pixels, stride=4, bgr=True),
        "cloud to array.array": partial(message_data, cloud),
    }


def _messages() -> tuple[SimpleNamespace, SimpleNamespace]:
    """A textured frame as bgr8 and as JPEG."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [np.sin(u / a) * np.cos(v / b) for a, b in ((9, 31), (53, 17), (23, 7))]
    noise = np.random.default_rng(1).normal(0, 6, (HEIGHT, WIDTH, 3))
    picture = np.clip(127 + 90 * np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8)
    raw = SimpleNamespace(
        height=HEIGHT,
        width=WIDTH,
        encoding="bgr8",
        is_bigendian=0,
        step=3 * WIDTH,
        data=message_data(picture.reshape(-1)),
    )
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    jpeg = SimpleNamespace(format="bgr8; jpeg compressed bgr8", data=coded.tobytes())
    return raw, jpeg


def _prediction(size: tuple[int, int]) -> torch.Tensor:
    """A ramp with a box in it, (1, h, w), some of it beyond far."""
    values = torch.linspace(0.0, 6.0, size[0])[:, None].repeat(1, size[1])
    values[size[0] // 3 : size[0] // 2, size[1] // 3 : size[1] // 2] = 8.0
    return values[None]


if __name__ == "__main__":
    main()
