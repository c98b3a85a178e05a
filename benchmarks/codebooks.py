"""Codebooks: ours against scikit-image and scikit-learn, in seconds and in numbers.

    python benchmarks/codebooks.py
    python benchmarks/codebooks.py --threads 1

Every row is the same work on the same descriptors from the same words: Fisher vectors
as skimage.feature.fisher_vector gives them for one image after another, histograms as
KMeans.predict and bincount do, EM and k-means for so many iterations from one start.
Ours and the peer run in turn in one process on equally many threads, and of the rounds
the best counts; a difference is the largest between any two numbers. Descriptors are
drawn from a mixture, 64 entries each, 256 words. The peers are given float64, which
their documentation uses, and float32, which they compute in.

A Fisher vector is two products of matrices a descriptor, of 2 x 64 x 256 multiply-adds
each, for whoever computes it exactly; the line below the table says how long these
alone take on this machine, in float32, and so how many times faster than the peer
anything can be.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from skimage.feature import fisher_vector
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from course_lib.classical import BagOfWords, FisherVector
from course_lib.classical.kmeans import kmeans
from course_lib.classical.mixture import Mixture, em
from course_lib.classical.sampling import Source

WORDS, WIDTH, ROUNDS = 256, 64, 3
Sets = list[np.ndarray]
Work = Callable[[], np.ndarray]


def some_sets(lengths: np.ndarray) -> Sets:
    """Return float32 descriptors about twice as many points as there are words."""
    random = np.random.default_rng(0)
    points = random.normal(size=(2 * WORDS, WIDTH))
    points *= np.linspace(2, 0.2, WIDTH)  # as after a PCA, the first vary most
    return [
        (
            points[random.integers(len(points), size=n)]
            + random.normal(size=(n, WIDTH))
        ).astype(np.float32)
        for n in lengths
    ]


def mixture_of(encoder: FisherVector, dtype) -> GaussianMixture:
    """Return the encoder's mixture as scikit-learn's."""
    peer = GaussianMixture(WORDS, covariance_type="diag")
    peer.weights_ = encoder.weights_.astype(dtype)
    peer.means_ = encoder.means_.astype(dtype)
    peer.covariances_ = encoder.variances_.astype(dtype)
    peer.precisions_cholesky_ = peer.covariances_**-0.5
    return peer


def fisher(sets: Sets, encoder: FisherVector, dtype) -> tuple[Work, Work]:
    peer, given = mixture_of(encoder, dtype), [rows.astype(dtype) for rows in sets]

    def theirs():
        return np.stack([fisher_vector(rows, peer, improved=True) for rows in given])

    return lambda: encoder.transform(sets), theirs


def histogram(sets: Sets) -> tuple[Work, Work]:
    encoder = BagOfWords(WORDS, samples=20_000, max_iter=5, random_state=0).fit(sets)
    peer = KMeans(WORDS, init=encoder.codebook_, n_init=1, max_iter=1)
    peer.fit(encoder.codebook_)

    def theirs():
        counts = [np.bincount(peer.predict(x), minlength=WORDS) for x in sets]
        return np.stack([count / count.sum() for count in counts])

    return lambda: encoder.transform(sets), theirs


def source_of(rows: np.ndarray) -> Source:
    rows = torch.from_numpy(rows)
    return Source(rows.split(4096), rows, len(rows))


def clusters(rows: np.ndarray, iterations: int) -> tuple[Work, Work]:
    first = rows[:WORDS].copy()
    peer = KMeans(WORDS, init=first, n_init=1, max_iter=iterations, tol=0)

    def ours():
        return kmeans(source_of(rows), torch.from_numpy(first), iterations, 0)[0]

    return lambda: ours().numpy(), lambda: peer.fit(rows).cluster_centers_


def mixtures(rows: np.ndarray, iterations: int, dtype) -> tuple[Work, Work]:
    first, given = rows[:WORDS], rows.astype(dtype)
    weights, variances = np.full(WORDS, 1 / WORDS), np.full(first.shape, 2.0)
    parts = weights, first, variances
    begin = Mixture(*(torch.tensor(part).float() for part in parts))
    peer = GaussianMixture(
        WORDS,
        covariance_type="diag",
        weights_init=weights.astype(dtype),
        means_init=first.astype(dtype),
        precisions_init=(1 / variances).astype(dtype),
        max_iter=iterations,
        tol=0,
        reg_covar=0,
    )

    def ours():
        floor = torch.full((WIDTH,), 1e-6, dtype=torch.float64)
        return em(source_of(rows), begin, floor, iterations, 0)[0].means

    return lambda: ours().numpy(), lambda: peer.fit(given).means_


def products(sets: Sets) -> Callable[[], None]:
    """Return what no exact Fisher vector can do without: its two products."""
    powers = torch.randn(max(map(len, sets)), 2 * WIDTH)
    linear, shares = torch.randn(2 * WIDTH, WORDS), torch.rand(len(powers), WORDS)
    joint, sums = torch.empty_like(shares), torch.empty(WORDS, 2 * WIDTH)

    def run():
        for rows in sets:
            torch.mm(powers[: len(rows)], linear, out=joint[: len(rows)])
            torch.mm(shares[: len(rows)].T, powers[: len(rows)], out=sums)

    return run


def best(work: tuple[Work, Work]) -> tuple[list[float], float]:
    """Return the seconds of each, and the largest difference of what they give."""
    seconds, found = [math.inf, math.inf], [None, None]
    for _ in range(ROUNDS):
        for place, run in enumerate(work):
            begin = time.perf_counter()
            found[place] = run()
            seconds[place] = min(seconds[place], time.perf_counter() - begin)
    return seconds, float(np.abs(found[0] - found[1]).max())


def bound(sets: Sets) -> float:
    """Return the seconds of the products alone."""
    run, seconds = products(sets), math.inf
    for _ in range(ROUNDS + 1):
        begin = time.perf_counter()
        run()
        seconds = min(seconds, time.perf_counter() - begin)
    return seconds


def main(threads: int) -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    ragged = some_sets(np.random.default_rng(1).integers(500, 2001, size=100))
    grids = some_sets(np.full(500, 160))
    rows = np.concatenate(ragged)[:50_000]
    options = {"pca": None, "samples": 20_000, "max_iter": 5, "random_state": 0}
    encoder = FisherVector(WORDS, device="cpu", **options).fit(ragged)
    many, small = "100 x 500 to 2,000", "500 x 160"
    f64, f32 = np.float64, np.float32
    contests = [
        ("Fisher vectors", many, "scikit-image, float64", fisher(ragged, encoder, f64)),
        ("Fisher vectors", many, "scikit-image, float32", fisher(ragged, encoder, f32)),
        ("Fisher vectors", small, "scikit-image, float64", fisher(grids, encoder, f64)),
        ("Fisher vectors", small, "scikit-image, float32", fisher(grids, encoder, f32)),
        ("histograms", many, "scikit-learn", histogram(ragged)),
        ("histograms", small, "scikit-learn", histogram(grids)),
        ("k-means, 10 iterations", "50,000", "scikit-learn", clusters(rows, 10)),
        ("EM, 5 iterations", "50,000", "scikit-learn, float64", mixtures(rows, 5, f64)),
        ("EM, 5 iterations", "50,000", "scikit-learn, float32", mixtures(rows, 5, f32)),
    ]
    table = Table(title=f"{WORDS} words, {WIDTH} entries, {threads} thread(s)")
    for column in ("what", "descriptors", "peer"):
        table.add_column(column)
    for column in ("ours (s)", "peer (s)", "ratio", "difference"):
        table.add_column(column, justify="right")
    for *names, work in contests:
        (ours, theirs), difference = best(work)
        numbers = f"{ours:.3f}", f"{theirs:.3f}", f"{theirs / ours:.1f}"
        table.add_row(*names, *numbers, f"{difference:.1e}")
    console = Console(width=120)
    console.print(table)
    console.print(
        f"The products of matrices alone, float32: {bound(ragged):.3f} s for {many}, "
        f"{bound(grids):.3f} s for {small}."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="codebooks against their peers")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of each")
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        main(threads)
