"""Fifteen digits on a sheet: do the neighbours disturb, or do the zeros lack?

    python experiments/sheets.py

`vgg_small`, trained on single digits of 32x32 pixels, reads 180 of the validation
digits: one by one ("alone"), and from sheets of 3x5 on which each digit has an empty
margin of 0, 32 or 64 pixels. With 64 no unit of a digit's place sees another digit. Two
readings intervene: "64, zeros" sets what lies between the digits to zero in front of
every convolution, "alone, no zeros" repeats the border of each map in place of zeros.
Five seeds, five minutes on one core. A row of data/results/05_vgg-sheets.csv is a
reading; a seed with its rows is not repeated.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import table
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import data, notebook, results
from course_lib.train import Recipe, fit

VGG = notebook.load("05_vgg")
TABLE = results.RESULTS / "05_vgg-sheets.csv"
MARGINS = ("alone", "0", "32", "64", "64, zeros", "alone, no zeros")
FORM = {"size": 32, "channels": 3}


class Run(NamedTuple):
    """One reading."""

    seed: int
    margin: str  # one of MARGINS


class Row(NamedTuple):
    """What came out: a fraction of the 180 digits."""

    top1: float


@cache
def trained(seed: int) -> torch.nn.Module:
    train = data.load("digits", **FORM)
    torch.manual_seed(seed)
    net = VGG.vgg_small()
    fit(net, train, None, Recipe(**VGG.RECIPES["digits"], seed=seed), quiet=True)
    return net.eval()


def read(run: Run) -> Row:
    net, val = copy.deepcopy(trained(run.seed)), data.load("digits", "val", **FORM)
    images, labels = next(data.batches(val, 180, shuffle=True, seed=1))
    margin, _, change = run.margin.partition(", ")
    convs = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    for layer in convs:
        if change == "zeros":
            layer.register_forward_pre_hook(zeros_between(int(margin)))
        elif change == "no zeros":
            layer.padding_mode = "replicate"
    with torch.inference_mode():
        if margin == "alone":
            answers = net(images).argmax(dim=1)
        else:
            answers = VGG.read_places(net, VGG.collages(images, int(margin)))
    return Row(round((answers == labels).float().mean().item(), 4))


def zeros_between(margin: int) -> Callable:
    """Return a hook that sets a layer's input on a sheet to zero between the digits."""

    def hook(layer, inputs: tuple[Tensor]) -> Tensor:
        tile = inputs[0].shape[2] // 3
        side = tile * 32 // (32 + 2 * margin)
        kept = F.pad(torch.ones(side, side), 4 * [(tile - side) // 2])
        return inputs[0] * kept.repeat(3, 5)

    return hook


def main(seeds: int = 5) -> None:
    runs = (Run(seed, margin) for seed in range(seeds) for margin in MARGINS)
    table.fill(TABLE, runs, read)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
