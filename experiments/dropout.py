"""What dropout and augmentation are worth to a small AlexNet, on CIFAR-10.

    python experiments/dropout.py

A full grid: dropout of 0.5 or none, flips and shifts or none. 5,000 training images,
40 epochs, five paired seeds: about half an hour on one core. A row of
data/results/04_alexnet-dropout.csv is a run; a run with a row is not repeated. Top-1 is
of the 10,000 test images, by which nothing is chosen.
"""

from __future__ import annotations

import itertools
import time
from typing import NamedTuple

import table
import torch

from course_lib import data, notebook, results
from course_lib.train import Recipe, evaluate, fit

ALEXNET = notebook.load("04_alexnet")
TABLE = results.RESULTS / "04_alexnet-dropout.csv"
IMAGES = 5_000  # of the training images
PLAIN = {"flip": False, "crop_padding": 0}


class Run(NamedTuple):
    """One training."""

    dropout: float
    augmented: bool
    epochs: int = 40
    seed: int = 0


class Row(NamedTuple):
    """What came out; top-1 are fractions, measured after the training."""

    train_top1: float  # of the images as they are
    test_top1: float
    seconds: float  # of processor time, for the training


def train(run: Run) -> Row:
    images, test = (data.load("cifar10", part) for part in ("train", "test"))
    images = images.take(IMAGES)
    changes = {} if run.augmented else PLAIN
    changes = changes | {"epochs": run.epochs, "seed": run.seed}
    recipe = Recipe(**ALEXNET.RECIPES["cifar10"] | changes)
    torch.manual_seed(run.seed)
    net = ALEXNET.alexnet_small(dropout=run.dropout)
    start = time.process_time()
    fit(net, images, None, recipe, quiet=True)
    seconds = round(time.process_time() - start, 1)
    scores = (round(evaluate(net, part).top1, 4) for part in (images, test))
    return Row(*scores, seconds)


def main(seeds: int = 5) -> None:
    grid = itertools.product(range(seeds), (0.5, 0.0), (True, False))
    table.fill(TABLE, (Run(*arm, seed=seed) for seed, *arm in grid), train)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
