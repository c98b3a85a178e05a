"""Orientations and descriptors of keypoints: sections 5 and 6 of Lowe, 2004.

Around each keypoint a square patch is read that has the keypoint's scale, and its
orientation for the descriptor, so that weights depend on the place in the patch alone.
Angles are radians from the x axis, which points right, towards the y axis, down.
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.classical.keypoints import Points

BINS = 36  # of the orientation histogram; section 5
PEAK = 0.8  # of the highest: further peaks that count; section 5
WINDOW = 1.5  # sigma of the orientation's Gaussian window, in the keypoint's scale
TICK = 0.75  # between two pixels of the orientation's patch, in the keypoint's scale
CELLS = 4  # a side of the descriptor; section 6.1
ANGLES = 8  # bins of a cell
CELL_WIDTH = 3.0  # in the keypoint's scale
SAMPLES = 3  # a cell, along one side
LARGEST = 0.2  # entry of a descriptor of length 1; section 6.1
CHUNK = 512  # keypoints at once: what they need fits the cache of a CPU


def patches(
    gaussians: Tensor, points: Points, orientation: Tensor, reach: float, side: int
) -> Tensor:
    """Return (n, side, side): what a spatial transformer reads around each point.

    gaussians: (N, L, H, W).  orientation: (n,), where a patch's x axis points.
    reach: from the centre to the middle of the outer pixels, in the keypoint's scale.
    Bilinear; beyond the border the border repeats. Source: arXiv:1506.02025, eq. 1, 5.
    """
    _, levels, height, width = gaussians.shape
    tall = gaussians.view(1, 1, -1, width)  # levels and images below each other
    top = (points.image * levels + points.level).to(points.x) * height
    radius = reach * points.sigma
    cos, sin = radius * orientation.cos(), radius * orientation.sin()
    affine = torch.stack([cos, -sin, points.x, sin, cos, points.y], dim=1)
    grid = affine.view(-1, 3) @ plane(side).to(affine)
    grid = grid.view(-1, 2, side, side)
    x, y = grid.unbind(1)  # pixels of a level; grid_sample takes them from -1 to 1
    x.clamp_(0, width - 1).mul_(2 / (width - 1)).sub_(1)
    unit = 2 / (tall.shape[2] - 1)
    y.clamp_(0, height - 1).mul_(unit).add_((top * unit - 1)[:, None, None])
    every = tall.expand(len(top), -1, -1, -1)
    return F.grid_sample(every, grid.permute(0, 2, 3, 1), align_corners=True)[:, 0]


@functools.lru_cache
def plane(side: int) -> Tensor:
    """Return (3, side²): x and y of a grid from -1 to 1, and ones."""
    ticks = torch.linspace(-1, 1, side)
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)]).flatten(1)


def gradients(patch: Tensor) -> tuple[Tensor, Tensor]:
    """Return magnitude and angle, each (n, S), of the inner pixels of (n, P, P)."""
    dx = (patch[:, 1:-1, 2:] - patch[:, 1:-1, :-2]).flatten(1)
    dy = (patch[:, 2:, 1:-1] - patch[:, :-2, 1:-1]).flatten(1)
    return torch.hypot(dx, dy), torch.atan2(dy, dx)


def chunks(points: Points, size: int = CHUNK) -> list[Points]:
    count = len(points.x)
    return [points.where(slice(i, i + size)) for i in range(0, count, size)]


def orientations(gaussians: Tensor, points: Points) -> tuple[Tensor, Tensor]:
    """Return (index of a point, orientation in radians) of every peak; section 5.

    36 bins, smoothed; peaks of at least 0.8 of the highest, each refined by a parabola
    through three bins.
    """
    parts = [points.x.new_zeros(0, BINS)]
    parts += [histograms(gaussians, some) for some in chunks(points)]
    smooth = torch.cat(parts) @ smoothing(points.x.dtype, points.x.device)
    left, right = smooth.roll(1, dims=1), smooth.roll(-1, dims=1)
    highest = smooth.amax(dim=1, keepdim=True)
    peak = (smooth > left) & (smooth >= right) & (smooth >= PEAK * highest)
    which, bin_ = peak.nonzero(as_tuple=True)
    left, middle, right = left[peak], smooth[peak], right[peak]
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return which, ((bin_ + shift) * (2 * math.pi / BINS)) % (2 * math.pi)


def histograms(gaussians: Tensor, points: Points) -> Tensor:
    """Return (n, 36): gradient magnitude by angle; bin k is the angle 2πk / 36."""
    half = round(3 * WINDOW / TICK)
    upright = torch.zeros_like(points.x)
    patch = patches(gaussians, points, upright, (half + 1) * TICK, 2 * half + 3)
    magnitude, angle = gradients(patch)
    ticks = torch.arange(-half, half + 1, device=angle.device) * TICK
    line = torch.exp(-0.5 * (ticks / WINDOW) ** 2)
    magnitude *= torch.outer(line, line).flatten()
    place = angle.mul_(BINS / (2 * math.pi)).add_(BINS // 2)  # 0 to 36; 18 is right
    low = place.floor()
    upper = place.sub_(low).mul_(magnitude)
    bins = low.long()
    histogram = magnitude.new_zeros(len(magnitude), BINS + 2)
    histogram.scatter_add_(1, bins, magnitude.sub_(upper))
    histogram.scatter_add_(1, bins.add_(1), upper)
    histogram[:, :2] += histogram[:, BINS:]
    return histogram[:, :BINS].roll(BINS // 2, dims=1)


@functools.lru_cache
def smoothing(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return (36, 36), which takes the mean of three neighbouring bins six times.

    Lowe's program did so, his paper is silent: Rey Otero and Delbracio, *Anatomy of the
    SIFT method*, IPOL 2014, section 4.1.
    """
    one = torch.eye(BINS, dtype=torch.float64)
    mean = (one.roll(-1, dims=1) + one + one.roll(1, dims=1)) / 3
    return torch.linalg.matrix_power(mean, 6).to(device, dtype)


def descriptors(gaussians: Tensor, points: Points, orientation: Tensor) -> Tensor:
    """Return (n, 128), each of length 1: cell rows, cells of a row, angles; section 6.

    Angles run counter-clockwise on the screen, as in OpenCV.
    """
    parts = [orientation.new_zeros(0, CELLS**2 * ANGLES)]
    for some, turn in zip(chunks(points), orientation.split(CHUNK), strict=False):
        parts.append(describe(gaussians, some, turn))
    return torch.cat(parts)


def describe(gaussians: Tensor, points: Points, orientation: Tensor) -> Tensor:
    side = (CELLS + 1) * SAMPLES
    reach = CELL_WIDTH * (side + 1) / 2 / SAMPLES
    patch = patches(gaussians, points, orientation, reach, side + 2)
    magnitude, angle = gradients(patch)
    place = magnitude * angle.mul_(-ANGLES / (2 * math.pi))  # -4 to 4, times magnitude
    bins = torch.arange(ANGLES + 1, device=place.device) - ANGLES // 2  # -4 is 4
    share = place[:, None] - magnitude[:, None] * bins[:, None]  # (n, 9, S)
    share = torch.sub(magnitude[:, None], share.abs_(), out=share).relu_()
    entries = share.flatten(0, 1) @ window(share.dtype, share.device)
    entries = entries.unflatten(0, (-1, ANGLES + 1))  # (n, 9, 16)
    entries[:, 0] += entries[:, ANGLES]
    return clipped(entries[:, :ANGLES].roll(ANGLES // 2, dims=1).mT.flatten(1))


@functools.lru_cache
def window(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return (S, 16): how much a pixel of the patch counts for each cell.

    It counts for the four cells around it, less the further their centres are, and less
    the further it is from the keypoint: Gaussian, half the window wide.
    """
    count = (CELLS + 1) * SAMPLES
    ticks = (torch.arange(count) + 0.5) / SAMPLES - (CELLS + 1) / 2
    centres = torch.arange(CELLS) - (CELLS - 1) / 2
    line = (1 - (ticks[:, None] - centres).abs()).clamp_min(0)  # (20, 4)
    line = line * torch.exp(-0.5 * (ticks / (CELLS / 2)) ** 2)[:, None]
    weights = torch.einsum("ya,xb->yxab", line, line)
    return weights.reshape(count**2, CELLS**2).to(device, dtype)


def clipped(entries: Tensor) -> Tensor:
    """Scale rows (…, D) to length 1, cut entries above 0.2, scale again; zeros stay."""
    entries = F.normalize(entries, dim=-1)
    return F.normalize(entries.clamp_max(LARGEST), dim=-1)
