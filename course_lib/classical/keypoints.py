"""Extrema of the differences of Gaussians: sections 3.1 and 4 of Lowe, 2004."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.classical.scale_space import SIGMA, Octave

STRIP = 256  # rows of differences at once, of all images: they fit the cache of a CPU
LINES = 1 / 8, 3 / 4, 1 / 8  # weights of derivatives side by side: by `make bench`
MOVES = 5  # most steps of a candidate to a neighbouring pixel; section 4
REST = 0.75  # pixels to the top; at 0.5 (section 4) some go to and fro and are lost


class Points(NamedTuple):
    """Keypoints of one octave, in its pixels and levels; every field is (n,)."""

    image: Tensor  # int64, which of the batch
    level: Tensor  # int64, the difference in which it was found, and its Gaussian
    x: Tensor
    y: Tensor
    sigma: Tensor
    response: Tensor  # of the difference at the refined place

    def where(self, keep: Tensor | slice) -> Points:
        return Points(*(field[keep] for field in self))


def detect(octave: Octave, contrast: float, edge: float) -> Points:
    """Return the refined extrema that have contrast and do not lie on an edge.

    contrast: least absolute value of the difference.  edge: largest ratio of the two
    principal curvatures; section 4.1.
    """
    candidates = extrema(octave.gaussians, 0.5 * contrast)
    place, offset, value, curvature = refine(octave.gaussians, candidates)
    intervals = octave.gaussians.shape[1] - 3
    keep = value.abs() >= contrast
    keep &= not_an_edge(curvature, edge)
    image, level, y, x = place[keep].unbind(1)
    dx, dy, ds = offset[keep].unbind(1)
    sigma = SIGMA * 2 ** ((level + ds) / intervals)
    return Points(image, level, x + dx, y + dy, sigma, value[keep])


def extrema(gaussians: Tensor, threshold: float) -> Tensor:
    """Return (n, 4): image, level, y, x of differences beyond all 26 neighbours."""
    parts, rows = [], max(1, STRIP // len(gaussians))
    for top in range(0, gaussians.shape[2] - 2, rows):
        strip = gaussians[:, :, top : top + rows + 2]
        place = peaks(strip[:, 1:] - strip[:, :-1], threshold)
        place[:, 2] += top
        parts.append(place)
    place = torch.cat(parts)
    cube = cubes(gaussians, place)
    value = cube[:, 13]
    extreme = torch.where(value > 0, cube.amax(dim=1), cube.amin(dim=1))
    return place[value == extreme]


def peaks(differences: Tensor, threshold: float) -> Tensor:
    """Return (n, 4): image, level, y, x of pixels beyond the six along the axes.

    That is where three slopes change their signs: bytes, not floats.
    """
    inner = differences[:, 1:-1]
    s = above(differences[:, :-1], differences[:, 1:])
    y = above(inner[:, :, :-1], inner[:, :, 1:])
    x = above(inner[..., :-1], inner[..., 1:])
    falls = s[:, 1:, 1:-1, 1:-1]
    found = falls ^ s[:, :-1, 1:-1, 1:-1]
    for after, before in (
        (y[:, :, 1:, 1:-1], y[:, :, :-1, 1:-1]),
        (x[:, :, 1:-1, 1:], x[:, :, 1:-1, :-1]),
    ):
        found &= after ^ before
        found &= after == falls
    place = nonzero(found) + torch.tensor([0, 1, 1, 1], device=found.device)
    return place[differences[tuple(place.T)].abs() > threshold]


def above(left: Tensor, right: Tensor) -> Tensor:
    """Return left > right, in half the time: a CPU compares floats to floats faster."""
    return torch.gt(left, right, out=torch.empty_like(left)).bool()


def nonzero(found: Tensor) -> Tensor:
    """Return found.nonzero(), looking at eight pixels at a time: few are true."""
    flat = F.pad(found.flatten(), (0, -found.numel() % 8))
    some = flat.view(torch.int64).nonzero()[:, 0]
    which, offset = flat.view(-1, 8)[some].nonzero(as_tuple=True)
    return torch.stack(torch.unravel_index(8 * some[which] + offset, found.shape), 1)


@functools.lru_cache
def stencils(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return (27, 10): what multiplies a 3x3x3 cube, level, y, x, to its derivatives.

    The value; its x, y and s derivatives; xx, yy, ss, xy, xs and ys. A derivative is
    the mean of those of neighbouring lines: a parabola's stays, and noise is less.
    """
    middle, mean = torch.tensor([0.0, 1, 0]), torch.tensor(LINES)
    step, bend = torch.tensor([-0.5, 0, 0.5]), torch.tensor([1.0, -2, 1])
    orders = ["", "x", "y", "s", "xx", "yy", "ss", "xy", "xs", "ys"]
    kernels = []
    for order in orders:
        along = (mean if order else middle, step, bend)
        s, y, x = (along[order.count(axis)] for axis in "syx")
        kernels.append(torch.einsum("s,y,x->syx", s, y, x).flatten())
    return torch.stack(kernels, dim=1).to(device, dtype)


def refine(gaussians: Tensor, place: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Fit a parabola to the 26 neighbours of each place, moving where its top lies.

    Returns of those that came to rest: place (n, 4), offset (n, 3) in x, y, level, the
    value there (n,), and xx, yy, xy derivatives (n, 3). Source: section 4, eq. 2 and 3.
    """
    kernels, rests = stencils(gaussians.dtype, gaussians.device), []
    _, levels, height, width = gaussians.shape
    last = torch.tensor([levels - 3, height - 2, width - 2], device=place.device)
    for _ in range(MOVES):
        if not len(place) and rests:
            break
        fit = cubes(gaussians, place) @ kernels  # (n, 10)
        offset = top(fit)
        rest = (offset.abs() <= REST).all(dim=1)
        value = fit[:, 0] + 0.5 * (fit[:, 1:4] * offset).sum(dim=1)
        curvature = fit[:, [4, 5, 7]]
        rests.append([part[rest] for part in (place, offset, value, curvature)])
        far = offset[~rest].abs().amax(dim=1) < 3  # else there is no top nearby
        move = offset[~rest][far].round().clamp(-1, 1).long().flip(1)  # level, y, x
        place = place[~rest][far].clone()
        place[:, 1:] += move
        inside = (place[:, 1:] >= 1) & (place[:, 1:] <= last)
        place = place[inside.all(dim=1)]
    place, offset, value, curvature = (
        torch.cat(parts) for parts in zip(*rests, strict=True)
    )
    first = first_of_each(place, gaussians.shape)
    return place[first], offset[first], value[first], curvature[first]


def cubes(gaussians: Tensor, place: Tensor) -> Tensor:
    """Return (n, 27): the differences around each place, level by level, row by row."""
    _, levels, height, width = gaussians.shape
    index = ((place[:, 0] * levels + place[:, 1]) * height + place[:, 2]) * width
    index = (index + place[:, 3])[:, None] + around(height, width, place.device)
    values = gaussians.flatten().index_select(0, index.flatten()).view(-1, 4, 9)
    return (values[:, 1:] - values[:, :-1]).flatten(1)


@functools.lru_cache
def around(height: int, width: int, device: torch.device) -> Tensor:
    """Return (36,): how far the pixels of four levels lie from a place in memory."""
    level, y, x = torch.meshgrid(
        torch.arange(-1, 3), torch.arange(-1, 2), torch.arange(-1, 2), indexing="ij"
    )
    return ((level * height + y) * width + x).flatten().to(device)


def top(fit: Tensor) -> Tensor:
    """Return the offset (n, 3) in x, y, level at which the fitted gradient is zero."""
    gradient = fit[:, 1:4]
    hessian = fit[:, [4, 7, 8, 7, 5, 9, 8, 9, 6]].view(-1, 3, 3)
    solved, failed = torch.linalg.solve_ex(hessian, -gradient[..., None])
    offset = solved[..., 0]
    offset[failed > 0] = math.inf
    return offset.nan_to_num(math.inf)


def first_of_each(place: Tensor, shape: torch.Size) -> Tensor:
    """Return where each distinct row of `place` stands first, in the rows' order."""
    key = place[:, 0]
    for dim in (1, 2, 3):
        key = key * shape[dim] + place[:, dim]
    keys, inverse = torch.unique(key, return_inverse=True)
    first = torch.full_like(keys, len(key))
    order = torch.arange(len(key), device=key.device)
    return first.scatter_reduce(0, inverse, order, "amin")


def not_an_edge(curvature: Tensor, ratio: float) -> Tensor:
    """Tell whether the ratio of the principal curvatures is below `ratio`; eq. 4."""
    xx, yy, xy = curvature.unbind(1)
    trace, determinant = xx + yy, xx * yy - xy**2
    return (determinant > 0) & (ratio * trace**2 < (ratio + 1) ** 2 * determinant)
