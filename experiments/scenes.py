"""Fifteen kinds of scenes, told apart by histograms, VLAD, Fisher vectors, pyramids.

    python experiments/scenes.py --list
    python experiments/scenes.py
    python experiments/scenes.py --only fisher

Needs scene15/{train,test}/CLASS/ in $COURSE_DATA: 50 and 30 grey images a class. A row
of data/results/03_codebooks-scene15.csv is a run: words, mixture and classifier are
learnt from `train_per_class` training images a class and from nothing else; the seed
draws these images and the words. A run with a row is not repeated, so a benchmark that
was stopped goes on where it was.

Every classifier is a one-against-all SVM; its kernel is the dot product of

    hard, soft       square roots of frequencies (Hellinger's kernel)
    vlad, fisher     the encodings; "plain": without power and intra normalisation

or, for "intersection", Lazebnik's pyramid match of frequencies. C is chosen by
cross-validation among the run's own training images: `cv_top1` is that score, `top1`
is that of the 450 test images, by which nothing is chosen. Both are fractions.
cpu_seconds: learning the words, encoding, choosing C, training and testing; describing
the 1,200 images comes before, is done once, and is printed. peak_mb: memory of the run.

In the end the setting of the best cv_top1 among those with all training images gives
03_codebooks-scene15-confusion.csv: how often which class was taken for which, summed
over its seeds.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import table
import torch
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from course_lib import data, results
from course_lib.classical import (
    BagOfWords,
    DenseSift,
    FisherVector,
    SpatialPyramid,
    Vlad,
)
from course_lib.files import replacing

TABLE = results.RESULTS / "03_codebooks-scene15.csv"
CONFUSION = results.RESULTS / "03_codebooks-scene15-confusion.csv"
GRID = {"step": 8, "cells": (3, 4.5, 6)}  # pixels; by cross-validation, as C
LEARNING = {"samples": 50_000, "max_iter": 30}  # words: descriptors and iterations
SIGMA = 0.12  # of soft assignment, for descriptors of length 1; by cross-validation
WHOLE = 50  # training images a class
CS = (0.3, 1, 3, 10, 30)


class Run(NamedTuple):
    encoder: str
    words: int
    levels: str  # cells a side, e.g. "1 2 4"
    train_per_class: int
    seed: int


class Row(NamedTuple):
    top1: float
    cv_top1: float
    cpu_seconds: float
    peak_mb: float


class Scenes(NamedTuple):
    features: list  # lazy: (keypoints, descriptors) an image
    labels: np.ndarray


ENCODERS = {
    "hard": BagOfWords,
    "soft": lambda words, **rest: BagOfWords(words, "soft", SIGMA, **rest),
    "intersection": BagOfWords,
    "vlad": Vlad,
    "vlad, plain": lambda words, **rest: Vlad(words, power=1, intra=False, **rest),
    "fisher": FisherVector,
    "fisher, plain": lambda words, **rest: FisherVector(words, power=1, **rest),
}
HISTOGRAMS = ("hard", "soft", "intersection")


def settings(seeds: int) -> list[Run]:
    """Return all runs, seed by seed, so that a part of them is a whole table."""
    rows = [("hard", n, "1", WHOLE) for n in (25, 50, 100, 200, 400, 800)]
    rows += [("soft", n, "1", WHOLE) for n in (50, 200, 400)]
    rows += [("intersection", 200, levels, WHOLE) for levels in ("1", "1 2 4")]
    rows += [("hard", 200, "1 2 4", WHOLE), ("soft", 200, "1 2 4", WHOLE)]
    for name in ("vlad", "fisher"):
        rows += [(name, n, "1", WHOLE) for n in (8, 16, 32, 64, 128)]
        rows += [(name, 64, "1 2", WHOLE), (f"{name}, plain", 64, "1", WHOLE)]
    for images in (5, 10, 20):
        rows += [("hard", 400, "1", images), ("intersection", 200, "1 2 4", images)]
        rows += [("vlad", 64, "1", images), ("fisher", 64, "1", images)]
    return [Run(*row, seed) for seed in range(seeds) for row in rows]


def scenes(cache: str) -> tuple[Scenes, Scenes, tuple[str, ...]]:
    """Return training and test images, described once, and the names of the classes."""
    splits = {s: data.load("scene15", s, channels=1) for s in data.SPLITS}
    splits["train"] = [splits["train"], splits["val"]]  # no split is needed for val
    splits["test"] = [splits["test"]]
    extractor, found, begin = DenseSift(**GRID, memory=cache), [], time.process_time()
    for parts in (splits["train"], splits["test"]):
        images = torch.cat([part.images[:, 0] for part in parts])
        labels = torch.cat([part.labels for part in parts]).numpy()
        features = extractor.transform(list(images))
        count = sum(len(descriptors) for _, descriptors in features)
        found.append(Scenes(features, labels))
        print(f"{len(images)} images, {count:,} descriptors", flush=True)
    print(f"described in {time.process_time() - begin:.0f} CPU seconds", flush=True)
    return *found, splits["test"][0].classes


def subset(labels: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """Return the places of so many images of each class, in their order."""
    random = np.random.default_rng(seed)
    drawn = [
        random.permutation(np.flatnonzero(labels == label))[:per_class]
        for label in np.unique(labels)
    ]
    return np.sort(np.concatenate(drawn))


def encoded(run: Run, train: list, test: list) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of unit length, or of frequencies of sum 1, for both lists."""
    encoder = ENCODERS[run.encoder](run.words, **LEARNING, random_state=run.seed)
    levels = tuple(map(int, run.levels.split()))
    if len(levels) > 1:
        weights = "pyramid" if run.encoder in HISTOGRAMS else None
        encoder = SpatialPyramid(encoder, levels, weights=weights)
    rows = encoder.fit(train).transform(train), encoder.transform(test)
    if run.encoder == "intersection":
        return rows
    if run.encoder in HISTOGRAMS:
        return tuple(np.sqrt(part) for part in rows)
    cells = sum(level**2 for level in levels)  # each of length 1, or empty
    return tuple(part / cells**0.5 for part in rows)


def intersection(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return Σ min of every two rows, the pyramid match kernel: (n, m)."""
    return np.stack([np.minimum(row, right).sum(axis=1) for row in left])


def classified(run: Run, train, test, labels) -> tuple[np.ndarray, float]:
    """Return the classes of the test rows, and the best score of cross-validation."""
    kernel = intersection if run.encoder == "intersection" else np.inner
    folds = StratifiedKFold(min(5, run.train_per_class), shuffle=True, random_state=0)
    machine = OneVsRestClassifier(SVC(kernel="precomputed"))
    search = GridSearchCV(machine, {"estimator__C": CS}, cv=folds)
    search.fit(kernel(train, train), labels)
    return search.predict(kernel(test, train)), search.best_score_


def measured(run: Run, train: Scenes, test: Scenes, answer) -> None:
    """Put predictions and Row of one run into a queue, from a process of its own."""
    begin = time.process_time()
    chosen = subset(train.labels, run.train_per_class, run.seed)
    features = train.features.extractor.transform(
        [train.features.images[place] for place in chosen]
    )
    rows = encoded(run, features, test.features)
    guess, cv_top1 = classified(run, *rows, train.labels[chosen])
    seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    top1 = float((guess == test.labels).mean())
    scores = round(top1, 4), round(float(cv_top1), 4)
    answer.put((guess, Row(*scores, round(seconds, 1), round(peak))))


def alone(run: Run, train: Scenes, test: Scenes) -> tuple[np.ndarray, Row]:
    """Run in a fork, whose peak of memory is its own."""
    context = multiprocessing.get_context("fork")
    answer = context.SimpleQueue()
    process = context.Process(target=measured, args=(run, train, test, answer))
    process.start()
    while answer.empty():
        process.join(0.05)
        if process.exitcode:
            raise SystemExit(f"{run} ended with exit status {process.exitcode}")
    found = answer.get()
    process.join()
    return found


def best() -> list[Run]:
    """Return the runs of the setting of highest cv_top1, from the table."""
    scores: dict = {}
    for row in table.read(TABLE):
        if int(row["train_per_class"]) == WHOLE:
            key = row["encoder"], int(row["words"]), row["levels"]
            scores.setdefault(key, {})[int(row["seed"])] = float(row["cv_top1"])
    setting = max(scores, key=lambda key: np.mean(list(scores[key].values())))
    return [Run(*setting, WHOLE, seed) for seed in sorted(scores[setting])]


def confuse(train: Scenes, test: Scenes, classes: tuple[str, ...]) -> None:
    """Write how often which class was taken for which by the best setting."""
    runs, counts = best(), np.zeros((len(classes), len(classes)), int)
    for run in runs:
        guess, _ = alone(run, train, test)
        np.add.at(counts, (test.labels, guess), 1)
    with (
        replacing(CONFUSION) as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["encoder", "words", "levels", "seeds", "class", *classes])
        for name, line in zip(classes, counts.tolist(), strict=True):
            writer.writerow([*runs[0][:3], len(runs), name, *line])


def main(runs: list[Run], cache: str) -> None:
    left = [run for run in runs if not table.find(TABLE, run)]
    train, test, classes = scenes(cache)
    for number, run in enumerate(left, start=1):
        _, row = alone(run, train, test)
        table.append(TABLE, run, row)
        words = f"{run.encoder}, {run.words} words, cells {run.levels}"
        words += f", {run.train_per_class} a class, seed {run.seed}"
        scores = f"{row.top1:.1%}, {row.cpu_seconds:.0f} s, {row.peak_mb:.0f} MB"
        print(f"{number}/{len(left)} {words}: {scores}", flush=True)
    confuse(train, test, classes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="runs a setting")
    parser.add_argument("--only", help="runs whose encoder's name begins so")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument(
        "--cache",
        default=str(Path(tempfile.gettempdir()) / "course-scene15"),
        help="folder for the descriptors, which the next run reads (1 GB)",
    )
    parser.add_argument("--list", action="store_true", help="name the runs, run none")
    asked = parser.parse_args()
    runs = settings(asked.seeds)
    if asked.only:
        runs = [run for run in runs if run.encoder.startswith(asked.only)]
    if asked.list:
        for run in runs:
            known = "done " if table.find(TABLE, run) else "     "
            print(known + ", ".join(map(str, run)))
        raise SystemExit
    torch.set_num_threads(asked.threads)
    with threadpool_limits(asked.threads):
        main(runs, asked.cache)
