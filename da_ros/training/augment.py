"""Random crops and looks, on whole batches, on the device that trains."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def augment(
    rgb: Tensor, inverse: Tensor, height: int, width: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Crop, mirror and restyle a batch.

    Args:
        rgb: (B, H, W, 3) uint8.
        inverse: True inverse depth, (B, H, W).
        height: Of the result [px].
        width: Of the result [px].
        generator: All its chance, on the same device.

    Returns:
        Pictures (B, 3, height, width) float32 in [0, 1], and inverse depth (B, height, width)
        float32.
    """
    x, y = crop(rgb, inverse, height, width, generator)
    return restyle(x, generator), y


def crop(
    rgb: Tensor, inverse: Tensor, height: int, width: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Take a random window of each picture and of its inverse depth; as ``augment``, unstyled."""
    x, y = rgb.permute(0, 3, 1, 2).float() / 255, inverse.float()[:, None]
    grid = _windows(x, height, width, generator)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    y = F.grid_sample(y, grid, mode="nearest", padding_mode="border", align_corners=False)
    return x, y[:, 0]


def _draw(x: Tensor, generator: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    """One number a picture, or as many as ``shape`` says, (B, *shape)."""
    size = (len(x), *(shape or (1, 1, 1)))
    return low + (high - low) * torch.rand(size, generator=generator, device=x.device)


def _windows(x: Tensor, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Sampling grids of random windows, (B, height, width, 2).

    45 to 100 % of a side, slightly stretched and turned, half of them mirrored.
    """
    size = _draw(x, generator, 0.0, 1.0, 1)
    whole = _draw(x, generator, 0.0, 1.0, 1) < 0.35
    side = torch.where(whole, torch.ones_like(size), 0.45 + 0.55 * size)
    stretch = _draw(x, generator, -0.12, 0.12, 1).exp()
    sx, sy = (side * stretch).clamp_max(1), (side / stretch).clamp_max(1)
    flip = torch.where(_draw(x, generator, 0.0, 1.0, 1) < 0.5, -1.0, 1.0)
    tx, ty = ((1 - s) * _draw(x, generator, -1.0, 1.0, 1) for s in (sx, sy))
    angle = _draw(x, generator, -0.06, 0.06, 1)
    across = torch.cat((sx * flip, -sy * angle, tx), 1)
    down = torch.cat((sx * flip * angle, sy, ty), 1)
    rows = torch.stack((across, down), 1)
    return F.affine_grid(rows, [len(x), 1, height, width], align_corners=False)


def restyle(x: Tensor, generator: torch.Generator) -> Tensor:
    """Change light, colour, sharpness and noise.

    Args:
        x: (B, 3, H, W) in [0, 1].
        generator: All its chance, on the same device.

    Returns:
        The same shape and range.
    """
    chance = [_draw(x, generator, 0.0, 1.0).flatten() for _ in range(6)]
    x = _some(x.clone(), chance[0] < 0.4, lambda some: _relight(some, generator))
    mean = x.mean((1, 2, 3), keepdim=True)
    x.sub_(mean).mul_(_draw(x, generator, -0.6, 0.45).exp()).add_(mean)
    grey = x.mean(1, keepdim=True)
    saturation = _draw(x, generator, 0.2, 1.5) * (chance[1] >= 0.15).view(-1, 1, 1, 1)
    x.sub_(grey).mul_(saturation).add_(grey)
    light = _draw(x, generator, -0.6, 0.35).exp() * _draw(x, generator, 0.8, 1.2, 3, 1, 1)
    x.mul_(light).clamp_(1e-4, 1).pow_(_draw(x, generator, -0.4, 0.4).exp())
    x = _some(x, chance[2] < 0.25, _soften)
    x = _some(x, chance[3] < 0.12, lambda some: _soften(_soften(some)))
    x = _some(x, chance[4] < 0.15, lambda some: _permute(some, generator))
    x = _some(x, chance[5] < 0.4, lambda some: _speckle(some, generator))
    return x.clamp_(0, 1)


def _some(x: Tensor, chosen: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Change the chosen pictures, in place."""
    rows = chosen.nonzero()[:, 0]
    return x.index_copy_(0, rows, change(x[rows])) if len(rows) else x


def _speckle(x: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    return x + noise * _draw(x, generator, 0.0, 0.05)


def _relight(x: Tensor, generator: torch.Generator) -> Tensor:
    """Multiply by a smooth random field: spots of light and shade that no geometry explains."""
    coarse = torch.rand((len(x), 1, 4, 5), generator=generator, device=x.device) * 1.6 - 0.8
    field = F.interpolate(coarse, size=x.shape[-2:], mode="bicubic", align_corners=False)
    return x * field.exp()


def _soften(x: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), "replicate"), 3, 1)


def _permute(x: Tensor, generator: torch.Generator) -> Tensor:
    """Swap colour channels, one permutation for all."""
    return x[:, torch.randperm(3, generator=generator, device=x.device)]
