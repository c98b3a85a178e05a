"""Images of one size together, and a thread of its own for every batch on a CPU."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor


def batched(images: Sequence[Tensor], size: int) -> list[list[int]]:
    """Return the numbers of images of one shape and kind, at most `size` together."""
    shapes: dict[tuple, list[int]] = {}
    for number, image in enumerate(images):
        shapes.setdefault((*image.shape, image.dtype), []).append(number)
    return [
        numbers[i : i + size]
        for numbers in shapes.values()
        for i in range(0, len(numbers), size)
    ]


def side_by_side(work: Callable, batches: Iterable, device: torch.device) -> Iterator:
    """Yield work(batch) of each batch, in order, a few of them ahead.

    On a CPU each of PyTorch's threads takes a batch of its own, and the caller's steps
    between two batches take one: threads that share the steps of one image wait for
    each other at the end of every step. They do share a batch that is the only one. An
    exception of `work` is raised here.
    """
    threads, batches = torch.get_num_threads(), iter(batches)
    first = list(itertools.islice(batches, 2))
    batches = itertools.chain(first, batches)
    if device.type != "cpu" or threads < 2 or len(first) < 2:
        yield from map(work, batches)
        return
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=[1])
    ahead: deque = deque()
    try:
        torch.set_num_threads(1)
        for batch in batches:
            ahead.append(pool.submit(work, batch))
            if len(ahead) > 2 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
