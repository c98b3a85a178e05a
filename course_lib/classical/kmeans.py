"""k-means over descriptors that need not fit in memory: Lloyd's iteration, exact."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from sklearn.cluster import kmeans_plusplus
from torch import Tensor

from course_lib.classical.sampling import Source
from course_lib.classical.sets import shown


class Sums(NamedTuple):
    """What a pass over the descriptors leaves, in float64."""

    counts: Tensor  # (K,) descriptors whose nearest word this is
    totals: Tensor  # (K, D) their sums
    inertia: float  # sum of squared distances to the nearest word
    far: Tensor  # (K,) the largest of these, falling
    farthest: Tensor  # (K, D) whose they are
    farthest_words: Tensor  # (K,)


class Nearest:
    """Find the nearest of words (K, D).

    Distances are taken from the mean of the words, where float32 has digits to spare:
    |x - c|² = |x|² - 2 (x·c - |c|²/2): the largest bracket is the nearest word's.
    """

    def __init__(self, words: Tensor):
        self.centre = words.mean(dim=0)
        self.words = words - self.centre
        self.offsets = -self.words.square().sum(dim=1) / 2

    def scores(self, descriptors: Tensor) -> Tensor:
        """Return x·c - |c|²/2, (m, K)."""
        return torch.addmm(self.offsets, descriptors - self.centre, self.words.T)

    def word(self, descriptors: Tensor) -> Tensor:
        """Return the nearest word (m,) of each."""
        return largest(self.scores(descriptors))

    def squared(self, descriptors: Tensor, scores: Tensor) -> Tensor:
        """Return the squared distance (m,) to the nearest word."""
        lengths = (descriptors - self.centre).square().sum(dim=1)
        return (lengths - 2 * scores.amax(dim=1)).clamp(min=0)


def largest(scores: Tensor) -> Tensor:
    """Return the place of each row's maximum; on a CPU by NumPy, five times as fast."""
    if scores.device.type == "cpu":
        return torch.from_numpy(scores.numpy().argmax(axis=1))
    return scores.argmax(dim=1)


def seed(source: Source, words: int, random: np.random.RandomState) -> Tensor:
    """Return the first words, by k-means++ among the seeds: far from one another."""
    found, _ = kmeans_plusplus(source.seeds.cpu().numpy(), words, random_state=random)
    return torch.as_tensor(found).to(source.seeds)


def kmeans(
    source: Source, words: Tensor, max_iter: int, tol: float, title: str | None = None
) -> tuple[Tensor, int]:
    """Return words (K, D) after Lloyd's iterations from `words`, and how many.

    It stops when a pass found the sum of squared distances to the nearest word less
    than `tol`, of itself, below that of the pass before. A word that is nearest to
    nothing goes to the descriptor that is farthest from its own.
    """
    before, iterations = math.inf, 0
    for _ in shown(range(max_iter), title, max_iter):
        found = sums(source, words)
        words = means(found, words)
        iterations += 1
        if before - found.inertia <= tol * found.inertia:
            break
        before = found.inertia
    return words, iterations


def sums(source: Source, words: Tensor) -> Sums:
    """Go through the descriptors once."""
    nearest, amount = Nearest(words), len(words)
    totals = torch.zeros_like(words, dtype=torch.float64)
    counts, inertia = totals.new_zeros(amount), 0.0
    far = [(totals.new_zeros(0), words[:0], words.new_zeros(0, dtype=torch.int64))]
    for descriptors in source:
        scores = nearest.scores(descriptors)
        word = largest(scores)
        squared = nearest.squared(descriptors, scores)
        part = torch.zeros_like(words).index_add_(0, word, descriptors - nearest.centre)
        totals += part
        counts += torch.bincount(word, minlength=amount)
        inertia += squared.sum(dtype=torch.float64).item()
        top = squared.topk(min(amount, len(squared))).indices
        far = farthest([*far, (squared[top].double(), descriptors[top], word[top])])
    totals += counts[:, None] * nearest.centre
    return Sums(counts, totals, inertia, *far[0])


def farthest(parts: list[tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
    """Return one part with the largest distances of all, as many as the longest had."""
    size = max(len(distances) for distances, *_ in parts)
    columns = [torch.cat(column) for column in zip(*parts, strict=True)]
    top = columns[0].topk(size).indices
    return [tuple(column[top] for column in columns)]


def means(sums: Sums, words: Tensor) -> Tensor:
    """Return the mean of each word's descriptors; empty words move to the farthest."""
    counts, totals = sums.counts.clone(), sums.totals.clone()
    empty = (counts == 0).nonzero().flatten()
    movable = (sums.far > 0).nonzero().flatten()[: len(empty)]
    for word, place in zip(empty.tolist(), movable.tolist(), strict=False):
        point, donor = sums.farthest[place].double(), sums.farthest_words[place]
        totals[donor] -= point
        counts[donor] -= 1
        totals[word], counts[word] = point, 1
    moved = (totals / counts.clamp(min=1)[:, None]).to(words)
    return torch.where((counts > 0)[:, None], moved, words)
