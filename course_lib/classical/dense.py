"""Upright SIFT descriptors on a grid, at several scales: what codebooks learn from."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.classical.describe import ANGLES, CELL_WIDTH, CELLS, clipped
from course_lib.classical.inputs import ImageError, fractions, grey
from course_lib.classical.lazy import DenseTransformer
from course_lib.classical.scale_space import CAMERA, blur

SETTINGS = ("step", "cells", "smooth", "border", "colour", "root")


class DenseSift(DenseTransformer):
    """Turn images into descriptors at all points of a grid, at several scales.

    step: pixels between two points of the grid, which is centred on the image.
    cells: widths of a cell in pixels, one a scale; a descriptor is 4 cells wide.
    smooth: blur of the image in cell widths; 1/3 is that of SIFT's keypoints.
    border: pixels at each side where no point lies.
    colour: describe red, green and blue apart: descriptors are (n, 384).
    root: RootSIFT, the square root of entries that sum to 1, for which the dot product
        is Hellinger's kernel (Arandjelović and Zisserman, CVPR 2012).
    memory: a folder (or joblib.Memory) in which each image's descriptors are kept, so
        that the next run, or the next fold, reads them.
    batch_size: images of one size that are worked on at once; by default as many as
        suit the device.
    device: default is CUDA where there is one, else the CPU.

    A descriptor is that of Sift for a keypoint of a scale of a third of the cell and of
    orientation 0, computed from every pixel of its window.
    Source: Lazebnik, Schmid, Ponce, CVPR 2006, section 4; Lowe, IJCV 2004, section 6.
    """

    def __init__(
        self,
        step=4,
        cells=(4, 6, 8),
        smooth=1 / 6,
        border=0,
        colour=False,
        root=True,
        memory=None,
        batch_size=None,
        device=None,
    ):
        self.step = step
        self.cells = cells
        self.smooth = smooth
        self.border = border
        self.colour = colour
        self.root = root
        self.memory = memory
        self.batch_size = batch_size
        self.device = device

    def _check(self) -> None:
        sizes = (self.step, *self.cells, self.smooth)
        if not self.cells or min(sizes) <= 0 or self.border < 0:
            raise ImageError(
                f"step {self.step}, cells {self.cells}, smooth {self.smooth}, border "
                f"{self.border}: expected numbers above 0 (border: or 0)"
            )

    def _describe(self):
        settings = {name: getattr(self, name) for name in SETTINGS}
        return functools.partial(dense_sift, **settings | {"cells": tuple(self.cells)})


def dense_sift(
    images: Tensor, step, cells, smooth, border, colour, root
) -> tuple[np.ndarray, Tensor]:
    """Return keypoints (n, 4) and descriptors (N, n, D) of images (N, C, H, W)."""
    if colour:
        images = fractions(images).expand(-1, 3, -1, -1)
    else:
        images = grey(images)[:, None]
    height, width = images.shape[-2:]
    xs, ys = ticks(width, step, border), ticks(height, step, border)
    places, parts = [], []
    for cell in cells:
        sigma = math.sqrt(max((smooth * cell) ** 2 - CAMERA**2, 0))
        planes = blur(images.flatten(0, 1), (sigma,))[:, 0]
        down, across = (
            pooling(side, at, cell).to(planes)
            for side, at in ((height, tuple(ys)), (width, tuple(xs)))
        )
        entries = pooled(planes, down, across)  # (N C, points, 128)
        entries = rooted(clipped(entries)) if root else clipped(entries)
        entries = entries.unflatten(0, (len(images), -1))  # (N, C, points, 128)
        parts.append(entries.transpose(1, 2).flatten(2))
        places.append(grid(xs, ys, cell / CELL_WIDTH))
    return np.concatenate(places), torch.cat(parts, dim=1)


def grid(xs: list[float], ys: list[float], scale: float) -> np.ndarray:
    """Return upright keypoints (n, 4), row by row."""
    y, x = np.meshgrid(ys, xs, indexing="ij")
    rows = np.stack([x, y, np.full_like(x, scale), 0 * x], axis=-1)
    return rows.reshape(-1, 4).astype(np.float32)


def ticks(side: int, step: float, border: float) -> list[float]:
    """Return the places of a centred grid along one side; the middle if none fit."""
    steps = max(0, math.floor((side - 1 - 2 * border) / step))
    first = (side - 1 - steps * step) / 2
    return [first + number * step for number in range(steps + 1)]


@functools.lru_cache(maxsize=256)
def pooling(side: int, places: tuple[float, ...], cell: float) -> Tensor:
    """Return (4 n, side): what each pixel of a line counts for four cells at n places.

    Less the further it is from a cell's centre, linearly, and from the descriptor's:
    Gaussian, half its width wide; section 6.1. The product of a row's and a column's
    weight is that of a pixel.
    """
    middles = torch.tensor(places, dtype=torch.float64)
    away = (torch.arange(side) - middles[:, None]) / cell  # (n, side)
    centres = torch.arange(CELLS) - (CELLS - 1) / 2
    weights = (1 - (away[:, None] - centres[:, None]).abs()).clamp_min(0)
    weights = weights * torch.exp(-0.5 * (away / (CELLS / 2)) ** 2)[:, None]
    return weights.flatten(0, 1)


def pooled(planes: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Return (N, points, 128): gradients of (N, H, W) by cell row, column and angle."""
    dx, dy = torch.zeros_like(planes), torch.zeros_like(planes)
    torch.sub(planes[..., 2:], planes[..., :-2], out=dx[..., 1:-1])
    torch.sub(planes[..., 2:, :], planes[..., :-2, :], out=dy[..., 1:-1, :])
    magnitude = torch.hypot(dx, dy)
    angle = torch.atan2(dy, dx).mul_(-ANGLES / (2 * math.pi))  # -4 to 4
    bins = torch.arange(ANGLES, device=angle.device)[:, None, None] - ANGLES // 2
    apart = (angle[:, None] - bins).abs()  # (N, 8, H, W)
    share = (1 - torch.minimum(apart, ANGLES - apart)).clamp_min_(0)
    share *= magnitude[:, None]
    cells = down @ (share @ across.T)  # (N, 8, 4 rows, 4 columns)
    cells = cells.unflatten(3, (-1, CELLS)).unflatten(2, (-1, CELLS))
    cells = cells.roll(ANGLES // 2, dims=1).permute(0, 2, 4, 3, 5, 1)
    return cells.flatten(3).flatten(1, 2)


def rooted(descriptors: Tensor) -> Tensor:
    """Return the square roots of entries scaled to sum 1; zeros stay."""
    return F.normalize(descriptors, p=1, dim=-1).sqrt_()
