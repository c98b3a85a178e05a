"""Images of one size together, and a thread of its own for every batch on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor


def target(device: str | torch.device | None) -> torch.device:
    """Return the device that is meant: by default CUDA where there is one."""
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def batched(images: Sequence[Tensor], size: int) -> list[list[int]]:
    """Return the numbers of images that have one shape, at most `size` together."""
    shapes: dict[tuple, list[int]] = {}
    for number, image in enumerate(images):
        shapes.setdefault(tuple(image.shape), []).append(number)
    return [
        numbers[i : i + size]
        for numbers in shapes.values()
        for i in range(0, len(numbers), size)
    ]


def side_by_side(work: Callable, batches: Sequence, device: torch.device) -> Iterator:
    """Yield work(batch) of each batch, in order.

    On a CPU each of PyTorch's threads takes a batch of its own: two threads that share
    the steps of one image wait for each other at the end of every step. An exception
    of `work` is raised here.
    """
    threads = min(torch.get_num_threads(), len(batches))
    if device.type != "cpu" or threads < 2:
        yield from map(work, batches)
        return
    every = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=[1])
    try:
        yield from pool.map(work, batches)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(every)
