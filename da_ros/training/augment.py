"""Random crops and looks, on whole batches, on the device that trains."""

from __future__ import annotations

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
    chance = [_draw(x, generator, 0.0, 1.0) for _ in range(6)]
    x = torch.where(chance[0] < 0.4, _relight(x, generator), x)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * _draw(x, generator, -0.6, 0.45).exp()
    grey = x.mean(1, keepdim=True)
    saturation = _draw(x, generator, 0.2, 1.5)
    x = grey + (x - grey) * torch.where(chance[1] < 0.15, torch.zeros_like(saturation), saturation)
    x = x * _draw(x, generator, -0.6, 0.35).exp() * _draw(x, generator, 0.8, 1.2, 3, 1, 1)
    x = x.clamp(1e-4, 1) ** _draw(x, generator, -0.4, 0.4).exp()
    x = torch.where(chance[2] < 0.25, _soften(x), x)
    x = torch.where(chance[3] < 0.12, _soften(_soften(x)), x)
    x = torch.where(chance[4] < 0.15, _permute(x, generator), x)
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    x = torch.where(chance[5] < 0.4, x + noise * _draw(x, generator, 0.0, 0.05), x)
    return x.clamp(0, 1)


def _relight(x: Tensor, generator: torch.Generator) -> Tensor:
    """Multiply by a smooth random field: spots of light and shade that no geometry explains."""
    coarse = torch.rand((len(x), 1, 4, 5), generator=generator, device=x.device) * 1.6 - 0.8
    field = F.interpolate(coarse, size=x.shape[-2:], mode="bicubic", align_corners=False)
    return x * field.exp()


def _soften(x: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), "replicate"), 3, 1)


def _permute(x: Tensor, generator: torch.Generator) -> Tensor:
    """Swap colour channels, one permutation for the batch."""
    return x[:, torch.randperm(3, generator=generator, device=x.device)]
