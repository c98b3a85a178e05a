"""CIFAR-10 without learnt features: how far do codebooks get, and at what price?

    python experiments/classical_cifar10.py
    python experiments/classical_cifar10.py --images 50000 --only shape

Every row is one chain of scikit-learn: descriptors, an encoder, ridge regression to the
ten classes. Its words are learnt from the first 10,000 training images. `histogram`,
`vlad` and `fisher` encode the same dense SIFT of the three channels over the whole
image; `shape and colour` joins Fisher vectors of SIFT and of small patches in a 2x2
pyramid. Its row `…, mirrored` adds the scores of each test image and of its mirror
image. Everything was chosen on the last 2,000 or the last tenth of training images; the
10,000 test images were looked at for these rows alone.

alpha, the ridge's penalty, is the best of a few when each of the first 10,000 images is
left out once; 50,000 images take the same. The table is
data/results/03_codebooks-cifar10.csv: top1 is a fraction; cpu_seconds from pixels to
test scores, codebooks included, the search for alpha not; peak_mb of the process. Rows
that are there already are kept, so a run that was killed goes on where it stopped.
Needs cifar10 (`course data cifar10`).
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import resource
import time
from typing import NamedTuple

import numpy as np
import table
import torch
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from course_lib import data, results
from course_lib.classical import (
    BagOfWords,
    DenseSift,
    FisherVector,
    Patches,
    SpatialPyramid,
    Vlad,
)
from course_lib.files import replacing

TABLE = results.RESULTS / "03_codebooks-cifar10.csv"
COLUMNS = ["pipeline", "words", "train_images", "seed", "alpha", "top1"]
COLUMNS += ["cpu_seconds", "peak_mb"]
PIPELINES = {"histogram": 1000, "vlad": 32, "fisher": 32, "shape and colour": 40}
LEARNING = 10_000  # images that words are learnt from
ALPHAS = (0.3, 1, 3, 6, 10, 20)
SIFT = {"step": 3, "cells": (3, 5), "smooth": 0.1, "colour": True}


class Run(NamedTuple):
    pipeline: str
    train_images: int
    seed: int


def features(name: str, seed: int):
    """Return what turns images into rows; the seed draws codebooks."""
    options = {"random_state": seed, "max_iter": 20}
    words, sift = PIPELINES[name], DenseSift(**SIFT)
    if name == "histogram":
        root = FunctionTransformer(np.sqrt)
        return make_pipeline(sift, BagOfWords(words, **options), root)
    if name == "vlad":
        return make_pipeline(sift, Vlad(words, **options))
    if name == "fisher":
        return make_pipeline(sift, FisherVector(words, pca=48, **options))
    shape = SpatialPyramid(FisherVector(words, pca=48, **options), (2,), (32, 32))
    colour = SpatialPyramid(FisherVector(words, pca=30, **options), (2,), (32, 32))
    parts = {"shape": make_pipeline(sift, shape)}
    parts["colour"] = make_pipeline(Patches(side=6), colour)
    return FeatureUnion(list(parts.items()))


def images(count: int):
    """Return the first `count` training images, the test images, and their labels."""
    train, val, test = (data.load("cifar10", split) for split in data.SPLITS)
    pixels = torch.cat([train.images, val.images]).numpy()[:count]
    labels = torch.cat([train.labels, val.labels]).numpy()[:count]
    return pixels, labels, test.images.numpy(), test.labels.numpy()


def search(name: str, seed: int) -> float:
    """Return the alpha by which most of 10,000 images are right, each left out once."""
    pixels, labels, *_ = images(LEARNING)
    rows = features(name, seed).fit_transform(pixels)
    found = RidgeClassifierCV(ALPHAS, scoring="accuracy").fit(rows, labels)
    print(f"{name}: alpha {found.alpha_}, {found.best_score_:.3f} right", flush=True)
    return found.alpha_


def measure(run: Run, alpha: float) -> list[dict]:
    """Return the rows of a run; in a process of its own, for its peak of memory."""
    pixels, labels, tests, truth = images(run.train_images)
    begin = time.process_time()
    encode = features(run.pipeline, run.seed).fit(pixels[:LEARNING])
    ridge = RidgeClassifier(alpha, copy_X=False, solver="cholesky")
    ridge.fit(encode.transform(pixels), labels)
    scores = ridge.decision_function(encode.transform(tests))
    found = {run.pipeline: (scores, time.process_time() - begin)}
    if run.pipeline == "shape and colour":
        mirrored = encode.transform(tests[..., ::-1])
        scores = scores + ridge.decision_function(mirrored)
        found[f"{run.pipeline}, mirrored"] = scores, time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    fixed = {"words": PIPELINES[run.pipeline], "alpha": alpha, "peak_mb": peak}
    fixed |= run._asdict()
    return [
        fixed
        | {"pipeline": name, "cpu_seconds": round(seconds, 1)}
        | {"top1": round(float((scores.argmax(1) == truth).mean()), 4)}
        for name, (scores, seconds) in found.items()
    ]


def keep(rows: list[dict]) -> None:
    with (
        replacing(TABLE) as part,
        open(part, "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(table.read(TABLE) + rows, key=place))


def place(row: dict) -> tuple:
    names = list(PIPELINES)
    name = row["pipeline"].removesuffix(", mirrored")
    return (
        int(row["train_images"]),
        names.index(name),
        row["pipeline"],
        int(row["seed"]),
    )


def alone(function, *arguments):
    """Call a function in a new process, so that nothing of an earlier run is in it."""
    with multiprocessing.get_context("spawn").Pool(1, start, [THREADS]) as pool:
        return pool.apply(function, arguments)


def start(threads: int) -> None:
    torch.set_num_threads(threads)
    threadpool_limits(threads)


def show(console: Console) -> None:
    shown = Table("pipeline", "images", "seeds", "test top-1 (%)", "CPU s", "peak (MB)")
    groups: dict = {}
    for row in table.read(TABLE):
        groups.setdefault((row["pipeline"], row["train_images"]), []).append(row)
    for (name, count), rows in groups.items():
        top1 = 100 * np.array([float(row["top1"]) for row in rows])
        spread = f" ± {top1.std(ddof=1):.1f}" if len(rows) > 1 else ""
        cost = (
            f"{np.mean([float(row[what]) for row in rows]):,.0f}"
            for what in ("cpu_seconds", "peak_mb")
        )
        score = f"{top1.mean():.1f}{spread}"
        shown.add_row(name, f"{int(count):,}", str(len(rows)), score, *cost)
    console.print(shown)


def main(runs: list[Run]) -> None:
    chosen = {row["pipeline"]: float(row["alpha"]) for row in table.read(TABLE)}
    for run in runs:
        if table.find(TABLE, run):
            continue
        if run.pipeline not in chosen:
            chosen[run.pipeline] = alone(search, run.pipeline, 0)
        for row in (rows := alone(measure, run, chosen[run.pipeline])):
            print(", ".join(f"{name} {row[name]}" for name in COLUMNS), flush=True)
        keep(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, action="append", help="10000 and 50000")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="pipelines whose name begins so")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    THREADS = asked.threads
    main(
        [
            Run(name, count, seed)
            for count in asked.images or (10_000, 50_000)
            for seed in range(asked.seeds)
            for name in PIPELINES
            if name.startswith(asked.only)
        ]
    )
    show(Console())
