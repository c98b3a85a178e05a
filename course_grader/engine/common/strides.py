"""The order in which the entries of a tensor or an array lie in memory."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from .wire import Malformed


def dense_order(shape, strides, unit: int) -> list[int] | None:
    """Return the order of dimensions in which entries lie in memory without a gap.

    None if that is their own order, or no order: `is_contiguous` is asked of a copy.
    """
    order = sorted(range(len(shape)), key=lambda d: (-strides[d], -shape[d]))
    if order == sorted(order):
        return None
    for place in reversed(order):
        if shape[place] != 1 and strides[place] != unit:
            return None
        unit *= shape[place]
    return order


def laid(flat: Tensor | np.ndarray, node, shape: tuple[int, ...]):
    """Return entries in this shape, as they lay in memory at the other end."""
    order = node.get("order")
    if order is None:
        return flat.reshape(shape)
    if sorted(order) != list(range(len(shape))):
        raise Malformed("dimensions in no order")
    back = sorted(range(len(order)), key=order.__getitem__)
    made = flat.reshape([shape[place] for place in order])
    return made.transpose(back) if isinstance(flat, np.ndarray) else made.permute(back)
