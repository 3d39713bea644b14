"""What a camera does to radiance: exposure, white balance, lens, noise, tone, JPEG."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Luminance quantisation of the JPEG standard's example table (ITU-T T.81, Annex K).
_JPEG_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def photograph(
    radiance: Tensor, generator: torch.Generator, grain: torch.Generator | None = None
) -> Tensor:
    """Expose, blur, add noise and compress, differently for each picture.

    Args:
        radiance: (B, H, W, 3) linear.
        generator: Its chance, on the same device.
        grain: Of the noise alone, so that frames of one camera share all but that.

    Returns:
        (B, H, W, 3) uint8 RGB.
    """
    x = radiance.permute(0, 3, 1, 2)

    def draw(low: float, high: float, *shape: int) -> Tensor:
        size = (len(x), *(shape or (1, 1, 1)))
        return low + (high - low) * torch.rand(size, generator=generator, device=x.device)

    level = x.mean((1, 2, 3), keepdim=True).clamp_min(1e-3)
    exposure = (0.42 / level) ** draw(0.4, 1.0) * torch.exp(draw(-0.5, 0.4))
    x = x * exposure * draw(0.85, 1.15, 3, 1, 1) * _vignette(x, draw(0.0, 0.5))
    x = _blur(
        x, draw(0.0, 1.0), 0.05 + 1.2 * draw(0.0, 1.0) ** 2, 0.05 + 1.2 * draw(0.0, 1.0) ** 2
    )
    x = x / (1 + draw(0.0, 0.5) * x)  # highlights roll off
    sigma = draw(0.0, 1.0) ** 2
    noise = torch.randn(x.shape, generator=grain or generator, device=x.device)
    x = x + noise * sigma * (0.006 + 0.035 * x.clamp_min(0).sqrt())
    x = x.clamp(1e-4, 1) ** draw(0.45, 1.0)
    grey = x.mean(1, keepdim=True)
    x = (grey + (x - grey) * draw(0.5, 1.4)).clamp(0, 1)
    quality = torch.exp(draw(math.log(0.15), math.log(2.5)))
    x = torch.where(draw(0.0, 1.0) < 0.6, jpeg(x, quality), x)
    return (x.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def _vignette(x: Tensor, amount: Tensor) -> Tensor:
    height, width = x.shape[-2:]
    v = torch.linspace(-1, 1, height, device=x.device)[:, None] * height / width
    u = torch.linspace(-1, 1, width, device=x.device)[None]
    return 1 - amount * (u * u + v * v) * 0.6


def _blur(x: Tensor, chance: Tensor, sx: Tensor, sy: Tensor) -> Tensor:
    """Gaussian blur, elongated one way as by motion, where the chance is below one half.

    Args:
        x: (B, 3, H, W).
        chance: (B, 1, 1, 1).
        sx: Standard deviation along rows, (B, 1, 1, 1) [px]; the kernel ends at 3 px.
        sy: Along columns.
    """
    axis = torch.arange(-3, 4, device=x.device, dtype=torch.float32)
    kernels = [torch.exp(-0.5 * (axis / s.view(-1, 1)) ** 2) for s in (sx, sy)]
    kx, ky = (k / k.sum(1, keepdim=True) for k in kernels)
    batch = len(x)
    flat = x.transpose(0, 1)  # (3, B, H, W): one group a picture
    flat = F.conv2d(F.pad(flat, (3, 3, 0, 0), "replicate"), kx.view(batch, 1, 1, 7), groups=batch)
    flat = F.conv2d(F.pad(flat, (0, 0, 3, 3), "replicate"), ky.view(batch, 1, 7, 1), groups=batch)
    return torch.where(chance < 0.5, flat.transpose(0, 1), x)


def jpeg(x: Tensor, coarseness: Tensor) -> Tensor:
    """Quantise 8x8 cosine blocks of each colour plane, as JPEG does.

    Args:
        x: (B, 3, H, W) in [0, 1]; sides that are no multiple of 8 are padded within.
        coarseness: (B, 1, 1, 1) factor on the standard's table; 1 is about quality 50.

    Returns:
        The decoded picture, same shape.
    """
    height, width = x.shape[-2:]
    padded = F.pad(x, (0, -width % 8, 0, -height % 8), "replicate")
    k = torch.arange(8, device=x.device, dtype=torch.float32)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * 0.5
    basis[0] *= math.sqrt(0.5)
    batch, planes, rows, columns = padded.shape
    squares = padded.view(batch, planes, rows // 8, 8, columns // 8, 8).transpose(3, 4)
    blocks = squares * 255 - 128
    standard = torch.tensor(_JPEG_TABLE, device=x.device, dtype=torch.float32)
    table = standard * coarseness[..., None, None]
    coded = ((basis @ blocks @ basis.T) / table).round() * table
    decoded = (basis.T @ coded @ basis + 128) / 255
    whole: Tensor = decoded.transpose(3, 4).reshape(batch, planes, rows, columns)
    return whole[..., :height, :width].clamp(0, 1)
