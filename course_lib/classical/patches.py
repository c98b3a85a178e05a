"""Small patches of colour as descriptors: what a first layer of filters would see."""

from __future__ import annotations

import functools
from numbers import Integral

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from course_lib.classical.dense import grid
from course_lib.classical.inputs import ImageError, fractions
from course_lib.classical.lazy import DenseTransformer

FLOOR = 10 / 255**2  # added to a patch's variance, so that noise stays small


class Patches(DenseTransformer):
    """Turn images into the pixels of all small squares, of mean 0 and variance 1.

    side: pixels of a square's side.  step: pixels between two squares.
    memory, batch_size, device: see DenseSift.

    Descriptors are (n, 3 side²): red, green and blue planes, row by row; keypoints are
    the squares' centres, with half the side as scale.
    Source: Coates, Lee and Ng, AISTATS 2011, section 3.1.1.
    """

    def __init__(self, side=6, step=1, memory=None, batch_size=None, device=None):
        self.side = side
        self.step = step
        self.memory = memory
        self.batch_size = batch_size
        self.device = device

    def _check(self) -> None:
        for name in ("side", "step"):
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not whole or value < 1:
                raise ImageError(f"{name} is {value!r}: expected an integer above 0")

    def _describe(self):
        return functools.partial(patches, side=self.side, step=self.step)


def patches(images: Tensor, side: int, step: int) -> tuple[np.ndarray, Tensor]:
    """Return keypoints (n, 4) and descriptors (N, n, D) of images (N, C, H, W)."""
    planes = fractions(images).expand(-1, 3, -1, -1)
    height, width = planes.shape[-2:]
    xs, ys = (
        [(side - 1) / 2 + start for start in range(0, end - side + 1, step)]
        for end in (width, height)
    )
    if not xs or not ys:
        return grid([], [], side / 2), planes.new_zeros(len(planes), 0, 3 * side**2)
    found = F.unfold(planes, side, stride=step)  # (N, D, n)
    found = found.sub_(found.mean(dim=1, keepdim=True))
    variance = found.square().sum(dim=1, keepdim=True) / (found.shape[1] - 1)
    return grid(xs, ys, side / 2), found.div_((variance + FLOOR).sqrt_()).mT
