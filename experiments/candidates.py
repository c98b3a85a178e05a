"""A search space of eight networks: each of three stages is fused or MBConv.

    python experiments/candidates.py

Each is trained for four epochs on 5,000 images of CIFAR-10; a training step of 64
images is timed. Three seeds, ten minutes on one core. A row of the table
data/results/13_efficientnet_v2-candidates.csv is a run; one with a row is not repeated.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import table
import torch

from course_lib import data, flops, notebook, results
from course_lib.train import Recipe, evaluate, fit

V2 = notebook.load("13_efficientnet_v2")
TABLE = results.RESULTS / "13_efficientnet_v2-candidates.csv"
KINDS = ["".join(letters) for letters in product("FM", repeat=3)]
RECIPE = {"epochs": 4, "batch_size": 64, "learning_rate": 0.1, "warmup_epochs": 0.5}


class Run(NamedTuple):
    """One training."""

    kinds: str  # a letter a stage: F fused, M MBConv
    seed: int


class Row(NamedTuple):
    """What came out; top-1 is a fraction."""

    test_top1: float
    step_ms: float  # forward and backward of 64 images, the shortest of five
    params: int
    macs: int  # of one image


def train(run: Run) -> Row:
    images = data.load("cifar10").take(5_000)
    torch.manual_seed(run.seed)
    net = V2.candidate(run.kinds)
    cost = flops.count(net, (1, 3, 32, 32))
    recipe = Recipe(**RECIPE, flip=True, channels_last=True, seed=run.seed)
    fit(net, images, None, recipe, title=str(run), quiet=True)
    top1 = evaluate(net, data.load("cifar10", "test")).top1
    step = V2.step_milliseconds(net, torch.randn(64, 3, 32, 32))
    return Row(round(top1, 4), round(step, 1), cost.params, cost.macs)


def main(seeds: int = 3) -> None:
    table.fill(TABLE, (Run(kinds, n) for n in range(seeds) for kinds in KINDS), train)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
