"""The registry of models, as data: what each one is, where its weights are, how they are known.

V1 and V2, relative and metric files share their tensor names and shapes, so the sha256 of a file
decides what it is. No torch here: listing the models is instant.

Source:
    Official repositories at DepthAnything/Depth-Anything-V2@a561b84 and
    LiheYoung/Depth-Anything@1d03336; hub revisions and hashes as pinned in public code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from da_ros.errors import ParameterError
from da_ros.network import checkpoints
from da_ros.network.checkpoints import Checkpoint
from da_ros.network.nano_card import NanoCard, read_nano_card
from da_ros.network.spec import DepthAnythingSpec, DinoV2Spec, DptSpec, NanoSpec, ResizeRule
from da_ros.types import Kind

Family = Literal["v1", "v2", "metric-indoor", "metric-outdoor", "nano"]
Size = Literal["nano", "small", "base", "large", "giant"]
Taps = tuple[int, int, int, int]


@dataclass(frozen=True)
class Variant:
    """One model: architecture, meaning of its output, licence, and files it can be loaded from.

    Attributes:
        name: Registry name, such as ``metric-indoor-small``.
        family: ``v1``, ``v2``, ``metric-indoor``, ``metric-outdoor`` or ``nano``.
        size: ``nano``, ``small``, ``base``, ``large`` or ``giant``.
        kind: What the output means.
        max_depth: What a metric checkpoint's sigmoid is multiplied by [m]; else None.
        reference_inverse_depth: ``d_ref`` of the nominal view, in the checkpoint's own unit; None
            for metric models.
        architecture: Sizes of the network.
        taps: Zero-based encoder blocks that the head reads; empty for nano.
        resize: How an image becomes the network's input.
        checkpoints: Files with a known hash, the preferred download first; none if unpublished.
        licence: SPDX name of the licence that the weights are published under.
        ancestry: Whose weights these descend from, and under which licence those are.
        non_commercial: Whether the licence, or that of an ancestor, forbids commercial use.
    """

    name: str
    family: Family
    size: Size
    kind: Kind
    max_depth: float | None
    reference_inverse_depth: float | None
    architecture: DepthAnythingSpec | NanoSpec
    taps: tuple[int, ...]
    resize: ResizeRule
    checkpoints: tuple[Checkpoint, ...]
    licence: str
    ancestry: str
    non_commercial: bool = False

    @property
    def licence_line(self) -> str:
        """Licence and ancestry in one line."""
        return f"{self.licence}; {self.ancestry}"


Registry = Mapping[str, Variant]

COVER_518 = ResizeRule(target=518, multiple=14, interpolation="bicubic")

SIZES: Mapping[str, DepthAnythingSpec] = {
    "small": DepthAnythingSpec(
        DinoV2Spec(dim=384, depth=12, heads=6), DptSpec(64, (48, 96, 192, 384))
    ),
    "base": DepthAnythingSpec(
        DinoV2Spec(dim=768, depth=12, heads=12), DptSpec(128, (96, 192, 384, 768))
    ),
    "large": DepthAnythingSpec(
        DinoV2Spec(dim=1024, depth=24, heads=16), DptSpec(256, (256, 512, 1024, 1024))
    ),
    "giant": DepthAnythingSpec(
        DinoV2Spec(dim=1536, depth=40, heads=24, ffn="swiglu"),
        DptSpec(384, (1536, 1536, 1536, 1536)),
    ),
}

V2_TAPS: Mapping[str, Taps] = {
    "small": (2, 5, 8, 11),
    "base": (2, 5, 8, 11),
    "large": (4, 11, 17, 23),
    "giant": (9, 19, 29, 39),
}
V1_TAPS: Mapping[str, Taps] = {
    "small": (8, 9, 10, 11),
    "base": (8, 9, 10, 11),
    "large": (20, 21, 22, 23),
}

# Three times the published value at a background corner of one photo (COCO val2017 39769): close
# things reach about that. It serves the nominal view alone and is a parameter; nothing measured
# depends on it. The giant was never published; it gets the large one's.
V2_REFERENCE = {"small": 8.0, "base": 13.1, "large": 486.8, "giant": 486.8}
V1_REFERENCE = {"small": 26.5, "base": 79.2, "large": 264.0}

NON_COMMERCIAL = "CC-BY-NC-4.0"
DINOV2 = "encoder from DINOv2 (Apache-2.0)"


def _v1(size: Size) -> Variant:
    return Variant(
        name=f"v1-{size}",
        family="v1",
        size=size,
        kind=Kind.RELATIVE_INVERSE_DEPTH,
        max_depth=None,
        reference_inverse_depth=V1_REFERENCE[size],
        architecture=SIZES[size],
        taps=V1_TAPS[size],
        resize=COVER_518,
        checkpoints=checkpoints.V1[size],
        licence="Apache-2.0",
        ancestry=DINOV2,
    )


def _v2(size: Size) -> Variant:
    return Variant(
        name=f"v2-{size}",
        family="v2",
        size=size,
        kind=Kind.RELATIVE_INVERSE_DEPTH,
        max_depth=None,
        reference_inverse_depth=V2_REFERENCE[size],
        architecture=SIZES[size],
        taps=V2_TAPS[size],
        resize=COVER_518,
        checkpoints=checkpoints.V2.get(size, ()),
        licence="Apache-2.0" if size == "small" else NON_COMMERCIAL,
        ancestry=DINOV2,
        non_commercial=size != "small",
    )


def _metric(place: Literal["indoor", "outdoor"], size: Size) -> Variant:
    parent = _v2(size)
    files = checkpoints.METRIC_INDOOR if place == "indoor" else checkpoints.METRIC_OUTDOOR
    data = "Hypersim" if place == "indoor" else "Virtual KITTI 2"
    return Variant(
        name=f"metric-{place}-{size}",
        family="metric-indoor" if place == "indoor" else "metric-outdoor",
        size=size,
        kind=Kind.METRIC_DEPTH,
        max_depth=20.0 if place == "indoor" else 80.0,
        reference_inverse_depth=None,
        architecture=SIZES[size],
        taps=V2_TAPS[size],
        resize=COVER_518,
        checkpoints=files[size],
        licence="Apache-2.0",
        ancestry=f"fine-tuned on {data} from {parent.name} ({parent.licence})",
        non_commercial=parent.non_commercial,
    )


def _nano(card: NanoCard | None) -> Variant:
    return Variant(
        name="nano",
        family="nano",
        size="nano",
        kind=Kind.RELATIVE_INVERSE_DEPTH,
        max_depth=None,
        reference_inverse_depth=card.reference_inverse_depth if card else 1.0,
        architecture=card.spec if card else NanoSpec(),
        taps=(),
        resize=card.resize if card else ResizeRule(target=256, multiple=32, interpolation="area"),
        checkpoints=(card.checkpoint,) if card else (),
        licence="Apache-2.0",
        ancestry="trained by da_ros; encoder from EfficientNet-Lite0 (Apache-2.0)",
    )


def _rows() -> tuple[Variant, ...]:
    three: tuple[Size, ...] = ("small", "base", "large")
    return (
        _nano(read_nano_card()),
        *(_metric("indoor", size) for size in three),
        *(_metric("outdoor", size) for size in three),
        *(_v2(size) for size in (*three, "giant")),
        *(_v1(size) for size in three),
    )


REGISTRY: Registry = {variant.name: variant for variant in _rows()}


def get_variant(name: str, registry: Registry = REGISTRY) -> Variant:
    """Look a model up by its registry name.

    Args:
        name: Such as ``metric-indoor-small``.
        registry: Rows to look in.

    Returns:
        The row.

    Raises:
        ParameterError: If there is no such model; the message lists those there are.
    """
    if name not in registry:
        raise ParameterError(f"no model is called {name!r}; there are {', '.join(registry)}")
    return registry[name]


def variant_for(model_size: str, model_family: str, registry: Registry = REGISTRY) -> Variant:
    """Look a model up by size and family, as the node's parameters name it.

    Args:
        model_size: ``nano``, ``small``, ``base``, ``large`` or ``giant``.
        model_family: ``metric-indoor``, ``metric-outdoor``, ``v2`` or ``v1``; without effect for
            nano, which is one of a kind.
        registry: Rows to look in.

    Returns:
        The row.

    Raises:
        ParameterError: If the pair does not exist; the message lists the pairs that do.
    """
    for variant in registry.values():
        if variant.size == model_size and (variant.family == model_family or model_size == "nano"):
            return variant
    pairs = ", ".join(f"{row.size} {row.family}" for row in registry.values() if row.taps)
    raise ParameterError(
        f"no model has model_size {model_size!r} and model_family {model_family!r}; "
        f"the pairs are nano, {pairs}"
    )


def variant_of_sha256(digest: str, registry: Registry = REGISTRY) -> Variant | None:
    """Say which model a weights file is.

    Args:
        digest: Sha256 of the whole file, hex.
        registry: Rows to look in.

    Returns:
        The row, or None if no row has a file with this hash.
    """
    wanted = digest.lower()
    for variant in registry.values():
        if any(file.sha256 == wanted for file in variant.checkpoints):
            return variant
    return None
