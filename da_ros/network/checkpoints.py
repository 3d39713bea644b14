"""Published weights files: repository, revision, sha256 and size of each.

Every file here has a known sha256, which is checked before use; a revision other than ``main``
names a commit of the hub repository, so that a changed or removed file is noticed early. Of the
``-hf`` files of Depth Anything V2 Base no hash is known, so it has no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Layout = Literal["official", "huggingface"]


@dataclass(frozen=True)
class Checkpoint:
    """One weights file.

    Attributes:
        repo: Repository on the hub; empty for a file that da_ros ships.
        filename: Path inside the repository, or inside ``da_ros/network/data``.
        revision: Commit of the repository, or ``main`` where none is known.
        sha256: Of the file, lower-case hex.
        size_bytes: Of the file; None where not known.
        layout: Which tensor names it holds.
        repo_type: ``model``, or ``space`` for files that lie in a demo's repository.
    """

    repo: str
    filename: str
    revision: str
    sha256: str
    size_bytes: int | None
    layout: Layout
    repo_type: Literal["model", "space"] = "model"

    @property
    def local_name(self) -> str:
        """File name in da_ros's own folder; HF files all have the same name on the hub."""
        name = self.filename.rsplit("/", 1)[-1]
        return name if self.layout == "official" else f"{self.repo.rsplit('/', 1)[-1]}.{name}"


def _official(repo: str, filename: str, revision: str, sha256: str, size: int) -> Checkpoint:
    return Checkpoint(f"depth-anything/{repo}", filename, revision, sha256, size, "official")


def _space(filename: str, sha256: str, size: int) -> Checkpoint:
    path = f"checkpoints/{filename}"
    repo = "LiheYoung/Depth-Anything"
    return Checkpoint(repo, path, "main", sha256, size, "official", repo_type="space")


def _hf(repo: str, revision: str, sha256: str, size: int | None = None) -> Checkpoint:
    return Checkpoint(repo, "model.safetensors", revision, sha256, size, "huggingface")


V1: Mapping[str, tuple[Checkpoint, ...]] = {
    "small": (
        _space(
            "depth_anything_vits14.pth",
            "59afe57cfd9f4284deaf5b753d954723d7136ae842fba3e068ba03537ca1e60e",
            99_219_880,
        ),
        _hf(
            "LiheYoung/depth-anything-small-hf",
            "25216a913fa218ccb7d58cce818d52b728b6c1f6",
            "7997c812d8964a741eec21e6816ec2db1e442b5109ea2e7db26dcb03c9060ef0",
        ),
    ),
    "base": (
        _space(
            "depth_anything_vitb14.pth",
            "64ae214ae4e27424b644c49464c0aa243016f6f753d95097c8eb9ad0b9cb2d9b",
            389_962_664,
        ),
        _hf(
            "LiheYoung/depth-anything-base-hf",
            "main",
            "91a6561491e7cca06cec2522f2353037f59a8d8ec8e3436a7520883d1cf99d65",
        ),
    ),
    "large": (
        _space(
            "depth_anything_vitl14.pth",
            "6c6a383e33e51c5fdfbf31e7ebcda943973a9e6a1cbef1564afe58d7f2e8fe63",
            1_341_401_882,
        ),
        _hf(
            "LiheYoung/depth-anything-large-hf",
            "27ccb0920352c0c37b3a96441873c8d37bd52fb6",
            "bc27360a3e6906e5ddd8f618e2dcde11362327361918b8f76793e42e25de31b3",
        ),
    ),
}

V2: Mapping[str, tuple[Checkpoint, ...]] = {
    "small": (
        _official(
            "Depth-Anything-V2-Small",
            "depth_anything_v2_vits.pth",
            "03876f8651c73a60fe4c2c48294e09fcb6838fcf",
            "715fade13be8f229f8a70cc02066f656f2423a59effd0579197bbf57860e1378",
            99_218_434,
        ),
        _hf(
            "depth-anything/Depth-Anything-V2-Small-hf",
            "5426e4f0f36572d16453bbda7a8389317b1bef99",
            "3152477ce0d8d6978d76b995120de97cb5b928701fd0f817769f59e249a16b70",
            99_173_660,
        ),
    ),
    "base": (
        _official(
            "Depth-Anything-V2-Base",
            "depth_anything_v2_vitb.pth",
            "a4e71a6c2ce52fe50df0f212066b0d4a87be9b5e",
            "0d2b7002e62d39d655571c371333340bd88f67ab95050c03591555aa05645328",
            389_961_218,
        ),
    ),
    "large": (
        _official(
            "Depth-Anything-V2-Large",
            "depth_anything_v2_vitl.pth",
            "cbbb86a30ce19b5684b7a05155dc7e6cbc7685b9",
            "a7ea19fa0ed99244e67b624c72b8580b7e9553043245905be58796a608eb9345",
            1_341_395_338,
        ),
        _hf(
            "depth-anything/Depth-Anything-V2-Large-hf",
            "7581137eff8d4e94f6e796d3baea0e9fa79b22d2",
            "4e01e34ed5549b529b70b92d53226bc370f03041977b390d3dde45d47f516cf9",
            1_341_322_868,
        ),
    ),
}

METRIC_INDOOR: Mapping[str, tuple[Checkpoint, ...]] = {
    "small": (
        _official(
            "Depth-Anything-V2-Metric-Hypersim-Small",
            "depth_anything_v2_metric_hypersim_vits.pth",
            "3bc65d4e14a6786a61acec16453c50e12bf5f338",
            "b782898d8a3e8be1f639de33837ed85e9b4b73e40f8f5e5cd99067588d722545",
            99_222_290,
        ),
        _hf(
            "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf",
            "8078d68a9c75a972131914f6afd0c1723be0da7f",
            "e990eb82fbf11b05b7813261196a2b841bdcf5a05f64396724a8987fa90504a3",
            99_173_660,
        ),
    ),
    "base": (
        _official(
            "Depth-Anything-V2-Metric-Hypersim-Base",
            "depth_anything_v2_metric_hypersim_vitb.pth",
            "4ebcd7fd0858cbb953451619ca943ea39ec08e00",
            "9dc9e274c5eff55c6daf27b660c0ced0eca4e8593a6da90cdcb04d2b4d3f3fa2",
            389_965_138,
        ),
        _hf(
            "depth-anything/Depth-Anything-V2-Metric-Indoor-Base-hf",
            "c6d9784685727bfc6d0a7b5452ce94afaee1e7f5",
            "8b902f5d9a8c8a9520f3a8c6a00afe442b464eff5aaf0cb405d1da721cd9f79f",
        ),
    ),
    "large": (
        _official(
            "Depth-Anything-V2-Metric-Hypersim-Large",
            "depth_anything_v2_metric_hypersim_vitl.pth",
            "79720800638389a78b2defc92caa885104f69974",
            "6f82ff2bc543ac02ddff4aa31fa363676a8305dd3ccf04e80e2af115a044cb6d",
            1_341_401_882,
        ),
        _hf(
            "depth-anything/Depth-Anything-V2-Metric-Indoor-Large-hf",
            "d2fc6a93601aabb1139a3bf0ebfcb4e89c67817f",
            "04d3295ff4f9cbee72b8998a85930fe870b45ba4431e7af47415fbded02388ca",
        ),
    ),
}

METRIC_OUTDOOR: Mapping[str, tuple[Checkpoint, ...]] = {
    "small": (
        _official(
            "Depth-Anything-V2-Metric-VKITTI-Small",
            "depth_anything_v2_metric_vkitti_vits.pth",
            "c725b8589bdf6ab04072cab74c0467830db80d6d",
            "9203e538d35255c90dda4b7fedb47ff33fe725497bcca3b1e53b3a65ee63f0cb",
            99_221_808,
        ),
        _hf(
            "depth-anything/Depth-Anything-V2-Metric-Outdoor-Small-hf",
            "fd2c22027eaf20374204f14099b8341e1925ad39",
            "ad065c77a7421ca55159a1f0db9433397a607690f2d76bb8a6fc54b1be7a3124",
            99_173_660,
        ),
    ),
    "base": (
        _official(
            "Depth-Anything-V2-Metric-VKITTI-Base",
            "depth_anything_v2_metric_vkitti_vitb.pth",
            "e96fd0c8cedf1825a55b9c61309f754982948df0",
            "4dad67a7cc10b462bca48e6b8569c762b8eb3c1adada170a3851a6d3ba37bb3e",
            389_964_656,
        ),
        _hf(
            "depth-anything/Depth-Anything-V2-Metric-Outdoor-Base-hf",
            "5b575fded0346068343a6d96d0ce3ab6dbc9fb49",
            "1f2e9ed13ee39126686994669f8d1bfd9cd8f093a4d2a0891e5a0e5263b480c9",
        ),
    ),
    "large": (
        _official(
            "Depth-Anything-V2-Metric-VKITTI-Large",
            "depth_anything_v2_metric_vkitti_vitl.pth",
            "070e97e4b80e317ec1d03c19927304f4091a180b",
            "239b1054a369e66da2576e9a118d6d7c12d90dc8ebe609579a9a09cd8e05fe38",
            1_341_401_064,
        ),
        _hf(
            "depth-anything/Depth-Anything-V2-Metric-Outdoor-Large-hf",
            "4eab4cf1983c2801c515804005214de56a4b67cc",
            "15f7de4b22f1b1194847ea694ee9ed6395563ba5cd52b70b87901f183c232c9a",
        ),
    ),
}
