"""What label smoothing and the auxiliary head do to a small Inception, on CIFAR-10.

    python experiments/smoothing.py

Four trainings a seed, five paired seeds, on the first 5,000 training images: one to two
minutes each on one core. A row of data/results/07_inception-smoothing.csv is a run; a
run with a row is not repeated. Scores are of the 10,000 test images, by which nothing
is chosen.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import table
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import data, notebook, results
from course_lib.train import Recipe, evaluate, fit

INCEPTION = notebook.load("07_inception")
TABLE = results.RESULTS / "07_inception-smoothing.csv"


class Run(NamedTuple):
    """One training; head: "none", "plain" (no batch normalisation) or "normalised"."""

    head: str
    smoothing: float
    images: int = 5_000
    epochs: int = 12
    seed: int = 0


class Row(NamedTuple):
    """What came out; gaps are of logits, right minus mean of the wrong, on test."""

    test_top1: float  # fraction
    test_loss: float  # nats an image, without smoothing
    train_top1: float  # in the last epoch, fraction
    gap_mean: float
    gap_std: float
    wrong_std: float  # of the nine wrong logits, mean over images
    seconds: float


SETTINGS = (("normalised", 0.1), ("normalised", 0.0), ("none", 0.1), ("plain", 0.1))


def build(head: str, seed: int) -> nn.Module:
    """Return the small network with one of the three heads; the rest starts alike."""
    torch.manual_seed(seed)
    net = INCEPTION.inception_small()
    if head == "none":
        net.auxiliary = None
    elif head == "plain":
        for block in net.auxiliary.modules():
            for name, layer in list(block.named_children()):
                if isinstance(layer, nn.BatchNorm2d):
                    setattr(block, name, nn.Identity())
    return net


@torch.inference_mode()
def gaps(net: nn.Module, images: data.Images) -> tuple[float, float, float]:
    """Return mean and std of the gap, and the std of the wrong logits."""
    net.eval()
    logits = torch.cat([net(batch).float() for batch, _ in data.batches(images, 1000)])
    right = F.one_hot(images.labels, logits.shape[1]).bool()
    wrong = logits[~right].view(len(logits), -1)
    gap = logits[right] - wrong.mean(dim=1)
    return gap.mean().item(), gap.std().item(), wrong.std(dim=1).mean().item()


def train(run: Run, train: data.Images, test: data.Images) -> Row:
    chosen = {"label_smoothing": run.smoothing, "epochs": run.epochs, "seed": run.seed}
    recipe = Recipe(**INCEPTION.RECIPES["cifar10"] | chosen)
    net = build(run.head, run.seed)
    title = f"{run.head} head, smoothing {run.smoothing}"
    history = fit(net, train.take(run.images), None, recipe, title=title)
    score = evaluate(net, test)
    seconds = sum(history.column("seconds"))
    found = score.top1, score.loss, history[-1].train_top1, *gaps(net, test), seconds
    return Row(*(round(value, 4) for value in found))


def main(seeds: int) -> None:
    images, test = (data.load("cifar10", split) for split in ("train", "test"))
    for seed in range(seeds):
        for head, smoothing in SETTINGS:
            run = Run(head, smoothing, seed=seed)
            if not table.find(TABLE, run):
                table.append(TABLE, run, train(run, images, test))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("--seeds", type=int, default=5, help="runs a setting")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    main(chosen.seeds)
