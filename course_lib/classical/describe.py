"""Orientations and descriptors of keypoints: sections 5 and 6 of Lowe, 2004.

A gradient is a complex number, dx + i dy: its absolute value is the magnitude, its
angle the orientation (radians, x to the right, y down), and multiplication turns it.
Around each keypoint gradients are read on a grid that has the keypoint's scale, and its
orientation for the descriptor, so that weights depend on the grid alone.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.classical.keypoints import BINS, PEAK, Points

CELLS = 4  # a side of the descriptor; section 6.1
ANGLES = 8  # bins of a cell
CELL_WIDTH = 3.0  # in the keypoint's scale
SAMPLES = 4  # a cell, along one side
LARGEST = 0.2  # entry of a descriptor of length 1; section 6.1
CHUNK = 2048  # keypoints described at once


def gradients(gaussians: Tensor) -> Tensor:
    """Return complex central differences (N, L, H, W) of (N, L, H, W); 0 at borders."""
    field = gaussians.new_zeros((*gaussians.shape, 2))
    dx, dy = field.unbind(-1)
    torch.sub(gaussians[..., 2:], gaussians[..., :-2], out=dx[..., 1:-1])
    torch.sub(gaussians[..., 2:, :], gaussians[..., :-2, :], out=dy[..., 1:-1, :])
    return torch.view_as_complex(field)


def sample(field: Tensor, points: Points, grid: Tensor) -> Tensor:
    """Return (n, S) gradients, bilinear, at the complex offsets `grid` from each point.

    grid: (n, S) in pixels, x + i y. What lies outside the image is 0.
    """
    _, levels, height, width = field.shape
    x, y = points.x[:, None] + grid.real, points.y[:, None] + grid.imag
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    left, above = x.floor().clamp(0, width - 2), y.floor().clamp(0, height - 2)
    right, below = x - left, y - above  # weights of the next pixel
    start = (points.image * levels + points.level)[:, None] * (height * width)
    index = start + (above * width + left).long()
    flat, found = field.flatten(), 0
    for shift, weight in (
        (0, (1 - right) * (1 - below)),
        (1, right * (1 - below)),
        (width, (1 - right) * below),
        (width + 1, right * below),
    ):
        found = found + flat[index + shift] * weight
    return found * inside


def orientations(field: Tensor, points: Points) -> tuple[Tensor, Tensor]:
    """Return (index of a point, orientation in radians) of every peak; section 5.

    36 bins, a Gaussian window of 1.5 times the scale; peaks of at least 0.8 of the
    highest, each refined by a parabola through three bins.
    """
    ticks = torch.arange(-9, 10, device=points.x.device) / 2  # in scales
    grid = torch.complex(*reversed(torch.meshgrid(ticks, ticks, indexing="ij")))
    grid = grid.flatten()
    found = sample(field, points, points.sigma[:, None] * grid)  # (n, S)
    weight = found.abs() * torch.exp(-(grid.abs() ** 2) / (2 * 1.5**2))
    place = found.angle() * (BINS / (2 * math.pi))  # -18 to 18
    low = place.floor()
    histogram = weight.new_zeros(len(weight), BINS)
    for bins, share in ((low, low + 1 - place), (low + 1, place - low)):
        histogram.scatter_add_(1, bins.long() % BINS, weight * share)
    smooth = F.pad(histogram[:, None], (2, 2), mode="circular")
    kernel = smooth.new_tensor([[[1, 4, 6, 4, 1]]]) / 16
    smooth = F.conv1d(smooth, kernel)[:, 0]
    left, right = smooth.roll(1, dims=1), smooth.roll(-1, dims=1)
    highest = smooth.amax(dim=1, keepdim=True)
    peak = (smooth > left) & (smooth >= right) & (smooth >= PEAK * highest)
    which, bin_ = peak.nonzero(as_tuple=True)
    left, middle, right = left[peak], smooth[peak], right[peak]
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return which, ((bin_ + shift) * (2 * math.pi / BINS)) % (2 * math.pi)


def descriptors(field: Tensor, points: Points, orientation: Tensor) -> Tensor:
    """Return (n, 128), each of length 1: cell rows, cells of a row, angles; section 6.

    Angles run counter-clockwise on the screen, as in OpenCV.
    """
    parts = [orientation.new_zeros(0, CELLS**2 * ANGLES)]
    for i in range(0, len(orientation), CHUNK):
        some = Points(*(part[i : i + CHUNK] for part in points))
        parts.append(describe(field, some, orientation[i : i + CHUNK]))
    return torch.cat(parts)


def describe(field: Tensor, points: Points, orientation: Tensor) -> Tensor:
    grid, weights = window(orientation)
    turn = torch.polar(torch.ones_like(orientation), orientation)[:, None]
    found = sample(field, points, grid * turn * (CELL_WIDTH * points.sigma)[:, None])
    found = found * turn.conj()  # as seen by the keypoint
    place = found.angle() * (-ANGLES / (2 * math.pi))  # -4 to 4
    bins = torch.arange(ANGLES, device=place.device) - ANGLES // 2
    apart = (place[..., None] - bins).abs()  # (n, S, 8)
    share = (1 - torch.minimum(apart, ANGLES - apart)).clamp_min(0)
    share *= found.abs()[..., None]
    entries = torch.einsum("nsa,sc->nca", share, weights).roll(ANGLES // 2, dims=2)
    return clipped(entries.flatten(1))


def window(like: Tensor) -> tuple[Tensor, Tensor]:
    """Return where a descriptor looks, (S,) complex in cells, and weights (S, 16).

    A sample counts for the four cells around it, less the further their centres are,
    and less the further it is from the keypoint: Gaussian, half the window wide.
    """
    count = (CELLS + 1) * SAMPLES
    ticks = (torch.arange(count) + 0.5) / SAMPLES - (CELLS + 1) / 2
    centres = torch.arange(CELLS) - (CELLS - 1) / 2
    line = (1 - (ticks[:, None] - centres).abs()).clamp_min(0)  # (20, 4)
    line = line * torch.exp(-0.5 * (ticks / (CELLS / 2)) ** 2)[:, None]
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    weights = torch.einsum("ya,xb->yxab", line, line).reshape(count**2, CELLS**2)
    return torch.complex(x, y).flatten().to(like.device), weights.to(like)


def clipped(entries: Tensor) -> Tensor:
    """Scale rows to length 1, cut entries above 0.2, scale again; zeros stay."""
    entries = F.normalize(entries, dim=1)
    return F.normalize(entries.clamp_max(LARGEST), dim=1)
