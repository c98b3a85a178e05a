"""Gaussian scale space and differences of Gaussians: section 3 of Lowe, 2004.

Images are (N, H, W), grey, float, in [0, 1]. Pixel (0, 0) has its centre at x = y = 0,
in every octave: pixel (i, j) of an octave lies at (i, j) * spacing of the image.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

INTERVALS = 3  # scales an octave; section 3.2
SIGMA = 1.6  # blur of the first image of an octave, in its pixels; section 3.3
CAMERA = 0.5  # blur that a photo is assumed to have, in pixels; section 3.3
BLOCK = 32  # pixels blurred by one matrix product
SMALLEST = 8  # pixels of an octave's shorter side


class Octave(NamedTuple):
    """One octave; level k has the blur SIGMA * 2 ** (k / intervals), in its pixels."""

    gaussians: Tensor  # (N, intervals + 3, H, W)
    differences: Tensor  # (N, intervals + 2, H, W): level k + 1 minus level k
    spacing: float  # between its pixels, in pixels of the image


def octaves(images: Tensor, intervals: int = INTERVALS) -> Iterator[Octave]:
    """Yield the octaves of images (N, H, W), finest first: their size is doubled.

    Every octave has half the pixels a side of the one before; none has fewer than
    SMALLEST, so that an image of four pixels a side has none.
    """
    base = blur(doubled(images), math.sqrt(SIGMA**2 - (2 * CAMERA) ** 2))
    spacing = 0.5
    while min(base.shape[-2:]) >= SMALLEST:
        count, height, width = base.shape
        gaussians = base.new_empty(count, intervals + 3, height, width)
        gaussians[:, 0] = base
        for level in range(1, intervals + 3):
            before = SIGMA * 2 ** ((level - 1) / intervals)
            more = before * math.sqrt(2 ** (2 / intervals) - 1)
            gaussians[:, level] = blur(gaussians[:, level - 1], more)
        yield Octave(gaussians, gaussians[:, 1:] - gaussians[:, :-1], spacing)
        base = gaussians[:, intervals, ::2, ::2]  # twice the blur of the first
        spacing *= 2


def doubled(images: Tensor) -> Tensor:
    """Return (N, 2H - 1, 2W - 1): a new pixel between any two, by linear interpolation.

    Old pixel (i, j) is new pixel (2i, 2j), so that nothing moves.
    """
    height, width = images.shape[-2:]
    size = (2 * height - 1, 2 * width - 1)
    options = {"mode": "bilinear", "align_corners": True}
    return F.interpolate(images[:, None], size, **options)[:, 0]


def blur(images: Tensor, sigma: float) -> Tensor:
    """Return images (N, H, W) convolved with a Gaussian of `sigma` pixels.

    Beyond the border the border's pixels repeat. As products with a banded matrix, 32
    pixels at a time: 10 to 20 times faster on a CPU than a convolution of one channel.
    """
    matrix = band(sigma, images.dtype, images.device)
    radius = (matrix.shape[1] - BLOCK) // 2
    height, width = images.shape[-2:]
    more = (radius, radius + -width % BLOCK, radius, radius + -height % BLOCK)
    padded = F.pad(images[:, None], more, mode="replicate")[:, 0]
    blocks = padded.unfold(2, matrix.shape[1], BLOCK).transpose(1, 2)  # (N, b, H, r)
    rows = (blocks @ matrix.T).transpose(1, 2).flatten(2)[..., :width]  # (N, H, W)
    blocks = rows.unfold(1, matrix.shape[1], BLOCK).transpose(2, 3)  # (N, b, r, W)
    return (matrix @ blocks).flatten(1, 2)[:, :height]


@functools.lru_cache(maxsize=64)
def band(sigma: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return (BLOCK, BLOCK + 2 radius): a Gaussian in each row, a pixel further on."""
    radius = max(1, math.ceil(4 * sigma))
    row = torch.arange(BLOCK)[:, None]
    column = torch.arange(BLOCK + 2 * radius)
    shift = (column - row - radius).double()
    kernel = torch.exp(-0.5 * (shift / sigma) ** 2) * (shift.abs() <= radius)
    return (kernel / kernel.sum(dim=1, keepdim=True)).to(device, dtype)
