"""Gaussian scale space: section 3 of Lowe, 2004.

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
# Blur that a photo is assumed to have, in pixels: 0.5 in section 3.3, but the square
# that a pixel is has 0.29, and at 0.35 more keypoints are found again: `make bench`.
CAMERA = 0.35
BLOCK = 32  # pixels blurred by one matrix product
SMALLEST = 12  # pixels of an octave's shorter side; *Anatomy of SIFT*, IPOL 2014
TRUNCATE = 4  # a Gaussian's radius, in its sigma


class Octave(NamedTuple):
    """One octave; level k has the blur SIGMA * 2 ** (k / intervals), in its pixels."""

    gaussians: Tensor  # (N, intervals + 3, H, W)
    spacing: float  # between its pixels, in pixels of the image
    first: int = 0  # which of the batch is its first image


def octaves(images: Tensor, intervals: int = INTERVALS) -> Iterator[Octave]:
    """Yield the octaves of images (N, H, W), finest first: their size is doubled.

    Every octave has half the pixels a side of the one before; none has fewer than
    SMALLEST, so that an image of six pixels a side has none. On a CPU, whose cache it
    fills, the finest of each image comes by itself; the others have all N.
    """
    sigmas = [SIGMA * 2 ** (level / intervals) for level in range(intervals + 3)]
    bases = []
    for first, part in enumerate(images.split(len(images) if images.is_cuda else 1)):
        gaussians = blur(part, more(sigmas, 2 * CAMERA), double=True)
        if min(gaussians.shape[-2:]) < SMALLEST:
            return
        yield Octave(gaussians, 0.5, first)
        bases.append(gaussians[:, intervals, ::2, ::2].clone())  # twice the blur
        del gaussians  # before the next are made
    base, spacing = torch.cat(bases), 1.0
    while min(base.shape[-2:]) >= SMALLEST:
        gaussians = blur(base, more(sigmas, SIGMA))
        yield Octave(gaussians, spacing)
        base, spacing = gaussians[:, intervals, ::2, ::2].clone(), 2 * spacing
        del gaussians


def more(sigmas: list[float], sigma: float) -> tuple[float, ...]:
    """Return the blurs that turn one of `sigma` into each of `sigmas`; section 3.3."""
    return tuple(math.sqrt(max(wanted**2 - sigma**2, 0)) for wanted in sigmas)


def blur(images: Tensor, sigmas: tuple[float, ...], double: bool = False) -> Tensor:
    """Return (N, L, H, W): images (N, H, W) convolved with Gaussians of L sigmas.

    double: first put a new pixel between any two, by linear interpolation: the result
        is (N, L, 2H - 1, 2W - 1), old pixel (i, j) is new pixel (2i, 2j), and sigmas
        count new pixels.
    Beyond the border the border's pixels repeat. As products with a banded matrix, 32
    new pixels at a time, which a CPU does faster than a convolution of one channel;
    doubling is a part of the same matrix.
    """
    matrices = [band(sigma, double, images.dtype, images.device) for sigma in sigmas]
    step = BLOCK // 2 if double else BLOCK
    margins = [(matrix.shape[1] - step) // 2 for matrix in matrices]
    count, *old = images.shape
    height, width = (2 * side - 1 if double else side for side in old)
    across, down = -(-width // BLOCK), -(-height // BLOCK)  # blocks
    most = max(margins)
    right, below = across * step - old[1] + most + 1, down * step - old[0] + most + 1
    pad = most, right, most, below
    padded = F.pad(images[:, None], pad, mode="replicate").flatten(0, 2)

    result = padded.new_empty(count, len(sigmas), height, width)
    rows = padded.new_empty(len(padded), across * BLOCK)
    for level, (matrix, margin) in enumerate(zip(matrices, margins, strict=True)):
        start, reach = most - margin, matrix.shape[1]
        source = padded[:, start:].unfold(1, reach, step)[:, :across].transpose(0, 1)
        out = rows.unflatten(1, (across, BLOCK)).transpose(0, 1)
        torch.bmm(source, matrix.T.expand(across, -1, -1), out=out)
        for image, sums in zip(result, rows.unflatten(0, (count, -1)), strict=True):
            source = sums[start:, :width].unfold(0, reach, step).transpose(1, 2)
            multiply(matrix, source, image[level])
    return result


def multiply(matrix: Tensor, blocks: Tensor, out: Tensor) -> None:
    """Write (BLOCK, k) @ blocks (b, k, W) below each other to `out` (H, W)."""
    whole, rest = divmod(len(out), BLOCK)
    many, done = matrix.expand(whole, -1, -1), out[: whole * BLOCK]
    torch.bmm(many, blocks[:whole], out=done.unflatten(0, (whole, BLOCK)))
    if rest:
        torch.mm(matrix[:rest], blocks[whole], out=out[-rest:])


@functools.lru_cache(maxsize=256)
def band(sigma: float, double: bool, dtype: torch.dtype, device: torch.device):
    """Return (BLOCK, k): a Gaussian in each row, one pixel further on.

    With `double` rows are new pixels and columns old ones.
    """
    radius = max(1, math.ceil(TRUNCATE * sigma))
    radius += radius % 2  # even, so that the first column can be an old pixel
    row = torch.arange(BLOCK)[:, None]
    shift = (torch.arange(BLOCK + 2 * radius) - row - radius).double()
    kernel = torch.exp(-0.5 * (shift / max(sigma, 0.01)) ** 2) * (shift.abs() <= radius)
    matrix = kernel / kernel.sum(dim=1, keepdim=True)
    if double:
        matrix = matrix @ between(matrix.shape[1])
    return matrix.to(device, dtype)


def between(count: int) -> Tensor:
    """Return (count, count // 2 + 1): old pixels to new by linear interpolation."""
    place = torch.arange(count).double()[:, None] / 2
    return (1 - (place - torch.arange(count // 2 + 1)).abs()).clamp_min(0)
