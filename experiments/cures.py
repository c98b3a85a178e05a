"""Does another size of step cure the plain network of 56 layers, or harm others?

    python experiments/cures.py

The notebook's recipe for the 1,429 training digits of 8x8 pixels, five epochs, with the
changes of CURES. AdamW is also given to two networks that learn with SGD. Errors are
measured in eval mode after the last epoch. A row of data/results/08_resnet-cures.csv is
a run, of about fifteen seconds on one core; a run with a row is not repeated.
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
TABLE = results.RESULTS / "08_resnet-cures.csv"
CURES = {  # what differs from the recipe of the digits
    "SGD": {},
    "SGD, learning rate 0.01": {"learning_rate": 0.01},
    "SGD, gradient clipped to norm 1": {"clip_norm": 1.0},
    "AdamW": {"optimizer": "adamw", "learning_rate": 1e-3},
}
TRAINED = [("plain", 56, cure) for cure in CURES]
TRAINED += [("plain", 20, "AdamW"), ("resnet", 56, "AdamW")]


class Run(NamedTuple):
    """One training."""

    network: str
    depth: int
    cure: str
    seed: int


class Row(NamedTuple):
    """What came out; the error is a fraction of the images, in eval mode."""

    train_error: float
    seconds: float


def train(run: Run) -> Row:
    images = data.load("digits", "train", size=8, channels=3)
    changes = CURES[run.cure] | {"seed": run.seed}
    recipe = Recipe(**RESNET.RECIPES["digits"] | changes)
    torch.manual_seed(run.seed)
    net = getattr(RESNET, f"{run.network}_small")(run.depth)
    history = fit(net, images, None, recipe, quiet=True)
    error = round(1 - evaluate(net, images).top1, 4)
    return Row(error, round(sum(history.column("seconds")), 1))


def main(seeds: int) -> None:
    runs = (Run(*row, seed) for seed in range(seeds) for row in TRAINED)
    table.fill(TABLE, runs, train)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("--seeds", type=int, default=3, help="runs a row")
    torch.set_num_threads(1)  # more threads add in another order, and plain-56 moves
    main(parser.parse_args().seeds)
