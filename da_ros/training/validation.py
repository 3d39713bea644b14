"""Figures on held-out generated scenes: what checkpoints and settings are chosen by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from da_ros.network.nano import Nano
from da_ros.training.predict import predict

FARTHEST = 80.0  # [m] beyond it nothing is scored
PAIRS = 500
APART = 1.2


@dataclass(frozen=True, eq=False)
class Validation:
    """Held-out pictures in memory.

    Attributes:
        rgb: (N, H, W, 3) uint8.
        inverse: (N, H, W) float [1/m].
    """

    rgb: Tensor
    inverse: Tensor

    @classmethod
    def load(cls, path: Path, count: int) -> Validation:
        """Read a shard of held-out seeds.

        Args:
            path: Of the shard.
            count: How many of its pictures; they are taken evenly, since a shard begins with the
                scenes of few solids and ends with those of many.
        """
        with np.load(path) as shard:
            rgb, inverse = shard["rgb"], shard["inverse"]
        chosen = np.linspace(0, len(rgb) - 1, min(count, len(rgb))).round().astype(np.int64)
        return cls(torch.from_numpy(rgb[chosen]), torch.from_numpy(inverse[chosen]).float())

    @torch.inference_mode()
    def figures(self, network: Nano) -> dict[str, float]:
        """AbsRel and delta1 after a least-squares fit in inverse depth, and pairs in order.

        Args:
            network: In evaluation mode.

        Returns:
            ``absrel``, ``delta1``, ``ordered`` (share of pixel pairs): means over the pictures.
        """
        device = next(network.parameters()).device
        rows = []
        for start in range(0, len(self.rgb), 16):
            x = self.rgb[start : start + 16].permute(0, 3, 1, 2).float() / 255
            height, width = (side // 32 * 32 for side in x.shape[-2:])
            x = F.interpolate(x, size=(height, width), mode="bilinear", antialias=True)
            out = predict(network, x.to(device)).cpu()
            out = F.interpolate(out[:, None], size=self.inverse.shape[-2:], mode="bilinear")[:, 0]
            truth = self.inverse[start : start + 16]
            rows += [score(d, y) for d, y in zip(out, truth, strict=True)]
        return {k: float(np.mean([r[k] for r in rows])) for k in rows[0]}


def score(predicted: Tensor, inverse: Tensor) -> dict[str, float]:
    """One picture's figures.

    Args:
        predicted: Relative inverse depth, (H, W).
        inverse: True inverse depth [1/m], same shape; what is farther than FARTHEST is not scored.

    Returns:
        As ``Validation.figures``.
    """
    valid = inverse > 1 / FARTHEST
    d, y = predicted[valid].double(), inverse[valid].double()
    matrix = torch.stack((d, torch.ones_like(d)), 1)
    fit = (matrix @ torch.linalg.lstsq(matrix, y[:, None]).solution)[:, 0].clamp_min(1 / FARTHEST)
    ratio = y / fit  # z_fit / z
    better = torch.maximum(ratio, 1 / ratio)
    return {
        "absrel": float((ratio - 1).abs().mean()),
        "delta1": float((better < 1.25).double().mean()),
        "ordered": ordered_pairs(d, y, torch.Generator().manual_seed(0)),
    }


def ordered_pairs(predicted: Tensor, inverse: Tensor, generator: torch.Generator) -> float:
    """Share of random pixel pairs, more than 20 % apart in depth, whose order is right.

    Args:
        predicted: (n,) relative inverse depth.
        inverse: (n,) true inverse depth.
        generator: Its chance.

    Returns:
        0 to 1; 1 where no pair is that far apart.
    """
    a, b = torch.randint(len(inverse), (2, PAIRS * 8), generator=generator)
    apart = torch.maximum(inverse[a] / inverse[b], inverse[b] / inverse[a]) > APART
    a, b = a[apart][:PAIRS], b[apart][:PAIRS]
    if not len(a):
        return 1.0
    return float(((predicted[a] > predicted[b]) == (inverse[a] > inverse[b])).double().mean())
