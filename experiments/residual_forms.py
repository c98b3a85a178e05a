"""The five residual forms of He et al. 2016 (arXiv:1603.05027, Figure 4), raced.

    python experiments/residual_forms.py

56 layers, five epochs on the 1,429 training digits of 8x8 pixels, three seeds a form:
about three minutes on one core. A row of data/results/08_resnet-forms.csv is a run; a
run with a row is not repeated.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import table
import torch

from course_lib import data, notebook, results
from course_lib.train import Recipe, TrainingError, evaluate, fit

RESNET = notebook.load("08_resnet")
TABLE = results.RESULTS / "08_resnet-forms.csv"


class Run(NamedTuple):
    """One training."""

    form: str
    depth: int
    epochs: int
    seed: int


class Row(NamedTuple):
    """What came out; errors are fractions, nan where the loss was not finite."""

    train_loss: float  # nats an image, mean over the last epoch
    train_error: float  # mean over the last epoch
    test_error: float
    seconds: float


def train(run: Run) -> Row:
    splits = ("train", "test")
    images, test = (data.load("digits", split, size=8, channels=3) for split in splits)
    changes = {"epochs": run.epochs, "seed": run.seed}
    recipe = Recipe(**RESNET.RECIPES["digits"] | changes)
    torch.manual_seed(run.seed)
    net = RESNET.form_small(run.form, run.depth)
    try:
        history = fit(net, images, None, recipe, title=run.form, quiet=True)
    except TrainingError as error:  # the form did not stand the learning rate
        print(error)
        return Row(*[float("nan")] * 4)
    last, seconds = history[-1], sum(history.column("seconds"))
    errors = 1 - last.train_top1, 1 - evaluate(net, test).top1
    return Row(*(round(x, 4) for x in (last.train_loss, *errors, seconds)))


def main(depth: int, epochs: int, seeds: int) -> None:
    runs = (
        Run(form, depth, epochs, seed) for seed in range(seeds) for form in RESNET.FORMS
    )
    table.fill(TABLE, runs, train)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("--depth", type=int, default=56)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3, help="runs a form")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    main(chosen.depth, chosen.epochs, chosen.seeds)
