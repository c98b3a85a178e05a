"""A Vision Transformer against a residual network, by the number of training images.

    python experiments/data_size.py

Both have 5.3 million MACs on images of CIFAR-10, reduced to 16x16 pixels: `vit_small`
with patches of 4 pixels, and a residual network of 14 layers, of unit 08's blocks. Each
has its own optimizer, and a learning rate chosen on 5,000 validation images among three
(2,000 training images, one seed: data/results/14_vit-rates.csv). Ten epochs each, on
500 to 45,000 images, without augmentation. On 2,000 images both are also trained with
flips and shifts, and the transformer with the augmented residual network, of the same
images, as its teacher. The subset is the same for all seeds, and five seeds pair the
networks, three on 45,000 images. Some seventy minutes of one core. A row of
data/results/14_vit-data_size.csv is a run; a run with a row is not repeated.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import table
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import data, flops, notebook, results
from course_lib.recipe import make_optimizer, rate_at
from course_lib.train import Recipe, evaluate, fit

VIT, RESNET = notebook.load("14_vit"), notebook.load("08_resnet")
TABLE = results.RESULTS / "14_vit-data_size.csv"
RATES_TABLE = results.RESULTS / "14_vit-rates.csv"
SIZES = (500, 1_000, 2_000, 5_000, 10_000, 45_000)  # the last: all but validation
SEEDS = {45_000: 3}  # where five would take hours
MIDDLE = 2_000  # images of the runs that change something
RATES = {"vit": (5e-4, 1e-3, 2e-3), "resnet": (0.05, 0.1, 0.2)}
SHARED = {"epochs": 10, "batch_size": 64, "warmup_epochs": 1.0}
OPTIMIZER = {
    "vit": {"optimizer": "adamw", "weight_decay": 0.05},
    "resnet": {"nesterov": True, "weight_decay": 5e-4, "channels_last": True},
}
AUGMENTED = {"flip": True, "crop_padding": 2}
TEMPERATURE = 2.0  # of the teacher's probabilities


class Run(NamedTuple):
    """One training."""

    network: str  # "vit" or "resnet"
    images: int
    how: str  # "plain", "augmented", or "distilled": augmented, with a teacher
    seed: int


class Row(NamedTuple):
    """What came out; top-1 are fractions."""

    macs: int
    rate: float
    train_top1: float  # mean over the last epoch; nan for "distilled"
    test_top1: float
    seconds: float


class Trial(NamedTuple):
    """One training to choose a learning rate by."""

    network: str
    rate: float
    seed: int


class Chosen(NamedTuple):
    """What came out of it."""

    val_top1: float


def build(network: str) -> nn.Module:
    if network == "vit":
        return VIT.vit_small(image_size=16)
    widths = 14, 29, 58
    stem = nn.Sequential(RESNET.conv_bn(3, widths[0], 3), nn.ReLU())
    return RESNET.ResNet(stem, widths[0], RESNET.BasicBlock, widths, (2, 2, 2), 10)


def recipe(network: str, rate: float, **more) -> Recipe:
    return Recipe(learning_rate=rate, **SHARED, **OPTIMIZER[network], **more)


def try_rate(trial: Trial) -> Chosen:
    images, val = (data.load("cifar10", part, size=16) for part in ("train", "val"))
    torch.manual_seed(trial.seed)
    net = build(trial.network)
    fit(net, images.take(2_000), None, recipe(trial.network, trial.rate), quiet=True)
    return Chosen(round(evaluate(net, val).top1, 4))


def best_rate(network: str) -> float:
    rows = [row for row in table.read(RATES_TABLE) if row["network"] == network]
    return float(max(rows, key=lambda row: float(row["val_top1"]))["rate"])


def distil(net: nn.Module, teacher: nn.Module, images, how: Recipe) -> None:
    """Train with the mean of two losses: on labels, and on the teacher's answers."""
    optimizer = make_optimizer(net.train(), how)
    steps, step = -(-len(images) // how.batch_size), 0
    for epoch in range(how.epochs):
        chance = {"seed": how.seed, "epoch": epoch, "shuffle": True, **AUGMENTED}
        for pixels, labels in data.batches(images, how.batch_size, **chance):
            for group in optimizer.param_groups:
                group["lr"] = how.learning_rate * rate_at(step / steps, how)
            with torch.no_grad():
                target = (teacher(pixels) / TEMPERATURE).softmax(dim=1)
            logits = net(pixels)
            soft = F.cross_entropy(logits / TEMPERATURE, target) * TEMPERATURE**2
            loss = 0.5 * (F.cross_entropy(logits, labels) + soft)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1


def trained(network: str, images, how: str, seed: int):
    """Return the network and its training top-1 in the last epoch, or nan."""
    changes = {"seed": seed} | ({} if how == "plain" else AUGMENTED)
    plan = recipe(network, best_rate(network), **changes)
    teacher = None
    if how == "distilled":
        teacher = trained("resnet", images, "augmented", seed)[0].eval()
    torch.manual_seed(seed)
    net = build(network)
    if teacher is None:
        return net, fit(net, images, None, plan, quiet=True)[-1].train_top1
    distil(net, teacher, images, plan)
    return net, float("nan")


def train(run: Run) -> Row:
    images = data.load("cifar10", size=16).take(run.images)
    start = time.process_time()
    net, train_top1 = trained(run.network, images, run.how, run.seed)
    seconds = time.process_time() - start
    test_top1 = evaluate(net, data.load("cifar10", "test", size=16)).top1
    scores = (round(x, 4) for x in (train_top1, test_top1, seconds))
    macs = flops.count(net, (1, 3, 16, 16)).macs
    return Row(macs, best_rate(run.network), *scores)


def main(seeds: int = 5) -> None:
    trials = [Trial(name, rate, 0) for name, rates in RATES.items() for rate in rates]
    table.fill(RATES_TABLE, trials, try_rate)
    arms = [(size, name, "plain") for size in SIZES for name in RATES]
    arms += [(MIDDLE, name, "augmented") for name in RATES]
    arms.append((MIDDLE, "vit", "distilled"))
    runs = (
        Run(name, size, how, seed)
        for size, name, how in sorted(arms)  # the longest come last
        for seed in range(min(seeds, SEEDS.get(size, seeds)))
    )
    table.fill(TABLE, runs, train)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
