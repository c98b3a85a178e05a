"""What separable convolutions cost in accuracy: Table 4 of arXiv:1704.04861, in small.

    python experiments/separable.py

Two networks of the same width, with full convolutions and with separable ones. Six
epochs on the 1,429 training digits of 8x8 pixels, five paired seeds: about three
minutes on one core. A row of data/results/10_mobilenet-separable.csv is a run; a run
with a row is not repeated.
"""

from __future__ import annotations

from typing import NamedTuple

import table
import torch

from course_lib import data, flops, notebook, results
from course_lib.train import Recipe, evaluate, fit

MOBILENET = notebook.load("10_mobilenet")
TABLE = results.RESULTS / "10_mobilenet-separable.csv"
ARMS = {  # name: arguments of mobilenet_small
    "full": {"width": 0.25, "separable": False},
    "separable": {"width": 0.25},
}


class Run(NamedTuple):
    """One training."""

    arm: str
    seed: int


class Row(NamedTuple):
    """What came out; top-1 are fractions."""

    macs: int  # of one image
    params: int
    train_top1: float  # mean over the last epoch
    test_top1: float
    seconds: float


def train(run: Run) -> Row:
    splits = ("train", "test")
    images, test = (data.load("digits", split, size=8, channels=3) for split in splits)
    recipe = Recipe(**MOBILENET.RECIPES["digits"] | {"seed": run.seed})
    torch.manual_seed(run.seed)
    net = MOBILENET.mobilenet_small(**ARMS[run.arm])
    cost = flops.count(net, (1, 3, 8, 8))
    history = fit(net, images, None, recipe, title=run.arm, quiet=True)
    scores = history[-1].train_top1, evaluate(net, test).top1
    rounded = (round(x, 4) for x in (*scores, sum(history.column("seconds"))))
    return Row(cost.macs, cost.params, *rounded)


def main(seeds: int = 5) -> None:
    table.fill(TABLE, (Run(arm, n) for n in range(seeds) for arm in ARMS), train)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
