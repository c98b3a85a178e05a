"""The precision in which a training computes its network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from course_lib.recipe import Recipe

__all__ = ["DTYPES", "autocast"]

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def autocast(recipe: Recipe, device: torch.device) -> AbstractContextManager:
    """Return what to compute the network in: the recipe's precision on this device."""
    if recipe.precision == "float32":
        return nullcontext()
    mixed = torch.autocast(device.type, DTYPES[recipe.precision])
    return on_cpu(mixed) if device.type == "cpu" and not recipe.compile else mixed


@contextmanager
def on_cpu(mixed: torch.autocast) -> Iterator[None]:
    with mixed, DepthwiseInFloat32():
        yield


class DepthwiseInFloat32(TorchFunctionMode):
    """Computes in float32 the depthwise convolutions that bfloat16 makes slow on a CPU.

    Those with a stride, and those with kernels of 5x5 and more. What each kind takes in
    both precisions, and what a whole training gains: `python benchmarks/depthwise.py`.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is F.conv2d and args and is_slow(*args, **kwargs):
            images, *rest = args
            with torch.autocast("cpu", enabled=False):
                return function(images.float(), *rest, **kwargs)
        return function(*args, **kwargs)


def is_slow(images, weight, bias=None, stride=1, *_, **__) -> bool:
    _, depth, *size = weight.shape
    depthwise = depth == 1 and images.shape[-3] > 1
    steps = (stride,) if isinstance(stride, int) else stride
    return depthwise and (max(steps) > 1 or max(size) >= 5)
