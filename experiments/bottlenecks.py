"""Which part of MobileNetV2's block buys what: its activation, or its shortcut's place.

    python experiments/bottlenecks.py

Four networks of equal layers, parameters and MACs: linear bottlenecks with the shortcut
on the thin ends (10 of them), a ReLU6 on the bottleneck, the shortcut on the wide ends
(7, where two neighbours agree in shape), and none. Six epochs on the 1,429 training
digits of 8x8 pixels, five paired seeds: about eight minutes on one core. A row of
data/results/11_mobilenet_v2-bottlenecks.csv is a run; a run with a row is not repeated.
"""

from __future__ import annotations

from typing import NamedTuple

import table
import torch

from course_lib import data, notebook, results
from course_lib.train import Recipe, evaluate, fit

MOBILENET = notebook.load("11_mobilenet_v2")
TABLE = results.RESULTS / "11_mobilenet_v2-bottlenecks.csv"
ARMS = {  # name: arguments of `wired`
    "linear, thin": {},
    "ReLU6, thin": {"linear": False},
    "linear, wide": {"wire": "wide"},
    "linear, none": {"wire": "none"},
}


class Run(NamedTuple):
    """One training."""

    arm: str
    seed: int


class Row(NamedTuple):
    """What came out; top-1 are fractions."""

    train_loss: float  # nats an image, mean over the last epoch
    train_top1: float  # mean over the last epoch
    test_top1: float
    seconds: float


def train(run: Run) -> Row:
    splits = ("train", "test")
    images, test = (data.load("digits", split, size=8, channels=3) for split in splits)
    recipe = Recipe(**MOBILENET.RECIPES["digits"] | {"seed": run.seed})
    torch.manual_seed(run.seed)
    net = MOBILENET.wired(**ARMS[run.arm])
    history = fit(net, images, None, recipe, title=run.arm, quiet=True)
    last, seconds = history[-1], sum(history.column("seconds"))
    scores = last.train_loss, last.train_top1, evaluate(net, test).top1
    return Row(*(round(x, 4) for x in (*scores, seconds)))


def main(seeds: int = 5) -> None:
    table.fill(TABLE, (Run(arm, n) for n in range(seeds) for arm in ARMS), train)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
