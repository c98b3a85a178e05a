"""Progressive training: growing images, with and without growing regularisation.

    python experiments/progressive.py

A full grid of two choices: images of 32 pixels throughout, or of 16, 24 and 32; the
strongest regularisation throughout, or one that grows. It is done for a network whose
stem keeps the pixels, and for one whose stem halves the sides, where small images save
little time. Each run takes the same time of the processor on the same 5,000 images of
CIFAR-10; the score is of the whole test set at 32 pixels. Five paired seeds, 30 minutes
on one core. A row of data/results/13_efficientnet_v2-progressive.csv is a run; a run
with a row is not repeated.
"""

from __future__ import annotations

import time
from functools import partial
from itertools import product
from typing import NamedTuple

import table
import torch

from course_lib import data, notebook, results
from course_lib.train import evaluate

V2 = notebook.load("13_efficientnet_v2")
TABLE = results.RESULTS / "13_efficientnet_v2-progressive.csv"
SIZES = {"fixed": (32, 32, 32), "growing": (16, 24, 32)}
STRENGTHS = {  # dropout, crop padding
    "fixed": [(0.3, 4)] * 3,
    "growing": [(0.0, 0), (0.15, 2), (0.3, 4)],
}
SECONDS = 40.0  # of the processor


class Run(NamedTuple):
    """One training."""

    stride: int  # of the stem
    size: str
    regularisation: str
    seed: int


class Row(NamedTuple):
    """What came out; top-1 is a fraction."""

    images_seen: int
    test_top1: float
    seconds: float


def train(run: Run) -> Row:
    images = data.load("cifar10").take(5_000)
    test = data.load("cifar10", "test")
    torch.manual_seed(run.seed)
    net = V2.racer(run.stride).to(memory_format=torch.channels_last)
    both = zip(SIZES[run.size], STRENGTHS[run.regularisation], strict=True)
    phases = [V2.Phase(size, *strength) for size, strength in both]
    shown = partial(data.batches, images, 64, seed=run.seed, shuffle=True, flip=True)

    def batches(epoch: int, padding: int):
        return shown(epoch=epoch, crop_padding=padding)

    start = time.process_time()
    seen = V2.train_phases(net, batches, phases, SECONDS, time.process_time)
    seconds = time.process_time() - start
    return Row(sum(seen), round(evaluate(net, test).top1, 4), round(seconds, 2))


def main(seeds: int = 5) -> None:
    arms = product((2, 1), range(seeds), SIZES, STRENGTHS)
    runs = (Run(stride, size, strength, n) for stride, n, size, strength in arms)
    table.fill(TABLE, runs, train)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
