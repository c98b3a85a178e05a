"""Train VGG's deeper networks from a shallow one, and from scratch, on CIFAR-10.

    python experiments/stagewise.py
    python experiments/stagewise.py --seeds 5 --questions norm kernels

Four questions, small networks throughout: does D learn from a weak initialisation, and
does it when A's layers fill it first (section 3.1 of the paper)? What do better
initialisations do? Does AlexNet's norm help A (A-LRN)? Does one 5x5 replace two 3x3
(section 4.1)? The first command asks each at two seeds, in about 20 minutes on one
core. The second asks where a few points decide at five, in a quarter of an hour more. A
row of data/results/05_vgg-stagewise.csv is a run; a run with a row is not repeated.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import NamedTuple

import table
import torch
from torch import nn

from course_lib import data, notebook, results
from course_lib.train import History, Recipe, TrainingError, evaluate, fit

VGG = notebook.load("05_vgg")
TABLE = results.RESULTS / "05_vgg-stagewise.csv"
IMAGES = 5_000  # of the training images; the whole test set
EPOCHS = {"stagewise": 10, "start": 10, "norm": 20, "kernels": 20}
RECIPE = {
    "batch_size": 32,
    "learning_rate": 0.01,
    "schedule": "constant",
    "channels_last": True,
    "precision": "bfloat16",
}


class Trial(NamedTuple):
    """One training; start: a standard deviation as of the full network, or a rule."""

    question: str
    network: str  # a configuration, or "5x5" for B with one 5x5 for two 3x3
    start: str  # "0.0175", "2 / fan-in", "Glorot", or "A, 0.0175": filled from that A
    epochs: int
    seed: int = 0


class Row(NamedTuple):
    """What came out; losses (nats) and top-1 (fractions) are of each epoch in turn."""

    train_loss: str
    train_top1: str
    test_top1: float  # after the last epoch
    seconds: float


def build(trial: Trial, trained: dict[tuple, nn.Module]) -> nn.Module:
    """Return the network as it starts; trained: those that others are filled from."""
    torch.manual_seed(trial.seed)
    if trial.network == "5x5":
        table = [(5,)] * 5
        widths, norm = VGG.SMALL_WIDTHS, VGG.ALEXNET.SMALL_LRN
        net = VGG.VGG(table, widths, 1, 192, 10, norm=norm)
        VGG.initialise(net)
    else:
        net = VGG.vgg_small(trial.network)
    rule = trial.start.removeprefix("A, ")
    if rule == "Glorot":
        for layer in VGG.learnt(net):
            nn.init.xavier_normal_(layer.weight)
    elif rule != "2 / fan-in":
        VGG.start_like(net, trial.network, float(rule))
    if rule != trial.start:
        VGG.fill(net, trained["A", rule, trial.seed])
    return net


def run(trial: Trial, train, test, trained: dict) -> Row:
    """Train and test; a network A is kept, for those that are filled from it."""
    net, history = build(trial, trained), History()
    recipe = Recipe(epochs=trial.epochs, seed=trial.seed, **RECIPE)
    try:
        history = fit(net, train, None, recipe, title=" ".join(map(str, trial)))
    except TrainingError as error:
        print(error)
        return Row("", "", math.nan, math.nan)
    trained[trial.network, trial.start, trial.seed] = net
    columns = [
        " ".join(f"{value:.4f}" for value in history.column(name))
        for name in ("train_loss", "train_top1")
    ]
    seconds = sum(history.column("seconds"))
    return Row(*columns, evaluate(net, test).top1, round(seconds, 1))


def trials(std: str, seeds: int) -> list[Trial]:
    """Return all trials; a network comes before those that are filled from it."""
    groups = {
        "stagewise": [("A", std), ("D", f"A, {std}"), ("D", std)],
        "start": [("D", "2 / fan-in"), ("D", "Glorot")],
        "norm": [("A", "2 / fan-in"), ("A-LRN", "2 / fan-in")],
        "kernels": [("B", "2 / fan-in"), ("5x5", "2 / fan-in")],
    }
    return [
        Trial(question, *pair, epochs=EPOCHS[question], seed=seed)
        for question, pairs in groups.items()
        for seed in range(seeds)
        for pair in pairs
    ]


def main(seeds: int, std: str, questions: list[str]) -> None:
    train = data.load("cifar10", "train").take(IMAGES)
    test, trained = data.load("cifar10", "test"), {}
    for trial in trials(std, seeds):
        if trial.question not in questions or table.find(TABLE, trial):
            continue
        shallow = Trial("stagewise", "A", std, EPOCHS["stagewise"], trial.seed)
        if trial.start == f"A, {std}" and ("A", std, trial.seed) not in trained:
            run(shallow, train, test, trained)  # it has a row, but was not kept
        table.append(TABLE, trial, run(trial, train, test, trained))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("--seeds", type=int, default=2, help="runs of each trial")
    parser.add_argument("--std", default="0.0175", help="of the weak start")
    parser.add_argument("--questions", nargs="*", default=list(EPOCHS), choices=EPOCHS)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    main(chosen.seeds, chosen.std, chosen.questions)
