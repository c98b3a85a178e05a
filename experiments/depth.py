"""Does depth harm a plain network, and a residual one? 20 against 32 layers, paired.

    python experiments/depth.py
    python experiments/depth.py --epochs 20 --seeds 1

The notebook's recipe for the 1,429 training digits of 8x8 pixels; five epochs. Runs of
one seed see the same images in the same order. Errors are measured in eval mode after
the last epoch. A row of data/results/08_resnet-depth.csv is a run, of about ten seconds
on one core; a run with a row is not repeated.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import table
import torch

from course_lib import data, notebook, results
from course_lib.train import Recipe, evaluate, fit

RESNET = notebook.load("08_resnet")
TABLE = results.RESULTS / "08_resnet-depth.csv"
NETWORKS = [(name, n) for name in ("plain", "resnet") for n in (20, 32)]


class Run(NamedTuple):
    """One training."""

    network: str
    depth: int
    epochs: int
    seed: int


class Row(NamedTuple):
    """What came out; errors are fractions of the images, in eval mode."""

    train_error: float
    val_error: float
    seconds: float


def train(run: Run) -> Row:
    splits = ("train", "val")
    images, val = (data.load("digits", split, size=8, channels=3) for split in splits)
    changes = {"epochs": run.epochs, "seed": run.seed}
    recipe = Recipe(**RESNET.RECIPES["digits"] | changes)
    torch.manual_seed(run.seed)
    net = getattr(RESNET, f"{run.network}_small")(run.depth)
    history = fit(net, images, None, recipe, quiet=True)
    errors = (1 - evaluate(net, part).top1 for part in (images, val))
    seconds = round(sum(history.column("seconds")), 1)
    return Row(*(round(error, 4) for error in errors), seconds)


def main(epochs: int, seeds: int) -> None:
    runs = (
        Run(network, depth, epochs, seed)
        for seed in range(seeds)
        for network, depth in NETWORKS
    )
    table.fill(TABLE, runs, train)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5, help="paired runs a depth")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    main(chosen.epochs, chosen.seeds)
