"""How soon does a network reach 94 % on CIFAR-10, and what is each part of it worth?

    python experiments/speed.py                          # ten seeds, the whole recipe
    python experiments/speed.py --leave-out whitening    # the same without a part
    python experiments/speed.py --small --each           # each part in turn, on a CPU

`speedrun` holds network and recipe; docs/speed.md explains them and shows what came
out. The small runs are a quarter as wide, on a tenth of the images, with as many steps:
half a core-minute each. A row of data/results/speed.csv is a run; a run with a row is
not repeated, and one that was stopped goes on after its last whole epoch. The precision
is the one that trains faster here, unless it is named.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import re
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import speed_page
import speedrun
import table
import torch
from speedrun import PARTS, VIEWS, WEIGHTS, Recipe, Training

from course_lib import checkpoints, data, progress, results
from course_lib.data import Images
from course_lib.terminal import best_device
from course_lib.train import Epoch, History

PRECISIONS = "float32", "bfloat16"
NAN = float("nan")
TABLE = results.RESULTS / "speed.csv"
SMALL = {"epochs": 10, "batch": 200, "width": 16, "images": 5_000, "test": 4_000}
FULL = {"epochs": 10, "batch": 2_000, "width": 64, "images": 50_000, "test": 10_000}


class Run(NamedTuple):
    """One training. left_out: names of parts with + between them, or nothing."""

    left_out: str
    epochs: int
    batch: int
    width: int
    images: int
    test: int
    precision: str
    device: str
    seed: int

    def recipe(self) -> Recipe:
        parts = () if self.left_out == "nothing" else tuple(self.left_out.split("+"))
        size = {"epochs": self.epochs, "batch_size": self.batch, "width": self.width}
        return Recipe(**size, precision=self.precision, seed=self.seed, left_out=parts)


class Found(NamedTuple):
    """What came out; top-1 are fractions of the test images.

    top1: of the image itself.  mirror: of it and its mirror.  views: of six views; nan
        where a part of the training is left out.
    seconds: whitening, training and the answer by six views, by the clock on the wall.
    core_seconds: the same, as the time that cores worked for it.
    curve: top-1 of the image itself after each epoch.  times: seconds up to there, of
        cores on a CPU, by the clock on a GPU.
    """

    steps: int
    top1: float
    mirror: float
    views: float
    seconds: float
    core_seconds: float
    threads: int
    curve: str
    times: str


class Clock:
    """Seconds in `with` blocks, by the clock and of all cores."""

    def __init__(self, wall: float = 0.0, cores: float = 0.0):
        self.spent = wall, cores

    def now(self) -> tuple[float, float]:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time()

    def __enter__(self):
        self.begun = self.now()

    def __exit__(self, *error):
        parts = zip(self.spent, self.now(), self.begun, strict=True)
        self.spent = tuple(spent + end - begin for spent, end, begin in parts)


def whole(count: int, split: str) -> Images:
    """Return the first images of CIFAR-10's training or test images, val included."""
    if split == "test":
        return data.load("cifar10", split).take(count)
    train, val = (data.load("cifar10", part) for part in ("train", "val"))
    if count <= len(train):
        return train.take(count)
    images = torch.cat([train.images, val.images])
    labels = torch.cat([train.labels, val.labels])
    return replace(train, images=images, labels=labels).take(count)


def identity(run: Run, train: Images) -> dict:
    """Return what a state on disk must have been made by."""
    code = hashlib.sha256(Path(speedrun.__file__).read_bytes()).hexdigest()
    return {**run._asdict(), "data": train.digest, "code": code}


def train(run: Run, images: Images, test: Images, quiet: bool = False) -> Found:
    """Train a network, from the last whole epoch where one was stopped, and test it."""
    size = f"{run.width}-{run.images}-{run.epochs}"
    path = checkpoints.folder() / f"speed-{run.left_out}-{size}-seed{run.seed}.pt"
    recipe, made_by, history = run.recipe(), identity(run, images), History()
    with (clock := Clock()):
        training = Training(recipe, images)
    if checkpoints.peek(path, "identity", None) == made_by:
        training.load_state_dict(checkpoints.peek(path, "training", None))
        history.extend(checkpoints.history(path))
        clock = Clock(*checkpoints.peek(path, "spent", None))
    device = training.device
    title = f"without {run.left_out}" if recipe.left_out else "speed"
    with progress.show(title, run.epochs, history, device, run.seed, quiet) as shown:
        while len(history) < run.epochs:
            with clock:
                loss = training.epoch(teller(training, shown))
            (score,) = scores(training, test, "top1")
            spent = clock.spent[training.device.type == "cpu"]
            history.append(Epoch(len(history) + 1, loss, NAN, NAN, score, NAN, spent))
            state = {"identity": made_by, "training": training.state_dict()}
            state |= {"history": [*map(tuple, history)], "spent": clock.spent}
            checkpoints.write(state, path)
    views = [history[-1].val_top1, NAN, NAN]
    if not recipe.left_out:
        with clock:
            views = scores(training, test, *WEIGHTS)
    path.unlink(missing_ok=True)
    spent = (round(total, 2) for total in clock.spent)
    curve = " ".join(map(str, history.column("val_top1")))
    times = " ".join(f"{seconds:.2f}" for seconds in history.column("seconds"))
    return Found(training.steps, *views, *spent, torch.get_num_threads(), curve, times)


def scores(training: Training, test: Images, *ways: str) -> list[float]:
    """Return the top-1 of each way to weigh the views."""
    views = VIEWS[: max(len(WEIGHTS[way]) for way in ways)]
    logits = speedrun.predict(training.net, test, training.recipe, views)
    return [round(speedrun.top1(logits, test.labels, WEIGHTS[way]), 4) for way in ways]


def teller(training: Training, shown):
    """Return what shows each step, as often as the screen is looked at."""
    begun, first, looked = time.perf_counter(), training.step, 0.0

    def told(step: int, loss: torch.Tensor) -> None:
        nonlocal looked
        now = time.perf_counter()
        if now - looked < shown.interval:
            return
        looked, done = now, step / training.steps
        rate = (step - first) / (now - begun)
        speed = rate * training.recipe.batch_size
        left = (training.steps - step) / rate
        epoch = done * training.recipe.epochs
        shown.update(progress.Now(epoch, loss.item(), NAN, speed, left))

    return told


def speeds(images: Images, recipe: Recipe, rounds: int = 3) -> dict[str, float]:
    """Return images a second of training in each precision, of the fastest round.

    On a CPU by the time that it worked for us: what others do there does not count.
    """
    few = images.take(recipe.batch_size)
    which, found = int(few.images.device.type == "cpu"), {}
    for precision in PRECISIONS:
        plan = replace(recipe, epochs=rounds + 1, precision=precision)
        training, spent = Training(plan, few), []
        for _ in range(rounds + 1):  # the first warms up
            with (clock := Clock()):
                training.epoch()
            spent.append(clock.spent[which])
        found[precision] = len(few) / min(spent[1:])
    return found


def arms(left_out: list[str], each: bool) -> list[str]:
    """Return what the runs leave out."""
    if each:
        return ["nothing", *PARTS, "+".join(PARTS)]
    return ["+".join(part for part in PARTS if part in left_out) or "nothing"]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    whole = [*PARTS, "all"]
    parser.add_argument("--leave-out", nargs="+", choices=whole, default=[])
    parser.add_argument("--each", action="store_true", help="leave out each in turn")
    parser.add_argument("--small", action="store_true", help="half a core-minute each")
    parser.add_argument("--seeds", type=int, help="10, or 5 of the small runs")
    for name in FULL:
        parser.add_argument(f"--{name}", type=int, help=f"{FULL[name]:,}")
    parser.add_argument("--precision", choices=PRECISIONS)
    parser.add_argument("--threads", type=int, help="those that torch takes")
    parser.add_argument("--table", type=Path, default=TABLE)
    found = parser.parse_args()
    for name, value in (SMALL if found.small else FULL).items():
        if getattr(found, name) is None:
            setattr(found, name, value)
    return found


def machine(device: torch.device) -> str:
    """Return the name of the GPU, or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpus = Path("/proc/cpuinfo")
    text = cpus.read_text() if cpus.exists() else ""
    names = re.findall(r"^model name\s*: (.*)$", text, re.M)
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    asked = options()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    device = best_device()
    images, test = whole(asked.images, "train"), whole(asked.test, "test")
    images, test = images.to(device), test.to(device)
    shape = {name: getattr(asked, name) for name in FULL}
    recipe = Recipe(batch_size=asked.batch, width=asked.width)
    precision = asked.precision
    if not precision:
        found = speeds(images, recipe)
        precision = max(found, key=found.get)
        told = (f"{name} {speed:,.0f}" for name, speed in found.items())
        print(f"images a second: {', '.join(told)}", flush=True)
    where = {"precision": precision, "device": machine(device)}
    left_out = PARTS if "all" in asked.leave_out else asked.leave_out
    seeds = range(asked.seeds or (5 if asked.small else 10))
    runs = (
        Run(arm, **shape, **where, seed=seed)
        for seed, arm in product(seeds, arms(left_out, asked.each))
    )
    table.fill(asked.table, runs, lambda run: train(run, images, test))
    print(speed_page.summary(table.read(asked.table)))


if __name__ == "__main__":
    main()
