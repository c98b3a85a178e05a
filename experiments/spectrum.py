"""From Inception to Xception: the number of segments, and what lies between.

    python experiments/spectrum.py

Networks of equal parameters whose 3x3 convolutions have 1, 2, 4, 8 groups or one group
a channel, and the last one with an activation between its 1x1 and its 3x3: Figures 4
and 10 of arXiv:1610.02357. Six epochs on 5,000 images of CIFAR-10, reduced to 16x16
pixels, five paired seeds: about fifteen minutes on one core. A row of
data/results/09_xception-spectrum.csv is a run; a run with a row is not repeated.
"""

from __future__ import annotations

from typing import NamedTuple

import table
import torch
from torch import nn

from course_lib import data, flops, notebook, results
from course_lib.train import Recipe, evaluate, fit

XCEPTION = notebook.load("09_xception")
TABLE = results.RESULTS / "09_xception-spectrum.csv"
ARMS = [(str(segments), "none") for segments in XCEPTION.WIDTHS]
ARMS += [("all", "ReLU"), ("all", "ELU")]
RECIPE = {"epochs": 6, "batch_size": 64, "learning_rate": 0.1, "warmup_epochs": 0.5}


class Run(NamedTuple):
    """One training."""

    segments: str  # a number, or "all"
    between: str  # the class of an activation in torch.nn, or "none"
    seed: int


class Row(NamedTuple):
    """What came out; top-1 are fractions."""

    params: int
    macs: int  # of one image
    train_top1: float  # mean over the last epoch
    test_top1: float
    seconds: float


def train(run: Run) -> Row:
    images = data.load("cifar10", size=16).take(5_000)
    test = data.load("cifar10", "test", size=16)
    torch.manual_seed(run.seed)
    segments = run.segments if run.segments == "all" else int(run.segments)
    net = XCEPTION.spectrum(segments, getattr(nn, run.between, None))
    cost = flops.count(net, (1, 3, 16, 16))
    recipe = Recipe(**RECIPE, flip=True, seed=run.seed)
    history = fit(net, images, None, recipe, title=str(run), quiet=True)
    scores = history[-1].train_top1, evaluate(net, test).top1
    rounded = (round(x, 4) for x in (*scores, sum(history.column("seconds"))))
    return Row(cost.params, cost.macs, *rounded)


def main(seeds: int = 5) -> None:
    table.fill(TABLE, (Run(*arm, n) for n in range(seeds) for arm in ARMS), train)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
