"""DINOv2 vision transformer, written for inference, under the official parameter names.

Source:
    Oquab et al., DINOv2, arXiv 2304.07193; Depth Anything V2, arXiv 2406.09414.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import nn

from da_ros.errors import ShapeError
from da_ros.network.block import Block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from da_ros.network.spec import DinoV2Spec, PositionRule

POSITION_CACHE_SIZE = 8
"""Input sizes whose positional embedding is kept; a robot has one or two, a folder many."""


class PatchEmbedding(nn.Module):
    """Cut an image into square patches and project each one to a token."""

    def __init__(self, spec: DinoV2Spec) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, spec.dim, kernel_size=spec.patch, stride=spec.patch)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, h/patch * w/patch, dim)."""
        return cast("Tensor", self.proj(image)).flatten(2).transpose(1, 2)


class DinoV2(nn.Module):
    """The encoder: an image in, the normalised patch tokens of four blocks out.

    Args:
        spec: Sizes.
        taps: Indices (0-based, ascending) of the blocks whose output is returned.
        position_rule: How the positional embedding meets another input size: as the official code
            does it (scale factor with an offset of 0.1), or as transformers does it (exact size).
    """

    def __init__(
        self, spec: DinoV2Spec, taps: Sequence[int], position_rule: PositionRule = "official"
    ) -> None:
        super().__init__()
        self.spec = spec
        self.taps = tuple(taps)
        self.position_rule = position_rule
        self.patch_embed = PatchEmbedding(spec)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, spec.dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + spec.grid**2, spec.dim))
        self.blocks = nn.ModuleList([Block(spec) for _ in range(spec.depth)])
        self.norm = nn.LayerNorm(spec.dim, eps=spec.norm_eps)
        self._positions: dict[tuple[int, int], Tensor] = {}
        self._captured: set[tuple[int, int]] = set()

    def forward(self, image: Tensor) -> list[Tensor]:
        """Encode a batch.

        Args:
            image: Normalised, (B, 3, h, w), both sides multiples of the patch.

        Returns:
            One (B, h/patch * w/patch, dim) per tap, without the class token.

        Raises:
            ShapeError: If a side is no multiple of the patch.
        """
        tokens = self._embed(image)  # (B, 1 + N, dim)
        tapped = []
        for index, block in enumerate(self.blocks[: self.taps[-1] + 1]):
            tokens = block(tokens)
            if index in self.taps:
                tapped.append(self.norm(tokens[:, 1:]))
        return tapped

    def positions(self, rows: int, columns: int) -> Tensor:
        """Positional embedding for a patch grid, computed once per size.

        Returns:
            (1, 1 + rows * columns, dim), the class token's first, in the parameters' precision.
        """
        size = (rows, columns)
        if torch.compiler.is_compiling():  # a compiler folds it, and cannot follow a cache
            return self._interpolated(*size)
        found = self._positions.get(size)
        if found is None:  # several threads may come here at once: each keeps what it made
            free = [known for known in list(self._positions) if known not in self._captured]
            if len(free) >= POSITION_CACHE_SIZE:
                self._positions.pop(free[0], None)
            with torch.inference_mode(mode=False), torch.no_grad():
                found = self._interpolated(*size)
            self._positions[size] = found
        if self.pos_embed.is_cuda and torch.cuda.is_current_stream_capturing():
            self._captured.add(size)  # a CUDA graph remembers the address: never free it
        return found

    def _interpolated(self, rows: int, columns: int) -> Tensor:
        grid, rule = self.spec.grid, self.position_rule
        return interpolate_positions(self.pos_embed, rows, columns, grid, rule)

    def fold_scales(self) -> None:
        """Fold every LayerScale into the layer before it."""
        for block in self.blocks:
            cast("Block", block).fold_scales()

    def pack(self, *, sliced: bool) -> None:
        """Lay the weights out for a CPU; see ``Block.pack``."""
        for block in self.blocks:
            cast("Block", block).pack(sliced=sliced)

    def _embed(self, image: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, 1 + N, dim) with positions added."""
        height, width = map(int, image.shape[-2:])  # a tracer would hand out tensors
        patch = self.spec.patch
        if height % patch or width % patch:
            raise ShapeError(
                f"network input: expected multiples of {patch} px, got {width}x{height}"
            )
        positions = self.positions(height // patch, width // patch)
        patches = self.patch_embed(image) + positions[:, 1:]
        first = (self.cls_token + positions[:, :1]).expand(len(image), -1, -1)
        return torch.cat([first, patches], dim=1)

    def _apply(self, *args: object, **kwargs: object) -> DinoV2:
        self._forget_positions()  # the parameters move to another device or precision
        super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        self._forget_positions()
        super()._load_from_state_dict(*args, **kwargs)

    def _forget_positions(self) -> None:
        self._positions.clear()
        self._captured.clear()


def interpolate_positions(
    embedding: Tensor, rows: int, columns: int, grid: int, rule: PositionRule
) -> Tensor:
    """Resample a square grid's positional embedding to another patch grid.

    Args:
        embedding: (1, 1 + grid * grid, dim), the class token's first.
        rows: Patches down.
        columns: Patches across.
        grid: Side of the grid that the embedding was trained on.
        rule: ``official`` scales by ((rows + 0.1) / grid, (columns + 0.1) / grid);
            ``huggingface`` goes to the exact size.

    Returns:
        (1, 1 + rows * columns, dim), in the embedding's precision, interpolated in float32.

    Source:
        DINOv2's interpolate_pos_encoding (offset 0.1); transformers' modeling_dinov2.
    """
    if rows == columns == grid:
        return embedding.detach()
    dim = embedding.shape[-1]
    square = embedding[:, 1:].float().reshape(1, grid, grid, dim).permute(0, 3, 1, 2)
    if rule == "official":
        factor = ((rows + 0.1) / grid, (columns + 0.1) / grid)
        resampled = F.interpolate(square, scale_factor=factor, mode="bicubic")
    else:
        resampled = F.interpolate(square, size=(rows, columns), mode="bicubic")
    patches = resampled.permute(0, 2, 3, 1).reshape(1, rows * columns, dim).to(embedding.dtype)
    return torch.cat([embedding[:, :1], patches], dim=1).detach()
