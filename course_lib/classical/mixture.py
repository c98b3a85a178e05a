"""A Gaussian mixture with diagonal covariances, and EM over descriptors that need not
fit in memory."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.classical.encoder import softmax_
from course_lib.classical.kmeans import Nearest
from course_lib.classical.sampling import Source
from course_lib.classical.sets import shown


class Mixture(NamedTuple):
    weights: Tensor  # (K,), of sum 1
    means: Tensor  # (K, D)
    variances: Tensor  # (K, D)


class Sums(NamedTuple):
    """What a pass over the descriptors leaves, in float64, about `centre`."""

    centre: Tensor  # (D,)
    counts: Tensor  # (K,) Σ γ: posteriors of each component
    totals: Tensor  # (K, D) Σ γ (x - centre)
    squares: Tensor  # (K, D) Σ γ (x - centre)²


class Posterior:
    """Find the posteriors γ of a mixture's components, as a softmax of one product.

    log w N(x; μ, σ²) = [x, x²] · [μ/σ², -1/2σ²] + a constant of the component, where x
    and μ are taken from the mixture's mean: float32 has digits to spare there.
    """

    def __init__(self, mixture: Mixture):
        weights, means, variances = (part.double() for part in mixture)
        centre = weights @ means
        means = means - centre
        linear = torch.cat([means / variances, -0.5 / variances], dim=1).T  # (2D, K)
        constant = (means.square() / variances + (2 * math.pi * variances).log()).sum(1)
        self.centre = centre.to(mixture.means)
        self.linear = linear.to(mixture.means).contiguous()
        self.constant = (weights.log() - constant / 2).to(mixture.means)

    def powers(self, descriptors: Tensor) -> Tensor:
        """Return [x, x²], (m, 2D), from the mixture's mean."""
        width = descriptors.shape[1]
        both = descriptors.new_empty(len(descriptors), 2 * width)
        x, squares = both.split(width, dim=1)
        torch.sub(descriptors, self.centre, out=x)
        torch.mul(x, x, out=squares)
        return both

    def log_joint(self, powers: Tensor) -> Tensor:
        """Return log w N(x; μ, σ²) of each descriptor and component, (m, K)."""
        return torch.addmm(self.constant, powers, self.linear)

    def __call__(self, powers: Tensor) -> Tensor:
        """Return γ (m, K), of sum 1 a row."""
        return softmax_(self.log_joint(powers))


def expect(source: Source, mixture: Mixture) -> tuple[Sums, float]:
    """Return the sums, and the mean log-likelihood (nats a descriptor): the E step."""
    posterior, total = Posterior(mixture), 0.0
    size = mixture.means.shape
    counts = mixture.weights.new_zeros(size[0], dtype=torch.float64)
    sums = counts.new_zeros(size[0], 2 * size[1])
    for descriptors in source:
        powers = posterior.powers(descriptors)
        joint = posterior.log_joint(powers)
        largest, shares = joint.amax(dim=1), softmax_(joint)
        # log Σ exp(j) = max j - log max γ: the exponentials are there already
        total += (largest - shares.amax(1).log()).sum(dtype=torch.float64).item()
        counts += shares.sum(dim=0)
        sums += shares.T @ powers
    return Sums(
        posterior.centre, counts, *sums.split(size[1], dim=1)
    ), total / source.count


def cluster(source: Source, words: Tensor) -> Sums:
    """Return the sums where each descriptor belongs to the nearest word alone."""
    nearest = Nearest(words)
    totals, squares = (
        torch.zeros_like(words, dtype=torch.float64).expand(2, -1, -1).clone()
    )
    counts = totals.new_zeros(len(words))
    for descriptors in source:
        word, x = nearest.word(descriptors), descriptors - nearest.centre
        counts += torch.bincount(word, minlength=len(words))
        totals += torch.zeros_like(words).index_add_(0, word, x)
        squares += torch.zeros_like(words).index_add_(0, word, x.square())
    return Sums(nearest.centre, counts, totals, squares)


def maximise(sums: Sums, floor: Tensor, before: Mixture) -> Mixture:
    """Return the mixture of largest likelihood for these sums: the M step.

    floor: (D,), the least variance of an entry. A component that has lost its
    descriptors keeps mean and variance, and a weight that is small but not 0, by whose
    root a Fisher vector divides.
    """
    share = sums.counts.clamp(min=1e-6)[:, None]
    means = sums.totals / share
    variances = torch.maximum(sums.squares / share - means.square(), floor)
    weights = sums.counts.clamp(min=1e-6)
    alive = (sums.counts > 1e-6)[:, None]
    return Mixture(
        (weights / weights.sum()).to(before.weights),
        torch.where(alive, (means + sums.centre).to(before.means), before.means),
        torch.where(alive, variances.to(before.variances), before.variances),
    )


def least_variance(sums: Sums, floor: float) -> Tensor:
    """Return `floor` times the descriptors' variance (D,), never quite 0."""
    count = sums.counts.sum()
    mean = sums.totals.sum(dim=0) / count
    variance = (sums.squares.sum(dim=0) / count - mean.square()).clamp(min=0)
    return floor * variance + 1e-6 * variance.mean() + 1e-12


def start(source: Source, words: Tensor, floor: float) -> tuple[Mixture, Tensor]:
    """Return the mixture of the clusters about `words`, and the least variances."""
    sums = cluster(source, words)
    least = least_variance(sums, floor)
    weights = torch.full_like(words[:, 0], 1 / len(words))
    before = Mixture(weights, words, least.to(words).expand_as(words).contiguous())
    return maximise(sums, least, before), least


def em(
    source: Source,
    mixture: Mixture,
    floor: Tensor,
    max_iter: int,
    tol: float,
    title: str | None = None,
) -> tuple[Mixture, list[float]]:
    """Return the mixture after EM from `mixture`, and each iteration's log-likelihood.

    It stops when the mean log-likelihood (nats a descriptor) rose by less than `tol`.
    Source: Dempster, Laird and Rubin, 1977; Bishop, PRML, section 9.2.2.
    """
    history = []
    for _ in shown(range(max_iter), title, max_iter):
        sums, likelihood = expect(source, mixture)
        mixture = maximise(sums, floor, mixture)
        history.append(likelihood)
        if len(history) > 1 and abs(likelihood - history[-2]) < tol:
            break
    return mixture, history
