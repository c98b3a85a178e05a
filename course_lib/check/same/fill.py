"""Which steps of the reference make a linear layer of the candidate."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.check.same.compare import Order, align, channels_last
from course_lib.check.same.steps import Step


class Filling(NamedTuple):
    """Outputs of one or several steps that together make a linear layer of yours."""

    order: Order
    parts: list[tuple[Step, Tensor]]  # a step, and which of its outputs
    by_maps: bool
    shuffle: Tensor | None = None

    def values(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return weight, answer and bias that yours should have, in its own order."""
        order, parts = self.order, self.parts
        weights = [
            s.weight[o] if self.by_maps else s.weight[o].flatten(1) for s, o in parts
        ]
        weight, answer = torch.cat(weights), torch.cat([s.y[:, o] for s, o in parts], 1)
        biases = [s.bias[o] for s, o in parts if s.bias is not None]
        bias = torch.cat(biases)[None] if biases else None
        outputs = Order(order.rows, self.shuffle)
        if self.by_maps and parts[0][0].depthwise:  # an output a channel
            outputs = Order(None, order.columns)
        else:
            weight = order.pick(weight)
        weight = weight if outputs.columns is None else weight[outputs.columns]
        return weight, outputs(answer), None if bias is None else outputs.pick(bias)[0]


def fillings(family: list, yours: Step, by_maps: bool) -> Iterator[Filling]:
    """Yield the ways to make `yours` from (step, order) with its input.

    First whole steps, in the order in which they ran; then several as one (q, k and v
    of theirs are one layer of yours), then a part of one.
    """
    outputs = len(yours.weight)
    free = [(s, (~s.used).nonzero().flatten()) for s, _ in family if not s.used.all()]
    order = family[0][1] if family else None
    found = [[part] for part in free if len(part[1]) == outputs]
    if not found:
        for several in range(2, min(len(free), 4) + 1):
            found += [
                list(parts)
                for parts in permutations(free, several)
                if sum(len(o) for _, o in parts) == outputs
            ]
        for step, left in free:
            if len(left) % outputs == 0:
                found += [[(step, part)] for part in left.split(outputs)]
    yield from (Filling(order, parts, by_maps) for parts in found)
    if found and not yours.conv and outputs == 3 * yours.features:
        for shuffle in interleavings(outputs):
            yield Filling(order, found[0], by_maps, shuffle)


def interleavings(outputs: int) -> Iterator[Tensor]:
    """Yield the orders in which q, k and v of each head can lie in one layer."""
    index = torch.arange(outputs)
    for heads in (2, 3, 4, 6, 8, 12, 16):
        if outputs % (3 * heads) == 0:
            yield index.view(3, heads, -1).transpose(0, 1).flatten()
            yield index.view(heads, 3, -1).transpose(0, 1).flatten()


def same_maps(yours: Step, theirs: Step) -> Order | None:
    """Compare two convolutions with one kernel by their inputs."""
    if not (yours.conv and theirs.conv) or yours.x.shape != theirs.x.shape:
        return None
    if yours.weight.shape[1:] != theirs.weight.shape[1:]:
        return None
    order = align(channels_last(yours.x), channels_last(theirs.x))
    return order if order and order.rows is None else None


def same_rows(yours: Step, theirs: Step) -> Order | None:
    """Compare any two linear layers by the patches they see."""
    if yours.features != theirs.features or yours.depthwise or theirs.depthwise:
        return None
    both = yours.conv and theirs.conv and yours.x.shape == theirs.x.shape
    if both and yours.weight.shape[1:] == theirs.weight.shape[1:]:
        return None  # their inputs have been compared as maps
    if not yours.conv and len(yours.x) != len(theirs.y):
        return None
    return align(yours.rows, theirs.rows)
