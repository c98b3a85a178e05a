"""Fifteen digits on a sheet: do the neighbours disturb, or do the zeros lack?

    python experiments/sheets.py

`vgg_small`, trained on single digits of 32x32 pixels, reads 180 of the validation
digits: one by one ("alone"), and from sheets of 3x5 on which each digit has an empty
margin of 0, 32 or 64 pixels. With 64 no unit of a digit's place sees another digit.
Five seeds, five minutes on one core. A row of data/results/05_vgg-sheets.csv is a
reading; a seed with its rows is not repeated.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import table
import torch

from course_lib import data, notebook, results
from course_lib.train import Recipe, fit

VGG = notebook.load("05_vgg")
TABLE = results.RESULTS / "05_vgg-sheets.csv"
MARGINS = ("alone", "0", "32", "64")


class Run(NamedTuple):
    """One reading."""

    seed: int
    margin: str  # pixels, or "alone"


class Row(NamedTuple):
    """What came out: a fraction of the 180 digits."""

    top1: float


@cache
def trained(seed: int) -> torch.nn.Module:
    train = data.load("digits", size=32, channels=3)
    torch.manual_seed(seed)
    net = VGG.vgg_small()
    fit(net, train, None, Recipe(**VGG.RECIPES["digits"], seed=seed), quiet=True)
    return net.eval()


def read(run: Run) -> Row:
    net, val = trained(run.seed), data.load("digits", "val", size=32, channels=3)
    images, labels = next(data.batches(val, 180, shuffle=True, seed=1))
    with torch.inference_mode():
        if run.margin == "alone":
            answers = net(images).argmax(dim=1)
        else:
            sheets = VGG.collages(images, int(run.margin))
            answers = VGG.read_places(net, sheets)
    return Row(round((answers == labels).float().mean().item(), 4))


def main(seeds: int = 5) -> None:
    runs = (Run(seed, margin) for seed in range(seeds) for margin in MARGINS)
    table.fill(TABLE, runs, read)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
