"""Which pixels a position of a feature map sees, followed through each operation.

A `Field` says for every axis of a tensor which of its parts run over the image, and how
far each of their positions sees. It survives what moves or joins axes: channels last,
or the rows of a linear layer. An operation without a rule that changes an axis of the
image, or mixes along it, is taken to see everything.
"""

from __future__ import annotations

import math
import re
from types import SimpleNamespace
from typing import NamedTuple

from torch import Tensor

EVERYTHING = math.inf  # the receptive field of what sees the whole image
PRODUCTS = {  # operation: the names of its two factors
    "mm": ("self", "mat2"),
    "bmm": ("self", "mat2"),
    "addmm": ("mat1", "mat2"),
    "_addmm_activation": ("mat1", "mat2"),
    "baddbmm": ("batch1", "batch2"),
}
MIXES = {
    *("_log_softmax", "_safe_softmax", "_softmax", "cumprod", "cumsum", "flip"),
    *("gather", "glu", "index_select", "roll", "sort", "topk"),
}
PARTS = {"chunk", "split", "split_with_sizes", "unsafe_chunk", "unsafe_split", "cat"}
RESHAPES = {"view", "_unsafe_view", "_reshape_alias", "squeeze", "unsqueeze"}
MOVES = {"permute", "transpose", "t"}


class Span(NamedTuple):
    """Along one side, position i sees the pixels i * jump + low to i * jump + high."""

    jump: float = 1
    low: float = 0
    high: float = 0

    def window(self, kernel: int, stride: float, padding: int, dilation=1) -> Span:
        low = self.low - padding * self.jump
        high = self.high + (dilation * (kernel - 1) - padding) * self.jump
        return Span(self.jump * stride, low, high)

    def slice(self, start: int, step: int = 1) -> Span:
        moved = start * self.jump
        return Span(self.jump * step, self.low + moved, self.high + moved)

    def union(self, other: Span) -> Span:
        return Span(
            max(self.jump, other.jump),
            min(self.low, other.low),
            max(self.high, other.high),
        )


class Part(NamedTuple):
    """A factor of an axis: a side of the image if it has a span."""

    size: int
    span: Span | None = None
    batch: bool = False


Axis = tuple[Part, ...]
Field = tuple[Axis, ...]  # an axis each; EVERYTHING or None stand in for it


class Lost(Exception):
    """From here on every position may see the whole image."""


def of_image(x: Tensor) -> Field:
    """Return the field of an input (N, C, side, ...)."""
    sides = tuple((Part(size, Span()),) for size in x.shape[2:])
    return ((Part(x.shape[0], batch=True),), (Part(x.shape[1]),), *sides)


def pixels(field) -> float:
    if field == EVERYTHING:
        return EVERYTHING
    return max(math.ceil(s.high - s.low) + 1 for axis in field for s in _spans(axis))


def receptive(name: str, a: SimpleNamespace, y: Tensor, inputs: list):
    """Return the field of an output: a Field, EVERYTHING, or None.

    inputs: (tensor, field) of each input that depends on the image. a: the arguments.
    """
    if not inputs:
        return None
    if any(field == EVERYTHING for _, field in inputs):
        return EVERYTHING
    try:
        field = _follow(name, a, y, inputs)
    except Lost:
        return EVERYTHING
    return field if any(map(_spans, field)) else EVERYTHING


def _follow(name: str, a: SimpleNamespace, y: Tensor, inputs: list) -> Field:
    x, field = inputs[0]
    if name in PRODUCTS:
        return _product(*(getattr(a, n) for n in PRODUCTS[name]), y, inputs)
    if name == "linear":
        return (*_without(field, [-1]), (Part(y.shape[-1]),))
    if windows := windows_of(name, a):
        return _through(windows, field, x, y)
    if "_pad" in name:
        before = list(a.pad if hasattr(a, "pad") else a.padding)[::2]
        return _moved(field, y, {-1 - i: (-p, 1) for i, p in enumerate(before)})
    if name == "slice":
        start = (a.start or 0) % max(x.shape[a.dim], 1)
        return _moved(field, y, {a.dim: (start, a.step)})
    if name in MOVES:
        return tuple(field[i] for i in _order(name, a, x.ndim))
    if name in RESHAPES:
        return _reshaped(field, y.shape)
    if name == "select":
        return tuple(axis for i, axis in enumerate(field) if i != a.dim % x.ndim)
    if name == "view_as_real":
        return (*field, (Part(2),))
    if name == "view_as_complex":
        return _without(field, [-1])
    if name == "stack":
        return _stacked(a.dim % y.ndim, y, inputs)
    if hasattr(a, "keepdim"):
        return _without(field, _axes(a), a.keepdim)
    if name in MIXES | PARTS:
        _without(field, _axes(a))
    if name == "index":
        _indexed(a, x, y, field)
    return _joined(y, [field for _, field in inputs])


def windows_of(name: str, a: SimpleNamespace) -> list[tuple] | None:
    """Return (kernel, stride, padding, dilation) of each side, if the op has them."""
    if name == "convolution" and not a.transposed:
        sides, kernel, stride = a.weight.ndim - 2, a.weight.shape[2:], a.stride
    elif found := re.search(r"(max|avg)_pool(\d)d", name):
        sides = int(found[2])
        if "adaptive" in name:
            sizes = zip(a.self.shape[-sides:], a.output_size, strict=True)
            return [
                (-(-old // new) + (old % new > 0), old / new, 0, 1)
                for old, new in sizes
            ]
        kernel, stride = a.kernel_size, a.stride or a.kernel_size
    else:
        return None

    def each(values):
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        return (values * sides)[-sides:]

    four = list(kernel), stride, a.padding, getattr(a, "dilation", 1)
    return list(zip(*map(each, four), strict=True))


# --- what becomes of the axes ---------------------------------------------------------


def _spans(axis: Axis) -> list[Span]:
    return [part.span for part in axis if part.span]


def _side(axis: Axis) -> Span:
    """Return the span of an axis that is one side of the image, and nothing else."""
    if len(axis) != 1 or not axis[0].span:
        raise Lost
    return axis[0].span


def _axes(a: SimpleNamespace) -> list[int] | None:
    """Return the axes that an operation names; None: all."""
    named = getattr(a, "dim", getattr(a, "dims", None))
    named = [named] if isinstance(named, int) else named
    return list(named) if named else None


def _without(field: Field, axes: list[int] | None, keep: bool = False) -> Field:
    """Mix along axes, which must not be of the image, and leave one entry or none."""
    axes = range(len(field)) if axes is None else [i % len(field) for i in axes]
    if any(_spans(field[i]) for i in axes):
        raise Lost
    one = [(Part(1),)] if keep else []
    parts = [one if i in axes else [axis] for i, axis in enumerate(field)]
    return tuple(axis for part in parts for axis in part)


def _through(windows: list, field: Field, x: Tensor, y: Tensor) -> Field:
    sides = len(windows)
    before, after = list(field[:-sides]), []
    reach = []
    for axis, window, old, new in zip(
        field[-sides:], windows, x.shape[-sides:], y.shape[-sides:], strict=True
    ):
        span = _side(axis).window(*window) if _spans(axis) else None
        after.append((Part(new, span),))
        if span:
            reach.append(new == 1 < old <= window[0])
    if all(reach):
        raise Lost  # global pooling, or a convolution used as linear layer
    return _joined(y, [(*before, *after)])


def _moved(field: Field, y: Tensor, steps: dict[int, tuple[int, int]]) -> Field:
    """Start an axis of the image at another position, with another step."""
    axes = list(field)
    for i, (start, step) in steps.items():
        if _spans(axes[i]):
            size = y.shape[i]
            axes[i] = (Part(size, _side(axes[i]).slice(start, step)),)
    return _joined(y, [tuple(axes)])


def _order(name: str, a: SimpleNamespace, axes: int) -> list[int]:
    if name == "permute":
        return list(a.dims)
    one, other = (a.dim0, a.dim1) if name == "transpose" else (0, axes - 1)
    order = list(range(axes))
    order[one], order[other] = order[other], order[one]
    return order


def _reshaped(field: Field, shape: tuple) -> Field:
    """Group the factors of all axes anew; the image's are never cut."""
    left = [part for axis in field for part in axis if part.size != 1][::-1]
    axes = []
    for size in shape:
        axis: list[Part] = []
        while size > 1:
            part = left.pop() if left else Part(0)
            if part.size and size % part.size == 0:
                axis.append(part)
                size //= part.size
            elif part.size and part.size % size == 0 and not part.span:
                axis.append(part._replace(size=size))
                left.append(part._replace(size=part.size // size))
                size = 1
            else:
                raise Lost
        if _spans(axis) and any(not p.span and not p.batch for p in axis):
            raise Lost  # flattened: the image beside the channels
        axes.append(tuple(axis) or (Part(1),))
    return tuple(axes)


def _product(a: Tensor, b: Tensor, y: Tensor, inputs: list) -> Field:
    """Multiply rows of `a` with columns of `b`, one of which is a weight."""
    fields = {id(x): field for x, field in inputs}
    if len(fields) != 1 or a is b:
        raise Lost  # attention, or a sum with another map
    if id(a) in fields:
        field = fields[id(a)]
        return (*_without(field, [-1]), (Part(y.shape[-1]),))
    field = fields.get(id(b))
    if field is None:
        raise Lost
    *batch, columns = _without(field, [-2])
    return (*batch, (Part(y.shape[-2]),), columns)


def _stacked(axis: int, y: Tensor, inputs: list) -> Field:
    fields = [(*f[:axis], (Part(y.shape[axis]),), *f[axis:]) for _, f in inputs]
    return _joined(y, fields)


def _indexed(a: SimpleNamespace, x: Tensor, y: Tensor, field: Field) -> None:
    """Picking channels leaves the image as it is; picking positions does not."""
    named = [i for i, index in enumerate(a.indices) if index is not None]
    if x.ndim != y.ndim or len(named) != 1:
        raise Lost
    _without(field, named)


def _joined(y: Tensor, fields: list[Field]) -> Field:
    """Join inputs entry by entry, axes aligned at the last; a new axis is no side."""
    axes = []
    for i in range(-y.ndim, 0):
        found = [f[i] for f in fields if -i <= len(f)]
        sides = [axis for axis in found if _spans(axis)]
        if any(math.prod(p.size for p in axis) != y.shape[i] for axis in sides):
            raise Lost
        same = [a for a in found if math.prod(p.size for p in a) == y.shape[i]]
        axis = (sides or same or [(Part(y.shape[i]),)])[0]
        for other in sides[1:]:
            axis = _united(axis, other)
        axes.append(axis)
    gone = [axis for f in fields for axis in f[: max(len(f) - y.ndim, 0)]]
    if any(map(_spans, gone)):
        raise Lost
    return tuple(axes)


def _united(one: Axis, other: Axis) -> Axis:
    if [(p.size, bool(p.span)) for p in one] != [(p.size, bool(p.span)) for p in other]:
        raise Lost
    return tuple(
        p._replace(span=p.span.union(o.span)) if p.span else p
        for p, o in zip(one, other, strict=True)
    )
