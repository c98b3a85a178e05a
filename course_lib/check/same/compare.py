"""Are two tensors the same, in whatever order their rows and columns lie?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

TOLERANCE = 1e-9  # relative to the largest value, in float64


def close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(
        (a - b).abs().max() <= TOLERANCE * b.abs().max() + 1e-300
    )


def relative(yours: Tensor, theirs: Tensor) -> float:
    return ((yours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-300)).item()


def channels_last(x: Tensor) -> Tensor:
    """(N, C, ...) as rows (N * ..., C)."""
    return x.movedim(1, -1).reshape(-1, x.shape[1])


# Layouts of (N, ..., ...) in which the last axis may be the features.
LAYOUTS = {2: [(0, 1)], 3: [(0, 1, 2), (0, 2, 1)], 4: [(0, 2, 3, 1), (0, 1, 2, 3)]}


def layouts(x: Tensor) -> Iterator[tuple[Tensor, Callable[[Tensor], Tensor]]]:
    """Yield `x` as rows (R, F) for each layout, and the way back."""
    for axes in LAYOUTS.get(x.ndim, [tuple(range(x.ndim))]):
        moved = x.permute(axes)
        back = [axes.index(axis) for axis in range(x.ndim)]
        shape = moved.shape
        yield (
            moved.reshape(-1, shape[-1]),
            lambda rows, shape=shape, back=back: rows.reshape(shape).permute(back),
        )


class Order:
    """Where rows and columns of yours are in theirs; None: in the same place."""

    def __init__(self, rows: Tensor | None = None, columns: Tensor | None = None):
        self.rows, self.columns = rows, columns

    def __call__(self, theirs: Tensor) -> Tensor:
        return self.pick(theirs if self.rows is None else theirs[self.rows])

    def pick(self, theirs: Tensor) -> Tensor:
        """Reorder the columns, axis 1, alone."""
        return theirs if self.columns is None else theirs[:, self.columns]


def align(yours: Tensor, theirs: Tensor) -> Order | None:
    """Find the order in which rows (R, F) of yours are those of theirs, if they are.

    Tokens may run image by image or place by place; channels may be concatenated in
    another order; patches may be flattened (c, y, x) or (y, x, c).
    """
    if yours.shape != theirs.shape:
        return None
    size = theirs.square().sum()
    if (yours.square().sum() - size).abs() > 1e-7 * size:
        return None
    if close(yours, theirs):
        return Order()
    weights = torch.linspace(1, 2, yours.shape[1]).to(yours).square()
    rows = _ordered(yours @ weights, theirs @ weights)
    if close(yours, theirs[rows]):
        return Order(rows)
    weights = torch.linspace(1, 2, len(yours)).to(yours).square()
    columns = _ordered(weights @ yours, weights @ theirs)
    if close(yours, theirs[:, columns]):
        return Order(None, columns)
    rows = _ordered(yours.abs().pow(3).sum(1), theirs.abs().pow(3).sum(1))
    moved = theirs[rows]
    columns = _ordered(weights @ yours, weights @ moved)
    return Order(rows, columns) if close(yours, moved[:, columns]) else None


def _ordered(yours: Tensor, theirs: Tensor) -> Tensor:
    """Return the index for which theirs[index] is sorted as yours is."""
    index = torch.empty_like(yours, dtype=torch.long)
    index[yours.argsort()] = theirs.argsort()
    return index


def places(x: Tensor, y: Tensor) -> Tensor | None:
    """Return for each value of `x` where it is in `y`, if they hold the same values."""
    x, y = x.flatten(), y.flatten()
    if x.shape != y.shape:
        return None
    if close(x, y):
        return torch.arange(len(x), device=x.device)
    if abs(x.sum() - y.sum()) > 1e-7 * x.abs().sum():
        return None
    place = _ordered(x, y)
    return place if close(x, y[place]) else None
