"""Race activations to 25 % training error on CIFAR-10: Figure 1 of AlexNet's paper.

    python experiments/race.py

First the learning rate of each activation, on 10,000 images; then the race on all
50,000; then what the ratio depends on, on 4,000 images: about 30 minutes on one core.
A row of data/results/04_alexnet-race.csv is a run; a run with a row is not repeated.
`course records run` has the race itself with three seeds, and keeps its networks.
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
from course_lib.records import queue
from course_lib.train import Recipe, TrainingError, evaluate, fit

ALEXNET = notebook.load("04_alexnet")
TABLE = results.RESULTS / "04_alexnet-race.csv"
ERROR = 0.25  # of the training images, where the race ends
RATES = (0.005, 0.01, 0.02, 0.04)
ACTIVATIONS = ("ReLU", "Tanh")


class Race(NamedTuple):
    """One run; epochs is the most it may take."""

    question: str  # "rate", "race", or what is varied
    activation: str
    images: int
    initialisation: str = "PyTorch"
    layers: int = 4
    momentum: float = 0.9
    learning_rate: float = 0.01
    epochs: int = 40
    seed: int = 0


class Row(NamedTuple):
    """What came out; epochs_to_25 is nan when the run ended before."""

    epochs_to_25: float
    train_error: float  # in the last epoch, fraction
    test_top1: float  # fraction; nan where it was not measured
    seconds: float


def build(race: Race) -> nn.Module:
    """Return the race's network, deeper or initialised otherwise where asked."""
    torch.manual_seed(race.seed)
    net = ALEXNET.race_network(race.activation)
    for _ in range(race.layers - 4):  # 3x3 convolutions before the last pooling
        extra = nn.Conv2d(64, 64, 3, padding=1), getattr(nn, race.activation)()
        net = nn.Sequential(*net[:8], *extra, *net[8:])
    if race.initialisation == "PyTorch":
        return net
    for layer in net:
        if hasattr(layer, "weight"):
            nn.init.zeros_(layer.bias)
            if race.initialisation == "std 0.01":
                nn.init.normal_(layer.weight, std=0.01)
            elif race.initialisation == "2 / fan-in":
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return net


def run(race: Race, train: data.Images, test: data.Images | None) -> Row:
    """Train until the race's end; test: measured by, where it is given."""
    recipe = Recipe(
        epochs=race.epochs,
        batch_size=32,
        learning_rate=race.learning_rate,
        momentum=race.momentum,
        weight_decay=0.0,
        schedule="constant",
        channels_last=True,
        seed=race.seed,
    )
    net = build(race)
    try:
        history = fit(
            net,
            train.take(race.images),
            None,
            recipe,
            until=lambda epoch: epoch.train_top1 >= 1 - ERROR,
            title=race.activation,
        )
    except TrainingError as error:  # the learning rate was too high
        print(error)
        return Row(math.nan, math.nan, math.nan, math.nan)
    top1 = math.nan
    if test is not None:
        top1 = evaluate(net, test).top1
    seconds = sum(history.column("seconds"))
    last = 1 - history[-1].train_top1
    found = ALEXNET.epochs_to(history, ERROR), last, top1, seconds
    return Row(*(round(value, 4) for value in found))


def ensure(race: Race, train, test=None) -> dict[str, str]:
    """Return the race's row of the table; run the race when there is none."""
    if not table.find(TABLE, race):
        print(*race, flush=True)
        table.append(TABLE, race, run(race, train, test))
    return table.find(TABLE, race)


def best_rate(question: str, train, **fixed) -> dict[str, float]:
    """Return each activation's rate with the lowest training error after 4 epochs."""
    best = {}
    for activation in ACTIVATIONS:
        tried = [
            ensure(
                Race(question, activation, epochs=4, learning_rate=rate, **fixed), train
            )
            for rate in RATES
        ]
        tried = [row for row in tried if row["train_error"] != "nan"]
        first = min(tried, key=lambda row: float(row["train_error"]))
        best[activation] = float(first["learning_rate"])
    return best


def main(seeds: int) -> None:
    train, test = queue.everything("cifar10")
    rates = best_rate("rate", train, images=10_000)
    for seed in range(seeds):
        for activation in ACTIVATIONS:
            rate = rates[activation]
            race = Race("race", activation, len(train), learning_rate=rate, seed=seed)
            ensure(race, train, test)
    variations = [
        ("fewer images", {}),
        ("std 0.01", {"initialisation": "std 0.01"}),
        ("2 / fan-in", {"initialisation": "2 / fan-in"}),
        ("six layers", {"layers": 6}),
        ("no momentum", {"momentum": 0.0}),
    ]
    for question, changed in variations:
        for activation in ACTIVATIONS:
            rate = rates[activation] * (10 if "momentum" in changed else 1)
            ensure(
                Race(question, activation, 4_000, learning_rate=rate, **changed), train
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("--seeds", type=int, default=1, help="runs an activation")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    main(chosen.seeds)
