"""Kernels of several sizes side by side, or one size at equal cost: GoogLeNet's idea.

    python experiments/kernels.py

The first four modules of GoogLeNet's small network, and three networks whose modules
have 1x1, 3x3 or 5x5 kernels alone: as wide, with as many weights and MACs up to 2 %.
5,000 images of CIFAR-10, reduced to 16x16 pixels, twelve epochs. Each network has the
learning rate that was best for it, of four, on 5,000 validation images (2,000 training
images, one seed: data/results/06_googlenet-kernels-rates.csv). Five paired seeds: about
fifteen minutes on one core. A row of data/results/06_googlenet-kernels.csv is a run; a
run with a row is not repeated.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import table
import torch

from course_lib import data, flops, notebook, results
from course_lib.train import Recipe, evaluate, fit

GOOGLENET = notebook.load("06_googlenet")
TABLE = results.RESULTS / "06_googlenet-kernels.csv"
RATES_TABLE = results.RESULTS / "06_googlenet-kernels-rates.csv"
ARMS = {"mixed": None, "1x1": 1, "3x3": 3, "5x5": 5}  # arguments of `four_modules`
RATES = (0.05, 0.1, 0.2, 0.4)
RECIPE = {
    "epochs": 12,
    "batch_size": 64,
    "warmup_epochs": 1.0,
    "nesterov": True,
    "precision": "bfloat16",
    "channels_last": True,
}


class Trial(NamedTuple):
    """One training to choose a learning rate by."""

    kernels: str
    rate: float
    seed: int


class Chosen(NamedTuple):
    """What came out of it; a fraction."""

    val_top1: float


class Run(NamedTuple):
    """One training."""

    kernels: str
    seed: int


class Row(NamedTuple):
    """What came out; top-1 are fractions, measured after the training."""

    params: int
    macs: int  # of one image
    rate: float
    train_top1: float
    test_top1: float
    seconds: float  # of processor time, for the training


def trained(kernels: str, images: data.Images, rate: float, seed: int):
    torch.manual_seed(seed)
    net = GOOGLENET.four_modules(ARMS[kernels])
    recipe = Recipe(**RECIPE, learning_rate=rate, seed=seed)
    fit(net, images, None, recipe, quiet=True)
    return net


def try_rate(trial: Trial) -> Chosen:
    images, val = (data.load("cifar10", part, size=16) for part in ("train", "val"))
    net = trained(trial.kernels, images.take(2_000), trial.rate, trial.seed)
    return Chosen(round(evaluate(net, val).top1, 4))


def best_rate(kernels: str) -> float:
    rows = [row for row in table.read(RATES_TABLE) if row["kernels"] == kernels]
    return float(max(rows, key=lambda row: float(row["val_top1"]))["rate"])


def train(run: Run) -> Row:
    images, test = (data.load("cifar10", part, size=16) for part in ("train", "test"))
    images, rate = images.take(5_000), best_rate(run.kernels)
    start = time.process_time()
    net = trained(run.kernels, images, rate, run.seed)
    seconds = round(time.process_time() - start, 1)
    cost = flops.count(net, (1, 3, 16, 16))
    scores = (round(evaluate(net, part).top1, 4) for part in (images, test))
    return Row(cost.params, cost.macs, rate, *scores, seconds)


def main(seeds: int = 5) -> None:
    trials = (Trial(kernels, rate, 0) for kernels in ARMS for rate in RATES)
    table.fill(RATES_TABLE, trials, try_rate)
    runs = (Run(kernels, seed) for seed in range(seeds) for kernels in ARMS)
    table.fill(TABLE, runs, train)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
