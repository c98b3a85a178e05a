"""How long a call takes: measured, for what MACs alone do not say."""

from __future__ import annotations

import time
import timeit

import torch


def timer() -> float:
    """Return seconds, once a GPU has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


@torch.inference_mode()
def milliseconds(run, *inputs, repeats: int = 5) -> float:
    """Return the shortest time of `run(*inputs)` in ms, after a call not counted.

    run: a network in eval mode, a layer or any function. repeats: calls to choose from;
    the shortest is the one that other programs disturbed least. Gradients are off.
    """
    run(*inputs)
    return 1e3 * min(
        timeit.repeat(lambda: run(*inputs), timer, number=1, repeat=repeats)
    )
