"""Depth, width, resolution or all: which way of spending twice the MACs buys most?

    python experiments/scaling.py
    python experiments/scaling.py --seeds 5

A base of 2.7 million MACs at 22 pixels, and seven networks of twice as many. Each
spends a share of the doubling on depth, a share on width and a share on resolution.
Blocks and pixels are whole numbers, so the width settles the last percent. Five epochs
on 4,000 training images of CIFAR-10, shrunk from 32 pixels; top-1 on 5,000 test images.
Runs of one seed see the same images in the same order. A row of
data/results/12_efficientnet-scaling.csv is a run, of two minutes on one core; a run
with a row is not repeated.
"""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path
from typing import NamedTuple

import table
import torch

from course_lib import data, flops, notebook, results
from course_lib.train import Recipe, evaluate, fit

EFFICIENTNET = notebook.load("12_efficientnet")
TABLE = results.RESULTS / "12_efficientnet-scaling.csv"
ARMS = {  # name: blocks a stage, pixels; shares of depth, width and resolution
    "base": (4, 22),
    "depth": (8, 22),  # 1, 0, 0
    "width": (4, 22),  # 0, 1, 0
    "resolution": (4, 31),  # 0, 0, 1
    "depth, width": (6, 22),  # 1/2, 1/2, 0
    "depth, resolution": (6, 26),  # 1/2, 0, 1/2
    "width, resolution": (4, 26),  # 0, 1/2, 1/2
    "compound": (5, 25),  # 1/3, 1/3, 1/3
}
RECIPE = {"epochs": 5, "batch_size": 64, "learning_rate": 0.1, "nesterov": True,
          "warmup_epochs": 1.0, "weight_decay": 4e-5, "flip": True,
          "channels_last": True}  # fmt: skip


class Run(NamedTuple):
    """One training."""

    arm: str
    seed: int


class Row(NamedTuple):
    """What came out; top-1 are fractions."""

    blocks: int  # a stage
    width: float  # the multiplier
    pixels: int
    macs: int  # of one image
    params: int
    train_top1: float  # mean over the last epoch
    test_top1: float
    seconds: float


def macs(blocks: int, width: float, pixels: int) -> int:
    with torch.device("meta"):
        net = EFFICIENTNET.scaled_small(blocks, width)
        return flops.count(net, (1, 3, pixels, pixels)).macs


def settled(blocks: int, pixels: int, budget: int) -> float:
    """Return the width, in steps of 1/100, whose MACs are nearest to the budget."""
    widths = [hundredths / 100 for hundredths in range(80, 160)]
    return min(widths, key=lambda width: abs(macs(blocks, width, pixels) - budget))


@cache
def images(split: str, pixels: int, count: int) -> data.Images:
    return data.load("cifar10", split, size=pixels).take(count)


def train(run: Run) -> Row:
    blocks, pixels = ARMS[run.arm]
    budget = 2 * macs(4, 1.0, 22)
    width = 1.0 if run.arm == "base" else settled(blocks, pixels, budget)
    torch.manual_seed(run.seed)
    net = EFFICIENTNET.scaled_small(blocks, width)
    cost = flops.count(net, (1, 3, pixels, pixels))
    recipe = Recipe(**RECIPE | {"seed": run.seed})
    history = fit(net, images("train", pixels, 4000), None, recipe, quiet=True)
    score = evaluate(net, images("test", pixels, 5000))
    found = history[-1].train_top1, score.top1, sum(history.column("seconds"))
    rounded = (round(x, 4) for x in found)
    return Row(blocks, width, pixels, cost.macs, cost.params, *rounded)


def main(seeds: int) -> None:
    table.fill(TABLE, (Run(arm, n) for n in range(seeds) for arm in ARMS), train)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("--seeds", type=int, default=3, help="paired runs an arm")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    main(chosen.seeds)
