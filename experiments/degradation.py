"""Degradation on CIFAR-10: plain and residual networks of 20 and 56 layers.

    python experiments/degradation.py
    python experiments/degradation.py --epochs 164

Section 4.2 and Figure 6 of arXiv:1512.03385: batches of 128, a learning rate of 0.1
that falls by ten after a half and three quarters of the training, on all 50,000
training images. The paper trains 164 epochs; the default here is 4, about an hour on
one core.
A run that was killed goes on where it stopped. A row of the table
data/results/08_resnet-degradation.csv is an epoch of a network; each finished network
is kept as a training record beside it.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import table
import torch

from course_lib import checkpoints, notebook, results
from course_lib.files import replacing
from course_lib.records import queue
from course_lib.train import Epoch, Recipe, fit

RESNET = notebook.load("08_resnet")
NETWORKS = [("plain_small", 20), ("plain_small", 56)]
NETWORKS += [("resnet_small", 20), ("resnet_small", 56)]
COLUMNS = "network depth seed epochs epoch train_loss train_error test_loss test_error"
COLUMNS = [*COLUMNS.split(), "learning_rate", "seconds"]


def label(network: str, depth: int, recipe: Recipe) -> str:
    long = "" if recipe.epochs == 4 else f"-{recipe.epochs}epochs"
    name = network.removesuffix("_small")
    return f"08_resnet-degradation-{name}{depth}{long}-seed{recipe.seed}"


def train_one(network: str, depth: int, recipe: Recipe, images, folder: Path):
    """Train a network, or read its record when there is one; return its history."""
    path = folder / f"{label(network, depth, recipe)}.json"
    if path.exists():
        return results.read(path).history
    train, test = images
    checkpoint = checkpoints.folder() / f"{path.stem}.pt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    net = getattr(RESNET, network)(depth=depth)
    told = {"checkpoint": checkpoint, "title": path.stem}
    history = fit(net, train, test, recipe, **told)  # test: drawn, never chosen by
    note = "Figure 6 of the paper; the history's val_* are of the test images."
    names = {"unit": "08_resnet", "network": network, "arguments": {"depth": depth}}
    results.save(path, net, history, recipe, train, test, **names, note=note)
    checkpoint.unlink(missing_ok=True)
    return history


def row(network: str, depth: int, recipe: Recipe, epoch: Epoch) -> dict:
    name = network.removesuffix("_small")
    return {
        "network": name,
        "depth": depth,
        "seed": recipe.seed,
        "epochs": recipe.epochs,
        "epoch": epoch.epoch,
        "train_loss": round(epoch.train_loss, 4),
        "train_error": round(1 - epoch.train_top1, 4),
        "test_loss": round(epoch.val_loss, 4),
        "test_error": round(1 - epoch.val_top1, 4),
        "learning_rate": epoch.learning_rate,
        "seconds": round(epoch.seconds, 1),
    }


def write(path: Path, rows: list[dict]) -> None:
    """Write `rows` and keep those of other runs that the table holds."""

    def key(row: dict) -> tuple[str, ...]:
        return tuple(str(row[column]) for column in COLUMNS[:5])

    kept = {key(row): row for row in table.read(path)}
    kept |= {key(row): row for row in rows}
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept.values())


def main(epochs: int, seed: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    images = queue.everything("cifar10")
    recipe = Recipe(**RESNET.RECIPES["cifar10"] | {"epochs": epochs, "seed": seed})
    for network, depth in NETWORKS:
        history = train_one(network, depth, recipe, images, folder)
        rows = [row(network, depth, recipe, epoch) for epoch in history]
        write(folder / "08_resnet-degradation.csv", rows)
        last = rows[-1]
        print(*(f"{column} {last[column]}" for column in COLUMNS[:9]), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("--epochs", type=int, default=4, help="the paper: 164")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--folder", type=Path, default=results.RESULTS)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    main(chosen.epochs, chosen.seed, chosen.folder)
